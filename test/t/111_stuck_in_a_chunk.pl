# A message that does not end, in the middle of a chunk of others.  The others are handled
# while it is stuck, each once and in the order of its key, and it is handled once when it is
# released; nobody has failed.  How often the handler was called for it is counted by a
# sequence, which no rollback takes back: once among the others, and once alone.

use BurrowTest;

my $kafka = BurrowTest::Kafka->create('kafka');
my $node = BurrowTest::Node->create('main', kafka => $kafka);
$node->sql(<<'SQL');
CREATE SEQUENCE calls;
CREATE TABLE got (id bigserial, topic text, "offset" bigint, key text, value text, attempt int, xid bigint DEFAULT txid_current());
-- a message "stuck" waits while somebody holds the lock
CREATE FUNCTION keep(topic text, "offset" bigint, key text, value text, attempt int) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF value = 'stuck' THEN
        PERFORM nextval('calls');
        PERFORM pg_advisory_xact_lock_shared(1);
    END IF;
    INSERT INTO got (topic, "offset", key, value, attempt) VALUES (topic, "offset", key, value, attempt);
END $$;
-- the same, but a cancel does not end it
CREATE FUNCTION keep_on(topic text, "offset" bigint, key text, value text, attempt int) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM keep(topic, "offset", key, value, attempt);
EXCEPTION WHEN query_canceled THEN
    INSERT INTO got (topic, "offset", key, value) VALUES (topic, "offset", key, 'cancelled');
END $$;
-- nor is it stuck in its handler, but at the commit
CREATE TABLE later (value text);
CREATE FUNCTION wait_at_commit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM nextval('calls');
    PERFORM pg_advisory_xact_lock_shared(1);
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER later AFTER INSERT ON later DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION wait_at_commit();
CREATE FUNCTION keep_for_later(topic text, "offset" bigint, key text, value text, attempt int) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO got (topic, "offset", key, value, attempt) VALUES (topic, "offset", key, value, attempt);
    IF value = 'stuck' THEN
        INSERT INTO later VALUES (value);
    END IF;
END $$;
SQL
my $holder = $node->background_psql('postgres');

# 2,000 messages of 50 keys; then those of one key, with the stuck one among them; 2,000 more
sub produce
{
	my ($topic, @middle) = @_;
	my @others = map { { key => 'k' . $_ % 50, value => "v$_" } } 1 .. 2000;
	$kafka->create_topic($topic, 1);
	$kafka->produce($topic, @others, (map { { key => 'a', value => $_ } } @middle), @others);
	return;
}

sub ordered
{
	my ($topic, $text) = @_;
	is($node->sql(qq{SELECT count(*) FROM (SELECT "offset", lag("offset") OVER (PARTITION BY key ORDER BY id) AS before
		FROM got WHERE topic = '$topic') s WHERE before > "offset"}), '0', "$topic: $text");
	return;
}

# On a busy machine chunks are small, and one may end just before the stuck one.
my $among = 0;
for my $case (['once', 'keep', 'exactly_once'], ['least', 'keep', 'at_least_once'],
	['swallowed', 'keep_on', 'exactly_once'], ['deferred', 'keep_for_later', 'exactly_once'])
{
	my ($topic, $handler, $delivery) = @$case;
	$holder->query_safe('SELECT pg_advisory_lock(1)');
	$node->sql(q{ALTER SEQUENCE calls RESTART});
	produce($topic, 'before', 'stuck', 'after');
	$node->sql(qq{SELECT burrow.subscribe('$topic', '$handler', workers => 2, delivery => '$delivery', commit_interval => '200 ms')});
	my $group = $node->group_of($topic);
	$node->wait_for("$topic: all others", qq{SELECT count(*) = 4001 FROM got WHERE topic = '$topic'});
	is($node->sql(qq{SELECT string_agg(value, ' ' ORDER BY id) FROM got WHERE topic = '$topic' AND key = 'a'}), 'before',
		"$topic: but for the stuck one and what is behind it in its order");
	$node->wait_for("$topic: the stuck one to be run alone", q{SELECT count(*) = 1 FROM pg_locks WHERE NOT granted});
	is($node->sql(qq{SELECT processed FROM burrow.partitions WHERE topic = '$topic'}), '2001', "$topic: where the head is");

	$holder->query_safe('SELECT pg_advisory_unlock(1)');
	$kafka->wait_until_committed($group, $topic, diagnose => sub { $node->diagnostics });
	is($node->sql(qq{SELECT count(*), count(DISTINCT "offset"), max(attempt) FROM got WHERE topic = '$topic'}), '4003|4003|1',
		"$topic: then each is handled once");
	my $calls = $node->sql('SELECT last_value FROM calls');
	cmp_ok($calls, '<=', 2, "$topic: the stuck one was run among others and alone, and no third time");
	$among++ if $calls == 2;
	is($node->sql(qq{SELECT count(*) FROM got WHERE topic = '$topic' AND xid = (SELECT xid FROM got WHERE topic = '$topic' AND value = 'stuck')}),
		'1', "$topic: in a transaction of its own");
	is($node->sql(qq{SELECT count(*) FROM got WHERE value = 'cancelled'}), '0', "$topic: what a cancelled handler does instead has no effect");
	is($node->sql(qq{SELECT messages_processed, messages_failed, messages_retried FROM burrow.stats WHERE subscription = '$topic'}), '4003|0|0',
		"$topic: nobody has failed");
	ordered($topic, 'the order is kept');
	$node->sql("SELECT burrow.unsubscribe('$topic')");
}

