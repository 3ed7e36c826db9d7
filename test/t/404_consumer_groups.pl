# A consumer group is one thing for the whole server: who is in it gets a share of its messages and moves its
# position.  No role gets into another role's, in whichever database; nor into its own by mistake.

use BurrowTest;

my $kafka = BurrowTest::Kafka->create('kafka');
my $node = BurrowTest::Node->create('main', kafka => $kafka, conf => "max_prepared_transactions = 5\n");
my $server = sprintf('%08x', do { my $id = $node->sql('SELECT system_identifier FROM pg_control_system()'); ($id >> 32) ^ ($id & 0xffffffff) });
$kafka->create_topic($_, 2) foreach qw(orders b.c c);

# Each has EXECUTE on Burrow's functions, and nothing else.
$node->sql('CREATE ROLE tenants; CREATE ROLE alice LOGIN IN ROLE tenants; CREATE ROLE mallory LOGIN IN ROLE tenants');
for my $database (qw(postgres shop b b.c))
{
	$node->sql(qq{CREATE DATABASE "$database"}) unless $database eq 'postgres';
	$node->sql(<<'SQL', $database);
CREATE EXTENSION IF NOT EXISTS burrow;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA burrow TO tenants;
CREATE TABLE got (topic text, partition int, "offset" bigint);
GRANT INSERT, SELECT ON got TO tenants;
CREATE FUNCTION keep(topic text, partition int, "offset" bigint) RETURNS void LANGUAGE sql AS
  'INSERT INTO got VALUES (topic, partition, "offset")';
SQL
}

sub as { return $node->answer_to(@_) }

sub subscribe
{
	my ($name, $options) = @_;
	return "SELECT burrow.subscribe('orders', 'keep', subscription => '$name'" . (defined $options ? ", $options" : '') . ')';
}

my $others = qr/ERROR:  55006: consumer group "alices" is used by a subscription of another role\nDETAIL:  The members of a group share its messages and its position\.\nHINT:  Name another group/;

# ---- another role's group: in the same database and in another, when it runs and when it does not

is(as(alice => subscribe('hers', "consumer_group => 'alices', commit_interval => '100 ms'")), 'hers', 'a group of her own');
$node->wait_for_state('hers', 'running');
for my $state (qw(running paused disabled))
{
	as(alice => "SELECT burrow.pause('hers')") if $state eq 'paused';
	as(alice => "SELECT burrow.alter('hers', enabled => false)") if $state eq 'disabled';
	$node->wait_for_state('hers', $state);
	like(as(mallory => subscribe('his', "consumer_group => 'alices'")), $others, "$state: another role is refused");
	like(as(mallory => subscribe('his', "consumer_group => 'alices', join_group => true, enabled => false")), $others, "$state: whatever it says");
	like(as(mallory => subscribe('his', "consumer_group => 'alices'"), 'shop'), $others, "$state: and from another database");
	like($node->sql_error(subscribe('super', "consumer_group => 'alices', join_group => true"), 'shop'), $others, "$state: a superuser, too");
}
is(as(mallory => subscribe('his', 'enabled => false'), 'shop'), 'his', 'he has one of his own');
like(as(mallory => "SELECT burrow.alter('his', consumer_group => 'alices')", 'shop'), $others, 'and cannot take it there');
like(as(mallory => "SELECT burrow.alter('his', consumer_group => 'alices', join_group => true)", 'shop'), $others, 'whatever it says');

# ---- after a restart, before anything was discovered: by a table that cannot be read

my $held = $node->background_psql('postgres');
$held->query_safe('BEGIN; LOCK TABLE burrow.subscription');
$held->query_safe(q{PREPARE TRANSACTION 'held'});
$held->quit;
$node->restart;
like(as(mallory => subscribe('other', "consumer_group => 'alices', enabled => false"), 'shop'),
	qr/ERROR:  55000: cannot tell whether consumer group "alices" is used by another role\nDETAIL:  Since the server has started, Burrow has not been able to read the subscriptions of database "postgres"\.\nHINT:  Try again/,
	'what is not known is not taken');
is(as(mallory => subscribe('default', 'enabled => false'), 'shop'), 'default', 'the default group needs no such knowledge');
$node->sql(q{ROLLBACK PREPARED 'held'});
$node->wait_for('the answer to be known', sub { return as(mallory => subscribe('other', "consumer_group => 'alices', enabled => false"), 'shop') =~ $others });
pass('and then it is refused');
as(mallory => "SELECT burrow.unsubscribe('default')", 'shop');

# ---- a database that allows no connections: after a restart nobody can read what is in there

is(as(mallory => "SELECT burrow.subscribe('c', 'keep', subscription => 'closed', consumer_group => 'behind', enabled => true)", 'b'), 'closed', 'a group in a database');
$node->wait_for_state('closed', 'running', database => 'b');
$node->sql('ALTER DATABASE b ALLOW_CONNECTIONS false');
like(as(alice => subscribe('behind', "consumer_group => 'behind', enabled => false")), qr/55006: consumer group "behind" is used by a subscription of another role/, 'that is closed: its groups are known');
$node->restart;
$node->wait_for('the answer to be known', sub { return as(alice => subscribe('behind', "consumer_group => 'behind', enabled => false")) eq 'behind' });
$node->sql('ALTER DATABASE b ALLOW_CONNECTIONS true');
$node->wait_for_state('closed', 'halted', database => 'b');
is($node->sql("SELECT error_sqlstate, error_message FROM burrow.subscriptions WHERE subscription = 'closed'", 'b'),
	'55006|consumer group "behind" is used by a subscription of another role', 'after a restart they are not, and what is found to be taken when it is opened does not start');
