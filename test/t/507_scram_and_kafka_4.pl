# Kafka 4 refuses SCRAM from librdkafka before 2.6.1 with the words of a wrong password: last_error says so.
# With a librdkafka that is new enough it works.

use BurrowTest;

my $kafka = BurrowTest::Kafka->create('kafka', release => 4, secure => 1);
my $old = BurrowTest::Node->create('old');
my $recent = BurrowTest::Node->create('recent', libraries => recent_librdkafka());

$kafka->set_scram('scram', 'correct-horse');
$kafka->create_topic('orders', 1);
for my $node ($old, $recent)
{
	my $group = $node->name;
	$kafka->grant('scram', 'topic', 'orders', 'read') if $node == $old;
	$kafka->grant('scram', 'group', $group, 'read');
	$node->sql(<<"SQL");
CREATE TABLE got (value jsonb);
CREATE FUNCTION h(value jsonb) RETURNS void LANGUAGE sql AS 'INSERT INTO got VALUES (value)';
CREATE SERVER k FOREIGN DATA WRAPPER burrow
	OPTIONS (bootstrap_servers '@{[ $kafka->tls_bootstrap ]}', security_protocol 'SASL_SSL', sasl_mechanism 'SCRAM-SHA-512', ssl_ca_pem '@{[ $kafka->authority->pem ]}');
CREATE USER MAPPING FOR PUBLIC SERVER k OPTIONS (sasl_username 'scram', sasl_password 'correct-horse');
SELECT burrow.subscribe('orders', 'h', consumer_group => '$group', server => 'k');
SQL
}
$kafka->produce('orders', { value => '{}' });
$recent->wait_for('the message, with a recent librdkafka', 'SELECT count(*) = 1 FROM got');
pass('a recent librdkafka is taken');

$old->wait_for_log_line(qr/librdkafka \d+\.\d+/);
my ($major, $minor, $patch) = $old->log_since(0) =~ /librdkafka (\d+)\.(\d+)\.(\d+)/;
if ($major * 10000 + $minor * 100 + $patch < 20601)
{
	my $words = "but Kafka 4 refuses SCRAM from librdkafka before 2.6.1 in the same way, and this is $major.$minor.$patch";
	$old->wait_for('the reason', "SELECT state = 'retrying' AND last_error LIKE '%invalid credentials%$words%' FROM burrow.subscriptions");
	pass('an old one is not, and why not is said');
	is($old->sql("SELECT count(*) FROM burrow.why_stuck('orders') WHERE error LIKE '%$words%'"), 1, 'by why_stuck, too');
}
else
{
	$old->wait_for('the message, with the system\'s librdkafka', 'SELECT count(*) = 1 FROM got');
	pass("the system's is taken, too");
}
$_->stop foreach $old, $recent;
done_testing();
