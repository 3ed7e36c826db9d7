# Texts in databases of every kind of encoding: names of headers that the encoding lacks go into dead letters, their
# topic and their retries byte for byte, and what is cut is cut at a character's end.

use BurrowTest;
use utf8;
use Encode;

$ENV{PGCLIENTENCODING} = 'UTF8';
my $kafka = BurrowTest::Kafka->create('kafka');
my $node = BurrowTest::Node->create('main', kafka => $kafka, extension => 0);

# names of headers, in the order of their offsets, and which of them each encoding has
my @names = ('plain', 'é', '日本', '🐹', '\xff');
my %has = (
	UTF8 => [0 .. 4],
	LATIN1 => [0, 1, 4],
	EUC_JP => [0, 1, 2, 4],
	SQL_ASCII => [0 .. 4],
);
# what a text that is cut is made of: characters of 1 to 4 bytes there
my %long = (UTF8 => '漢', LATIN1 => 'é', EUC_JP => '漢', SQL_ASCII => 'é');

my %perls = (UTF8 => 'UTF-8', LATIN1 => 'ISO-8859-1', EUC_JP => 'euc-jp', SQL_ASCII => 'UTF-8');

sub hexadecimal { return join '', map { ord($_) < 0x80 ? $_ : sprintf('\x%02x', ord($_)) } split //, encode('UTF-8', $_[0]) }

# the handler's errors are long
$node->sql(q{CREATE ROLE app LOGIN; ALTER ROLE app SET log_min_messages = 'fatal'});
foreach my $encoding (sort keys %has)
{
	my $db = lc $encoding;
	my $sql = sub { return decode('UTF-8', $node->sql(encode('UTF-8', $_[0]), $db)) };
	$node->sql("CREATE DATABASE $db TEMPLATE template0 ENCODING '$encoding' LC_COLLATE 'C' LC_CTYPE 'C'");
	$node->sql(encode('UTF-8', <<"SQL"), $db);
CREATE EXTENSION burrow;
GRANT EXECUTE ON FUNCTION burrow.subscribe, burrow.retry_dead_letters TO app;
GRANT CREATE ON SCHEMA public TO app;
SET ROLE app;
CREATE TABLE fails (text text);
INSERT INTO fails VALUES ('it fails: ' || repeat('$long{$encoding}', 9000));
CREATE TABLE got (name text);
CREATE FUNCTION h(headers burrow.header[]) RETURNS void LANGUAGE plpgsql AS \$\$
BEGIN
	IF EXISTS (SELECT FROM fails) THEN
		RAISE EXCEPTION '%', (SELECT text FROM fails) USING DETAIL = 'x' || (SELECT text FROM fails), HINT = 'xx' || (SELECT text FROM fails);
	END IF;
	INSERT INTO got VALUES (headers[1].name);
END \$\$;
SQL

	#
	# Names of headers.
	#
	$kafka->create_topic($_, 1) foreach $db, "$db.dead", "$db.quiet";
	$kafka->produce($db, map { { value => 'v', headers => [[$_, 'value']] } } @names);
	$sql->(qq{SET ROLE app; SELECT burrow.subscribe('$db', 'h', on_failure => 'dead_letter', max_retries => 0, dead_letter_topic => '$db.dead')});
	$node->wait_for("$encoding: the dead letters in their topic", 'SELECT count(produced_at) = 5 FROM burrow.dead_letters', database => $db);
	my %shown = map { $_ => $names[$_] } @{ $has{$encoding} };
	is($sql->('SELECT headers[1].name FROM burrow.dead_letters ORDER BY "offset"'),
		join("\n", map { $shown{$_} // hexadecimal($names[$_]) } 0 .. 4), "$encoding: dead letters show the names that are text there");
	my @sent = map { $_->{headers}[0] } sort { $a->{headers}[2][1] <=> $b->{headers}[2][1] || $a->{offset} <=> $b->{offset} } $kafka->read_topic("$db.dead");
	is_deeply([sort map { $_->[0] } @sent], [sort @names], "$encoding: the dead-letter topic has them byte for byte");
	is_deeply([map { $_->[1] } @sent], [('value') x 5], "$encoding: ... with their values");

	#
	# Texts that are cut: of the error, in the dead letter and in shared memory.
	#
	my $cut = qr/^(?:x|xx)?it fails: \Q$long{$encoding}\E{200,}$/;
	like($sql->('SELECT message FROM burrow.dead_letters ORDER BY "offset" LIMIT 1'), $cut, "$encoding: the error is cut at a character's end");
	like($sql->('SELECT detail FROM burrow.dead_letters ORDER BY "offset" LIMIT 1'), $cut, "$encoding: ... its detail, too");
	like($sql->('SELECT hint FROM burrow.dead_letters ORDER BY "offset" LIMIT 1'), $cut, "$encoding: ... and its hint");
	my $last = $sql->(q{SELECT last_error, octet_length(last_error) FROM burrow.subscriptions});
	like($last, qr/^it fails: \Q$long{$encoding}\E{100,}\|5\d\d$/, "$encoding: ... and what the state shows") if @{ $has{$encoding} } == 5;

	#
	# A retry gets the message as it was.
	#
	$sql->('DELETE FROM fails; SELECT burrow.retry_dead_letters(subscription) FROM burrow.subscriptions');
	$node->wait_for("$encoding: those that can be handled", "SELECT count(*) = @{[ scalar @{ $has{$encoding} } ]} FROM got", database => $db);
	is(join(' ', sort split /\n/, $sql->('SELECT name FROM got')), join(' ', sort map { $names[$_] } @{ $has{$encoding} }), "$encoding: a retry gets the names as they were");
	$node->wait_for("$encoding: the others to have failed again", "SELECT count(*) = @{[ 5 - @{ $has{$encoding} } ]} AND count(retry_asked_at) = 0 FROM burrow.dead_letters", database => $db);

#
# The name of the consumer's process, which the launcher has cut without knowing the encoding.
#
	my $name = $long{$encoding} x 80;
	$sql->(qq{SET ROLE app; SELECT burrow.subscribe('$db.quiet', 'h', subscription => '$name')});
	$node->wait_for("$encoding: the consumer", q{SELECT count(*) = 1 FROM burrow.subscriptions WHERE subscription <> current_database() AND consumer_pid IS NOT NULL}, database => $db);
	my $pid = $sql->(q{SELECT consumer_pid FROM burrow.subscriptions WHERE subscription <> current_database()});
	my ($title) = PostgreSQL::Test::Utils::slurp_file("/proc/$pid/cmdline") =~ /burrow consumer ([^\0]+?) *(?:\0|$)/;
	# PostgreSQL puts a ? for each byte beyond ASCII: there is place for 79
	is($title, '?' x (79 - 79 % length(encode($perls{$encoding}, $long{$encoding}))), "$encoding: the process's title is cut at a character's end");
	$sql->('SELECT burrow.unsubscribe(subscription) FROM burrow.subscriptions');
}

#
# A text that is valid in its database, and cannot be UTF-8, does not stop the dead-letter topic.
#
$kafka->create_topic($_, 1) foreach 'raw', 'raw.dead';
$kafka->produce('raw', { value => 'v' });
$node->sql(<<'SQL', 'sql_ascii');
CREATE FUNCTION raw(value bytea) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	RAISE EXCEPTION 'caf%', convert_from('\xe9', 'SQL_ASCII');
END $$;
SELECT burrow.subscribe('raw', 'raw', on_failure => 'dead_letter', max_retries => 0, dead_letter_topic => 'raw.dead');
SQL
$node->wait_for('the dead letter in its topic', q{SELECT count(produced_at) = 1 FROM burrow.dead_letters WHERE topic = 'raw'}, database => 'sql_ascii');
my %headers = map { @$_ } @{ ($kafka->read_topic('raw.dead'))[0]{headers} };
is($headers{'kafka_dlt-exception-message'}, 'caf\xe9', 'what cannot be UTF-8 is sent in hexadecimal');

$node->stop;
done_testing();
