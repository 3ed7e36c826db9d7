# A message whose handling takes down the whole server, each time.  The server's log names
# it, and the way out that the documentation describes leads out.

use BurrowTest;

my $kafka = BurrowTest::Kafka->create('kafka');
my $node = BurrowTest::Node->create('main', kafka => $kafka);
$node->sql(<<'SQL');
CREATE TABLE got ("offset" bigint);
CREATE FUNCTION h("offset" bigint, value text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF value = 'crash' THEN
        EXECUTE format('COPY (SELECT) TO PROGRAM %L', 'kill -9 ' || pg_backend_pid());
    END IF;
    INSERT INTO got VALUES ("offset");
END $$;
SQL
$kafka->create_topic('crash', 1);
$kafka->produce('crash', map { { key => "k$_", value => $_ == 2 ? 'crash' : 'ok' } } 0 .. 9);
$node->sql(q{SELECT burrow.subscribe('crash', 'h', on_failure => 'dead_letter', commit_interval => '100 ms')});

$node->wait_for('two crashes', sub {
		my $crashes = () = $node->log_since(0) =~ /Failed process was running: handling message from topic "crash" partition 0 offset 2$/mg;
		return $crashes >= 2;
});
pass('the log names the message');

# pg_ctl reload works while no session can be opened, too
$node->append_conf('postgresql.conf', 'burrow.enabled = off');
$node->reload;
$node->wait_for('nothing of it to run', q{SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE backend_type ~ 'burrow (consumer|worker)')
	AND current_setting('burrow.enabled') = 'off'});
$node->sql(<<'SQL');
CREATE OR REPLACE FUNCTION h("offset" bigint, value text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF "offset" = 2 THEN
        PERFORM burrow.reject('takes down the server');
    END IF;
    INSERT INTO got VALUES ("offset");
END $$;
SQL
$node->append_conf('postgresql.conf', 'burrow.enabled = on');
$node->reload;
$kafka->wait_until_committed($node->group_of('crash'), 'crash', diagnose => sub { $node->diagnostics });
is($node->sql(q{SELECT string_agg("offset"::text, ' ' ORDER BY "offset") FROM got}), '0 1 3 4 5 6 7 8 9', 'all others are handled once');
is($node->sql('SELECT "offset", message FROM burrow.dead_letters'), '2|message was rejected: takes down the server', 'and it is a dead letter');

$node->stop;
done_testing();