as(mallory => "SELECT burrow.unsubscribe('closed')", 'b');
as(alice => "SELECT burrow.unsubscribe('behind')");

# ---- the default groups of others

my $default = "burrow.$server.postgres.orders";
like(as(mallory => subscribe('squat', "consumer_group => '$default'"), 'shop'),
	qr/ERROR:  22023: consumer group "\Q$default\E" is reserved for a subscription of another database\nDETAIL:  Default groups of this server begin with "burrow\."/,
	'a default group of another database is reserved');
is(as(alice => subscribe('orders', 'enabled => false')), 'orders', 'for the subscription that has it');
is($node->group_of('orders'), $default, 'a plain name is as it was');
is(as(mallory => "SELECT burrow.subscribe('c', 'keep', enabled => false)", 'b.c'), 'c', 'database "b.c", subscription "c"');
is(as(alice => "SELECT burrow.subscribe('b.c', 'keep', subscription => 'c.c', enabled => false)", 'b'), 'c.c', 'database "b", subscription "c.c"');
is($node->group_of('c', 'b.c'), "burrow.$server.b%2Ec.c", 'a dot of the database is escaped');
is($node->group_of('c.c', 'b'), "burrow.$server.b.c.c", 'and one of the subscription is not');
as(alice => subscribe($_, 'enabled => false')) foreach 'a b', 'a_b', 'a%20b', 'x' x 240, 'x' x 239 . 'y';
is($node->sql(q{SELECT string_agg(regexp_replace(consumer_group, '^burrow\.[0-9a-f]{8}\.postgres\.', ''), ' ' ORDER BY subid) FROM burrow.subscription WHERE name ~ '^a.*b$'}),
	'a%20b a_b a%2520b', 'what is not plain is escaped, and no two names are the same');
is($node->sql('SELECT count(DISTINCT consumer_group) = count(*), max(length(consumer_group)) FROM burrow.subscription'), 't|249', 'nor two that are cut');

# ---- one role's own

my $own = qr/ERROR:  55006: consumer group "mine" is used by subscription "one"\nDETAIL:  Each of the two would get a part of the messages\.\nHINT:  If that is meant, use join_group => true\./;
my $own_elsewhere = qr/ERROR:  55006: consumer group "mine" is used by a subscription in database "postgres"\nDETAIL/;
is(as(alice => subscribe('one', "consumer_group => 'mine', enabled => false")), 'one', 'one');
like(as(alice => subscribe('two', "consumer_group => 'mine', enabled => false")), $own, 'a second one in the group is a mistake');
like(as(alice => subscribe('two', "consumer_group => 'mine', enabled => false"), 'shop'), $own_elsewhere, 'in another database, too');
is(as(alice => subscribe('two', "consumer_group => 'mine', join_group => true, enabled => false")), 'two', 'unless it says that it is meant');
is(as(alice => subscribe('three', "consumer_group => 'mine', join_group => true, enabled => false"), 'shop'), 'three', 'in another database');
like(as(alice => "SELECT burrow.alter('two', join_group => false)"), $own, 'what is meant stays so as long as they are together');
like($node->sql_error("SELECT burrow.alter('two', owner => 'mallory')"), qr/55006: consumer group "mine" is used by a subscription of another role/, 'one is not given away out of a shared group');
is(as(alice => "SELECT burrow.alter('two', consumer_group => 'apart', join_group => false)"), '', 'it goes elsewhere');
is($node->sql("SELECT subscription, consumer_group, join_group FROM burrow.subscriptions WHERE subscription IN ('one', 'two') ORDER BY 1"), "one|mine|f\ntwo|apart|f", 'as the view says');

# ---- transactions

is(as(alice => "BEGIN; SELECT burrow.unsubscribe('two'); " . subscribe('again', "consumer_group => 'apart', enabled => false") . '; COMMIT') =~ s/\s//gr, 'again',
	'what a transaction gives up, it can take');
is(as(mallory => subscribe('m', "consumer_group => 'free', enabled => false") . "; SELECT burrow.unsubscribe('m')"), "m\n", 'a group that is given up');
is(as(alice => subscribe('free', "consumer_group => 'free', enabled => false")), 'free', 'is free at once');
is(as(mallory => 'BEGIN; SAVEPOINT s; ' . subscribe('m', "consumer_group => 'm1', enabled => false") . '; ROLLBACK TO s; ' .
			subscribe('m', "consumer_group => 'm1', enabled => false") . '; ROLLBACK'), "m\nm", 'after a rollback to a savepoint, too');
