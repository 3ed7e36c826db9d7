# What handlers get: every form of a handler, every field of a message, and values
# that do not fit the type that a handler asks for.

use BurrowTest;
use MIME::Base64;

my $kafka = BurrowTest::Kafka->create('kafka');
my $node = BurrowTest::Node->create('main', kafka => $kafka);

# $options: further arguments of burrow.subscribe()
sub subscribe
{
	my ($name, $topic, $handler, $options) = @_;
	$options = defined $options ? ", $options" : '';
	$node->sql(qq{SELECT burrow.subscribe('$topic', '$handler', '$name', commit_interval => '100 ms', kafka => '{"session.timeout.ms": 6000}'$options)});
	return;
}

$node->sql('CREATE TABLE got (id bigserial, handler text, what text)');

# What a handler has noted, in the order of its calls.
sub got
{
	my ($handler, $count) = @_;
	$node->wait_for("$count rows of $handler", "SELECT count(*) >= $count FROM got WHERE handler = '$handler'");
	return [split /\n/, $node->sql("SELECT what FROM got WHERE handler = '$handler' ORDER BY id")];
}

# psql's output is bytes; what the producer gets is text.
my ($umlaut_a, $umlaut_u) = ("\xc3\xa4", "\xc3\xbc");

#
# Fields, with everything that a message may lack or have more than once.
#
$kafka->create_topic('fields', 1);
$kafka->produce(
	'fields',
	{
		key => 'k1', value => '{"n": 1}', timestamp => 1700000000123,
		headers => [['a', '1'], ['b', undef], ['a', "zwei: \x{e4}"], ['empty', '']]
	},
	{ key => undef, value => qq([2, "\x{fc}"]), timestamp => 1 },
	{ key => 'k1', value => undef, timestamp => 1700000001000 },
	{ key => '', value => '3', timestamp => 1700000002000, headers => [] });

$node->sql(<<'END');
SET client_min_messages = error;
CREATE FUNCTION named(attempt int, "timestamp" timestamptz, headers jsonb, value jsonb, key text, "offset" bigint, partition int, topic text)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO got (handler, what) VALUES ('named', concat_ws(' ', topic, partition, "offset", coalesce(quote_literal(key), '-'),
        coalesce(value::text, '-'), headers, extract(epoch from "timestamp"), attempt));
END $$;
CREATE FUNCTION named_header(headers burrow.header[], "offset" bigint, key bytea, value json) RETURNS void LANGUAGE sql AS $$
    INSERT INTO got (handler, what) VALUES ('named_header', concat_ws(' ', "offset", coalesce(key::text, '-'), coalesce(value::text, '-'),
        cardinality(headers), (SELECT string_agg(format('%s=%s', h.name, coalesce(convert_from(h.value, 'UTF8'), 'NULL')), ',') FROM unnest(headers) h)));
$$;
CREATE FUNCTION message(m burrow.message) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO got (handler, what) VALUES ('message', concat_ws(' ', m.topic, m.partition, m."offset", coalesce(m.key::text, '-'),
        coalesce(m.value::text, '-'), cardinality(m.headers), extract(epoch from m."timestamp"), m.attempt));
    RETURN 'ignored';
