# Handlers that are given a whole chunk: as arrays of fields, and as burrow.message[].  What the elements
# are, beside what a handler of one message gets; and what becomes of a chunk that holds messages which cannot be
# converted or which the handler refuses.  One worker; the messages are there before the subscription is made.

use BurrowTest;
use MIME::Base64;

my $kafka = BurrowTest::Kafka->create('kafka');
my $node = BurrowTest::Node->create('main', kafka => $kafka);

sub subscribe
{
	my ($topic, $handler, $options) = @_;
	$node->sql(qq{SELECT burrow.subscribe('$topic', '$handler', '$handler', workers => 1, batch_size => 1000, commit_interval => '100 ms', max_retries => 0,
		kafka => '{"session.timeout.ms": 6000}'} . (defined $options ? ", $options" : '') . ')');
	return;
}

sub done
{
	my ($topic, $handler) = @_;
	$kafka->wait_until_committed($node->group_of($handler), $topic, diagnose => sub { $node->diagnostics });
	return;
}

#
# Every field of many messages: keys and values that are missing, empty, on either side of the lengths at which
# PostgreSQL stores them otherwise, and large; with and without headers.
#
my @lengths = (0, 1, 2, 3, 4, 5, 7, 8, 124 .. 131, 1000, 70000);
my @messages;
foreach my $i (0 .. 299)
{
	my $length = $lengths[$i % @lengths];
	my %message = (timestamp => 1700000000000 + $i * 1001);
	$message{key} = 'k' x $lengths[($i * 7) % 16] if $i % 5;
	$message{value} = '"' . ("\x{e4}" x ($i % 3)) . ('v' x $length) . '"' if $i % 7;
	$message{headers} = [map { ["name $_", $_ % 2 ? 'x' x ($i % 200) : undef] } 1 .. $i % 4] if $i % 3 == 0;
	push @messages, \%message;
}
$kafka->create_topic('fields', 1);
$kafka->produce('fields', @messages);

# what each of them says of a message; %s: an argument's type, and of what it is called for
my $what = q{concat_ws(' ', topic, partition, "offset", %s, coalesce(md5(key::text), '-'), coalesce(md5(value::text), '-'), md5(headers::text), extract(epoch FROM "timestamp"), attempt)};
my @columns = qw(topic partition "offset" key value headers "timestamp" attempt);
$node->sql('CREATE TABLE got (handler text, "offset" bigint, what text, calls bigint DEFAULT txid_current())');
foreach my $types (['text', 'jsonb'], ['bytea', 'bytea'], ['json', 'json'], ['jsonb', 'text'])
{
	my ($key, $value) = @$types;
	my $name = "${key}_$value";
	# a key is no JSON
	my $keys = $key =~ /json/ ? '' : "key $key, ";
	my $arrays = $keys eq '' ? '' : "key ${key}[], ";
	my $text = sprintf $what, "'$name'";
	$text =~ s/coalesce\(md5\(key::text\), '-'\)/'-'/ if $keys eq '';
	my @names = grep { $keys ne '' || $_ ne 'key' } @columns;
	$node->sql(qq{CREATE FUNCTION one_$name(topic text, partition int, "offset" bigint, ${keys}value $value, headers jsonb, "timestamp" timestamptz, attempt int) RETURNS void LANGUAGE sql AS
		\$\$ INSERT INTO got VALUES ('one $name', "offset", $text) \$\$;
		CREATE FUNCTION all_$name(attempt int[], topic text[], partition int[], "offset" bigint[], ${arrays}value ${value}[], headers jsonb[], "timestamp" timestamptz[]) RETURNS void LANGUAGE plpgsql AS
		\$\$
#variable_conflict use_column
BEGIN INSERT INTO got SELECT 'all $name', m."offset", $text FROM unnest(} . join(', ', map { "all_$name.$_" } @names) . ') AS m (' . join(', ', @names) . q{); END $$});
}
$node->sql(<<'SQL');
CREATE FUNCTION describe(m burrow.message) RETURNS text LANGUAGE sql AS $$
    SELECT concat_ws(' ', m.topic, m.partition, m."offset", coalesce(md5(m.key::text), '-'), coalesce(md5(m.value::text), '-'), m.headers IS NULL,
        md5(m.headers::text), cardinality(m.headers), extract(epoch FROM m."timestamp"), m.attempt) $$;
CREATE FUNCTION one_message(m burrow.message) RETURNS void LANGUAGE sql AS $$ INSERT INTO got VALUES ('one message', m."offset", describe(m)) $$;
CREATE FUNCTION all_message(m burrow.message[]) RETURNS void LANGUAGE sql AS $$ INSERT INTO got SELECT 'all message', o."offset", describe(o) FROM unnest(m) o $$;
CREATE FUNCTION one_fields(topic text, partition int, "offset" bigint, key bytea, value bytea, headers burrow.header[], "timestamp" timestamptz, attempt int)
RETURNS void LANGUAGE sql AS $$
    INSERT INTO got VALUES ('one fields', "offset", describe(ROW(topic, partition, "offset", key, value, headers, "timestamp", attempt)::burrow.message)) $$;
SQL

my @handlers = ((map { ("one_$_", "all_$_") } qw(text_jsonb bytea_bytea json_json jsonb_text message)), 'one_fields');
subscribe('fields', $_) foreach @handlers;
done('fields', $_) foreach @handlers;
foreach my $name (qw(text_jsonb bytea_bytea json_json jsonb_text message))
{
	my $shown = $name =~ s/_/_/r;
	my $of = sub { return $node->sql(qq{SELECT "offset", what FROM got WHERE handler = '$_[0] $shown' ORDER BY 1, 2}) };
	my ($one, $all) = ($of->('one'), $of->('all'));
	is(scalar(split /\n/, $one), 300, "$name: one call for each message");
	is($all, $one, "$name: a chunk's elements are what a handler of one message gets");
	cmp_ok($node->sql("SELECT count(DISTINCT calls) FROM got WHERE handler = 'all $shown'"), '<', 150, '... in few calls');
}
is($node->sql(q{SELECT string_agg(what, E'\n' ORDER BY "offset") FROM got WHERE handler = 'one message'}),
	$node->sql(q{SELECT string_agg(what, E'\n' ORDER BY "offset") FROM got WHERE handler = 'one fields'}), 'burrow.message is made of the fields');
$node->sql('SELECT count(burrow.unsubscribe(subscription)) FROM burrow.subscriptions; TRUNCATE got');

#
# Messages that cannot be converted, and one that the handler refuses: each becomes a dead letter, and all others
# are handled once.  An array is no NULL, so a strict function is called.
#
my @bad = (0, 7, 8, 150, 299);
$kafka->create_topic('bad', 1);
$kafka->produce('bad', map {
		my $i = $_;
		my $bad = grep { $_ == $i } @bad;
		my %value = $bad && $i % 2 ? (value_base64 => encode_base64("bad\xff", '')) : (value => $bad ? '{"' : $i == 40 ? '"refused"' : "$i");
		%value = () if $i == 20;
		+{ key => "k$i", %value }
} 0 .. 299);
$node->sql(<<'SQL');
CREATE FUNCTION loads("offset" bigint[], value jsonb[], attempt int[]) RETURNS void STRICT LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO got SELECT 'loads', * FROM unnest("offset", value);
    IF '"refused"' = ANY (value) THEN
        RAISE EXCEPTION 'a chunk of %', cardinality(value);
    END IF;
END $$;
SQL
my $position = $node->log_position;
subscribe('bad', 'loads', q{on_failure => 'dead_letter', max_consecutive_errors => 1000});
done('bad', 'loads');
is($node->sql(q{SELECT count(*), count(DISTINCT "offset"), count(*) FILTER (WHERE what IS NULL) FROM got WHERE handler = 'loads'}), '294|294|1',
	'the others are handled, each once, a tombstone among them');
is($node->sql(q{SELECT "offset", sqlstate, attempts FROM burrow.dead_letters ORDER BY 1}),
	join("\n", '0|22P02|1', '7|22021|1', '8|22P02|1', '40|P0001|1', '150|22P02|1', '299|22021|1'), 'each that fails is a dead letter');
is($node->sql(q{SELECT message FROM burrow.dead_letters WHERE "offset" = 40}), 'a chunk of 1', 'a refused one is found by halving');
is($node->sql(q{SELECT count(*) FROM burrow.dead_letters WHERE "offset" <> 40 AND context ~ ('argument "value"\nhandling message from topic "bad" partition 0 offset ' || "offset" || ' for subscription "loads"$')}),
	5, 'the context of the others says which message, and which argument');
my $errors = () = $node->log_since($position) =~ /ERROR: /g;
is($errors, 6, 'the log has each once');
# twice for each that is not converted: the chunk with it, and itself; halving takes log n, and more where transactions are small
cmp_ok($node->sql(q{SELECT transactions_rolled_back FROM burrow.stats WHERE subscription = 'loads'}), '<', 30, 'few transactions are rolled back for them');

# one is given again, alone, with its attempt
$node->sql(q{CREATE OR REPLACE FUNCTION loads("offset" bigint[], value jsonb[], attempt int[]) RETURNS void LANGUAGE sql AS
	$$ INSERT INTO got SELECT 'again', o, v || to_jsonb(a) FROM unnest("offset", value, attempt) AS m (o, v, a) $$});
is($node->sql(q{SELECT burrow.retry_dead_letters('loads', from_offset => 40, to_offset => 40)}), 1, 'a dead letter is tried again');
$node->wait_for('it to be handled', q{SELECT count(*) = 1 FROM got WHERE handler = 'again'});
is($node->sql(q{SELECT "offset", what FROM got WHERE handler = 'again'}), '40|["refused", 2]', '... as an array of one');
is($node->sql(q{SELECT count(*) FROM burrow.dead_letters}), 5, '... and is no dead letter any more');
$node->sql(q{SELECT burrow.unsubscribe('loads')});

# what a dry run calls
is($node->sql(q{SELECT burrow.subscribe('bad', 'loads', 'dry', enabled => false)}), 'dry', 'a subscription that does not run');
is($node->sql(q{SELECT "offset", outcome, sqlstate FROM burrow.dry_run('dry', 3)}), "0|failed|22P02\n1|ok|\n2|ok|", 'a dry run gives messages one by one');
$node->sql(q{SELECT burrow.unsubscribe('dry'); TRUNCATE got});

#
# Order: what is behind one that cannot be converted, in its order, does not run.
#
$kafka->create_topic('order', 1);
$kafka->produce('order', (map { { key => "a$_", value => '1' } } 1 .. 20), { key => 'x', value => 'no' }, { key => 'x', value => '2' }, (map { { key => "b$_", value => '1' } } 1 .. 20));
$node->sql(q{CREATE FUNCTION ordered(key text[], value jsonb[], "offset" bigint[]) RETURNS void LANGUAGE sql AS $$ INSERT INTO got SELECT * FROM unnest(key, "offset", value) $$});
subscribe('order', 'ordered');
$node->wait_for_state('ordered', 'halted');
is($node->sql('SELECT error_offset, error_sqlstate FROM burrow.subscriptions'), '20|22P02', 'it halts at the message');
is($node->sql(q{SELECT count(*), count(DISTINCT "offset"), count(*) FILTER (WHERE handler = 'x') FROM got}), '40|40|0', 'the others are done once, and nothing behind it in its order');
$node->sql(q{SELECT burrow.alter('ordered', on_failure => 'skip'), burrow.resume('ordered')});
done('order', 'ordered');
is($node->sql('SELECT count(*), count(DISTINCT "offset") FROM got'), '41|41', 'it is skipped, and what was behind it is done');
$node->sql(q{SELECT burrow.unsubscribe('ordered'); TRUNCATE got});

#
# Exactly once: a worker is killed while it loads.
#
$kafka->create_topic('load', 2);
$kafka->produce_many('load', count => 20000, keys => 1000);
$node->sql(q{CREATE FUNCTION bulk("offset" bigint[], partition int[], value jsonb[]) RETURNS void LANGUAGE sql AS $$
	INSERT INTO got SELECT p::text, o, v->>'n' FROM unnest(partition, "offset", value) AS m (p, o, v) $$});
subscribe('load', 'bulk');
my $victim;
wait_until('a worker with rows to its name', sub {
		return $node->sql('SELECT count(*) > 0 FROM got') eq 't' && ($victim = $node->sql(q{SELECT min(pid) FROM burrow.workers WHERE subscription = 'bulk'}));
});
kill9($victim);
$node->wait_for('the server to be back', 'SELECT NOT pg_is_in_recovery()');
done('load', 'bulk');
is($node->sql('SELECT count(*), count(DISTINCT (handler, "offset")), count(DISTINCT what) FROM got'), '20000|20000|20000', 'each message took effect once');
$node->sql(q{SELECT burrow.unsubscribe('bulk')});

#
# A database in another encoding: arrays of text are converted, and one that cannot be is its message's error.
#
$node->sql(q{CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'});
$node->sql(<<'SQL', 'latin');
CREATE EXTENSION burrow;
CREATE TABLE got (key text, value text);
CREATE FUNCTION keep(key text[], value text[]) RETURNS void LANGUAGE sql AS $$ INSERT INTO got SELECT * FROM unnest(key, value) $$;
SQL
$kafka->create_topic('latin', 1);
$kafka->produce('latin', { key => "\x{e4}", value => "\x{fc}" }, { key => 'euro', value => "\x{20ac}" }, { value => "\x{df}" });
$node->sql(q{SELECT burrow.subscribe('latin', 'keep', on_failure => 'dead_letter')}, 'latin');
$node->wait_for('two rows and a dead letter', 'SELECT (SELECT count(*) FROM got) = 2 AND (SELECT count(*) FROM burrow.dead_letters) = 1', database => 'latin');
is($node->sql(q{SELECT convert_to(key, 'LATIN1'), convert_to(value, 'LATIN1') FROM got ORDER BY 2}, 'latin'), "|\\xdf\n\\xe4|\\xfc", 'text is in the encoding of the database');
is($node->sql('SELECT "offset", sqlstate FROM burrow.dead_letters', 'latin'), '1|22P05', 'what cannot be converted is an error of the message');

$node->stop;
done_testing();