is(as(mallory => "BEGIN; SELECT burrow.alter('his', consumer_group => 'm1'); SELECT burrow.alter('his', consumer_group => 'm2'); SAVEPOINT s; " .
			"SELECT burrow.alter('his', consumer_group => 'm3'); RELEASE s; COMMIT", 'shop'), "\n\n", 'a group is changed again and again');
for my $group (qw(m1 m2 m3))
{
	my $answer = as(alice => 'BEGIN; ' . subscribe('try', "consumer_group => '$group', enabled => false") . '; ROLLBACK');
	like($answer, $group eq 'm3' ? qr/55006: consumer group "m3" is used by a subscription of another role/ : qr/^try$/, "the last one, and only that, is taken: $group");
}
my $session = $node->background_psql('shop', extra_params => ['-U', 'mallory']);
$session->query_safe("BEGIN; " . subscribe('open', "consumer_group => 'open', enabled => false"));
like(as(alice => subscribe('open', "consumer_group => 'open', enabled => false")), qr/55006: consumer group "open" is used by a subscription of another role/,
	'nobody waits for a transaction that has taken it');
$session->query_safe('ROLLBACK');
is(as(alice => 'BEGIN; ' . subscribe('open', "consumer_group => 'open', enabled => false") . '; ROLLBACK'), 'open', 'and nothing is left of it');
$session->query_safe("BEGIN; SELECT burrow.alter('his', consumer_group => 'open')");
$session->quit;
is(as(alice => 'BEGIN; ' . subscribe('open', "consumer_group => 'open', enabled => false") . '; ROLLBACK'), 'open', 'nor when the session ends');

# ---- a database that is gone, an extension that is

is(as(mallory => subscribe('m', "consumer_group => 'gone', enabled => false"), 'b'), 'm', 'a group');
like(as(alice => subscribe('gone', "consumer_group => 'gone', enabled => false")), qr/55006/, 'that is taken');
$node->sql('DROP EXTENSION burrow CASCADE', 'b');
$node->wait_for('it to be free after DROP EXTENSION', sub { return as(alice => 'BEGIN; ' . subscribe('gone', "consumer_group => 'gone', enabled => false") . '; ROLLBACK') eq 'gone' });
is(as(mallory => subscribe('m', "consumer_group => 'gone', enabled => false"), 'b.c'), 'm', 'again');
$node->sql('DROP DATABASE "b.c"');
$node->wait_for('it to be free after DROP DATABASE', sub { return as(alice => 'BEGIN; ' . subscribe('gone', "consumer_group => 'gone', enabled => false") . '; ROLLBACK') eq 'gone' });
pass('both give it back');

# ---- a copy is in no group until it is resumed, and then not in the original's

as(alice => "SELECT burrow.resume('hers')");
$node->wait_for_state('hers', 'running');
$kafka->produce('orders', map { { partition => $_ % 2, value => 'x' } } 0 .. 19);
$kafka->wait_until_committed('alices', 'orders');
$node->sql('CREATE DATABASE copy TEMPLATE postgres', 'shop');
$node->wait_for_state('hers', 'running');
like(as(alice => "SELECT burrow.resume('hers')", 'copy'), qr/55006: consumer group "alices" is used by a subscription in database "postgres"/, 'the copy is refused');
is(as(alice => "SELECT burrow.alter('hers', consumer_group => 'copied')", 'copy'), '', 'another group');
is(as(alice => "SET client_min_messages = error; SELECT burrow.resume('hers')", 'copy'), '', 'is what it takes');
$node->wait_for_state('hers', 'running', database => 'copy');

# ---- what nobody was asked about: a row that came another way does not start

is($node->sql('SELECT count(*) FROM got'), '20', 'all that there was is handled');
$node->sql("UPDATE burrow.subscription SET consumer_group = 'alices', status = 'enabled' WHERE name = 'his'", 'shop');
$node->sql("SELECT burrow.alter('his', workers => 2)", 'shop');
$node->wait_for_state('his', 'halted', database => 'shop');
is($node->sql("SELECT error_sqlstate, error_message, error_hint FROM burrow.subscriptions WHERE subscription = 'his'", 'shop'),
	'55006|consumer group "alices" is used by a subscription of another role|Name another group with burrow.alter(), or unsubscribe the other subscription; then use burrow.resume().',
	'it says why');
is(scalar($kafka->group_members('alices')), 1, 'and was never in the group');
$kafka->produce('orders', map { { partition => $_ % 2, value => 'x' } } 0 .. 19);
$kafka->wait_until_committed('alices', 'orders');
is($node->sql('SELECT count(*), count(DISTINCT (partition, "offset")) FROM got'), '40|40', 'no message of hers went elsewhere');
is($node->sql('SELECT count(*) FROM got', 'shop'), '0', 'and he has none');
my $statement = as(mallory => "SELECT next_statement FROM burrow.why_stuck('his')", 'shop');
like($statement, qr/^SELECT burrow\.alter\('his', consumer_group => 'alices-[-0-9a-f]+'\), burrow\.resume\('his'\);$/, 'what ends it');
as(mallory => $statement, 'shop');
$node->wait_for_state('his', 'running', database => 'shop');
pass('and he has a group of his own');

$node->stop;
done_testing();
