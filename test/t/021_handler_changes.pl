# A handler is replaced, dropped, altered and renamed under a running subscription;
# it runs as the subscription's owner; and what shows and stops the message in hand.

use BurrowTest;

my $kafka = BurrowTest::Kafka->create('kafka');
my $node = BurrowTest::Node->create('main', kafka => $kafka);
my $n = 0;

sub subscribe
{
	my ($name, $handler, $role, $options) = @_;
	$kafka->create_topic($name, 1);
	my $set_role = defined $role ? "SET ROLE $role;" : '';
	$options = defined $options ? ", $options" : '';
	$node->sql(qq{$set_role SELECT burrow.subscribe('$name', '$handler', workers => 1, commit_interval => '100 ms', kafka => '{"session.timeout.ms": 6000}'$options)});
	return;
}

# Sends a new number and waits for what the handler made of it.
sub handled
{
	my ($topic, $expected, $description) = @_;
	$n++;
	$kafka->produce($topic, { key => 'k', value => "$n" });
	$node->wait_for("message $n to be handled", "SELECT count(*) > 0 FROM got WHERE n = $n");
	is($node->sql("SELECT what FROM got WHERE n = $n"), $expected, $description);
	return;
}

# Sends a new number, on which the subscription halts.
sub halts
{
	my ($topic, $sqlstate, $message, $description) = @_;
	$n++;
	$kafka->produce($topic, { key => 'k', value => "$n" });
	$node->wait_for_state($topic, 'halted');
	is($node->sql("SELECT error_sqlstate FROM burrow.subscriptions WHERE subscription = '$topic'"), $sqlstate, $description);
	like($node->sql("SELECT error_message FROM burrow.subscriptions WHERE subscription = '$topic'"), $message, '... and says why');
	return;
}

# The message on which it halted is handled after all.
sub resumes
{
	my ($topic, $expected, $description) = @_;
	$node->sql("SELECT burrow.resume('$topic')");
	$node->wait_for("message $n to be handled", "SELECT count(*) > 0 FROM got WHERE n = $n");
	is($node->sql("SELECT what FROM got WHERE n = $n"), $expected, $description);
	return;
}

$node->sql(<<'END');
CREATE TABLE got (id bigserial, n int, what text);
CREATE ROLE app LOGIN;
CREATE ROLE stranger LOGIN;
CREATE ROLE helper LOGIN;
GRANT USAGE ON SCHEMA burrow TO app;
GRANT EXECUTE ON FUNCTION burrow.subscribe, burrow.resume TO app;
GRANT INSERT ON got TO app, stranger, helper;
GRANT USAGE ON SEQUENCE got_id_seq TO app, stranger, helper;
GRANT CREATE ON SCHEMA public TO app, stranger, helper;
END

#
# Replaced, dropped, renamed.
#
$node->sql(q{CREATE FUNCTION h(value text) RETURNS void LANGUAGE sql AS $$ INSERT INTO got (n, what) VALUES (value::int, 'first') $$});
subscribe('changes', 'h');
handled('changes', 'first', 'called');
my ($worker) = $node->pids('worker', 'changes');
$node->sql(q{CREATE OR REPLACE FUNCTION h(value text) RETURNS void LANGUAGE plpgsql AS $$ BEGIN INSERT INTO got (n, what) VALUES (value::int, 'replaced'); END $$});
handled('changes', 'replaced', 'found when replaced, with another language');
$node->sql(q{BEGIN; DROP FUNCTION h(text);
	CREATE FUNCTION h(other_name text) RETURNS int LANGUAGE sql AS $$ INSERT INTO got (n, what) VALUES (other_name::int, 'made anew') RETURNING n $$; COMMIT});
handled('changes', 'made anew', 'found when dropped and made anew, with another name of its argument');
$node->sql(q{CREATE SCHEMA elsewhere; CREATE FUNCTION elsewhere.word() RETURNS text LANGUAGE sql AS $$ SELECT 'elsewhere' $$;
	CREATE OR REPLACE FUNCTION h(other_name text) RETURNS int LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.got (n, what) VALUES (other_name::int, word()); RETURN 1; END $$;
	ALTER FUNCTION h(text) SET search_path = elsewhere});
