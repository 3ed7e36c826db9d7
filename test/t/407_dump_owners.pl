# A dump is restored in a cluster that lacks some of the roles: every subscription, position and dead letter arrives.
# What has no owner there is disabled and says why, and goes on when somebody gives it one.

use BurrowTest;

my $kafka = BurrowTest::Kafka->create('kafka');
my $node = BurrowTest::Node->create('main', kafka => $kafka);
my $there = BurrowTest::Node->create('there', kafka => $kafka, extension => 0);
$node->sql(qq{CREATE ROLE "$_" LOGIN}) foreach 'clerk', 'Clerk ""2""', 'stays', 'leaves';
$node->sql(<<'SQL');
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA burrow TO PUBLIC;
CREATE TABLE got (topic text, value text);
CREATE FUNCTION h(topic text, value text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF value = 'bad' THEN RAISE EXCEPTION 'bad'; END IF;
    INSERT INTO got VALUES (topic, value);
END $$;
GRANT INSERT ON got TO PUBLIC;
SQL
my %topics = (a => 'clerk', b => 'Clerk "2"', c => 'stays', d => 'leaves');
for my $topic (sort keys %topics)
{
	my $role = $topics{$topic} =~ s/"/""/gr;
	$kafka->create_topic($topic, 1);
	$kafka->produce($topic, map { { key => "k$_", value => $_ == 3 ? 'bad' : "$_" } } 1 .. 5);
	$node->sql(qq{SET SESSION AUTHORIZATION "$role"; SELECT burrow.subscribe('$topic', 'h', on_failure => 'dead_letter', max_retries => 0)});
	$kafka->wait_until_committed($node->group_of($topic), $topic, diagnose => sub { $node->diagnostics });
	$node->sql("SELECT burrow.pause('$topic')");
	$node->wait_for_state($topic, 'paused');
}

# renamed and gone, without Burrow's knowledge where it was not loaded
$node->sql('ALTER ROLE clerk RENAME TO "chief clerk"');
my $oid = $node->sql(q{SELECT 'leaves'::regrole::oid});
$node->append_conf('postgresql.conf', "shared_preload_libraries = ''\n");
$node->restart;
$node->sql('DELETE FROM pg_shdepend WHERE refobjid = ' . $oid);
$node->sql('DROP ROLE leaves');
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'burrow'");
$node->restart;
is($node->sql(q{SELECT name, owner FROM burrow.subscription ORDER BY name}), qq{a|chief clerk\nb|Clerk "2"\nc|stays\nd|pg_dropped_$oid}, 'names as they are now; nobody can have that of one that was dropped');
is($node->sql(q{SELECT state, last_error FROM burrow.subscriptions WHERE subscription = 'd'}), q{disabled|the subscription's owner was dropped}, 'it does not run');
is($node->sql(q{SELECT cause, next_statement FROM burrow.why_stuck('d')}),
	q{the subscription is disabled: owner of subscription "d" does not exist any more|SELECT burrow.alter('d', owner => current_user), burrow.resume('d');}, 'why_stuck knows what helps');

my $dump = $node->basedir . '/dump.sql';
$node->command_ok(['pg_dump', "--file=$dump", $node->connstr('postgres')], 'pg_dump');

# ---- there is only one of the roles there

$there->sql('CREATE ROLE stays LOGIN');
$there->command_ok(['psql', '-X', '-q', "--file=$dump", $there->connstr('postgres')], 'restored where roles are missing');
is($there->sql('SELECT name, owner, burrow._role_oid(owner)::regrole FROM burrow.subscription ORDER BY name'),
	qq{a|chief clerk|-\nb|Clerk "2"|-\nc|stays|stays\nd|pg_dropped_$oid|-}, 'all subscriptions arrive');
for my $table (qw(progress pending_seek dead_letter))
{
	is($there->sql("SELECT count(*) FROM burrow.$table"), $node->sql("SELECT count(*) FROM burrow.$table"), "and all of burrow.$table");
}
is($there->sql('SELECT count(*) FROM burrow.dead_letters'), '4', 'a superuser sees the dead letters');
is($there->sql(q{SELECT subscription, state, last_error FROM burrow.subscriptions WHERE subscription IN ('a', 'c') ORDER BY 1}),
	qq{a|disabled|the subscription's owner, role "chief clerk", does not exist\nc|paused|}, 'what has no owner says why');

# nobody becomes the owner by taking the name
$there->sql('CREATE ROLE maker LOGIN CREATEROLE');
like($there->sql_error(q{SELECT burrow.resume('a')}), qr/42704: owner of subscription "a", role "chief clerk", does not exist\nDETAIL:  There was no role .*\nHINT:  This mends it: CREATE ROLE "chief clerk" LOGIN; SELECT burrow.alter\('a', owner => 'chief clerk'\)/,
	'resume says what is missing');
$there->sql(q{SET SESSION AUTHORIZATION maker; CREATE ROLE "chief clerk" LOGIN});
is($there->sql(q{SET SESSION AUTHORIZATION "chief clerk"; SELECT count(*) FROM burrow.subscriptions}), '0', 'whoever takes the name gets nothing');
like($there->sql_error(q{SET SESSION AUTHORIZATION "chief clerk"; SELECT burrow.resume('a')}), qr/42501: must be owner of subscription "a"/, 'and may do nothing with it');
like($there->sql_error(q{SET SESSION AUTHORIZATION maker; CREATE ROLE } . "pg_dropped_$oid"), qr/42939: role name "pg_dropped_\d+" is reserved/, 'nor is there anything to take of one that was dropped');

# ---- somebody gives them owners

for my $topic ('a', 'b', 'd')
{
	my ($cause, $statement) = split /\|/, $there->sql("SELECT cause, next_statement FROM burrow.why_stuck('$topic')");
	like($cause, qr/^the subscription is disabled: owner of subscription "$topic", role ".*", does not exist/, "$topic: $cause");
	$statement = "SELECT burrow.alter('d', owner => current_user), burrow.resume('d')" if $topic eq 'd';
	$there->sql($statement);
	$there->wait_for_state($topic, 'running');
}
$there->sql("SELECT burrow.resume('c')");
for my $topic (sort keys %topics)
{
	$kafka->produce($topic, { value => 'new' });
	is($there->sql("SELECT burrow.wait_until_caught_up('$topic')"), 't', "$topic goes on");
}
is($there->sql(q{SELECT topic, count(*), count(*) FILTER (WHERE value = 'new') FROM got GROUP BY topic ORDER BY topic}), "a|5|1\nb|5|1\nc|5|1\nd|5|1", 'where it stood');
is($there->sql(q{SET SESSION AUTHORIZATION "chief clerk"; SELECT count(*) FROM burrow.dead_letters}), '1', 'its owner sees its dead letter');

$_->stop foreach $node, $there;
done_testing();
