# An error that a value causes on its way into the handler's argument is permanent, whatever its class.

use BurrowTest;
use MIME::Base64 qw(encode_base64);

my $kafka = BurrowTest::Kafka->create('kafka');
my $node = BurrowTest::Node->create('main', kafka => $kafka);
$node->sql(<<'SQL');
CREATE TABLE got (topic text, value text, attempt int);
CREATE FUNCTION wants_jsonb(topic text, value jsonb, attempt int) RETURNS void LANGUAGE sql AS $$ INSERT INTO got VALUES (topic, value::text, attempt) $$;
CREATE FUNCTION wants_json(topic text, value json, attempt int) RETURNS void LANGUAGE sql AS $$ INSERT INTO got VALUES (topic, value::text, attempt) $$;
CREATE FUNCTION wants_text(topic text, value text, attempt int) RETURNS void LANGUAGE sql AS $$ INSERT INTO got VALUES (topic, value, attempt) $$;
CREATE FUNCTION wants_key(topic text, key jsonb, attempt int) RETURNS void LANGUAGE sql AS $$ INSERT INTO got VALUES (topic, key::text, attempt) $$;
CREATE FUNCTION wants_headers(topic text, headers jsonb, attempt int) RETURNS void LANGUAGE sql AS $$ INSERT INTO got VALUES (topic, headers::text, attempt) $$;
CREATE FUNCTION casts(topic text, value text, attempt int) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM value::jsonb;
    INSERT INTO got VALUES (topic, value, attempt);
END $$;
SQL

my $deep = '[' x 200_000;
my $invalid = encode_base64("bad\xff", '');

# name => [handler, the bad message, permanent_errors, attempts, SQLSTATE]
my %cases = (
	deep_jsonb => ['wants_jsonb', { value => $deep }, '{22,23,42}', 1, '54001'],
	deep_json => ['wants_json', { value => $deep }, '{22,23,42}', 1, '54001'],
	deep_key => ['wants_key', { key => $deep, value => '1' }, '{22,23,42}', 1, '54001'],
	no_text => ['wants_text', { value_base64 => $invalid }, '{}', 1, '22021'],
	no_json => ['wants_jsonb', { value => 'nonsense' }, '{}', 1, '22P02'],
	no_headers => ['wants_headers', { value => '1', headers => [['h', { base64 => $invalid }]] }, '{}', 1, '22021'],
	# what the handler itself does is judged by its class
	handler => ['casts', { value => $deep }, '{22,23,42}', 4, '54001'],
	handler_22 => ['casts', { value => 'nonsense' }, '{}', 4, '22P02']);
for my $name (sort keys %cases)
{
	my ($handler, $bad, $permanent) = @{ $cases{$name} };
	$kafka->create_topic($name, 1);
	$kafka->produce($name, { key => '1', value => '1' }, $bad, { key => '2', value => '2' });
	$node->sql(qq{SELECT burrow.subscribe('$name', '$handler', on_failure => 'dead_letter', permanent_errors => '$permanent', max_retries => 3,
		retry_backoff => '10 ms', commit_interval => '100 ms', workers => 1)});
}
for my $name (sort keys %cases)
{
	my (undef, undef, undef, $attempts, $sqlstate) = @{ $cases{$name} };
	$kafka->wait_until_committed($node->group_of($name), $name, diagnose => sub { $node->diagnostics });
	is($node->sql("SELECT \"offset\", attempts, sqlstate FROM burrow.dead_letters WHERE subscription = '$name'"), "1|$attempts|$sqlstate", "$name: a dead letter after $attempts attempts");
	is($node->sql("SELECT count(*), max(attempt) FROM got WHERE topic = '$name'"), '2|1', "$name: the others are handled");
}

$node->stop;
done_testing();
