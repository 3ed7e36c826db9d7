# One message that does not end.  Messages of other keys of its partition go on until the
# window is full; the committed offset stays; memory stays flat; the views name the
# message.  When it ends, all goes on.

use BurrowTest;

my $kafka = BurrowTest::Kafka->create('kafka');
my $node = BurrowTest::Node->create('main', kafka => $kafka);

# the key "key-0" is stuck at its first message while somebody holds the lock
$node->sql(<<'SQL');
CREATE TABLE got (topic text, "offset" bigint, key text, id bigserial);
CREATE FUNCTION keep(topic text, "offset" bigint, key text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF key = 'key-0' THEN
        PERFORM pg_advisory_xact_lock_shared(1);
    END IF;
    INSERT INTO got (topic, "offset", key) VALUES (topic, "offset", key);
END $$;
SQL
my $holder = $node->background_psql('postgres');
$holder->query_safe('SELECT pg_advisory_lock(1)');

# ---- 100 keys, one of them stuck: the other 99 go on for 50,000 messages of 200 bytes

$kafka->create_topic('hot', 1);
$kafka->produce_many('hot', count => 50_000, keys => 100, size => 200);
$node->sql("SELECT burrow.subscribe('hot', 'keep', commit_interval => '200 ms', workers => 3)");
my $group = $node->group_of('hot');
my ($consumer);
$node->wait_for('the first thousand messages', 'SELECT count(*) > 1000 FROM got', timeout => 60);
($consumer) = $node->pids('consumer', 'hot');
my $early = resident_kb($consumer);
$node->wait_for('all messages of the other 99 keys', 'SELECT count(*) = 49500 FROM got', timeout => 120);
is($node->sql("SELECT count(*) FROM got WHERE key = 'key-0'"), '0', 'none of the stuck key');
my $late = resident_kb($consumer);
memory_below($late, $early + 40_000, "the consumer's memory stays flat ($early kB, then $late kB)");
is($node->sql('SELECT processed, committed, "oldest_pending" FROM burrow.partitions'), '0|0|0',
	'head and commit stay at the stuck message, which is named');
is($node->sql(<<'SQL'), 't', 'with its age');
SELECT oldest_pending_age > '0' AND oldest_pending_age < '10 min' FROM burrow.partitions
SQL
is($kafka->committed($group, 'hot')->{0}, 0, 'so does the offset in Kafka');
is($node->sql("SELECT \"offset\" FROM burrow.workers WHERE state = 'running'"), '0', 'a worker has it in hand');

$holder->query_safe('SELECT pg_advisory_unlock(1)');
$kafka->wait_until_committed($group, 'hot', diagnose => sub { $node->diagnostics });
is($node->sql("SELECT count(*), count(DISTINCT \"offset\") FROM got WHERE topic = 'hot'"), '50000|50000', 'then all are handled, once');
is($node->sql(<<'SQL'), '0', 'each key in order');
SELECT count(*) FROM (SELECT "offset", lag("offset") OVER (PARTITION BY key ORDER BY id) AS before FROM got) s WHERE before > "offset"
SQL
$node->sql("SELECT burrow.unsubscribe('hot')");

# ---- a window of 1,000: the partition waits when it is full

$holder->query_safe('SELECT pg_advisory_lock(1)');
$node->sql('TRUNCATE got');
$kafka->create_topic('window', 2);
$kafka->produce('window', { key => 'key-0', value => 'x', partition => 0 });
$kafka->produce_many('window', count => 3000, keys => 50, first => 1, partition => 0);
$kafka->produce_many('window', count => 3000, keys => 0, partition => 1);
$node->sql("SELECT burrow.subscribe('window', 'keep', \"window\" => 1000, commit_interval => '200 ms')");
$group = $node->group_of('window');
$node->wait_for('the window to be full', 'SELECT bool_or(window_full) FROM burrow.partitions WHERE partition = 0');
$node->wait_for('the other partition to be done', 'SELECT committed = 3000 FROM burrow.partitions WHERE partition = 1');
$node->wait_for('all of the window but the stuck key', q{SELECT count(*) = 3000 + 999 - (SELECT count(*) FROM generate_series(1, 999) n WHERE n % 50 = 0) FROM got});
is($node->sql('SELECT processed, committed, inflight FROM burrow.partitions WHERE partition = 0'), '0|0|1000', 'the partition is full');
$kafka->produce_many('window', count => 500, keys => 50, first => 3001, partition => 0);
$node->wait_for('the lag to be known of what waits', 'SELECT lag = 3501 FROM burrow.partitions WHERE partition = 0');
$holder->query_safe('SELECT pg_advisory_unlock(1)');
$kafka->wait_until_committed($group, 'window', diagnose => sub { $node->diagnostics });
is($node->sql('SELECT count(*) FROM got'), '6501', 'and goes on when the message ends');
$node->sql("SELECT burrow.unsubscribe('window')");

# ---- no room for another message: what waits in Kafka is known all the same, and stays known
# when the ends of earlier times are met on the way

# the value is the number of a lock
$node->sql(<<'SQL');
CREATE FUNCTION hold(value text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(value::int);
END $$;
SQL
$holder->query_safe('SELECT pg_advisory_lock(1), pg_advisory_lock(2)');
$kafka->create_topic('room', 2);
$kafka->produce('room', { key => 'a', value => '1', partition => 0 });
$node->sql("SELECT burrow.subscribe('room', 'hold', workers => 1, batch_size => 1, max_inflight => 1)");
$node->wait_for('the stuck message', "SELECT count(*) = 1 FROM burrow.workers WHERE state = 'running'");
$node->wait_for('both ends', 'SELECT count(*) = 2 FROM burrow.partitions WHERE end_offset IS NOT NULL');
$kafka->produce('room', { key => 'b', value => '3', partition => 1 });
$node->wait_for('the lag of the other partition', 'SELECT lag = 1 FROM burrow.partitions WHERE partition = 1');
$kafka->produce('room', map { { key => 'b', value => $_, partition => 1 } } qw(2 3 3 3));
$node->wait_for('more of it', 'SELECT lag = 5 FROM burrow.partitions WHERE partition = 1');
$holder->query_safe('SELECT pg_advisory_unlock(1)');
$node->wait_for('its second message', "SELECT count(*) = 1 FROM burrow.workers WHERE state = 'running' AND partition = 1 AND \"offset\" = 1");
is($node->sql('SELECT end_offset FROM burrow.partitions WHERE partition = 1'), '5', 'its end is where it was');
$holder->quit;
$kafka->wait_until_committed($node->group_of('room'), 'room', diagnose => sub { $node->diagnostics });

$node->stop;
done_testing();
