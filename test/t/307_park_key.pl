# park_key: behind a dead letter the messages of its key wait, as dead letters too, and
# are handled in their order when it was retried; through crashes, restarts and rebalances.

use BurrowTest;

my $kafka = BurrowTest::Kafka->create('kafka');
my $node = BurrowTest::Node->create('main', kafka => $kafka);
$node->sql(<<'SQL');
CREATE TABLE got (id bigserial, topic text, partition int, "offset" bigint, key text, value text, attempt int);
CREATE TABLE bad (value text);
CREATE FUNCTION h(topic text, partition int, "offset" bigint, key text, value text, attempt int) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM bad b WHERE b.value = h.value) THEN
        RAISE EXCEPTION '% is bad', value USING ERRCODE = 'P4711';
    END IF;
    INSERT INTO got (topic, partition, "offset", key, value, attempt) VALUES (topic, partition, "offset", key, value, attempt);
END $$;
SQL

my $park = q{on_failure => 'dead_letter', park_key => true, max_retries => 0, max_consecutive_errors => 1000000, retry_backoff => '10 ms', commit_interval => '100 ms'};
my $group;

sub settled { return $kafka->wait_until_committed($group, $_[0], timeout => 120, diagnose => sub { $node->diagnostics }) }
sub send_all { my ($topic, @messages) = @_; $kafka->produce($topic, map { my ($k, $v) = split /:/; { partition => 0, $k ne '' ? (key => $k) : (), value => $v } } @messages); return settled($topic) }
sub values_of { return $node->sql(qq{SELECT string_agg(value, ' ' ORDER BY id) FROM got WHERE key = '$_[0]'}) }
sub gone { return $node->wait_for('the dead letters to be gone', 'SELECT count(*) = 0 FROM burrow.dead_letters', timeout => 120) }

# what waits
$kafka->create_topic('orders', 1);
$node->sql("INSERT INTO bad VALUES ('k2')");
$kafka->produce('orders', map { my ($k, $v) = split /:/; { partition => 0, $k ne '' ? (key => $k) : (), value => $v } } qw(k:k1 k:k2 k:k3 x:x1 k:k4 :free));
$node->sql("SELECT burrow.subscribe('orders', 'h', $park)");
$group = $node->group_of('orders');
settled('orders');
is($node->sql(q{SELECT string_agg(value, ' ' ORDER BY value) FROM got}), 'free k1 x1', 'what is before the dead letter, and what is of other keys or none, is handled');
is($node->sql(q{SELECT "offset", attempts, sqlstate, message, parked, parked_behind FROM burrow.dead_letters ORDER BY "offset"}),
	"1|1|P4711|k2 is bad|f|\n2|0|||t|1\n4|0|||t|1", 'those after it are parked, and say behind which one');
send_all('orders', qw(k:k5 x:x2 :free2));
is($node->sql(q{SELECT count(*) FROM burrow.dead_letters WHERE parked}), '3', 'what comes later is parked too');
is(values_of('x'), 'x1 x2', 'other keys go on');
is($node->sql(q{SELECT messages_dead_lettered, messages_parked FROM burrow.stats}), '1|3', 'parking is counted apart');
$node->wait_for('the letters and their key to be counted', q{SELECT dead_letters_pending = 4 AND parked_keys = 1 FROM burrow.stats});
like($node->sql(q{SELECT cause, "offset", next_statement FROM burrow.why_stuck('orders')}), qr/^3 messages are parked behind a dead letter of their key\|1\|SELECT burrow.retry_dead_letters\('orders'\);$/, 'why_stuck tells');

# it fails again, and the others stay
is($node->sql(q{SELECT burrow.retry_dead_letters('orders')}), '4', 'all are asked for');
$node->wait_for('it to fail again', q{SELECT count(*) = 1 FROM burrow.dead_letters WHERE attempts = 2});
$node->wait_for('the others to wait again', q{SELECT count(*) = 3 FROM burrow.dead_letters WHERE parked AND attempts = 0 AND retry_asked_at IS NULL});
is(values_of('k'), 'k1', 'nothing behind it was handled');

# a later one of them can be the first to fail
$node->sql("UPDATE bad SET value = 'k4'");
$node->sql(q{SELECT burrow.retry_dead_letters('orders', sqlstate => 'P4711')});
$node->wait_for('the next to fail', q{SELECT count(*) = 1 FROM burrow.dead_letters WHERE sqlstate = 'P4711' AND "offset" = 4});
is(values_of('k'), 'k1 k2 k3', 'a retry of one letter is a retry of its key, in order, until one fails');
is($node->sql(q{SELECT "offset", parked_behind FROM burrow.dead_letters WHERE parked}), '6|4', 'the rest waits behind that one');