cmp_ok($among, '>', 0, "the stuck one was among others in $among of 4 cases");

# Messages that take longer than others wait for them, many in a row: once that is known,
# chunks are of one.  Two workers may have had a chunk of them before.
$node->sql(q{ALTER SEQUENCE calls RESTART});
$node->sql(<<'SQL');
CREATE FUNCTION slowly(topic text, "offset" bigint, key text, value text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF value = 'slow' THEN
        PERFORM nextval('calls');
        PERFORM pg_sleep(1.2);
    END IF;
    INSERT INTO got (topic, "offset", key, value) VALUES (topic, "offset", key, value);
END $$;
SQL
$kafka->create_topic('slow', 1);
$kafka->produce('slow', (map { { key => "k$_", value => 'quick' } } 1 .. 1000), (map { { key => "s$_", value => 'slow' } } 1 .. 6));
$node->sql(q{SELECT burrow.subscribe('slow', 'slowly', workers => 2, commit_interval => '200 ms')});
$kafka->wait_until_committed($node->group_of('slow'), 'slow', diagnose => sub { $node->diagnostics });
is($node->sql(q{SELECT count(*), count(DISTINCT "offset") FROM got WHERE topic = 'slow'}), '1006|1006', 'slow: each is handled once');
my $calls = $node->sql('SELECT last_value FROM calls');
cmp_ok($calls, '<=', 8, "slow: $calls calls for 6 slow messages");
is($node->sql(q{SELECT messages_failed FROM burrow.stats WHERE subscription = 'slow'}), '0', 'slow: nobody has failed');

# One of two of a key is cancelled by hand, and both are rolled back: the other comes first.
$holder->query_safe('SELECT pg_advisory_lock(1)');
$kafka->create_topic('cancelled', 1);
$kafka->produce('cancelled', (map { { key => "k$_", value => 'quick' } } 1 .. 950), { key => 'a', value => 'first' }, { key => 'a', value => 'stuck' });
$node->sql(q{SELECT burrow.subscribe('cancelled', 'keep', workers => 1, batch_time => '1 s', commit_interval => '200 ms')});
$node->wait_for('cancelled: the second to be waiting', q{SELECT count(*) = 1 FROM pg_locks WHERE NOT granted});
is($node->sql(q{SELECT count(*) FROM got WHERE topic = 'cancelled' AND value = 'first'}), '0', 'cancelled: in the transaction of the first');
$node->sql(q{SELECT pg_cancel_backend(pid) FROM pg_locks WHERE NOT granted});
$node->wait_for('cancelled: the first', q{SELECT count(*) = 1 FROM got WHERE topic = 'cancelled' AND value = 'first'});
$holder->query_safe('SELECT pg_advisory_unlock(1)');
$kafka->wait_until_committed($node->group_of('cancelled'), 'cancelled', diagnose => sub { $node->diagnostics });
is($node->sql(q{SELECT string_agg(value || ' ' || attempt, ', ' ORDER BY id) FROM got WHERE topic = 'cancelled' AND key = 'a'}),
	'first 1, stuck 2', 'cancelled: in their order');
is($node->sql(q{SELECT count(*), count(DISTINCT "offset") FROM got WHERE topic = 'cancelled'}), '952|952', 'cancelled: each is handled once');

$holder->quit;
$node->stop;
done_testing();
