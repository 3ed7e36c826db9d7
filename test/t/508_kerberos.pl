# GSSAPI: a superuser's server with keytab and principal consumes ten thousand messages and commits, from a broker that takes
# Kerberos' tickets, whose key distribution center is the test's own.  A principal that is not in the keytab, and a keytab that is not there,
# are told.  For an ordinary role it is refused, in each of the places where it could be asked for.

use BurrowTest;

use IO::Socket::INET;
use POSIX ();

my $kerberos = $ENV{BURROW_KERBEROS} // die 'BURROW_KERBEROS is not set: run scripts/test tap';
my $dir = "$PostgreSQL::Test::Utils::tmp_check/t_508_kerberos_realm";
system('rm', '-rf', $dir);
mkdir $dir or die "mkdir $dir: $!";
my $port = PostgreSQL::Test::Cluster::get_free_port();

PostgreSQL::Test::Utils::append_to_file("$dir/krb5.conf", <<"END");
[libdefaults]
	default_realm = BURROW.TEST
	dns_lookup_kdc = false
	dns_lookup_realm = false
	dns_canonicalize_hostname = false
	rdns = false
	udp_preference_limit = 1
[realms]
	BURROW.TEST = {
		kdc = 127.0.0.1:$port
	}
[domain_realm]
	127.0.0.1 = BURROW.TEST
END
PostgreSQL::Test::Utils::append_to_file("$dir/kdc.conf", <<"END");
[kdcdefaults]
	kdc_listen = ""
	kdc_tcp_listen = 127.0.0.1:$port
[realms]
	BURROW.TEST = {
		database_name = $dir/principal
		key_stash_file = $dir/stash
	}
[dbmodules]
	db_module_dir = $kerberos/kdb
[logging]
	kdc = FILE:$dir/kdc.log
	default = FILE:$dir/kdc.log
END
$ENV{KRB5_CONFIG} = "$dir/krb5.conf";
$ENV{KRB5_KDC_PROFILE} = "$dir/kdc.conf";
$ENV{KRB5CCNAME} = "FILE:$dir/tickets";
$ENV{SASL_PATH} = "$kerberos/sasl2";
$ENV{PATH} = "$kerberos/bin:$ENV{PATH}";

sub run { my (@command) = @_; system("@command >>'$dir/log' 2>&1") == 0 or die "@command: " . PostgreSQL::Test::Utils::slurp_file("$dir/log"); return }
run(qw(kdb5_util create -s -r BURROW.TEST -P), 'master-' . int rand 1e9);
for my $principal ('kafka/127.0.0.1', 'reader')
{
	my $keytab = "$dir/" . $principal =~ s/\/.*//r . '.keytab';
	run("kadmin.local -q 'addprinc -randkey $principal'");
	run("kadmin.local -q 'ktadd -k $keytab $principal'");
}
my $kdc = fork // die "fork: $!";
if ($kdc == 0)
{
	open STDOUT, '>', "$dir/kdc.out";
	open STDERR, '>&', \*STDOUT;
	exec('krb5kdc', '-n') or POSIX::_exit(1);
}
END { kill 'KILL', $kdc if $kdc }
wait_until('the key distribution center', sub { return defined IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port) },
	diagnose => sub { PostgreSQL::Test::Utils::slurp_file("$dir/kdc.out") });

my $listener = 'listener.name.sasl_plaintext';
local $ENV{JAVA_TOOL_OPTIONS} = "-Djava.security.krb5.conf=$dir/krb5.conf";
my $kafka = BurrowTest::Kafka->create('kafka', sasl => 1, config => {
		"$listener.sasl.enabled.mechanisms" => 'GSSAPI',
		"$listener.sasl.kerberos.service.name" => 'kafka',
		"$listener.gssapi.sasl.jaas.config" => 'com.sun.security.auth.module.Krb5LoginModule required '
			. qq{useKeyTab=true storeKey=true keyTab="$dir/kafka.keytab" principal="kafka/127.0.0.1\@BURROW.TEST";} });
my $node = BurrowTest::Node->create('main');
$node->sql(<<"SQL");
CREATE TABLE got (value jsonb);
CREATE FUNCTION h(burrow.message[]) RETURNS void LANGUAGE sql AS 'INSERT INTO got SELECT convert_from(m.value, ''UTF8'')::jsonb FROM unnest(\$1) m';
CREATE SERVER k FOREIGN DATA WRAPPER burrow
	OPTIONS (bootstrap_servers '@{[ $kafka->sasl_bootstrap ]}', security_protocol 'SASL_PLAINTEXT', sasl_mechanism 'GSSAPI', sasl_kerberos_service_name 'kafka');
