# The consumer has saved the progress of a dead letter, and that transaction is rolled back at its commit.  Before
# it can be tried again its partition is taken away, and the consumer's next transaction is one that saves
# none: a letter that was tried again, and failed again, is written.  What the first had left must not be
# acted on: the place of a row that never was, and offsets in memory that is something else's by then.
# (Test builds assert it: catalog/progress.c.  217_rolled_back_progress.pl has the same of a worker.)

use BurrowTest;

my $kafka = BurrowTest::Kafka->create('kafka');
my $node = BurrowTest::Node->create('main', kafka => $kafka);
my $library = BurrowTest::server_module('fail_commit');
$kafka->create_topic('orders', 2);
$node->sql(<<"SQL");
CREATE FUNCTION fail_commit() RETURNS boolean LANGUAGE c VOLATILE AS '$library', 'fail_commit';
CREATE FUNCTION fail_the_letter() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS \$\$
BEGIN
	PERFORM public.fail_commit();
	RETURN NEW;
END \$\$;
CREATE TABLE got (partition int, "offset" bigint);
CREATE FUNCTION keep(partition int, "offset" bigint, value text, attempt int) RETURNS void LANGUAGE plpgsql AS \$\$
BEGIN
	IF attempt > 1 THEN
		PERFORM pg_advisory_xact_lock_shared(1);
	END IF;
	IF value = 'bad' THEN
		RAISE EXCEPTION 'bad message at %', "offset" USING ERRCODE = '22000';
	END IF;
	INSERT INTO got VALUES (partition, "offset");
END \$\$;
SQL
sub attempts { my ($partition) = @_; return $node->sql("SELECT coalesce(max(attempts), 0) FROM burrow.dead_letters WHERE partition = $partition") }

$kafka->produce('orders', { partition => 1, key => 'a', value => 'bad' });
$node->sql(q{SELECT burrow.subscribe('orders', 'keep', on_failure => 'dead_letter', commit_interval => '100 ms', max_consecutive_errors => 1000)});
my $group = $node->group_of('orders');
$node->wait_for('a dead letter', 'SELECT count(*) = 1 FROM burrow.dead_letters');
my ($consumer) = $node->pids('consumer', 'orders');

# ---- partition 1 is another member's now, and its dead letter is still here; it does not go with partition 0
my $first = $kafka->join_group($group, 'orders');
is_deeply($kafka->wait_until_assigned($first), [1], 'the other member has partition 1');
$node->wait_for_state('orders', 'running');

# ---- a letter that is tried again is in a worker's hands
# (the trigger before that: the table is locked while the letter is in hand)
$node->sql('CREATE TRIGGER fail_the_letter AFTER INSERT ON burrow.dead_letter FOR EACH ROW WHEN (NEW.partition = 0) EXECUTE FUNCTION fail_the_letter()');
my $holder = $node->background_psql('postgres');
$holder->query_safe('SELECT pg_advisory_lock(1)');
is($node->sql(q{SELECT burrow.retry_dead_letters('orders')}), 1, 'the first letter is tried again');
$node->wait_for('it to be in hand', q{SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event = 'advisory'});

# ---- one is saved, and rolled back, again and again; the letter waits behind it
my $position = $node->log_position;
$kafka->produce('orders', { partition => 0, key => 'b', value => 'bad' });
$node->wait_for_log_line(qr/could not write dead letters \(SQLSTATE 09000\)/, $position);
$holder->query_safe('SELECT pg_advisory_unlock(1)');
$node->wait_for('the letter to have failed again', q{SELECT messages_failed >= 3 FROM burrow.stats WHERE subscription = 'orders'});
is(attempts(1), 1, 'which cannot be written yet');

# ---- partition 0 goes, and its letter with it; it may come back at once
my $member = $kafka->join_group($group, 'orders');
$node->wait_for('the letter that was tried again to be written', 'SELECT max(attempts) = 2 FROM burrow.dead_letters WHERE partition = 1');
is(join(' ', $node->pids('consumer', 'orders')), $consumer, 'by the same consumer');
is(attempts(0), 0, 'the other is not there');

# ---- it comes back
$holder->quit;
$node->sql('DROP TRIGGER fail_the_letter ON burrow.dead_letter');
$kafka->leave_group($_) foreach $member, $first;
$kafka->produce('orders', map { { key => "k$_", value => 'good' } } 1 .. 20);
$kafka->wait_until_committed($group, 'orders', diagnose => sub { $node->diagnostics });
is(attempts(0), 1, 'the other has become a letter');
is($node->sql('SELECT count(*), count(DISTINCT (partition, "offset")) FROM got'), '20|20', 'each message has taken effect, once');
is(join(' ', $node->pids('consumer', 'orders')), $consumer, 'by the same consumer');
unlike($node->log_since(0), qr/terminated by signal/, 'and nothing has crashed');

$node->stop;
done_testing();
