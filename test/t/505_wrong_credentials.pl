# What is wrong with credentials, certificates and access control lists on a real broker: state, last_error and
# burrow.why_stuck() say what it is, and when it is mended the subscription goes on by itself, with nothing
# lost and nothing twice.

use BurrowTest;

my $kafka = BurrowTest::Kafka->create('kafka', secure => 1, users => { plain => 'correct-horse' });
my $node = BurrowTest::Node->create('main');
my $authority = $kafka->authority;
my $other_authority = BurrowTest::Certificates->create($kafka->dir . '/tls', 'other');
my $client = $authority->issue('mutual');
my $made = 0;

$kafka->set_scram('scram', 'correct-horse');
$kafka->create_topic('orders', 2);
$kafka->grant($_, 'topic', 'orders', 'read') foreach qw(plain scram mutual);
$kafka->grant($_, 'group', 'orders', 'read') foreach qw(plain scram mutual);
$node->sql(<<"SQL");
CREATE TABLE got (n int);
CREATE FUNCTION h(value jsonb) RETURNS void LANGUAGE plpgsql AS
	'BEGIN IF value ? ''fail'' THEN PERFORM burrow.reject(''asked for''); END IF; INSERT INTO got VALUES ((value->>''n'')::int); END';
CREATE SERVER plain FOREIGN DATA WRAPPER burrow
	OPTIONS (bootstrap_servers '@{[ $kafka->tls_bootstrap ]}', security_protocol 'SASL_SSL', sasl_mechanism 'PLAIN', ssl_ca_pem '@{[ $authority->pem ]}');
CREATE SERVER scram FOREIGN DATA WRAPPER burrow
	OPTIONS (bootstrap_servers '@{[ $kafka->tls_bootstrap ]}', security_protocol 'SASL_SSL', sasl_mechanism 'SCRAM-SHA-512', ssl_ca_pem '@{[ $authority->pem ]}');
CREATE SERVER mutual FOREIGN DATA WRAPPER burrow
	OPTIONS (bootstrap_servers '@{[ $kafka->mutual_bootstrap ]}', security_protocol 'SSL', ssl_ca_pem '@{[ $authority->pem ]}');
CREATE USER MAPPING FOR PUBLIC SERVER plain OPTIONS (sasl_username 'plain', sasl_password 'correct-horse');
CREATE USER MAPPING FOR PUBLIC SERVER scram OPTIONS (sasl_username 'scram', sasl_password 'correct-horse');
CREATE USER MAPPING FOR PUBLIC SERVER mutual OPTIONS (ssl_certificate_pem '$client->{certificate}', ssl_key_pem '$client->{key}');
SELECT burrow.subscribe('orders', 'h', consumer_group => 'orders', server => 'plain', commit_interval => '100 ms', kafka => '{"session.timeout.ms": 6000, "reconnect.backoff.max.ms": 500}');
SQL

sub make
{
	$kafka->produce_many('orders', count => 10, first => $made, keys => 5);
	$made += 10;
	return;
}

sub handled
{
	my ($after) = @_;
	$node->wait_for("the messages after $after", "SELECT count(DISTINCT n) >= $made FROM got");
	$kafka->wait_until_committed('orders', 'orders');
	is($node->sql('SELECT count(*), count(DISTINCT n) FROM got'), "$made|$made", "$after is mended: each message once");
	$node->wait_for("nothing to hold it up after $after", "SELECT count(*) = 0 FROM burrow.why_stuck('orders')");
	is($node->sql("SELECT state FROM burrow.subscriptions WHERE subscription = 'orders'"), 'running', 'and it runs');
	return;
}

# break it, see that it says so, mend it, see that it goes on
sub trouble
{
	my ($what, %case) = @_;
	$case{break}->();
	make();
	$node->wait_for("\"$case{cause}\" of $what", "SELECT count(*) > 0 FROM burrow.why_stuck('orders') WHERE cause ~ '$case{cause}' AND error ~ '$case{error}'",
		diagnose => sub { $node->sql("TABLE burrow.why_stuck('orders')") });
# a consumer that is about to end may have said it, and that it ended comes after that
	$node->wait_for("the error of $what to be the last", "SELECT state = 'retrying' AND last_error ~ '$case{error}' FROM burrow.subscriptions WHERE subscription = 'orders'");
	pass("$what: $case{cause}");
	note $node->sql("SELECT last_error FROM burrow.subscriptions WHERE subscription = 'orders'");
	$case{mend}->();
	handled($what);
	return;
}

sub sql { my ($sql) = @_; return sub { $node->sql($sql) } }
sub mapping { my ($server, $options) = @_; return sql("ALTER USER MAPPING FOR PUBLIC SERVER $server OPTIONS ($options)") }
# a connection that is there is not asked again
sub reconnect { $node->sql("SELECT pg_terminate_backend(consumer_pid) FROM burrow.subscriptions WHERE subscription = 'orders'"); return }
sub shown { my ($certificate) = @_; return sub { $kafka->show_certificate($certificate); reconnect() } }

# By the statement that why_stuck gives; the broker may hear of a right later than this, and have it halt once more.
sub resume_until
{
	my ($what, $done) = @_;
	$node->wait_for($what, sub {
			my $statement = $node->sql("SELECT next_statement FROM burrow.why_stuck('orders') WHERE next_statement ~ 'burrow.resume'");
			return 1 if $node->sql($done) eq 't';
			$node->sql($statement) if $statement ne '';
			return 0;
	});
	return;
}

make();
handled('the start');

