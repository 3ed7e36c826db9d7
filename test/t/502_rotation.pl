# Passwords and certificates are changed under load, ten times: a password first in Kafka, which refuses the old one
# meanwhile, and then in the mapping; a certificate in the mapping, half the time after one that the broker does not
# trust and refuses meanwhile (505 has a broker that no longer trusts it).  Then the broker's own is renewed by another authority, which
# the servers are told of afterwards.  The subscriptions go on by themselves; nothing is lost, nothing comes twice.

use BurrowTest;
use Time::HiRes qw(time);

my $rotations = 10;
my @topics = qw(scram mutual);
my $kafka = BurrowTest::Kafka->create('kafka', secure => 1);
my $node = BurrowTest::Node->create('main');
my $authority = $kafka->authority;    # of the broker's certificate
my $options = "commit_interval => '100 ms', kafka => '{\"session.timeout.ms\": 6000, \"reconnect.backoff.max.ms\": 500}'";
my $client = $authority->issue('mutual');
my $stranger = BurrowTest::Certificates->create($kafka->dir . '/tls', 'other')->issue('mutual');

$kafka->set_scram('scram', 'password-0');
$node->sql(<<"SQL");
CREATE TABLE got (topic text, n int);
CREATE FUNCTION h(topic text, value jsonb) RETURNS void LANGUAGE sql AS 'INSERT INTO got VALUES (topic, (value->>''n'')::int)';
CREATE SERVER scram FOREIGN DATA WRAPPER burrow
	OPTIONS (bootstrap_servers '@{[ $kafka->tls_bootstrap ]}', security_protocol 'SASL_SSL', sasl_mechanism 'SCRAM-SHA-256', ssl_ca_pem '@{[ $authority->pem ]}');
CREATE SERVER mutual FOREIGN DATA WRAPPER burrow
	OPTIONS (bootstrap_servers '@{[ $kafka->mutual_bootstrap ]}', security_protocol 'SSL', ssl_ca_pem '@{[ $authority->pem ]}');
CREATE USER MAPPING FOR PUBLIC SERVER scram OPTIONS (sasl_username 'scram', sasl_password 'password-0');
CREATE USER MAPPING FOR PUBLIC SERVER mutual OPTIONS (ssl_certificate_pem '$client->{certificate}', ssl_key_pem '$client->{key}');
SQL
my @jobs;
for my $topic (@topics)
{
	$kafka->create_topic($topic, 4);
	$kafka->grant($topic, 'topic', $topic, 'read');
	$kafka->grant($topic, 'group', $topic, 'read');
	$node->sql("SELECT burrow.subscribe('$topic', 'h', consumer_group => '$topic', server => '$topic', $options)");
	push @jobs, $kafka->start_producing($topic, count => 1_000_000, keys => 100, rate => 200);
}
$node->wait_for("messages of $_", "SELECT count(*) > 0 FROM got WHERE topic = '$_'") foreach @topics;

# Kafka takes the new password only, and either certificate; gives the statement that has the mapping say so.
sub change
{
	my ($topic, $i) = @_;
	if ($topic eq 'scram')
	{
		$kafka->set_scram('scram', "password-$i");
		return "ALTER USER MAPPING FOR PUBLIC SERVER scram OPTIONS (SET sasl_password 'password-$i')";
	}
	return show($authority->issue('mutual'));
}

sub show
{
	my ($client) = @_;
	return "ALTER USER MAPPING FOR PUBLIC SERVER mutual OPTIONS (SET ssl_certificate_pem '$client->{certificate}', SET ssl_key_pem '$client->{key}')";
}

# The one that there is, or comes next.
sub consumer_of
{
	my ($topic) = @_;
	return wait_until("a consumer of $topic", sub { return ($node->pids('consumer', $topic))[0] });
}

my $longest = 0;
for my $i (1 .. $rotations)
{
	my %statement = map { $_ => change($_, $i) } @topics;
	# a connection that is there may go on, and a new one is refused
	if ($i % 2)
	{
		my $before = $node->sql('SELECT clock_timestamp()');
		$node->sql(show($stranger));
		$node->sql('SELECT pg_terminate_backend(consumer_pid) FROM burrow.subscriptions');
		$node->wait_for('the password to be refused', "SELECT last_error ~* 'authentication' AND last_error_at > '$before' FROM burrow.subscriptions WHERE subscription = 'scram'");
		$node->wait_for('the certificate to be refused', "SELECT state = 'retrying' AND last_error ~ 'alert' AND last_error_at > '$before' FROM burrow.subscriptions WHERE subscription = 'mutual'");
	}
	my %pid = map { $_ => consumer_of($_) } @topics;
	my %handled = map { $_ => scalar $node->sql("SELECT count(*) FROM got WHERE topic = '$_'") } @topics;
	my $since = time;
	$node->sql(join ';', values %statement);
	# the client that has the new ones
	$node->wait_for("$_ to go on after change $i",
		"SELECT state = 'running' AND (SELECT count(*) > $handled{$_} FROM got WHERE topic = '$_') AND consumer_pid <> $pid{$_} FROM burrow.subscriptions WHERE subscription = '$_'")
		foreach @topics;
	$longest = time - $since if time - $since > $longest;
}
# The broker has a certificate of another authority's from now on: it is not trusted, until the servers' options say so.
my $next = BurrowTest::Certificates->create($kafka->dir . '/tls', 'next');
$kafka->show_certificate($next->issue('broker', names => 'DNS:localhost,IP:127.0.0.1'));
$node->wait_for("$_ not to trust it", "SELECT count(*) > 0 FROM burrow.why_stuck('$_') WHERE cause = 'Kafka''s certificate is not trusted'") foreach @topics;
my %handled = map { $_ => scalar $node->sql("SELECT count(*) FROM got WHERE topic = '$_'") } @topics;
$node->sql("ALTER SERVER $_ OPTIONS (SET ssl_ca_pem '@{[ $next->pem ]}')") foreach @topics;
$node->wait_for("$_ to trust it", "SELECT state = 'running' AND (SELECT count(*) > $handled{$_} FROM got WHERE topic = '$_') FROM burrow.subscriptions WHERE subscription = '$_'") foreach @topics;
$node->wait_for("nothing to hold up $_", "SELECT count(*) = 0 FROM burrow.why_stuck('$_')") foreach @topics;
pass('a broker with a certificate of another authority is trusted when that one is given');

note sprintf 'the longest time from a change to the next message was %.1f s', $longest;
cmp_ok($longest, '<', 20 * slow_by(), 'each time they go on within seconds');

$_->{run}->kill_kill foreach @jobs;
for my $topic (@topics)
{
	$kafka->wait_until_committed($topic, $topic);
	my $made = 0;
	$made += $_ foreach values %{ $kafka->end_offsets($topic) };
	cmp_ok($made, '>', 1000, "$topic: there was load");
	is($node->sql("SELECT count(*), count(DISTINCT n) FROM got WHERE topic = '$topic'"), "$made|$made", "$topic: each of the $made messages once");
}
$node->stop;
done_testing();