handled('changes', 'elsewhere', 'a setting of the function is heeded');
is(($node->pids('worker', 'changes'))[0], $worker, 'all by the same worker');

$node->sql('ALTER FUNCTION h(text) RENAME TO away');
halts('changes', '42883', qr/^function public\.h\(pg_catalog\.text\) does not exist$/, 'halts when it is renamed');
$node->sql('ALTER FUNCTION away(text) RENAME TO h');
resumes('changes', 'elsewhere', 'goes on when it has its name again');
$node->sql('DROP FUNCTION h(text); CREATE FUNCTION h(value jsonb) RETURNS void LANGUAGE sql AS \'\'');
halts('changes', '42883', qr/does not exist/, 'halts when it is dropped, another overload does not do');
$node->sql(q{CREATE FUNCTION h(value text, OUT a int) LANGUAGE sql AS 'SELECT 1'});
$node->sql(q{SELECT burrow.resume('changes')});
$node->wait_for('the reason to be another one', q{SELECT error_sqlstate = '42809' FROM burrow.subscriptions WHERE subscription = 'changes'});
like($node->sql(q{SELECT error_detail FROM burrow.subscriptions WHERE subscription = 'changes'}), qr/^It has OUT or INOUT arguments\.$/,
	'what took its name and does not fit is refused');
$node->sql(q{DROP FUNCTION h(text); CREATE FUNCTION h(x text) RETURNS void LANGUAGE sql AS $$ INSERT INTO got (n, what) VALUES (x::int, 'back') $$});
resumes('changes', 'back', 'goes on when it is there again');
$node->sql(q{SELECT burrow.unsubscribe('changes'); DROP FUNCTION h(text); DROP FUNCTION h(jsonb)});