CREATE USER MAPPING FOR postgres SERVER k OPTIONS (sasl_kerberos_principal 'reader\@BURROW.TEST', sasl_kerberos_keytab '$dir/none.keytab');
CREATE ROLE anna LOGIN;
GRANT USAGE ON FOREIGN SERVER k TO anna;
GRANT USAGE ON FOREIGN DATA WRAPPER burrow TO anna;
GRANT USAGE ON SCHEMA burrow TO anna;
GRANT EXECUTE ON FUNCTION burrow.check_connection TO anna;
SQL
$kafka->create_topic('orders', 4);
$kafka->produce_many('orders', count => 10000, keys => 100);

# ---- a keytab that is not there, and a principal that is not in it
$node->sql(q{SELECT burrow.subscribe('orders', 'h', server => 'k', kafka => '{"reconnect.backoff.max.ms": 500}')});
sub refused
{
	my ($what) = @_;
	$node->wait_for($what, q{SELECT state = 'retrying' AND last_error ~ 'SASL.*Kerberos' FROM burrow.subscriptions});
	my ($cause, $statement) = split /\|/, $node->sql(q{SELECT cause, next_statement FROM burrow.why_stuck('orders') WHERE error ~ 'Kerberos'});
	is($cause, 'no Kerberos ticket can be had', "$what: is told");
	like($node->sql(q{SELECT string_agg(concat_ws(' ', step, ok, reason, hint), ';') FROM burrow.check_connection('k')}),
		qr/kafka t [^;]*;authenticate f no Kerberos ticket can be had: [^;]*See sasl_kerberos_principal and sasl_kerberos_keytab in the user mapping/, "$what: by check_connection, too");
	return;
}
refused('no keytab');
$node->sql(qq{ALTER USER MAPPING FOR postgres SERVER k OPTIONS (SET sasl_kerberos_principal 'nobody\@BURROW.TEST', SET sasl_kerberos_keytab '$dir/reader.keytab')});
$node->wait_for('the new mapping', q{SELECT state = 'retrying' AND last_error ~ 'SASL.*Kerberos' FROM burrow.subscriptions});
refused('another principal');

# ---- the right ones
$node->sql(q{ALTER USER MAPPING FOR postgres SERVER k OPTIONS (SET sasl_kerberos_principal 'reader@BURROW.TEST')});
$node->wait_for('all messages', 'SELECT count(*) = 10000 FROM got');
$kafka->wait_until_committed($node->group_of('orders'), 'orders');
is($node->sql('SELECT count(*), count(DISTINCT value) FROM got') =~ s/\|.*//r, '10000', 'ten thousand messages, none twice');
is_deeply($kafka->committed_by_kafka($node->group_of('orders'), 'orders'), $kafka->end_offsets_by_kafka('orders'), 'and committed');
like($node->sql(q{SELECT concat_ws(' ', subject, ok, reason) FROM burrow.check_connection('k') WHERE step = 'authenticate'}), qr/^SASL_PLAINTEXT, GSSAPI t by GSSAPI as principal "reader\@BURROW\.TEST", as sent/,
	'as whom is shown');

# ---- an ordinary role
my $mechanism = q{OPTIONS (bootstrap_servers 'x:1', security_protocol 'SASL_SSL', sasl_mechanism 'GSSAPI')};
like($node->answer_to('anna', "CREATE SERVER own FOREIGN DATA WRAPPER burrow $mechanism"), qr/42501: .*GSSAPI/s, 'an ordinary role makes no such server');
$node->sql('ALTER SERVER k OWNER TO anna');
like($node->answer_to('anna', q{CREATE USER MAPPING FOR anna SERVER k OPTIONS (sasl_kerberos_keytab '/etc/krb5.keytab')}), qr/42501/, 'and gives no keytab');
$node->sql('CREATE USER MAPPING FOR anna SERVER k');
like($node->answer_to('anna', q{SELECT burrow.check_connection('k')}), qr/sasl_kerberos_principal and sasl_kerberos_keytab/, 'and has no use of the ticket that is there');
$node->sql('DROP USER MAPPING FOR anna SERVER k');
like($node->sql_error(q{CREATE USER MAPPING FOR anna SERVER k OPTIONS (sasl_kerberos_kinit_cmd 'touch /tmp/x')}), qr/sasl_kerberos_kinit_cmd/, 'the command is nobody\'s');
like($node->sql_error(q{ALTER USER MAPPING FOR postgres SERVER k OPTIONS (SET sasl_kerberos_principal 'reader; touch x')}), qr/22023: invalid value for option "sasl_kerberos_principal"/, 'no principal that the shell would take for more');

like($node->sql_error(q{ALTER USER MAPPING FOR postgres SERVER k OPTIONS (SET sasl_kerberos_keytab '$(touch x)')}), qr/22023: invalid value for option "sasl_kerberos_keytab"/, 'and no such keytab');

$node->stop;
done_testing();
