# Chunks: several messages in one transaction, what happens when one of them fails,
# and when it fails only at commit.  One worker, and messages that are there before the
# subscription is made: so the first comes alone and the others in large chunks.  Where
# the size matters, batch_time is long: the handler's first call takes its time.

use BurrowTest;

my $kafka = BurrowTest::Kafka->create('kafka');
my $node = BurrowTest::Node->create('main', kafka => $kafka);

$node->sql(<<'END');
CREATE TABLE got (id bigserial, topic text, "offset" bigint, key text, value text, xid bigint DEFAULT txid_current(), at timestamptz DEFAULT now());
END

# A topic with these values; each has a key of its own, or the one before a colon.
sub topic
{
	my ($name, @values) = @_;
	my $n = 0;
	$kafka->create_topic($name, 1);
	$kafka->produce($name, map { /^(.*):(.*)$/ ? { key => $1, value => $2 } : { key => 'key ' . $n++, value => $_ } } @values);
	return;
}

sub subscribe
{
	my ($name, $handler, $options) = @_;
	$node->sql(qq{SELECT burrow.subscribe('$name', '$handler', workers => 1, commit_interval => '100 ms', max_retries => 0,
		kafka => '{"session.timeout.ms": 6000}', $options)});
	return;
}

sub done
{
	my ($name) = @_;
	$kafka->wait_until_committed($node->group_of($name), $name, diagnose => sub { $node->diagnostics });
	$node->sql("SELECT burrow.unsubscribe('$name')");
	return;
}

