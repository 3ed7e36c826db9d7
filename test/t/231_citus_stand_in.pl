# In a database of Citus's a handler's transaction is a block, commits in two phases on other nodes, and is flushed before the
# second one.  Citus comes and goes under a subscription that runs.  Citus is played by a module that exports
# the function that Burrow looks for, and by a row of pg_extension; the real one is in 232_citus.pl.

use BurrowTest;

my $kafka = BurrowTest::Kafka->create('kafka');
my $node = BurrowTest::Node->create('main', kafka => $kafka);
$kafka->create_topic($_, 1) foreach qw(early both);
$node->sql(<<'SQL');
CREATE TABLE got (value text, level text);
CREATE FUNCTION keep(value text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO got VALUES (value, current_setting('synchronous_commit'));
    IF value = 'lower' THEN SET LOCAL synchronous_commit = off; END IF;
    IF value = 'fail' THEN RAISE EXCEPTION 'cannot take it'; END IF;
END $$;
SQL

my $citus = <<'SQL';
SET allow_system_table_mods = on;
INSERT INTO pg_extension (oid, extname, extowner, extnamespace, extrelocatable, extversion)
	VALUES (90001, 'citus', 10, 'pg_catalog'::regnamespace, false, '1.0');
CREATE FUNCTION citus_member() RETURNS void LANGUAGE sql AS '';
ALTER EXTENSION citus ADD FUNCTION citus_member();
SQL

sub handled
{
	my ($topic, $value) = @_;
	$kafka->produce($topic, { key => 'k', value => $value });
	$node->wait_for("$value to be handled", "SELECT count(*) > 0 FROM got WHERE value = '$value'");
	return $node->sql("SELECT DISTINCT level FROM got WHERE value = '$value'");
}

# ---- it comes without the function

$node->sql(q{SELECT burrow.subscribe('early', 'keep', workers => 1, commit_interval => '100 ms')});
is(handled('early', 'before'), 'off', 'without Citus workers commit asynchronously');
$node->sql($citus);
$kafka->produce('early', { key => 'k', value => 'held' });
$node->wait_for('the subscription to wait', q{SELECT state = 'retrying' FROM burrow.subscriptions WHERE subscription = 'early'});
like($node->sql(q{SELECT cause || ' / ' || next_statement FROM burrow.why_stuck('early') WHERE cause LIKE '%Citus%'}),
	qr/cannot be exactly once beside this build of Citus .* burrow\.alter\('early', delivery => 'at_least_once'\)/, 'and says why');
is($node->sql(q{SELECT count(*) FROM got WHERE value = 'held'}), '0', 'no handler is called meanwhile');
is($node->sql(q{SELECT citus_commit FROM burrow.subscriptions}), 'one-phase', 'the view shows it');
like($node->sql_error(q{SELECT burrow.subscribe('both', 'keep')}), qr/0A000: delivery "exactly_once" is not possible beside this build of Citus/, 'another one is refused');
$node->sql('DROP EXTENSION citus');
$node->wait_for('the held message', q{SELECT count(*) = 1 FROM got WHERE value = 'held'});
$node->sql(q{SELECT burrow.unsubscribe('early')});

# ---- with the function

my $module = BurrowTest::server_module('citus_stand_in');
$node->append_conf('postgresql.conf', "shared_preload_libraries = '$module, burrow'");
$node->restart;
$node->sql(q{SELECT burrow.subscribe('both', 'keep', workers => 1, commit_interval => '100 ms', max_retries => 0, on_failure => 'dead_letter')});
my $position = $node->log_position;
is(handled('both', 'plain'), 'off', 'the function alone changes nothing');
unlike($node->log_since($position), qr/stand-in/, 'and is not called');
$node->sql($citus);
is($node->sql(q{SELECT citus_commit FROM burrow.subscriptions}), 'two-phase', 'the view shows it');
is(handled('both', 'two'), 'local', 'the level is raised in a worker that ran before Citus came');
$node->wait_for_log_line(qr/stand-in: second phase, block 1, flushed 1/, $position);
is(handled('both', 'lower'), 'local', 'a handler lowers it');
$kafka->produce('both', { key => 'k', value => 'fail' });
$node->wait_for('the dead letter', q{SELECT count(*) = 1 FROM burrow.dead_letters});
is(handled('both', 'after'), 'local', 'a block that fails is rolled back, and the next one is handled');
is($node->sql(q{SELECT count(*) FROM got WHERE value = 'fail'}), '0', 'nothing of it is left');
$kafka->wait_until_committed($node->group_of('both'), 'both', diagnose => sub { $node->diagnostics });
my @phases = $node->log_since($position) =~ /stand-in: (.*)/g;
is_deeply([grep { $_ ne 'second phase, block 1, flushed 1' } @phases], [], 'each was a block, and flushed, whatever the handler had set');
cmp_ok(scalar @phases, '>=', 3, 'all of them');

# ---- a dry run rolls back: nothing may commit on another node

$position = $node->log_position;
$node->sql(q{SELECT burrow.pause('both')});
$kafka->produce('both', { key => 'k', value => 'dry' });
is($node->sql(q{SELECT count(*) FROM burrow.dry_run('both')}), '1', 'a dry run');
unlike($node->log_since($position), qr/stand-in/, 'commits nowhere');
$node->sql(q{DROP EXTENSION citus; SELECT burrow.resume('both')});
is($node->sql(q{SELECT citus_commit IS NULL FROM burrow.subscriptions}), 't', 'when Citus is gone');
handled('both', 'last');
unlike($node->log_since($position), qr/stand-in/, 'transactions are as before');

$node->stop;
done_testing();
