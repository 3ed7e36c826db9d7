# Passwords, passphrases and keys are nowhere: not in the log, with everything in it that PostgreSQL (but for
# statements, which are whoever's who has it log them) and librdkafka have to say, not in a view, a function's result, metrics, a process's title, or a dump of Burrow's tables.

use BurrowTest;

use IO::Socket::INET;

my $kafka = BurrowTest::Kafka->create('kafka', secure => 1, users => { plain => 'plain-secret-of-the-test' });
my $port = PostgreSQL::Test::Cluster::get_free_port();
my $node = BurrowTest::Node->create('main', conf => "burrow.metrics_listen = '127.0.0.1:$port'\nlog_min_messages = debug5\nlog_error_verbosity = verbose\nlog_min_error_statement = panic\n");
my $authority = $kafka->authority;
my $client = $authority->issue('mutual', passphrase => 'passphrase-of-the-test');
my @subscriptions = qw(plain scram mutual);

# ---- everything that uses them

$kafka->set_scram('scram', 'scram-secret-of-the-test');
$node->sql(<<"SQL");
CREATE ROLE anna LOGIN;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA burrow TO anna;
CREATE FUNCTION h(value jsonb) RETURNS void LANGUAGE plpgsql AS \$\$BEGIN IF value ? 'fail' THEN PERFORM burrow.reject('asked for'); END IF; END\$\$;
CREATE SERVER plain FOREIGN DATA WRAPPER burrow
	OPTIONS (bootstrap_servers '@{[ $kafka->tls_bootstrap ]}', security_protocol 'SASL_SSL', sasl_mechanism 'PLAIN', ssl_ca_pem '@{[ $authority->pem ]}', debug 'all');
CREATE SERVER scram FOREIGN DATA WRAPPER burrow
	OPTIONS (bootstrap_servers '@{[ $kafka->tls_bootstrap ]}', security_protocol 'SASL_SSL', sasl_mechanism 'SCRAM-SHA-512', ssl_ca_pem '@{[ $authority->pem ]}', debug 'all');
CREATE SERVER mutual FOREIGN DATA WRAPPER burrow
	OPTIONS (bootstrap_servers '@{[ $kafka->mutual_bootstrap ]}', security_protocol 'SSL', ssl_ca_pem '@{[ $authority->pem ]}', debug 'all');
GRANT USAGE ON FOREIGN SERVER plain, scram, mutual TO anna;
CREATE USER MAPPING FOR anna SERVER plain OPTIONS (sasl_username 'plain', sasl_password 'plain-mistake-of-the-test');
CREATE USER MAPPING FOR anna SERVER scram OPTIONS (sasl_username 'scram', sasl_password 'scram-mistake-of-the-test');
CREATE USER MAPPING FOR anna SERVER mutual
	OPTIONS (ssl_certificate_pem '$client->{certificate}', ssl_key_pem '$client->{key}', ssl_key_password 'passphrase-of-the-test');
SQL
for my $name (@subscriptions)
{
	$kafka->create_topic($_, 2) foreach $name, "dead-$name";
	$kafka->grant($name, 'topic', $name, 'read');
	$kafka->grant($name, 'topic', "dead-$name", 'write');
	$kafka->grant($name, 'group', $name, 'read');
	$kafka->produce($name, { value => '{}' }, { value => '{"fail": 1}' });
	$node->sql("SET ROLE anna; SELECT burrow.subscribe('$name', 'h', consumer_group => '$name', server => '$name', on_failure => 'dead_letter', dead_letter_topic => 'dead-$name', "
			. "commit_interval => '100 ms', kafka => '{\"reconnect.backoff.max.ms\": 500}')");
}
$node->wait_for("$_ to be refused", "SELECT state = 'retrying' AND last_error ~* 'authentication' FROM burrow.subscriptions WHERE subscription = '$_'") foreach qw(plain scram);
my $while_refused = everything_shown();
$node->sql("ALTER USER MAPPING FOR anna SERVER $_ OPTIONS (SET sasl_password '$_-secret-of-the-test')") foreach qw(plain scram);
$node->wait_for('the dead letters to be produced', 'SELECT count(*) = 3 FROM burrow.dead_letters WHERE produced_at IS NOT NULL');
$kafka->wait_until_committed($_, $_) foreach @subscriptions;
$node->sql("SET ROLE anna; SELECT burrow.seek('plain', '-infinity'); SELECT burrow.pause('plain')");
$node->wait_for_state('plain', 'paused');
is($node->sql("SET ROLE anna; SELECT count(*) FROM burrow.dry_run('plain', 2)"), 2, 'burrow.dry_run() connects');

# what is wrong is not repeated, either
my @refused = map { $node->sql_error($_) }
	"ALTER USER MAPPING FOR anna SERVER mutual OPTIONS (SET ssl_key_password 'passphrase-mistake-of-the-test')",
	"CREATE USER MAPPING FOR postgres SERVER plain OPTIONS (sasl_pasword 'plain-secret-of-the-test')";

