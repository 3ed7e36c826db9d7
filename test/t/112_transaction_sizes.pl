# The size of transactions after failures, as their ids tell.  One worker, which takes
# messages in their order.  They are there before the subscription is made, and batch_time
# is long, so that nothing else makes them small.

use BurrowTest;

my $kafka = BurrowTest::Kafka->create('kafka');
my $node = BurrowTest::Node->create('main', kafka => $kafka);

# A message whose value is an SQLSTATE fails with it if ten others have been handled in its
# transaction; the sequence, which no rollback takes back, lets only one fail so.  What is
# lost takes some time, and so it takes some to make up for it.
$node->sql(<<'SQL');
CREATE SEQUENCE failures;
CREATE TABLE got (id bigserial, topic text, "offset" bigint, xid xid8 DEFAULT pg_current_xact_id());
CREATE FUNCTION keep(topic text, "offset" bigint, value text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF value <> 'ok' AND (SELECT count(*) FROM got WHERE xid = pg_current_xact_id()) >= 10 AND nextval('failures') = 1 THEN
        PERFORM pg_sleep(0.01);
        RAISE EXCEPTION 'fails' USING ERRCODE = value;
    END IF;
    INSERT INTO got (topic, "offset") VALUES (topic, "offset");
END $$;
CREATE FUNCTION keep_all(messages burrow.message[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM keep(m.topic, m."offset", convert_from(m.value, 'UTF8')) FROM unnest(messages) m;
END $$;
CREATE VIEW transactions AS SELECT topic, xid, min("offset") AS first, max("offset") AS last, count(*) AS size FROM got GROUP BY topic, xid;
SQL

# the largest transaction of those that began and ended with these offsets
sub largest
{
	my ($topic, $first, $last) = @_;
	return $node->sql("SELECT max(size) FROM transactions WHERE topic = '$topic' AND first >= $first AND last <= $last");
}

# Twenty messages that may fail, from offset 2,000 on; so the chunk with the one that fails, in which ten have been handled before,
# ends before 2,084.  Then good ones until transactions are large again.
sub run
{
	my ($topic, $handler, $sqlstate) = @_;
	my $end = 10_000;
	$kafka->create_topic($topic, 1);
	$kafka->produce($topic, map { { value => $_ >= 2000 && $_ < 2020 ? $sqlstate : 'ok' } } 0 .. $end - 1);
	$node->sql(q{ALTER SEQUENCE failures RESTART});
	$node->sql(qq{SELECT burrow.subscribe('$topic', '$handler', workers => 1, batch_size => 64, batch_time => '1 s', max_inflight => 10000,
		commit_interval => '100 ms')});
	my $group = $node->group_of($topic);
	$kafka->wait_until_committed($group, $topic, diagnose => sub { $node->diagnostics });
	is(largest($topic, 1000, 1999), '64', "$topic: transactions are large");

	$node->wait_for("$topic: large ones again", sub {
			my $begin = $end;
			$end += 10_000;
			$kafka->produce($topic, map { { value => 'ok' } } $begin .. $end - 1);
			$kafka->wait_until_committed($group, $topic, diagnose => sub { $node->diagnostics });
			return largest($topic, $begin, $end - 1) == 64;
	}, timeout => 120);
	pass("$topic: in the end too");
	is($node->sql(qq{SELECT count(*), count(DISTINCT "offset") FROM got WHERE topic = '$topic'}), "$end|$end", "$topic: each is handled once");
	$node->sql("SELECT burrow.unsubscribe('$topic')");
	return;
}

run('halved', 'keep', 'P0001');
is($node->sql(q{SELECT count(*) >= 10 FROM transactions WHERE topic = 'halved' AND first BETWEEN 1900 AND 2120 AND size = 1}), 't',
	'halved: those of the one that failed are run again, each alone');
my $size = largest('halved', 2084, 2150);
ok($size > 1 && $size <= 32, "halved: then they are half as large ($size)");

# Transactions of one grow again when ten times the time that was lost has gone well, which on a slow machine is soon.
sub is_of_one
{
	my ($topic, $what) = @_;
	my $largest = largest($topic, 2084, 2104);
	ok($largest >= 1 && $largest <= 4, "$topic: $what, or have begun to grow ($largest)");
	return;
}

run('conflict', 'keep', '40001');
is_of_one('conflict', 'then they are of one');
is($node->sql(q{SELECT string_agg(size::text, ' ' ORDER BY size) FROM (SELECT DISTINCT size FROM transactions
	WHERE topic = 'conflict' AND first >= 2000 AND size IN (1, 2, 4, 8, 16, 32, 64)) s}), '1 2 4 8 16 32 64', 'conflict: and get larger step by step');

run('array', 'keep_all', '40P01');
is_of_one('array', 'calls of an array handler are of one message then, too');

$node->stop;
done_testing();