#
# The owner's session: role, settings, privileges.
#
$node->sql(<<'END');
CREATE SCHEMA app AUTHORIZATION app;
CREATE TABLE app.orders (n int, who text, work_mem text);
ALTER TABLE app.orders OWNER TO app;
ALTER ROLE app SET search_path = app, public;
ALTER ROLE app SET work_mem = '7MB';
ALTER ROLE app SET synchronous_commit = 'on';
SET ROLE app;
CREATE FUNCTION app.h(value text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO orders VALUES (value::int, current_user || ' ' || session_user, current_setting('work_mem') || ' ' || current_setting('synchronous_commit'));
    INSERT INTO got (n, what) VALUES (value::int, 'own search_path');
END $$;
END
subscribe('owner', 'app.h', 'app');
handled('owner', 'own search_path', "unqualified names are found through the owner's search_path");
is($node->sql('SELECT who, work_mem FROM app.orders'), 'app app|7MB off', "the session is the owner's, but for synchronous_commit");
like($node->sql(q{SELECT string_agg(usename || ' ' || application_name, ',') FROM pg_stat_activity WHERE backend_type = 'burrow worker'}),
	qr/^app burrow worker owner #1$/, 'and shown so');

$node->sql(q{SET ROLE app; CREATE OR REPLACE FUNCTION app.h(value text) RETURNS void LANGUAGE plpgsql AS $$
	BEGIN RESET SESSION AUTHORIZATION; INSERT INTO got (n, what) VALUES (value::int, session_user || ' ' || current_user); END $$});
handled('owner', 'app app', 'RESET SESSION AUTHORIZATION leads nowhere');
$node->sql('CREATE TABLE secret (a int)');
$node->sql(q{SET ROLE app; CREATE OR REPLACE FUNCTION app.h(value text) RETURNS void LANGUAGE sql AS $$
	INSERT INTO secret VALUES (value::int); INSERT INTO got (n, what) VALUES (value::int, 'allowed') $$});
halts('owner', '42501', qr/permission denied for table secret/, 'it may do what the owner may');
$node->sql('GRANT INSERT ON secret TO app');
resumes('owner', 'allowed', 'and no more and no less');

$node->sql(q{SET ROLE helper; CREATE FUNCTION public.definer(value text) RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = public AS $$
	INSERT INTO got (n, what) VALUES (value::int, session_user || ' ' || current_user) $$});
subscribe('definer', 'public.definer', 'app');
handled('definer', 'app helper', 'SECURITY DEFINER');
$node->sql('GRANT helper TO app; ALTER FUNCTION definer(text) OWNER TO app');
handled('definer', 'app app', "the function's owner is looked up again");
$node->sql('REVOKE EXECUTE ON FUNCTION definer(text) FROM PUBLIC, app; ALTER FUNCTION definer(text) OWNER TO helper; REVOKE helper FROM app');
$n++;
$kafka->produce('definer', { key => 'k', value => "$n" });
$node->wait_for('the right to be missed', q{SELECT state = 'retrying' AND last_error ~ 'role "app" may not execute function public.definer' FROM burrow.subscriptions WHERE subscription = 'definer'});
$node->sql('GRANT EXECUTE ON FUNCTION definer(text) TO app');
$node->wait_for('the message to be handled', "SELECT count(*) > 0 FROM got WHERE n = $n");
is($node->sql("SELECT what FROM got WHERE n = $n"), 'app helper', 'the right to execute it is needed each time, and it goes on when it is granted');

# Somebody who takes a name that became free does not get his code run as the owner.
$node->sql('DROP FUNCTION definer(text); SET ROLE stranger;
	CREATE FUNCTION public.definer(value text) RETURNS void LANGUAGE sql AS $$ INSERT INTO got (n, what) VALUES (value::int, $x$stranger$x$) $$');
halts('definer', '42P13', qr/^function public\.definer\(pg_catalog\.text\) is now owned by role "stranger"$/, 'a stranger has taken the name');
$node->sql('ALTER FUNCTION definer(text) OWNER TO helper');
resumes('definer', 'stranger', 'it runs once somebody who was trusted owns it');

$node->sql(q{CREATE ROLE other; GRANT other TO app; GRANT INSERT ON got TO other; GRANT USAGE ON SEQUENCE got_id_seq TO other; GRANT USAGE ON SCHEMA app TO other;
	SET ROLE app; CREATE OR REPLACE FUNCTION app.h(value text) RETURNS void LANGUAGE plpgsql AS $$
	BEGIN EXECUTE value::jsonb ->> 's'; INSERT INTO public.got (n, what) VALUES ((value::jsonb ->> 'n')::int, current_user); END $$});
$kafka->produce('owner', map { { key => 'k', value => qq({"n": $_->[0], "s": "$_->[1]"}) } }
		[1000, 'SET LOCAL ROLE other'], [1001, 'SELECT 1'], [1002, 'SET ROLE other'], [1003, 'SELECT 1']);
$node->wait_for('four messages with changes of the role', 'SELECT count(*) = 4 FROM got WHERE n >= 1000');
is($node->sql(q{SELECT string_agg(what, ' ' ORDER BY n) FROM got WHERE n >= 1000}), 'other app other app',
	"a handler's SET ROLE does not reach the next message");
$node->sql(q{ALTER ROLE app SET role = 'other'; SELECT burrow.pause('owner')});
$node->wait_for_state('owner', 'paused');
$node->sql(q{SELECT burrow.resume('owner')});
$kafka->produce('owner', { key => 'k', value => '{"n": 1004, "s": "SELECT 1"}' });
$node->wait_for('the message after that', 'SELECT count(*) = 1 FROM got WHERE n = 1004');
is($node->sql(q{SELECT what FROM got WHERE n = 1004}), 'app', 'nor does a role that is set for the owner');
$node->sql('SELECT count(burrow.unsubscribe(subscription)) FROM burrow.subscriptions');

#
# Temporary objects and plans of a session that goes on, and an error that ends nothing.
#
$node->sql(q{CREATE FUNCTION leaves(value text) RETURNS void LANGUAGE plpgsql AS $$
	BEGIN
		CREATE TEMP TABLE IF NOT EXISTS seen (n int);
		INSERT INTO seen VALUES (value::int);
		PERFORM 1 / (value::int - current_setting('test.poison', true)::int);
		INSERT INTO got (n, what) VALUES (value::int, (SELECT count(*)::text FROM seen));
	END $$;
	ALTER DATABASE postgres SET test.poison = -1});
subscribe('leaves', 'leaves');
handled('leaves', '1', 'a temporary table');
handled('leaves', '2', 'is there for the next message');
my $poison = $n + 1;
$node->sql("CREATE OR REPLACE FUNCTION pg_temp.unused() RETURNS void LANGUAGE sql AS ''; ALTER DATABASE postgres SET test.poison = $poison");
$node->sql(q{SELECT burrow.pause('leaves')});
$node->wait_for_state('leaves', 'paused');
$node->sql(q{SELECT burrow.resume('leaves')});
halts('leaves', '22012', qr/^division by zero$/, 'an error');
like($node->sql(q{SELECT error_context FROM burrow.subscriptions}),
	qr/PL\/pgSQL function leaves\(text\) line 5 at PERFORM\nhandling message from topic "leaves" partition 0 offset 2 for subscription "leaves"/,
	'with its context');
$node->sql('ALTER DATABASE postgres RESET test.poison');
$node->sql(q{ALTER DATABASE postgres SET test.poison = -1});
resumes('leaves', '1', 'the cause is gone');
$node->sql('ALTER DATABASE postgres RESET test.poison; SELECT count(burrow.unsubscribe(subscription)) FROM burrow.subscriptions');

#
# The message in hand: seen, cancelled.
#
$node->sql(q{CREATE FUNCTION waits(value text) RETURNS void LANGUAGE plpgsql AS $$
	BEGIN
		IF value ~ 'wait' THEN PERFORM pg_advisory_xact_lock(42); END IF;
		INSERT INTO got (n, what) VALUES (9999, value);
	END $$});
subscribe('hand', 'waits', undef, 'batch_size => 10, max_retries => 0');
my $holder = $node->background_psql('postgres');
$holder->query_safe('SELECT pg_advisory_lock(42)');
$kafka->produce('hand', { key => 'a', value => '1' }, { key => 'b', value => 'wait' }, { key => 'b', value => '2' }, { key => 'c', value => '3' });
$node->wait_for('the message to wait for the lock',
	q{SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'burrow worker' AND wait_event = 'advisory'});
is($node->sql(q{SELECT state, query FROM pg_stat_activity WHERE backend_type = 'burrow worker'}),
	'active|handling message from topic "hand" partition 0 offset 1', 'pg_stat_activity shows it');
is($node->sql('SELECT topic, partition, "offset", since < clock_timestamp() FROM burrow.workers'), 'hand|0|1|t', 'burrow.workers shows it');
$node->sql(q{SELECT pg_cancel_backend(pid) FROM burrow.workers});
$node->wait_for_state('hand', 'halted');
is($node->sql(q{SELECT error_offset, error_sqlstate, error_message FROM burrow.subscriptions}),
	'1|57014|canceling statement due to user request', 'pg_cancel_backend is an error of that message');
$holder->query_safe('SELECT pg_advisory_unlock(42)');
$node->sql(q{SELECT burrow.alter('hand', max_retries => 3); SELECT burrow.resume('hand')});
$node->wait_for('all four', 'SELECT count(*) = 4 FROM got WHERE n = 9999');
is($node->sql(q{SELECT string_agg(what, ' ' ORDER BY what) FROM got WHERE n = 9999}), '1 2 3 wait', 'each handled once');

# A worker that is terminated takes nothing with it but its transaction.
$holder->query_safe('SELECT pg_advisory_lock(42)');
$kafka->produce('hand', { key => 'b', value => 'wait again' });
$node->wait_for('the message to wait for the lock',
	q{SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'burrow worker' AND wait_event = 'advisory'});
my ($first) = $node->pids('worker', 'hand');
$node->sql("SELECT pg_terminate_backend($first)");
$node->wait_for('another worker to have it',
	qq{SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'burrow worker' AND wait_event = 'advisory' AND pid <> $first});
$holder->query_safe('SELECT pg_advisory_unlock(42)');
$node->wait_for('it to be handled', q{SELECT count(*) = 1 FROM got WHERE what = 'wait again'});
$kafka->wait_until_committed($node->group_of('hand'), 'hand', diagnose => sub { $node->diagnostics });
is($node->sql(q{SELECT count(*) FROM got WHERE what = 'wait again'}), '1', 'once');
$holder->quit;

$node->stop;
done_testing();