$node->sql(<<'END');
CREATE FUNCTION keep(topic text, "offset" bigint, key text, value text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO got (topic, "offset", key, value) VALUES (topic, "offset", key, value);
    IF value = 'slow' THEN PERFORM pg_sleep(0.03); END IF;
    IF value LIKE 'fail%' THEN RAISE EXCEPTION 'cannot take "%"', value USING ERRCODE = 'BW001', DETAIL = 'a detail', HINT = 'a hint'; END IF;
END $$;
END

#
# Quick messages share transactions, slow ones do not.
#
topic('quick', (map { "v$_" } 1 .. 300));
subscribe('quick', 'keep', 'batch_size => 100');
done('quick');
my ($count, $transactions, $times) = split /\|/, $node->sql(q{SELECT count(*), count(DISTINCT xid), count(DISTINCT at) FROM got WHERE topic = 'quick'});
is($count, 300, 'all are handled');
cmp_ok($transactions, '<', 100 * slow_by(), "in $transactions transactions");
is($times, $transactions, 'each with one now()');

topic('single', (map { "v$_" } 1 .. 20));
subscribe('single', 'keep', 'batch_size => 1');
done('single');
is($node->sql(q{SELECT count(*), count(DISTINCT xid) FROM got WHERE topic = 'single'}), '20|20', 'batch_size 1 turns chunks off');

# Small transactions travel several in a chunk, and keep their size.
topic('sevens', (map { "v$_" } 1 .. 300));
subscribe('sevens', 'keep', q{batch_size => 7, batch_time => '10 s'});
done('sevens');
is($node->sql(q{SELECT sum(n), max(n) FROM (SELECT count(*) AS n FROM got WHERE topic = 'sevens' GROUP BY xid) s}), '300|7', 'no transaction is larger than batch_size');

# One of them fails: it alone is rolled back, and its order is kept.
topic('carried', 'z:first', (map { "w$_" } 1 .. 20), 'a:1', 'a:failing', 'b:1', 'a:2', (map { "v$_" } 1 .. 20));
subscribe('carried', 'keep', q{batch_size => 1, batch_time => '10 s', on_failure => 'skip'});
$kafka->wait_until_committed($node->group_of('carried'), 'carried', diagnose => sub { $node->diagnostics });
cmp_ok($node->sql(q{SELECT chunks FROM burrow.stats WHERE subscription = 'carried'}), '<', 20, 'many in a chunk');
done('carried');
is($node->sql(q{SELECT count(*), count(DISTINCT "offset"), count(DISTINCT xid) FROM got WHERE topic = 'carried'}), '44|44|44', 'the others are done, each in a transaction of its own');
is($node->sql(q{SELECT string_agg(value, ' ' ORDER BY id) FROM got WHERE topic = 'carried' AND key = 'a'}), '1 2', 'in order');

topic('slow', (map { "v$_" } 1 .. 50), ('slow') x 20);
subscribe('slow', 'keep', q{batch_size => 1000, batch_time => '10 ms'});
done('slow');
is($node->sql(q{SELECT count(DISTINCT xid) FROM got WHERE topic = 'slow' AND value = 'slow'}), '20', 'slow ones are committed one by one');

#
# One of a chunk fails: the others go on, those behind it in its order do not.
# All are in its chunk, because a halt gives out no more: they can be read at the same moment, when their transaction
# ends, and it is known by then that messages are quick, however slow the machine.
#
topic('failing', 'first');
subscribe('failing', 'keep', q{batch_size => 100, batch_time => '1 min'});
$node->wait_for('the first', q{SELECT count(*) = 1 FROM got WHERE topic = 'failing'});
$kafka->produce_transactions('failing', { transaction => 'begin' },
	(map { my ($key, $value) = split /:/; { key => $key, value => $value } } (map { "a:a$_" } 1 .. 20), 'b:b1', 'b:fail', 'b:b2', (map { "c:c$_" } 1 .. 20), 'b:b3'),
	{ transaction => 'commit' });
$node->wait_for_state('failing', 'halted');
is($node->sql(q{SELECT error_offset, error_sqlstate, error_message, error_detail, error_hint FROM burrow.subscriptions}),
	'22|BW001|cannot take "fail"|a detail|a hint', 'the error is shown');
like($node->sql(q{SELECT error_context FROM burrow.subscriptions}),
	qr/RAISE\nhandling message from topic "failing" partition 0 offset 22 for subscription "failing"$/, 'with its context');
is($node->sql(q{SELECT string_agg(value, ' ' ORDER BY "offset") FROM got WHERE topic = 'failing' AND key = 'b'}), 'b1',
	'nothing behind it in its order has run');
is($node->sql(q{SELECT count(*), count(DISTINCT "offset") FROM got WHERE topic = 'failing' AND key <> 'b'}), '41|41', 'the others are done, once');
is($kafka->committed($node->group_of('failing'), 'failing')->{0}, 22, 'Kafka has the offset of the one that failed');
like($node->log_since(0), qr/ERROR:  cannot take "fail"/, 'the log has it');
my $lines = () = $node->log_since(0) =~ /ERROR:  cannot take "fail"/g;
is($lines, 1, 'once');
$node->sql(q{CREATE OR REPLACE FUNCTION keep(topic text, "offset" bigint, key text, value text) RETURNS void LANGUAGE sql AS
	$$ INSERT INTO got (topic, "offset", key, value) VALUES (topic, "offset", key, value) $$});
$node->sql(q{SELECT burrow.resume('failing')});
done('failing');
is($node->sql(q{SELECT string_agg(value, ' ' ORDER BY id) FROM got WHERE topic = 'failing' AND key = 'b'}), 'b1 fail b2 b3',
	'resumed, in their order');
is($node->sql(q{SELECT count(*), count(DISTINCT "offset") FROM got WHERE topic = 'failing'}), '45|45', 'each once');

#
# An error at commit belongs to the transaction; run alone, to the message.
#
$node->sql(<<'END');
CREATE TABLE parent (a text PRIMARY KEY);
INSERT INTO parent VALUES ('known');
CREATE TABLE child (a text REFERENCES parent DEFERRABLE INITIALLY DEFERRED);
CREATE FUNCTION deferred(value text) RETURNS void LANGUAGE sql AS 'INSERT INTO child VALUES (value)';
END
topic('deferred', ('known') x 20, 'unknown', ('known') x 20);
subscribe('deferred', 'deferred', q{batch_size => 100, batch_time => '1 s'});
$node->wait_for_state('deferred', 'halted');
is($node->sql(q{SELECT error_offset, error_sqlstate FROM burrow.subscriptions}), '20|23503', 'a deferred constraint is the error of its message');
is($node->sql('SELECT count(*) FROM child'), '40', 'the others are done');
$node->sql(q{INSERT INTO parent VALUES ('unknown'); SELECT burrow.resume('deferred')});
done('deferred');
is($node->sql('SELECT count(*) FROM child'), '41', 'it goes on when the parent is there');

#
# Arrays: a chunk in a call.
#
$node->sql(<<'END');
CREATE FUNCTION keep_all(messages burrow.message[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO got (topic, "offset", key, value)
        SELECT m.topic, m."offset", convert_from(m.key, 'UTF8'), convert_from(m.value, 'UTF8') FROM unnest(messages) m;
    IF EXISTS (SELECT FROM unnest(messages) m WHERE m.value LIKE 'fail%') THEN
        RAISE EXCEPTION 'a chunk of %', cardinality(messages);
    END IF;
END $$;
END
topic('arrays', (map { "v$_" } 1 .. 300));
subscribe('arrays', 'keep_all', 'batch_size => 100');
done('arrays');
is($node->sql(q{SELECT count(*), count(DISTINCT "offset"), count(DISTINCT xid) < 100 FROM got WHERE topic = 'arrays'}), '300|300|t', 'handled in chunks');
topic('bad_array', (map { "v$_" } 1 .. 50), 'x:fail', 'x:behind', (map { "w$_" } 1 .. 48));
subscribe('bad_array', 'keep_all', q{batch_size => 100, batch_time => '1 s'});
$node->wait_for_state('bad_array', 'halted');
is($node->sql(q{SELECT error_offset, error_message FROM burrow.subscriptions}), '50|a chunk of 1', 'a failed chunk is halved until the culprit is found');
is($node->sql(q{SELECT count(*) = count(DISTINCT "offset"), bool_or(key = 'x') FROM got WHERE topic = 'bad_array'}), 't|f',
	'what is done is done once, and nothing behind the culprit in its order');
$node->sql(q{SELECT burrow.unsubscribe('bad_array')});

#
# A handler that writes nothing, and one that only notifies.
#
$node->sql(q{CREATE FUNCTION reads(value text) RETURNS void LANGUAGE plpgsql AS $$ BEGIN PERFORM count(*) FROM got; END $$;
	CREATE FUNCTION notifies(value text) RETURNS void LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_notify('x', value); END $$});
foreach my $name (qw(reads notifies))
{
	topic($name, map { "v$_" } 1 .. 10);
	subscribe($name, $name, 'batch_size => 10');
	done($name);
	pass("a handler that $name is committed");
}

$node->stop;
done_testing();