# through a restart and a crash
$node->restart;
send_all('orders', 'k:k6');
$node->crash;
$node->start;
send_all('orders', 'k:k7');
is($node->sql(q{SELECT string_agg(convert_from(value, 'UTF8'), ' ' ORDER BY "offset") FROM burrow.dead_letters}), 'k4 k5 k6 k7', 'what is parked is known after a restart and a crash');

# released, by asking for its last one
$node->sql('TRUNCATE bad');
is($node->sql(q{SELECT burrow.retry_dead_letters('orders', from_offset => 10)}), '1', 'one is asked for');
gone();
send_all('orders', 'k:k8');
is(values_of('k'), 'k1 k2 k3 k4 k5 k6 k7 k8', 'all of the key are handled in order, and live ones after them');
is($node->sql(q{SELECT string_agg(attempt::text, ' ' ORDER BY id) FROM got WHERE key = 'k'}), '1 3 1 2 1 1 1 1', 'attempts count calls of the handler');
$node->wait_for('the same of the counts', q{SELECT dead_letters_pending = 0 AND parked_keys = 0 FROM burrow.stats});

# discarding
$node->sql("INSERT INTO bad VALUES ('d1')");
send_all('orders', qw(d:d1 d:d2));
is($node->sql(q{SELECT burrow.discard_dead_letters('orders', sqlstate => 'P4711')}), '1', 'the culprit is discarded');
send_all('orders', 'd:d3');
is($node->sql(q{SELECT string_agg(convert_from(value, 'UTF8'), ' ' ORDER BY "offset"), min(parked_behind) FROM burrow.dead_letters WHERE parked}), 'd2 d3|13', 'its key stays parked');
is($node->sql(q{SELECT count(*) FROM burrow.dead_letters WHERE parked AND parked_behind IS NULL}), '1', 'the first of them behind nothing');
$node->sql(q{SELECT burrow.retry_dead_letters('orders')});
gone();
is(values_of('d'), 'd2 d3', 'and the parked ones can be retried');
send_all('orders', qw(d:d1 d:d4));
is($node->sql(q{SELECT burrow.discard_dead_letters('orders')}), '2', 'all are discarded');
send_all('orders', 'd:d5');
is($node->sql(q{SELECT count(*) FROM burrow.dead_letters}), '0', 'then the key is free');
is(values_of('d'), 'd2 d3 d5', 'and its messages are handled');

# turned off and on
send_all('orders', qw(e:d1 e:e1));
$node->sql(q{SELECT burrow.alter('orders', park_key => false)});
send_all('orders', 'e:e2');
is(values_of('e'), 'e2', 'without park_key messages pass those that are parked');
$node->sql(q{SELECT burrow.alter('orders', park_key => true)});
send_all('orders', 'e:e3');
is($node->sql(q{SELECT count(*) FROM burrow.dead_letters}), '3', 'with it the key is parked while it has a letter');
$node->sql('TRUNCATE bad');
$node->sql(q{SELECT burrow.retry_dead_letters('orders')});
gone();
is(values_of('e'), 'e2 d1 e1 e3', 'and is released');
$node->sql(q{SELECT burrow.pause('orders')});

