# The files of a newer version are installed, and ALTER EXTENSION ... UPDATE has been called, but the server still runs the
# old library: burrow.why_stuck() says so, and a restart ends it.  The newer version is this one by another name.

use File::Basename qw(dirname);

use BurrowTest;

# an installation of the test's own: others use the one that there is
my $root = PostgreSQL::Test::Utils::tempdir();
my %folder = map { chomp(my $path = `pg_config --$_`); $_ => $path } qw(bindir pkglibdir sharedir);
foreach my $path (values %folder)
{
	PostgreSQL::Test::Utils::system_or_bail('mkdir', '-p', "$root$path");
	PostgreSQL::Test::Utils::system_or_bail('cp', '-R', "$path/.", "$root$path");
}
# an older library, which lacks a setting
replace("$root$folder{pkglibdir}/burrow.so", 'burrow.stalled_after', 'burrow.stalled_befor');
PostgreSQL::Test::Utils::system_or_bail('cp', dirname(dirname(__FILE__)) . '/upgrade/burrow--0.1.0.sql', "$root$folder{sharedir}/extension");
my $kafka = BurrowTest::Kafka->create('kafka');
my $node = BurrowTest::Node->create('main', kafka => $kafka, install_path => $root . ($folder{bindir} =~ s{/bin$}{}r));
my $version = $node->sql(q{SELECT extversion FROM pg_extension WHERE extname = 'burrow'});
my $newer = $version =~ tr/0-9/9876543210/r;

sub replace
{
	my ($file, $from, $to) = @_;
	my $text = PostgreSQL::Test::Utils::slurp_file($file);
	cmp_ok($text =~ s/\Q$from\E/$to/g, '>', 0, "$to is in " . ($file =~ s{.*/}{}r));
	# a new file, as installing makes one: the old one is mapped
	open(my $out, '>:raw', "$file.new") or die "cannot write $file.new: $!";
	print $out $text;
	close $out or die "cannot write $file.new: $!";
	rename "$file.new", $file or die "cannot rename $file.new: $!";
	return;
}

# it cannot do what the newer version's script asks for
$node->sql('CREATE DATABASE old');
$node->sql("CREATE EXTENSION burrow VERSION '0.1.0'", 'old');
like($node->sql_error('ALTER EXTENSION burrow UPDATE', 'old'),
	qr/55000: the server runs the library of an older version of Burrow\nHINT:  Restart the server, and use ALTER EXTENSION burrow UPDATE again/, 'an update that the library is too old for says so');
is($node->sql(q{SELECT extversion FROM pg_extension WHERE extname = 'burrow'}, 'old'), '0.1.0', '... and changes nothing');
replace("$root$folder{pkglibdir}/burrow.so", 'burrow.stalled_befor', 'burrow.stalled_after');

$kafka->create_topic('orders', 1);
$node->sql(<<'SQL');
CREATE TABLE got (value text);
CREATE FUNCTION h(value text) RETURNS void LANGUAGE sql AS 'INSERT INTO got VALUES (value)';
SELECT burrow.subscribe('orders', 'h'), burrow.subscribe('orders', 'h', 'other', enabled => false);
SQL
$kafka->produce('orders', { value => 'before' });
$node->wait_for('a message', 'SELECT count(*) = 1 FROM got');

replace("$root$folder{sharedir}/extension/burrow.control", $version, $newer);
replace("$root$folder{pkglibdir}/burrow.so", $version, $newer);
PostgreSQL::Test::Utils::append_to_file("$root$folder{sharedir}/extension/burrow--$version--$newer.sql", "-- nothing differs\n");
$node->sql(q{ALTER EXTENSION burrow UPDATE; SELECT burrow.unsubscribe('other')});
is($node->sql(q{SELECT extversion FROM pg_extension WHERE extname = 'burrow'}), $newer, 'the extension is of the newer version');
$node->wait_for_state('orders', 'retrying');
my ($cause, $statement) = split /\|/, $node->sql(q{SELECT cause, next_statement FROM burrow.why_stuck('orders')});
is($cause, qq{version "$newer" of extension "burrow" does not fit the library's version "$version"}, 'why_stuck says why');
is($statement, 'SELECT pg_postmaster_start_time(); -- and restart the server, whose library is of another version', '... and what to do');
like($node->sql($statement), qr/^\d{4}-/, 'its first half');
$kafka->produce('orders', { value => 'meanwhile' });
$node->restart;
$node->wait_for('the message of meanwhile', q{SELECT count(*) = 2 FROM got});
$node->wait_for_state('orders', 'running');
is($node->sql(q{SELECT count(*) FROM burrow.why_stuck('orders')}), '0', 'and its second: nothing is stuck any more');

$node->stop;
done_testing();
