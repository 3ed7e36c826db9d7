# What a role may take of the server has an upper end that is not the role's to set: subscriptions, workers,
# memory, the size of options.  The error says which, and who may raise it.

use BurrowTest;
use Time::HiRes qw(time);

my $kafka = BurrowTest::Kafka->create('kafka');
my $node = BurrowTest::Node->create('main', kafka => $kafka, conf => "burrow.max_subscriptions = 4\nburrow.max_subscriptions_per_role = 3\n");
$kafka->create_topic($_, 4) foreach qw(orders others);
$node->sql('CREATE DATABASE shop');
$node->sql('CREATE ROLE tenants; CREATE ROLE alice LOGIN IN ROLE tenants; CREATE ROLE mallory LOGIN IN ROLE tenants');
for my $database (qw(postgres shop))
{
	$node->sql(<<'SQL', $database);
CREATE EXTENSION IF NOT EXISTS burrow;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA burrow TO tenants;
CREATE TABLE got (topic text, value text);
GRANT INSERT, SELECT ON got TO tenants;
CREATE FUNCTION keep(topic text, value text) RETURNS void LANGUAGE sql AS 'INSERT INTO got VALUES (topic, value)';
CREATE FUNCTION slow(value text) RETURNS void LANGUAGE sql AS 'SELECT pg_sleep(600)';
SQL
}

sub as { return $node->answer_to(@_) }

sub subscribe
{
	my ($name, $options) = @_;
	return "SELECT burrow.subscribe('orders', 'keep', subscription => '$name'" . (defined $options ? ", $options" : '') . ')';
}

sub gives
{
	my ($options) = @_;
	return as(mallory => 'BEGIN; ' . subscribe('try', "enabled => false, $options") . '; ROLLBACK');
}

# ---- the number of subscriptions, in all databases together; disabled ones, and those of open transactions

my $too_many = qr/ERROR:  53400: too many subscriptions for role "mallory"\nDETAIL:  A role may have 3 subscriptions, in all databases together, disabled ones among them\.\nHINT:  A superuser can raise burrow\.max_subscriptions_per_role, also for one role\./;
is(as(mallory => subscribe('m1', 'enabled => false')), 'm1', 'one');
is(as(mallory => subscribe('m2', 'enabled => false'), 'shop'), 'm2', 'two, in another database');
my $session = $node->background_psql('shop', extra_params => ['-U', 'mallory']);
$session->query_safe('BEGIN; ' . subscribe('m3', 'enabled => false'));
like(as(mallory => subscribe('m4', 'enabled => false')), $too_many, 'the fourth, while the third is in a transaction');
$session->query_safe('ROLLBACK');
is(as(mallory => subscribe('m3', 'enabled => false')), 'm3', 'which is gone');
like(as(mallory => subscribe('m4', 'enabled => false'), 'shop'), $too_many, 'the fourth');
# groups that are taken and given up again, in a transaction that stays open, are not left in others' way: there is room for 64
my $churn = q{DO $$BEGIN FOR i IN 1 .. 100 LOOP BEGIN PERFORM burrow.alter('m2', consumer_group => 'churn' || i); EXCEPTION WHEN division_by_zero THEN END; END LOOP; END$$};
$session->query_safe("BEGIN; $churn");
is(as(alice => subscribe('a1', 'enabled => false') . q{; SELECT burrow.unsubscribe('a1')}), "a1\n", 'subtransactions that have ended keep nothing');
$session->query_safe('ROLLBACK');
like(as(mallory => 'BEGIN; ' . join('; ', map { "SAVEPOINT s$_; SELECT burrow.alter('m1', consumer_group => 'churn$_')" } 1 .. 40)),
	qr/ERROR:  54000: too many changes of consumer groups in open transactions of role "mallory"\nDETAIL:  32 groups that were given up again are kept for a rollback to a savepoint\.\nHINT:  Commit, or release savepoints, in between\./,
	'savepoints keep a few');