# many keys, with new messages all the while, and crashes in between
for my $delivery (qw(exactly_once at_least_once))
{
	my $topic = "many_$delivery";
	my $n = 0;
	my $produce = sub { $kafka->produce($topic, map { $n++; { key => 'k' . $n % 97, value => $n % 50 == 7 ? "bad $n" : "ok $n" } } 1 .. $_[0]); return };
	$kafka->create_topic($topic, 4);
	$node->sql('TRUNCATE got; INSERT INTO bad SELECT format($$bad %s$$, n) FROM generate_series(1, 10000) n');
	$produce->(3000);
	$node->sql(qq[SELECT burrow.subscribe('$topic', 'h', delivery => '$delivery', workers => 6, kafka => '{"topic.metadata.refresh.interval.ms": 500}', $park)]);
	$group = $node->group_of($topic);
	$node->wait_for('some to be parked', 'SELECT count(*) > 500 FROM burrow.dead_letters WHERE parked');
	$node->crash;
	$node->start;
	settled($topic);
	is($node->sql("SELECT count(*), (SELECT count(DISTINCT (partition, \"offset\")) FROM (SELECT partition, \"offset\" FROM got UNION ALL SELECT partition, \"offset\" FROM burrow.dead_letters) a) FROM (SELECT FROM got UNION ALL SELECT FROM burrow.dead_letters) b"),
		$delivery eq 'exactly_once' ? '3000|3000' : $node->sql('SELECT (SELECT count(*) FROM got) + (SELECT count(*) FROM burrow.dead_letters)') . '|3000', "$delivery: each message is handled or a letter");
	is($node->sql(q{SELECT count(*) FROM burrow.dead_letters d JOIN got g ON g.partition = d.partition AND g.key = convert_from(d.key, 'UTF8') AND g."offset" > d."offset" WHERE NOT d.parked}), '0',
		"$delivery: none has passed a letter of its key");

	# half of them can be handled now; live messages go on coming
	$node->sql(q{DELETE FROM bad WHERE right(value, 2) = '07'});
	$node->sql("SELECT burrow.retry_dead_letters('$topic')");
	$produce->(1000);
	$node->wait_for('some to be released', "SELECT count(*) > 10 FROM got WHERE attempt > 1");
	$node->crash;
	$node->start;
	$produce->(1000);
	$node->sql('TRUNCATE bad');
	$node->sql("SELECT burrow.retry_dead_letters('$topic')");
	$produce->(1000);
	$kafka->add_partitions($topic, 5);
	$node->wait_for('a rebalance meanwhile', 'SELECT count(*) = 5 FROM burrow.partitions');
	$node->wait_for('most to be released', 'SELECT count(*) > 4000 FROM got');
	$node->crash;
	$node->start;
	$produce->(1000);
	settled($topic);
	$node->sql("SELECT burrow.retry_dead_letters('$topic')");
	gone();
	settled($topic);
	is($node->sql('SELECT count(DISTINCT (partition, "offset")) FROM got'), "$n", "$delivery: none is lost");
	is($node->sql('SELECT count(*) FROM got'), "$n", 'each is handled once') if $delivery eq 'exactly_once';
	is($node->sql('SELECT count(*) FROM (SELECT "offset", lag("offset") OVER (PARTITION BY partition, key ORDER BY id) AS before FROM got) g WHERE before > "offset"'), '0',
		'in the order of their keys') if $delivery eq 'exactly_once';
	$produce->(500);
	settled($topic);
	is($node->sql('SELECT count(*) FROM burrow.dead_letters'), '0', "$delivery: and no key is parked any more");
	$node->sql("SELECT burrow.pause('$topic')");
}

# without park_key, a letter that is tried again and a live message of its key
$kafka->create_topic('plain', 1);
$node->sql(<<'SQL');
TRUNCATE got;
INSERT INTO bad VALUES ('slow');
CREATE FUNCTION slow(topic text, partition int, "offset" bigint, key text, value text, attempt int) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF value = 'slow' AND attempt > 1 THEN
        PERFORM pg_advisory_xact_lock_shared(7);
    END IF;
    PERFORM h(topic, partition, "offset", key, value, attempt);
END $$;
SELECT burrow.subscribe('plain', 'slow', on_failure => 'dead_letter', max_retries => 0, min_workers => 4, batch_size => 1, commit_interval => '100 ms');
SQL
$group = $node->group_of('plain');
send_all('plain', qw(a:slow a:a2));
is(values_of('a'), 'a2', 'without park_key a message passes the letter');
my $holder = $node->background_psql('postgres');
$holder->query_safe('SELECT pg_advisory_lock(7)');
$node->sql('TRUNCATE bad');
$node->sql(q{SELECT burrow.retry_dead_letters('plain')});
$node->wait_for('the letter to be in hand', q{SELECT count(*) = 1 FROM burrow.workers WHERE subscription = 'plain' AND state = 'running'});
$kafka->produce('plain', map { { partition => 0, key => $_, value => "${_}3" } } qw(a b));
$node->wait_for('the other key', q{SELECT count(*) = 1 FROM got WHERE value = 'b3'});
$node->wait_for('the live message to wait', q{SELECT jobs_queued = 1 FROM burrow.stats WHERE subscription = 'plain'});
is(values_of('a'), 'a2', 'but they never run at the same time');
$holder->query_safe('SELECT pg_advisory_unlock(7)');
$holder->quit;
settled('plain');
is(values_of('a'), 'a2 slow a3', 'one comes after the other');
gone();

$node->stop;
done_testing();
