# A value, or a key, that has a schema registry's framing before its JSON: the error says so.

use BurrowTest;
use MIME::Base64 qw(encode_base64);

my $kafka = BurrowTest::Kafka->create('kafka');
my $node = BurrowTest::Node->create('main', kafka => $kafka);
$node->sql(<<'SQL');
CREATE TABLE got (value jsonb);
CREATE FUNCTION wants_jsonb(value jsonb) RETURNS void LANGUAGE sql AS $$ INSERT INTO got VALUES (value) $$;
CREATE FUNCTION wants_text(value text) RETURNS void LANGUAGE sql AS $$ INSERT INTO got VALUES (to_jsonb(value)) $$;
CREATE FUNCTION wants_key(key json, value bytea) RETURNS void LANGUAGE sql AS $$ INSERT INTO got VALUES (key) $$;
CREATE FUNCTION strips(value bytea) RETURNS void LANGUAGE sql AS $$ INSERT INTO got VALUES (convert_from(substr(value, 6), 'UTF8')::jsonb) $$;
SQL

my $framed = encode_base64(pack('CN', 0, 100_042) . '{"a": 1}', '');
my $json_hint = 'The value begins like one of a schema registry: a zero byte, schema id 100042, and then what looks like JSON. '
	. q{Declare the argument as bytea, and take convert_from(substr(value, 6), 'UTF8')::jsonb.};
my %cases = (
	jsonb => ['wants_jsonb', { value_base64 => $framed }, $json_hint],
	text => ['wants_text', { value_base64 => $framed }, $json_hint],
	key => ['wants_key', { key_base64 => $framed, value => '1' }, $json_hint =~ s/The value/The key/r =~ s/substr\(value/substr(key/r],
	avro => ['wants_jsonb', { value_base64 => encode_base64(pack('CN', 0, 7) . "\x02\x06abc", '') },
		'The value begins like one of a schema registry: a zero byte, schema id 7, and then data that only that schema explains (Avro, Protobuf). '
			. 'Declare the argument as bytea, and decode what follows its first 5 bytes, or have the producer write JSON.'],
	short => ['wants_text', { value_base64 => encode_base64("\0abc", '') }, ''],
	other => ['wants_text', { value_base64 => encode_base64("a\0bcdefg", '') }, '']);
for my $name (sort keys %cases)
{
	my ($handler, $message, $hint) = @{ $cases{$name} };
	$kafka->create_topic($name, 1);
	$kafka->produce($name, $message);
	$node->sql(qq{SELECT burrow.subscribe('$name', '$handler', on_failure => 'dead_letter', enabled => false, commit_interval => '100 ms')});
	is($node->sql("SELECT sqlstate, hint FROM burrow.dry_run('$name', 1)"), "22021|$hint", "$name: in a dry run");
	$node->sql("SELECT burrow.resume('$name')");
	$kafka->wait_until_committed($node->group_of($name), $name, diagnose => sub { $node->diagnostics });
	is($node->sql("SELECT sqlstate, hint FROM burrow.dead_letters WHERE subscription = '$name'"), "22021|$hint", "$name: in the dead letter");
	is($node->sql("SELECT last_error FROM burrow.subscriptions WHERE subscription = '$name'"),
		'invalid byte sequence for encoding "UTF8": 0x00' . ($hint ne '' ? "\nHINT:  $hint" : ''), "$name: in last_error");
}

# where it halts, and while it is tried again
$kafka->create_topic('halts', 1);
$kafka->produce('halts', { value_base64 => $framed });
$node->sql(q{SELECT burrow.subscribe('halts', 'wants_jsonb')});
$node->wait_for_state('halts', 'halted');
is($node->sql(q{SELECT error_hint FROM burrow.subscriptions WHERE subscription = 'halts'}), $json_hint, 'where it halts');
like($node->sql(q{SELECT last_error FROM burrow.subscriptions WHERE subscription = 'halts'}), qr/^invalid byte sequence/, '... with the error');

# and what it says helps
$node->sql(q{SELECT burrow.alter('halts', handler => 'strips'); SELECT burrow.resume('halts')});
$node->wait_for('the message to be handled', q{SELECT count(*) = 1 FROM got});
is($node->sql('SELECT value FROM got'), '{"a": 1}', 'what the hint says helps');

$node->stop;
done_testing();