is(as(mallory => q{SELECT burrow.alter('m1', consumer_group => 'churn')}), '', 'and nothing when the transaction has ended');
is(as(alice => subscribe('a1', 'enabled => false')), 'a1', 'another role has its own ceiling');
is(as(alice => subscribe($_, 'enabled => false'), 'shop'), $_, $_) foreach 'a2', 'a3';
like(as(mallory => 'SET burrow.max_subscriptions_per_role = 100; ' . subscribe('m4', 'enabled => false')),
	qr/42501: permission denied to set parameter "burrow\.max_subscriptions_per_role"/, 'a role cannot raise it');
$node->sql('ALTER ROLE mallory SET burrow.max_subscriptions_per_role = 4');
is(as(mallory => subscribe('m4', 'enabled => false'), 'shop'), 'm4', 'a superuser can, for one role');
like(as(mallory => subscribe('m5', 'enabled => false'), 'shop'), qr/53400: too many subscriptions for role "mallory"\nDETAIL:  A role may have 4/, 'up to there');
as(mallory => "SELECT burrow.unsubscribe('m4')", 'shop');
as(mallory => "SELECT burrow.unsubscribe('m3')");

# ---- disabled subscriptions, seven by now, take no slot of one that runs, of which there are four

$node->restart;
is(as(alice => "SELECT burrow.resume('a1')"), '', 'one of them runs');
$node->wait_for_state('a1', 'running');
for my $i (1 .. 3)
{
	$node->sql("SELECT burrow.subscribe('orders', 'keep', subscription => 's$i')");
	$node->wait_for_state("s$i", 'running');
}
like($node->sql_error("SELECT burrow.subscribe('orders', 'keep', subscription => 's4')"), qr/53400: too many subscriptions\nDETAIL:  This server has room for 4 subscriptions/, 'as many as there are slots');
is($node->sql("SELECT burrow.subscribe('orders', 'keep', subscription => 's4', enabled => false)"), 's4', 'and a disabled one more');
like($node->sql_error("SELECT burrow.resume('s4')"), qr/53400: too many subscriptions/, 'which cannot run now');
$node->sql("SELECT burrow.alter('s1', enabled => false)");
$node->wait_for_state('s1', 'disabled');
$node->wait_for('the consumer of s1 to be gone', "SELECT count(*) = 3 FROM pg_stat_activity WHERE backend_type = 'burrow consumer'");
is($node->sql("SELECT burrow.resume('s4')"), '', 'but in the place of one that is disabled');
$node->wait_for_state('s4', 'running');
is($node->sql("SELECT count(*) FROM burrow._subscription_slots()"), '4', 'the slots');
$node->sql("SELECT burrow.unsubscribe('s$_')") foreach 1 .. 4;

# ---- memory

my $memory = qr/ERROR:  53400: subscription could take too much memory: \d+ kB\nDETAIL:  At most 1048576 kB are allowed\. "queue_memory" is .+, "max_inflight_bytes" is .+, "window" takes \d+ kB, and one fetch \d+ kB\.\nHINT:  Lower these options\. A superuser can raise burrow\.max_memory_per_subscription, also for one role\./;
is(gives("queue_memory => '400 MB', max_inflight_bytes => '400 MB'"), 'try', 'what is allowed');
like(gives($_), $memory, $_) foreach "queue_memory => '1 GB'", "max_inflight_bytes => '64 GB'", "\"window\" => 100000000",
	"queue_memory => '400 MB', max_inflight_bytes => '400 MB', \"window\" => 10000000";
like(as(mallory => "SELECT burrow.alter('m1', queue_memory => '1 GB')"), $memory, 'alter is asked, too');
like(gives(qq{kafka => '{"fetch.max.bytes": 2000000000, "receive.message.max.bytes": 2000000512}'}), qr/22023: .*burrow\.max_receive_message_bytes/s, 'one fetch');
like(gives(qq{kafka => '{"receive.message.max.bytes": $_}'}),
	qr/22023: invalid value for Kafka property "receive\.message\.max\.bytes": "\d+"\nDETAIL:  This server allows at most 100000000\.\nHINT:  An administrator can raise burrow\.max_receive_message_bytes/,
	"receive.message.max.bytes: $_") foreach '2000000000', '"0x77359400"', '"016715312000"';
