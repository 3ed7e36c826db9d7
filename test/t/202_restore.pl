# The data is right, also when it is older than what Kafka believes: after a restore to a
# moment in between, and after the promotion of a standby that lacks the end, the messages
# whose effects are gone are handled again, and no other.

use BurrowTest;

my $messages;
my $kafka = BurrowTest::Kafka->create('kafka');
my $primary = BurrowTest::Node->create('primary', kafka => $kafka, init => [allows_streaming => 1, has_archiving => 1]);
$kafka->create_topic('orders', 4);
$primary->sql(<<'END');
CREATE TABLE got (partition int, "offset" bigint);
CREATE FUNCTION keep(partition int, "offset" bigint) RETURNS void LANGUAGE sql AS 'INSERT INTO got VALUES ($1, $2)';
SELECT burrow.subscribe('orders', 'keep', commit_interval => '200 ms', kafka => '{"session.timeout.ms": 6000}');
END
my $group = $primary->group_of('orders');
$primary->wait_for_state('orders', 'running');
my $job = $kafka->start_producing('orders', count => 1_000_000, keys => 300, rate => 5000);

$primary->wait_for('some rows', 'SELECT count(*) > 1000 FROM got');
$primary->backup('copy');
my $standby = BurrowTest::Node->new('standby');
$standby->init_from_backup($primary, 'copy', has_streaming => 1);
$standby->start;

my $then = $primary->sql('SELECT count(*) FROM got');
$primary->wait_for('more rows', "SELECT count(*) > $then + 5000 FROM got");
$primary->sql("SELECT pg_create_restore_point('middle')");
$standby->stop('immediate');
$primary->wait_for('some that the standby lacks', "SELECT count(*) > $then + 10000 FROM got");
$messages = $kafka->stop_producing($job);
$kafka->wait_until_committed($group, 'orders', timeout => 90, diagnose => sub { $primary->diagnostics });
is($primary->sql('SELECT count(*), count(DISTINCT (partition, "offset")) FROM got'), "$messages|$messages", 'the primary has handled all, once');
# the segment that ends here, not the current one: something may be written into the next meanwhile
my $segment = $primary->sql('SELECT pg_walfile_name(pg_switch_wal())');
$primary->wait_for('the log to be archived', "SELECT last_archived_wal >= '$segment' FROM pg_stat_archiver");
$primary->crash;

sub goes_on
{
	my ($node, $what) = @_;
	$node->wait_for_state('orders', 'running', timeout => 90);
	$node->wait_for("$what: all messages", "SELECT count(DISTINCT (partition, \"offset\")) = $messages FROM got", timeout => 90);
	is($node->sql("SELECT burrow.wait_until_caught_up('orders')"), 't', "$what: caught up");
	is($node->sql('SELECT count(*), count(DISTINCT (partition, "offset")) FROM got'), "$messages|$messages",
		"$what: each message once, though Kafka's offset was ahead");
	return;
}

# point in time
my $restored = BurrowTest::Node->new('restored');
$restored->init_from_backup($primary, 'copy', has_restoring => 1, standby => 0);
$restored->append_conf('postgresql.conf', "recovery_target_name = 'middle'\nrecovery_target_action = 'promote'\narchive_mode = off\nburrow.enabled = off\n");
$restored->start;
$restored->wait_for('the end of recovery', 'SELECT NOT pg_is_in_recovery()');
my $rows = $restored->sql('SELECT count(*) FROM got');
cmp_ok($rows, '<', $messages, "the restored database has $rows rows only");
is($kafka->lag($group, 'orders'), 0, 'while Kafka believes that all is done');
$restored->sql('ALTER SYSTEM SET burrow.enabled = on');
$restored->sql('SELECT pg_reload_conf()');
goes_on($restored, 'restored');
$restored->stop;

# the standby that lacks the end
$standby->append_conf('postgresql.conf', "primary_conninfo = ''\narchive_mode = off\nburrow.enabled = off\n");
$standby->start;
$standby->promote;
$rows = $standby->sql('SELECT count(*) FROM got');
cmp_ok($rows, '<', $messages, "the standby has $rows rows only");
$standby->sql('ALTER SYSTEM SET burrow.enabled = on');
$standby->sql('SELECT pg_reload_conf()');
goes_on($standby, 'standby');

$standby->stop;
done_testing();