# ---- where they are not

# What the exporter tells Prometheus.
sub exported
{
	my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port, Timeout => 30) or die "no exporter: $!";
	print $socket "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
	local $/ = undef;
	return scalar <$socket>;
}

# All of Burrow's views and tables, and functions without arguments, PostgreSQL's own views of what goes on, and titles.
sub everything_shown
{
	my @relations = split /\n/, $node->sql("SELECT oid::regclass FROM pg_class WHERE relnamespace = 'burrow'::regnamespace AND relkind IN ('r', 'v', 'm') ORDER BY 1");
	my @functions = split /\n/, $node->sql(
		"SELECT oid::regproc FROM pg_proc WHERE pronamespace = 'burrow'::regnamespace AND provolatile <> 'v' AND pronargs = pronargdefaults AND prorettype <> 'trigger'::regtype ORDER BY 1");
	my $shown = join '', map { scalar $node->sql("SELECT x::text FROM $_ x") . "\n" }
		@relations, (map { "$_()" } @functions), qw(pg_stat_activity pg_settings);
	$shown .= $node->sql("SELECT w::text FROM burrow.subscriptions s CROSS JOIN burrow.why_stuck(s.subscription) w") . "\n";
	$shown .= $node->sql("SELECT c::text FROM burrow.check_connection(subscription => '$_') c") . "\n" foreach @subscriptions;
	$shown .= join '', map { @$_ } map { [$node->psql('postgres', "SET ROLE anna; SELECT t::text FROM burrow.topics('$_') t; SELECT p::text FROM burrow.peek('$_', 1, server => '$_') p", on_error_stop => 0)] } @subscriptions;
	$shown .= $node->sql('SELECT burrow.metrics()') . exported();
	$shown .= $node->sql("SET ROLE anna; SELECT x::text FROM pg_user_mappings x WHERE usename <> 'anna'");
	return $shown . `ps -o args= -p @{[ join ',', BurrowTest::child_pids($node->postmaster_pid) ]}`;
}

my ($dump, $err) = ('', '');
IPC::Run::run(['pg_dump', '-d', $node->connstr('postgres')], '<', \undef, '>', \$dump, '2>', \$err) or die "pg_dump: $err";
$dump =~ s/^CREATE USER MAPPING .*?^\);\n//msg;    # PostgreSQL's business
like($dump, qr/COPY burrow\.subscription /, 'the dump has our tables');

my %places = (
	'the log' => $node->log_since(0),
	'the views' => $while_refused . everything_shown(),
	'the errors' => join('', @refused),
	'a dump of our tables' => $dump);
my @secrets = map { ($_, unpack('H*', $_)) }
	(map { ("$_-secret-of-the-test", "$_-mistake-of-the-test") } qw(plain scram passphrase)), 'passphrase-of-the-test',
	grep { length >= 16 && !/^-/ } split /\n/, $client->{key};
like($places{'the log'}, qr/librdkafka: .*SASL/, 'the log has what librdkafka has to say');
like($places{'the log'}, qr/ DEBUG: /, 'and what PostgreSQL has');
like($places{'the views'}, $_, "what is shown has $_") foreach qr/authenticate,"SASL_SSL/, qr/Kafka refuses the credentials/, qr/^pgburrow_\w+\{.*^pgburrow_\w+\{/ms, qr/TLSv1/;
for my $place (sort keys %places)
{
	my @found = grep { index($places{$place}, $_) >= 0 } @secrets;
	is_deeply(\@found, [], "no secret in $place");
}

# ---- who may have librdkafka say more

for my $option ("debug 'security'", "ssl_endpoint_identification_algorithm 'none'", "enable_ssl_certificate_verification 'false'")
{
	like($node->sql_error("CREATE ROLE admin; GRANT USAGE ON FOREIGN DATA WRAPPER burrow TO admin; SET ROLE admin;"
				. "CREATE SERVER more FOREIGN DATA WRAPPER burrow OPTIONS (bootstrap_servers 'x:1', $option)"), qr/ERROR:  42501: permission denied to set option/, "$option is for superusers");
	$node->sql('DROP OWNED BY admin; DROP ROLE admin');
}
my $position = $node->log_position;
$node->sql("CREATE SERVER careless FOREIGN DATA WRAPPER burrow OPTIONS (bootstrap_servers 'x:1', ssl_endpoint_identification_algorithm 'none')");
like($node->log_since($position), qr/WARNING:  .*the names in brokers' certificates are not verified/, 'and that names are not verified is in the log');
$position = $node->log_position;
$node->sql("CREATE SERVER blind FOREIGN DATA WRAPPER burrow OPTIONS (bootstrap_servers 'x:1', enable_ssl_certificate_verification 'false')");
like($node->log_since($position), qr/WARNING:  .*brokers' certificates are not verified/, '... and that certificates are not');
$node->stop;
done_testing();