like(gives(qq{kafka => '{"$_->[0]": $_->[1]}'}),
	qr/22023: invalid combination of Kafka properties: "\Q$_->[0]\E" makes "receive\.message\.max\.bytes" \d+\nDETAIL:  This server allows at most 100000000\./,
	"what librdkafka raises by itself: $_->[0] $_->[1]") foreach ['message.max.bytes', 1000000000], ['fetch.max.bytes', 2147483135], ['message.max.bytes', '"0x3b9aca00"'];
like(gives(qq{kafka => '{"queued.max.messages.kbytes": $_}'}), qr/22023: Kafka property "queued\.max\.messages\.kbytes" must not be greater than option "queue_memory"\nDETAIL:  Its value is 2097151 kB, and all partitions share 65536 kB\./,
	"the queues' memory: $_") foreach 2097151, '"0x1FFFFF"';
is(gives(qq{kafka => '{"queued.max.messages.kbytes": 1000}'}), 'try', 'less is allowed');
$node->sql('ALTER DATABASE shop SET burrow.max_memory_per_subscription = \'100 MB\'');
like(as(mallory => subscribe('try', "enabled => false"), 'shop'), qr/53400: .*\nDETAIL:  At most 102400 kB are allowed/, 'for one database');

# ---- the size of options, before anything is made of them

my $kb = qr/DETAIL:  \d+ bytes were given, and at most 64 kB are allowed\.\nHINT:  A superuser can raise burrow\.max_options_size, also for one role\./;
my %huge = (
	kafka => q{(SELECT jsonb_object_agg('p' || i, repeat('x', 1000)) FROM generate_series(1, 1000) i)},
	start_from => q{(SELECT jsonb_object_agg(i, i)::text FROM generate_series(1, 100000) i)},
	permanent_errors => q{array_fill('22012'::text, '{1000000}')},
	consumer_group => q{repeat('g', 10000000)},
	on_failure => q{repeat('g', 10000000)},
	queue_memory => q{repeat('1', 10000000)},
	dead_letter_topic => q{repeat('d', 10000000)});
for my $option (sort keys %huge)
{
	like(gives("$option => $huge{$option}"), qr/ERROR:  54000: value of option "$option" is too large\n$kb/, $option);
	like(as(mallory => "SELECT burrow.alter('m1', $option => $huge{$option})"), qr/54000: value of option "$option" is too large/, "$option, altered");
}
like(as(mallory => "SELECT burrow.subscribe($_)"), qr/54000: value of option "(?:topic|handler|subscription)" is too large/, 'the others, too')
	foreach "'^' || repeat('a', 1000000), 'keep'", "'orders', repeat('k', 1000000)", "'orders', 'keep', subscription => repeat('s', 1000000)";
like(as(mallory => "SELECT burrow.pause(repeat('s', 1000000))"), qr/54000: value of option "subscription" is too large/, 'and those of other functions');
like(gives(q{start_from => (SELECT jsonb_object_agg(i, i)::text FROM generate_series(1, 4000) i), permanent_errors => (SELECT array_agg(lpad(i::text, 5, '0')) FROM generate_series(10000, 14000) i)}),
	qr/ERROR:  54000: options are together too large\n$kb/, 'all together');

# ---- workers

$node->append_conf('postgresql.conf', 'burrow.max_workers_per_subscription = 3');
$node->reload;
$node->wait_for('the setting', "SELECT current_setting('burrow.max_workers_per_subscription') = '3'");
like(gives('workers => 4'), qr/ERROR:  53400: invalid value for option "workers": "4"\nDETAIL:  A subscription may have 3 workers\.\nHINT:  A superuser can raise burrow\.max_workers_per_subscription\./,
	'more workers than a subscription may have');

$node->stop;
done_testing();