END $$;
CREATE FUNCTION array_of_messages(burrow.message[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO got (handler, what) SELECT 'array', concat_ws(' ', m."offset", coalesce(m.key::text, '-'), coalesce(m.value::text, '-'),
        m.headers[3].name, m.headers[2].value IS NULL) FROM unnest($1) m ORDER BY m."offset";
END $$;
CREATE FUNCTION value_text(text) RETURNS void LANGUAGE sql AS $$ INSERT INTO got (handler, what) VALUES ('text', coalesce($1, '-')) $$;
CREATE FUNCTION value_json(v json) RETURNS void LANGUAGE sql AS $$ INSERT INTO got (handler, what) VALUES ('json', coalesce(v::text, '-')) $$;
CREATE FUNCTION value_jsonb(jsonb) RETURNS void LANGUAGE sql AS $$ INSERT INTO got (handler, what) VALUES ('jsonb', coalesce($1::text, '-')) $$;
CREATE FUNCTION value_bytea(bytea) RETURNS void LANGUAGE sql AS $$ INSERT INTO got (handler, what) VALUES ('bytea', coalesce($1::text, '-')) $$;
CREATE FUNCTION value_strict(jsonb) RETURNS void STRICT LANGUAGE sql AS $$ INSERT INTO got (handler, what) VALUES ('strict', coalesce($1::text, '-')) $$;
END

subscribe($_, 'fields', $_, "ordering => 'partition', workers => 1")
	foreach qw(named named_header message array_of_messages value_text value_json value_jsonb value_bytea value_strict);

is_deeply(got('named', 4), [
		qq(fields 0 0 'k1' {"n": 1} [{"name": "a", "value": "1"}, {"name": "b", "value": null}, {"name": "a", "value": "zwei: $umlaut_a"}, {"name": "empty", "value": ""}] 1700000000.123000 1),
		qq(fields 0 1 - [2, "$umlaut_u"] [] 0.001000 1),
		q(fields 0 2 'k1' - [] 1700000001.000000 1),
		q(fields 0 3 '' 3 [] 1700000002.000000 1)],
	'named arguments, in any order');
is_deeply(got('named_header', 4), [
		qq(0 \\x6b31 {"n": 1} 4 a=1,b=NULL,a=zwei: $umlaut_a,empty=), qq(1 - [2, "$umlaut_u"] 0), '2 \x6b31 - 0', '3 \x 3 0'],
	'headers as burrow.header[]');
is_deeply(got('message', 4), [
		'fields 0 0 \x6b31 \x7b226e223a20317d 4 1700000000.123000 1',
		'fields 0 1 - \x5b322c2022c3bc225d 0 0.001000 1',
		'fields 0 2 \x6b31 - 0 1700000001.000000 1',
		'fields 0 3 \x \x33 0 1700000002.000000 1'],
	'burrow.message');
is_deeply(got('array', 4), [
		'0 \x6b31 \x7b226e223a20317d a t', '1 - \x5b322c2022c3bc225d t', '2 \x6b31 - t', '3 \x \x33 t'],
	'burrow.message[]');
is_deeply(got('text', 4), ['{"n": 1}', qq([2, "$umlaut_u"]), '-', '3'], 'the value as text');
is_deeply(got('json', 4), ['{"n": 1}', qq([2, "$umlaut_u"]), '-', '3'], 'the value as json');
is_deeply(got('jsonb', 4), ['{"n": 1}', qq([2, "$umlaut_u"]), '-', '3'], 'the value as jsonb');
is_deeply(got('bytea', 4), ['\x7b226e223a20317d', '\x5b322c2022c3bc225d', '-', '\x33'], 'the value as bytea');
is_deeply(got('strict', 3), ['{"n": 1}', qq([2, "$umlaut_u"]), '3'], 'a strict function is not called for a tombstone');
foreach my $name (qw(named array_of_messages value_strict))
{
	$kafka->wait_until_committed($node->group_of($name), 'fields', diagnose => sub { $node->diagnostics });
	is($node->sql("SELECT messages_processed, messages_failed FROM burrow.stats WHERE subscription = '$name'"), '4|0',
		"$name: all messages count as handled");
}
$node->sql('SELECT count(burrow.unsubscribe(subscription)) FROM burrow.subscriptions');

#
# Any bytes.
#
my $bytes = join '', map { chr } 0 .. 255;
my $hex = '\x' . unpack('H*', $bytes);
$kafka->create_topic('binary', 1);
$kafka->produce('binary', {
		key_base64 => encode_base64($bytes, ''), value_base64 => encode_base64($bytes x 2, ''),
		headers => [['h', { base64 => encode_base64($bytes, '') }]]
});
$node->sql(<<'END');
CREATE FUNCTION binary_fields(key bytea, value bytea, headers burrow.header[]) RETURNS void LANGUAGE sql AS
$$ INSERT INTO got (handler, what) VALUES ('binary_fields', concat_ws(' ', key, value, headers[1].value)) $$;
CREATE FUNCTION binary_message(m burrow.message) RETURNS void LANGUAGE sql AS
$$ INSERT INTO got (handler, what) VALUES ('binary_message', concat_ws(' ', m.key, m.value, m.headers[1].value)) $$;
END
foreach my $name (qw(binary_fields binary_message))
{
	subscribe($name, 'binary', $name);
	is_deeply(got($name, 1), ["$hex $hex" . substr($hex, 2) . " $hex"], "$name: all bytes come through");
}
$node->sql('SELECT count(burrow.unsubscribe(subscription)) FROM burrow.subscriptions');

#
# Values that do not fit: the message's error.  The other keys' messages are handled,
# the subscription halts, and goes on once its handler takes what is there.
#
$node->sql(<<'END');
CREATE FUNCTION wants_text("offset" bigint, value text) RETURNS void LANGUAGE sql AS
$$ INSERT INTO got (handler, what) VALUES ('wants', concat_ws(' ', 'text', "offset", value)) $$;
CREATE FUNCTION wants_key("offset" bigint, key text) RETURNS void LANGUAGE sql AS
$$ INSERT INTO got (handler, what) VALUES ('wants', concat_ws(' ', 'key', "offset")) $$;
CREATE FUNCTION wants_jsonb("offset" bigint, value jsonb) RETURNS void LANGUAGE sql AS
$$ INSERT INTO got (handler, what) VALUES ('wants', concat_ws(' ', 'jsonb', "offset", value)) $$;
CREATE FUNCTION wants_json("offset" bigint, value json) RETURNS void LANGUAGE sql AS
$$ INSERT INTO got (handler, what) VALUES ('wants', concat_ws(' ', 'json', "offset", value)) $$;
CREATE FUNCTION wants_headers("offset" bigint, headers jsonb) RETURNS void LANGUAGE sql AS
$$ INSERT INTO got (handler, what) VALUES ('wants', concat_ws(' ', 'headers', "offset", headers)) $$;
CREATE FUNCTION takes_all("offset" bigint, value bytea) RETURNS void LANGUAGE sql AS
$$ INSERT INTO got (handler, what) VALUES ('takes_all', concat_ws(' ', "offset", value)) $$;
END

# handler, the message in the middle, its value as takes_all shows it, and the error
my @unfit = (
	['wants_text', { value_base64 => encode_base64("bad\xff", '') }, '\x626164ff', '22021', 'invalid byte sequence for encoding "UTF8": 0xff'],
	['wants_text', { value_base64 => encode_base64("a\0b", '') }, '\x610062', '22021', 'invalid byte sequence for encoding "UTF8": 0x00'],
	['wants_key', { key_base64 => encode_base64("\xc3", ''), value => '1' }, '\x31', '22021', 'invalid byte sequence for encoding "UTF8": 0xc3'],
	['wants_jsonb', { value => '{"' }, '\x7b22', '22P02', 'invalid input syntax for type json'],
	['wants_jsonb', { value => '' }, '\x', '22P02', 'invalid input syntax for type json'],
	['wants_jsonb', { value => '"\u0000"' }, '\x225c753030303022', '22P05', 'unsupported Unicode escape sequence'],
	['wants_jsonb', { value_base64 => encode_base64("\"\xf0\x28\"", '') }, '\x22f02822', '22021', 'invalid byte sequence for encoding "UTF8": 0xf0 0x28 0x22'],
	['wants_json', { value => 'no' }, '\x6e6f', '22P02', 'invalid input syntax for type json'],
	['wants_headers', { value => '1', headers => [['h', { base64 => encode_base64("\xfe", '') }]] }, '\x31', '22021', 'invalid byte sequence for encoding "UTF8": 0xfe']);
my $log_position = $node->log_position;

for my $i (0 .. $#unfit)
{
	my ($handler, $message, $value, $sqlstate, $error) = @{ $unfit[$i] };
	my $name = "unfit_$i";
	my $argument = $handler =~ /wants_(key|headers)/ ? $1 : 'value';
	$kafka->create_topic($name, 1);
	$kafka->produce($name, { key => 'before', value => '1' }, $message, { key => 'after', value => '2' });
	subscribe($name, $name, $handler);
	$node->wait_for_state($name, 'halted');
	is($node->sql("SELECT error_topic, error_partition, error_offset, error_sqlstate, error_message FROM burrow.subscriptions WHERE subscription = '$name'"),
		"$name|0|1|$sqlstate|$error", "$handler: $error");
	like($node->sql("SELECT error_context FROM burrow.subscriptions WHERE subscription = '$name'"),
		qr/argument "$argument"\nhandling message from topic "$name" partition 0 offset 1 for subscription "$name"/,
		'... and where it was');
	$node->sql("SELECT burrow.alter('$name', handler => 'takes_all')");
	$node->sql("SELECT burrow.resume('$name')");
	$kafka->wait_until_committed($node->group_of($name), $name, diagnose => sub { $node->diagnostics });
	like(join("\n", @{ got('takes_all', 1) }), qr/^1 \Q$value\E$/m, '... and a handler that takes it gets it');
	$node->sql("SELECT burrow.unsubscribe('$name')");
	$node->sql('TRUNCATE got');
}
unlike($node->log_since($log_position), qr/terminated by signal|PANIC|"burrow worker.*exited with exit code/, 'no worker has ended over it');

#
# Traces: each message has its own, for the time of its call, also where several share a transaction.
#
{
	my $module = BurrowTest::server_module('trace_setting');
	my ($first, $second, $third) = map { sprintf '00-%032x-%016x-01', $_ + 10, $_ } 1 .. 3;
	my $later = 'cc' . substr($second, 2) . '-later';
	my $state = 'congo=t61rcWkgMzE,rojo=1';
	$kafka->create_topic('traces', 1);
	$kafka->produce('traces',
		{ value => 'gate' },
		{ value => 'traced', headers => [['traceparent', $first], ['tracestate', $state]] },
		{ value => 'none' },
		{ value => 'traced', headers => [['a', 'b'], ['traceparent', $second]] },
		{ value => 'invalid', headers => [['traceparent', uc $first], ['tracestate', $state]] },
		{ value => 'sets' },
		{ value => 'none', headers => [['traceparent', undef], ['tracestate', $state]] },
		{ value => 'sets', headers => [['traceparent', $later]] },
		{ value => 'none' },
		{ value => 'fails', headers => [['traceparent', $third], ['tracestate', $state]] },
		{ value => 'none' },
		{ value => 'traced', headers => [['traceparent', $first], ['tracestate', 'no state']] });
	$node->sql(<<"END");
CREATE TABLE traces ("offset" bigint, value text, parent text, state text, module text, xid bigint DEFAULT txid_current());
CREATE FUNCTION note_trace("offset" bigint, value text) RETURNS void LANGUAGE sql AS \$\$
    INSERT INTO traces VALUES ("offset", value, current_setting('burrow.traceparent'), current_setting('burrow.tracestate'),
        current_setting('pg_tracing.trace_context', true))
\$\$;
CREATE FUNCTION traced("offset" bigint, value text) RETURNS void LANGUAGE plpgsql AS \$\$
BEGIN
    IF value = 'gate' THEN PERFORM pg_advisory_xact_lock(20); END IF;
    PERFORM note_trace("offset", value);
    IF value = 'sets' THEN
        SET burrow.traceparent = '$third';
        SET burrow.tracestate = 'left=behind';
    ELSIF value = 'fails' THEN
        RAISE 'this fails';
    END IF;
END \$\$;
CREATE FUNCTION traced_array(messages burrow.message[]) RETURNS void LANGUAGE sql AS \$\$
    SELECT note_trace(min("offset"), count(*)::text) FROM unnest(messages)
\$\$;
END

	my $expected = sub {
		my ($has_module) = @_;
		my @wanted = (['', ''], [$first, $state], ['', ''], [$second, ''], ['', ''], ['', ''], ['', ''], [$second, ''], ['', ''], undef, ['', ''], [$first, '']);
		return join "\n", map { my ($parent, $of_state) = @{ $wanted[$_] };
			"$_|$parent|$of_state|" . ($has_module && $parent ne '' ? "traceparent='$parent'" : '') } grep { defined $wanted[$_] } 0 .. $#wanted;
	};
	my $told = sub {
		my ($name, $on_failure) = @_;
		my $session = $node->background_psql('postgres');
		$session->query_safe('SELECT pg_advisory_lock(20)');
		$node->sql(qq{SELECT burrow.subscribe('traces', 'traced', '$name', workers => 1, batch_time => '10 s', commit_interval => '100 ms', max_retries => 0,
			on_failure => '$on_failure', kafka => '{"session.timeout.ms": 6000}')});
		$node->wait_for('the gate', q{SELECT count(*) = 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted});
		$session->quit;
		$on_failure eq 'halt' ? $node->wait_for_state($name, 'halted') :
			$kafka->wait_until_committed($node->group_of($name), 'traces', diagnose => sub { $node->diagnostics });
		my $got = $node->sql('SELECT "offset", parent, state, module FROM traces ORDER BY 1');
		my $shared = $node->sql('SELECT count(DISTINCT xid) < count(*) FROM traces');
		$node->sql('TRUNCATE traces');
		return $on_failure eq 'halt' ? '' : "$shared\n$got";
	};

	my $position = $node->log_position;
	is($told->('traces', 'dead_letter'), "t\n" . $expected->(0), "each message's trace is its own, also where messages share a transaction");
	my $where = qr/traceparent $third\n\s*handling message from topic "traces" partition 0 offset 9 for subscription "traces"/;
	like($node->log_since($position), qr/ERROR:  this fails\n.*CONTEXT:  PL.*\n\s*$where/, 'the log names it where the handler fails');
	like($node->sql('SELECT context FROM burrow.dead_letters'), $where, 'and so does the dead letter');
	is($node->sql(q{SELECT convert_from(h.value, 'UTF8') FROM burrow.dead_letters l, unnest(l.headers) h WHERE h.name = 'traceparent'}), $third, 'which has its header');
	$node->sql(q{SELECT burrow.unsubscribe('traces')});

# a module that has no setting here may be in somebody's configuration all the same
	$node->sql(q{ALTER DATABASE postgres SET pg_tracing.trace_context = ''});
	$position = $node->log_position;
	is($told->('traces_skipped', 'skip'), "t\n" . $expected->(0), 'pg_tracing is not told where it is not loaded');
	like($node->log_since($position), qr/LOG:  subscription "traces_skipped" skips topic "traces" partition 0 offset 9 .*\n.*DETAIL:.*\n.*CONTEXT:  traceparent $third\n/, 'what is skipped is logged with its trace');
	$node->sql(q{SELECT burrow.unsubscribe('traces_skipped'); ALTER DATABASE postgres RESET pg_tracing.trace_context});

	$node->sql("ALTER DATABASE postgres SET session_preload_libraries = '$module'");
	is($told->('traces_module', 'skip'), "t\n" . $expected->(1), 'pg_tracing is told in its own form');
	$node->sql(q{SELECT burrow.unsubscribe('traces_module')});
	$node->sql(q{ALTER DATABASE postgres RESET session_preload_libraries});

	$position = $node->log_position;
	$told->('traces_halted', 'halt');
	like($node->log_since($position), qr/LOG:  subscription "traces_halted" is halted at topic "traces" partition 0 offset 9\n.*DETAIL:.*\n.*HINT:.*\n.*CONTEXT:  traceparent $third\n/, 'what halts is logged with its trace');
	like($node->sql(q{SELECT string_agg(outcome || coalesce(' ' || context, ''), E'\n') FROM burrow.dry_run('traces_halted', 1)}), qr/^failed .*traceparent $third\nhandling message/s, 'and so in a dry run');
	$node->sql(q{SELECT burrow.unsubscribe('traces_halted')});

	$node->sql(q{SELECT burrow.subscribe('traces', 'traced_array', 'traces_array', workers => 1, batch_time => '10 s', commit_interval => '100 ms')});
	$kafka->wait_until_committed($node->group_of('traces_array'), 'traces', diagnose => sub { $node->diagnostics });
	is($node->sql(q{SELECT count(*) > 0, count(*) FILTER (WHERE parent <> '') FROM traces WHERE value <> '1'}), 't|0', 'several messages in one call have none');
	$node->sql(q{SELECT burrow.unsubscribe('traces_array')});

	like($node->sql_error("SET burrow.traceparent = 'x'"), qr/invalid value for parameter "burrow.traceparent"/, 'the setting takes what a header may hold');
	like($node->sql_error("SET burrow.tracestate = 'x'"), qr/invalid value for parameter "burrow.tracestate"/, 'so does the other');
}

#
# A database in another encoding: text is converted, and what it has no character for is
# the message's error.
#
$node->sql(q{CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'});
$node->sql(<<'END', 'latin');
CREATE EXTENSION burrow;
CREATE TABLE got (what text, bytes bytea);
CREATE FUNCTION keep(key text, value jsonb, headers jsonb) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO got VALUES (key, convert_to(concat_ws(' ', key, value->>0, headers->0->>'value'), 'LATIN1'));
END $$;
END
$kafka->create_topic('latin', 1);
$kafka->produce('latin',
	{ key => "\x{e4}", value => qq(["\x{fc}"]), headers => [['h', "\x{df}"]] },
	{ key => 'euro', value => qq(["\x{20ac}"]) });
$node->sql(q{SELECT burrow.subscribe('latin', 'keep')}, 'latin');
$node->wait_for('the euro sign to halt it', q{SELECT state = 'halted' FROM burrow.subscriptions}, database => 'latin');
is($node->sql('SELECT bytes FROM got', 'latin'), '\xe420fc20df', 'text is in the encoding of the database');
is($node->sql('SELECT error_offset, error_sqlstate FROM burrow.subscriptions', 'latin'), '1|22P05', 'what cannot be converted is an error of the message');

$node->stop;
done_testing();
