# Two databases, two clusters, three owners, each with credentials of his own: each consumes what his may,
# and a privilege that is taken away stops whose it was, and nobody else.

use BurrowTest;

my $first = BurrowTest::Kafka->create('first', secure => 1);
my $second = BurrowTest::Kafka->create('second', sasl => 1);
my $node = BurrowTest::Node->create('main');
my %databases = (anna => 'postgres', bert => 'other', carl => 'other');

$node->sql('CREATE DATABASE other');
$node->sql('CREATE EXTENSION burrow', 'other');
$node->sql("CREATE ROLE $_ LOGIN") foreach sort keys %databases;
for my $database (qw(postgres other))
{
	$node->sql(<<"SQL", $database);
CREATE SERVER first FOREIGN DATA WRAPPER burrow
	OPTIONS (bootstrap_servers '@{[ $first->tls_bootstrap ]}', security_protocol 'SASL_SSL', sasl_mechanism 'SCRAM-SHA-256', ssl_ca_pem '@{[ $first->authority->pem ]}');
CREATE SERVER second FOREIGN DATA WRAPPER burrow
	OPTIONS (bootstrap_servers '@{[ $second->sasl_bootstrap ]}', security_protocol 'SASL_PLAINTEXT', sasl_mechanism 'PLAIN');
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA burrow TO anna, bert, carl;
GRANT USAGE ON FOREIGN SERVER first TO anna, bert;
GRANT USAGE ON FOREIGN SERVER second TO carl;
CREATE TABLE got (owner name DEFAULT session_user, n int);
GRANT INSERT ON got TO anna, bert, carl;
CREATE FUNCTION h(value jsonb) RETURNS void LANGUAGE sql AS 'INSERT INTO got (n) VALUES ((value->>''n'')::int)';
SQL
}

# anna and bert may each read one topic of the first cluster, carl has the second one's only user
for my $user (qw(anna bert))
{
	$first->set_scram($user, "$user-secret");
	$first->create_topic($user, 2);
	$first->grant($user, $_, $user, 'read') foreach qw(topic group);
}
$second->create_topic('carl', 2);
my %cluster = (anna => $first, bert => $first, carl => $second);
my %server = (anna => 'first', bert => 'first', carl => 'second');
$node->sql("CREATE USER MAPPING FOR $_ SERVER first OPTIONS (sasl_username '$_', sasl_password '$_-secret')", $databases{$_}) foreach qw(anna bert);
$node->sql("CREATE USER MAPPING FOR carl SERVER second OPTIONS (sasl_username 'burrow', sasl_password 'burrow-secret')", 'other');
$node->sql("SET ROLE $_; SELECT burrow.subscribe('$_', 'h', consumer_group => '$_', server => '$server{$_}', commit_interval => '100 ms', kafka => '{\"reconnect.backoff.max.ms\": 500}')", $databases{$_})
	foreach sort keys %databases;

sub pid_of { my ($owner) = @_; return $node->sql("SELECT consumer_pid FROM burrow.subscriptions WHERE subscription = '$owner'", $databases{$owner}) }

my %made = map { $_ => 0 } keys %databases;

sub make
{
	my ($owner, $n) = @_;
	$cluster{$owner}->produce_many($owner, count => $n, first => $made{$owner}, keys => 10);
	$made{$owner} += $n;
	return;
}

sub handled
{
	my ($owner) = @_;
	$node->wait_for("the messages of $owner", "SELECT count(*) >= $made{$owner} FROM got WHERE owner = '$owner'", database => $databases{$owner});
	is($node->sql("SELECT count(*), count(DISTINCT n) FROM got WHERE owner = '$owner'", $databases{$owner}), "$made{$owner}|$made{$owner}", "$owner: each message once");
	return;
}

make($_, 1000) foreach sort keys %databases;
handled($_) foreach sort keys %databases;

# while messages come
my %pids = map { $_ => pid_of($_) } keys %databases;
$node->sql('REVOKE USAGE ON FOREIGN SERVER first FROM bert', 'other');
make($_, 1000) foreach sort keys %databases;
$node->wait_for('bert to be stopped', q{SELECT state = 'retrying' AND last_error ~ 'permission denied for foreign server first' FROM burrow.subscriptions WHERE subscription = 'bert'}, database => 'other');
handled($_) foreach qw(anna carl);
is(pid_of($_), $pids{$_}, "$_ has gone on") foreach qw(anna carl);
cmp_ok($node->sql("SELECT count(*) FROM got WHERE owner = 'bert'", 'other'), '<', $made{bert}, 'bert has not');
$node->sql('GRANT USAGE ON FOREIGN SERVER first TO bert', 'other');
handled('bert');

$node->stop;
done_testing();