trouble('a wrong user of PLAIN', cause => 'refuses the credentials', error => 'Authentication failed',
	break => mapping('plain', "SET sasl_username 'nobody'"), mend => mapping('plain', "SET sasl_username 'plain'"));
trouble('a wrong password of PLAIN', cause => 'refuses the credentials', error => 'Authentication failed',
	break => mapping('plain', "SET sasl_password 'wrong-horse'"), mend => mapping('plain', "SET sasl_password 'correct-horse'"));
$node->sql("SELECT burrow.alter('orders', server => 'scram')");
trouble('a wrong user of SCRAM', cause => 'refuses the credentials', error => 'invalid credentials',
	break => mapping('scram', "SET sasl_username 'nobody'"), mend => mapping('scram', "SET sasl_username 'scram'"));
trouble('a wrong password of SCRAM', cause => 'refuses the credentials', error => 'invalid credentials',
	break => mapping('scram', "SET sasl_password 'wrong-horse'"), mend => sub { $kafka->set_scram('scram', 'wrong-horse') });

my $right = $authority->issue('broker', names => 'DNS:localhost,IP:127.0.0.1');
trouble('an authority that did not sign', cause => 'certificate is not trusted', error => 'certificate verify failed',
	break => sql("ALTER SERVER scram OPTIONS (SET ssl_ca_pem '@{[ $other_authority->pem ]}')"),
	mend => sql("ALTER SERVER scram OPTIONS (SET ssl_ca_pem '@{[ $authority->pem ]}')"));
trouble('a certificate that has expired', cause => 'certificate has expired', error => 'certificate verify failed',
	break => shown($authority->issue('broker', names => 'DNS:localhost,IP:127.0.0.1', expired => 1)), mend => sub { $kafka->show_certificate($right) });
trouble('a certificate for another host', cause => 'certificate is for another host', error => 'certificate verify failed',
	break => shown($authority->issue('broker', names => 'DNS:elsewhere.example')), mend => sub { $kafka->show_certificate($right) });

trouble('no right to read the topic', cause => 'does not let the client read the topic', error => 'Topic authorization failed',
	break => sub { $kafka->revoke('scram', 'topic', 'orders', 'read') }, mend => sub { $kafka->grant('scram', 'topic', 'orders', 'read') });
trouble('no right to read the group', cause => 'does not let the client use the consumer group', error => 'Group authorization failed',
	break => sub { $kafka->revoke('scram', 'group', 'orders', 'read'); reconnect() }, mend => sub { $kafka->grant('scram', 'group', 'orders', 'read') });

# a producer that is refused is refused for good, and that halts
$kafka->create_topic('dead', 1);
$node->sql("SELECT burrow.alter('orders', on_failure => 'dead_letter', dead_letter_topic => 'dead')");
$kafka->produce('orders', { value => '{"fail": true}' });
$node->wait_for_state('orders', 'halted');
like($node->sql("SELECT cause, error, next_statement FROM burrow.why_stuck('orders')"), qr/Topic authorization failed.*burrow\.resume/s, 'no right to write to the dead-letter topic: it halts');
# one who may write to no topic may not be an idempotent producer, either, which is a right on the cluster
$kafka->grant('scram', 'topic', 'dead', 'describe');
resume_until('it to be halted by the cluster', "SELECT state = 'halted' AND last_error ~ 'Cluster authorization failed' FROM burrow.subscriptions WHERE subscription = 'orders'");
pass('no right on the cluster: it halts, too');
$kafka->grant('scram', 'topic', 'dead', 'write');
resume_until('the dead letter to be produced', 'SELECT count(*) = 1 FROM burrow.dead_letters WHERE produced_at IS NOT NULL');
is(scalar($kafka->read_topic('dead')), 1, 'and when it is resumed, the dead letter is in its topic');
is_deeply($kafka->ask(rights => user => 'scram'), ['group orders read', 'topic dead describe', 'topic dead write', 'topic orders read'], 'with no right on the cluster: nothing asks for any');
make();
handled('no right to write to the dead-letter topic');

$node->sql("SELECT burrow.alter('orders', server => 'mutual')");
trouble('a client whose certificate the broker does not trust', cause => q{Kafka does not take the client''s certificate}, error => 'alert',
	break => sub { my $stranger = $other_authority->issue('mutual'); $node->sql("ALTER USER MAPPING FOR PUBLIC SERVER mutual OPTIONS (SET ssl_certificate_pem '$stranger->{certificate}', SET ssl_key_pem '$stranger->{key}')") },
	mend => mapping('mutual', "SET ssl_certificate_pem '$client->{certificate}', SET ssl_key_pem '$client->{key}'"));
trouble('a client without a certificate', cause => 'does not take the client|another security protocol', error => 'alert|Disconnected',
	break => sql("ALTER USER MAPPING FOR PUBLIC SERVER mutual OPTIONS (DROP ssl_certificate_pem, DROP ssl_key_pem)"),
	mend => mapping('mutual', "ADD ssl_certificate_pem '$client->{certificate}', ADD ssl_key_pem '$client->{key}'"));

# the broker's authority is another one from now on: the client's old certificate is refused until the mapping has one of the new
my $successor = $other_authority->issue('mutual');
trouble('a client whose certificate the broker trusts no longer', cause => 'does not take the client', error => 'alert',
	break => sub { $kafka->trust($other_authority) },
	mend => mapping('mutual', "SET ssl_certificate_pem '$successor->{certificate}', SET ssl_key_pem '$successor->{key}'"));

$node->stop;
done_testing();
