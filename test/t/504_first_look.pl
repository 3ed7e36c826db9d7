# A first look at a cluster from SQL: burrow.peek() shows messages without a consumer group, and nothing in Kafka tells
# of it; burrow.topics() lists topics; burrow.check_connection() says what works and what does not.

use BurrowTest;
use IO::Socket::INET;

my $kafka = BurrowTest::Kafka->create('kafka', sasl => 1, secure => 1, users => { plain => 'correct-horse' },
	config => { 'super.users' => 'User:nobody', 'allow.everyone.if.no.acl.found' => 'true' });
my $node = BurrowTest::Node->create('main', kafka => $kafka, gate => 1);
my $limit = 10;    # seconds, BURROW_LOOK_SECONDS

$node->sql(<<"SQL");
CREATE ROLE anna LOGIN;
CREATE ROLE group_role;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA burrow TO anna, group_role;
CREATE SERVER k FOREIGN DATA WRAPPER burrow
	OPTIONS (bootstrap_servers '@{[ $kafka->sasl_bootstrap ]}', security_protocol 'SASL_PLAINTEXT', sasl_mechanism 'PLAIN');
CREATE SERVER wrong FOREIGN DATA WRAPPER burrow OPTIONS (bootstrap_servers 'no-such-host.invalid:9092');
CREATE SERVER closed FOREIGN DATA WRAPPER burrow OPTIONS (bootstrap_servers '127.0.0.1:1');
CREATE SERVER kk FOREIGN DATA WRAPPER burrow OPTIONS (bootstrap_servers '@{[ $kafka->bootstrap ]}');
CREATE USER MAPPING FOR PUBLIC SERVER kk;
CREATE USER MAPPING FOR PUBLIC SERVER wrong;
CREATE USER MAPPING FOR PUBLIC SERVER closed;
CREATE SERVER hang FOREIGN DATA WRAPPER burrow OPTIONS (bootstrap_servers 'hang.example:9092');
CREATE USER MAPPING FOR PUBLIC SERVER hang;
SQL

sub lines { return $node->sql($_[0]) =~ tr/\n/;/r }

# What a look fails with, in which time, and that it leaves no process.
sub fails
{
	my ($sql, $expected, $description, $seconds) = @_;
	my $began = time;
	like($node->sql_error($sql), $expected, $description);
	cmp_ok(time - $began, '<', $seconds * BurrowTest::slow_by(), '... within its time') if defined $seconds;
	no_process($description);
	return;
}

sub no_process
{
	my ($description) = @_;
	$node->wait_for("no process to be left: $description", q{SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'burrow first look'});
	return;
}

# ---------------------------------------------------------------- messages
$kafka->create_topic('orders', 3);
$kafka->produce('orders', { partition => 0, key => 'a', value => '{"n": 1}', timestamp => 1_700_000_000_000, headers => [['trace', 'x'], ['none', undef], ['trace', '']] },
	{ partition => 0, value => '2', timestamp => 1_700_000_001_000 }, { partition => 0, value => '3', timestamp => 1_700_000_002_000 },
	{ partition => 2, key => '', value => undef, timestamp => 1_700_000_003_000 });
is(lines(q{SELECT topic, partition, "offset", convert_from(key, 'UTF8'), convert_from(value, 'UTF8'), headers, extract(epoch FROM "timestamp")::int, attempt FROM burrow.peek('orders')}),
	'orders|0|0|a|{"n": 1}|{"(trace,\"\\\\\\\\x78\")","(none,)","(trace,\"\\\\\\\\x\")"}|1700000000|1;orders|2|0|||{}|1700000003|1;orders|0|1||2|{}|1700000001|1;orders|0|2||3|{}|1700000002|1',
	'messages, partitions in turn');
is(lines(q{SELECT key IS NULL, value IS NULL FROM burrow.peek('orders') WHERE partition = 2}), 'f|t', 'an empty key, and no value');

my $first = q{string_agg(partition || ' ' || "offset", ', ')};
is(lines(qq{SELECT $first FROM burrow.peek('orders', 2)}), '0 0, 2 0', 'no more than are wanted');
is(lines(qq{SELECT $first FROM burrow.peek('orders', 1)}), '0 0', 'one');
is(lines(qq{SELECT $first FROM burrow.peek('orders', start_from => 'latest')}), '', 'from the end there is nothing');
is(lines(qq{SELECT $first FROM burrow.peek('orders', start_from => '{"0": 1, "2": 1}')}), '0 1, 0 2', 'from offsets');
is(lines(qq{SELECT $first FROM burrow.peek('orders', start_from => '2023-11-14 22:13:22+00')}), '0 2, 2 0', 'from a time');
is(lines(qq{SET TimeZone = 'Asia/Tokyo'; SELECT $first FROM burrow.peek('orders', start_from => '2023-11-15 07:13:22')}), '0 2, 2 0', "a time is the session's");
is(lines(qq{SELECT $first FROM burrow.peek('^ord.*s\$', 2)}), '0 0, 2 0', 'a pattern');
is(lines(qq{BEGIN READ ONLY; SELECT $first FROM burrow.peek('orders', 1)}), '0 0', 'in a transaction that may only read');
is(lines(qq{SELECT $first FROM burrow.peek('orders', 1), burrow.peek('orders', 1) p2(t, p, o, k, v, h, ts, a)}), '0 0', 'two in a statement');

# neither a group nor the topic in which brokers keep groups
my $groups = $kafka->tool('org.apache.kafka.tools.consumer.group.ConsumerGroupCommand', '--bootstrap-server', $kafka->bootstrap, '--timeout', 60_000, '--list');
is($groups, '', 'Kafka knows no group');
my $topics = $kafka->tool('org.apache.kafka.tools.TopicCommand', '--bootstrap-server', $kafka->bootstrap, '--list');
is($topics, "orders\n", 'and no topic that was not there before');

# what cannot be converted is shown all the same; transactions; a topic that begins later
$kafka->create_topic('odd', 1);
$kafka->produce('odd', { value => 'a', timestamp => 300_000_000_000_000_000 }, { value => 'b' }, { value => 'x' x 900_000 });
$kafka->produce_transactions('odd', { transaction => 'begin' }, { value => 'never' }, { transaction => 'abort' }, { transaction => 'begin' }, { value => 'c' }, { transaction => 'commit' });
is(lines(q{SELECT "offset", length(value), "timestamp" IS NULL FROM burrow.peek('odd')}), '0|1|t;1|1|f;2|900000|f;5|1|f', 'a time beyond PostgreSQL\'s, a large message, transactions');
$kafka->delete_records('odd', { 0 => 2 });
is(lines(q{SELECT "offset" FROM burrow.peek('odd', start_from => '{"0": 0}')}), '2;5', 'what is asked for is gone: the first that is there');
$kafka->create_topic('large', 2);
$kafka->produce_many('large', count => 25, size => 900_000);
my (undef, $large, $said) = $node->psql('postgres', q{SELECT count(*) < 25, count(*) > 10 FROM burrow.peek('large', 1000)});
is($large, 't|t', 'bytes are limited');
like($said, qr/NOTICE:  no more than 16 MB are read at a time/, '... and it says so');
$kafka->create_topic('many', 40);
$kafka->produce_many('many', count => 2000);
is(lines(q{SELECT count(*), count(DISTINCT (partition, "offset")) FROM burrow.peek('many', 1000)}), '1000|1000', 'a thousand');
is(lines(q{SELECT count(*), count(DISTINCT partition) FROM burrow.peek('many', 7)}), '7|7', 'of more partitions than are wanted');

# ---------------------------------------------------------------- topics
$kafka->alter_topic('odd', 'message.timestamp.type' => 'LogAppendTime');
$node->sql(<<'SQL');
CREATE FUNCTION h(value text) RETURNS void LANGUAGE sql AS 'SELECT';
SELECT burrow.subscribe('orders', 'h', enabled => false), burrow.subscribe('^o', 'h', 'both', enabled => false);
SELECT burrow.subscribe('odd', 'h', 'elsewhere', server => 'closed', enabled => false);
GRANT CREATE ON SCHEMA public TO anna;
SET ROLE anna;
CREATE FUNCTION annas(value text) RETURNS void LANGUAGE sql AS 'SELECT';
SELECT burrow.subscribe('many', 'annas', enabled => false);
SQL
is(lines(q{SELECT * FROM burrow.topics()}),
	'large|2|25|CreateTime|{};many|40|2000|CreateTime|{many};odd|1|5|LogAppendTime|{both};orders|3|4|CreateTime|{both,orders}', 'topics: what they hold, and who consumes them');
is($node->answer_to('anna', q{SELECT string_agg(topic, ' ' ORDER BY topic), string_agg(DISTINCT subscriptions::text, ' ' ORDER BY subscriptions::text DESC) FROM burrow.topics()}), 'large many odd orders|{} {many}', "others' subscriptions are not shown");
is(lines(q{SELECT topic, subscriptions FROM burrow.topics('kk') WHERE topic LIKE 'o%'}), 'odd|{};orders|{}', 'of another server, though it is the same cluster');
fails(q{SELECT burrow.topics('closed')}, qr/08001: could not list the topics of server "closed": nothing listens/, 'an address that refuses', $limit + 10);
fails(q{SELECT burrow.topics('q')}, qr/42704: server "q" does not exist/, 'no such server');

# ---------------------------------------------------------------- who may
is($node->answer_to('anna', q{SELECT count(*) FROM burrow.peek('orders', 1)}), '1', 'the nameless cluster is for whoever may subscribe');
like($node->answer_to('anna', q{SELECT burrow.peek('orders', 1, server => 'k')}), qr/42501: permission denied for foreign server k/, 'USAGE');
$node->sql('GRANT USAGE ON FOREIGN SERVER k TO anna, group_role');
like($node->answer_to('anna', q{SELECT burrow.peek('orders', 1, server => 'k')}), qr/42704: user mapping not found for role anna and server "k".*HINT:  Use CREATE USER MAPPING FOR anna SERVER k/s, 'a mapping');
$node->sql(q{CREATE USER MAPPING FOR anna SERVER k});
like($node->answer_to('anna', q{SELECT burrow.peek('orders', 1, server => 'k')}), qr/2F003: credentials are required for role anna and server "k"/, 'credentials of its own');
$node->sql(q{ALTER USER MAPPING FOR anna SERVER k OPTIONS (sasl_username 'burrow', sasl_password 'burrow-mistake')});
like($node->answer_to('anna', q{SELECT burrow.peek('orders', 1, server => 'k')}), qr/28000: could not list the topics of server "k": Kafka refuses the credentials.*DETAIL:.*Authentication failed/s, 'the right ones');
$node->sql(q{ALTER USER MAPPING FOR anna SERVER k OPTIONS (SET sasl_password 'burrow-secret')});
is($node->answer_to('anna', q{SELECT count(*) FROM burrow.peek('orders', 10, server => 'k')}), '4', 'then they are shown');
$node->sql(q{CREATE USER MAPPING FOR group_role SERVER k OPTIONS (sasl_username 'burrow', sasl_password 'burrow-secret')});
is($node->sql(q{SET ROLE group_role; SELECT count(*) FROM burrow.peek('orders', 10, server => 'k')}), '4', 'for a role that cannot log in, too');
fails(q{BEGIN; ALTER SERVER k OPTIONS (SET bootstrap_servers '127.0.0.1:1'); SELECT burrow.peek('orders', 1, server => 'closed')}, qr/Connection refused/, 'another server in the transaction is no matter');
$node->sql(q{CREATE USER MAPPING FOR postgres SERVER k OPTIONS (sasl_username 'burrow', sasl_password 'burrow-secret')});
fails(q{BEGIN; ALTER SERVER k OPTIONS (ADD ssl_endpoint_identification_algorithm 'https'); SELECT burrow.peek('orders', 1, server => 'k')}, qr/55000: cannot look at a Kafka cluster in the transaction that has changed how to connect to it/, 'changed in the same transaction');

# ---------------------------------------------------------------- errors
fails(q{SELECT burrow.peek('order')}, qr/42704: topic "order" does not exist.*DETAIL:  Kafka has none, or does not show it to this client\..*HINT:  Perhaps you meant "orders"\./s, 'no such topic');
fails(q{SELECT burrow.peek('^nothing')}, qr/42704: no topic matches "\^nothing"/, 'no topic matches');
fails(q{SELECT burrow.peek('orders', 0)}, qr/22023: invalid value for option "n": "0".*DETAIL:  Valid values are integers from 1 to 1000\./s, 'too few');
fails(q{SELECT burrow.peek('orders', 1001)}, qr/22023: invalid value for option "n": "1001"/, 'too many');
fails(q{SELECT burrow.peek('orders', NULL)}, qr/22004: option "n" must not be NULL/, 'NULL');
fails(q{SELECT burrow.peek(NULL)}, qr/22004: option "topic" must not be NULL/, 'no topic');
fails(q{SELECT burrow.peek('no topic')}, qr/22023: invalid value for option "topic"/, 'not a name');
fails(q{SELECT burrow.peek('orders', start_from => 'yesterdai')}, qr/22023: invalid value for option "start_from": "yesterdai"/, 'not a start');
fails(q{SELECT burrow.peek('orders', server => 'q')}, qr/42704: server "q" does not exist.*HINT:  Use CREATE SERVER/s, 'no such server');
fails(q{SELECT burrow.peek('orders', server => 'closed')}, qr/08001: could not list the topics of server "closed": nothing listens at the address of a Kafka server.*DETAIL:.*Connection refused/s, 'an address that refuses', $limit + 10);
fails(q{SELECT burrow.peek('orders', server => 'wrong')}, qr/08001: could not list the topics of server "wrong": the name of a Kafka server cannot be resolved.*DETAIL:.*no-such-host\.invalid/s, 'a name that is none', $limit + 10);

# ---------------------------------------------------------------- check_connection
# Steps, as "step subject ok", with "reason" where one is asked for.
sub steps
{
	my ($server, $columns, $role) = @_;
	my $sql = "SELECT " . ($columns // q{step || ' ' || subject, ok}) . ' FROM burrow.check_connection(' . ($server ? "'$server'" : '') . ')';
	my $answer = $role ? $node->answer_to($role, $sql) : $node->sql($sql);
	no_process('a check');
	return $answer =~ tr/\n/;/r;
}
my ($port) = $kafka->bootstrap =~ /:(\d+)$/;
my ($sasl_port) = $kafka->sasl_bootstrap =~ /:(\d+)$/;
my $cluster = $node->sql(q{SELECT subject FROM burrow.check_connection() WHERE step = 'cluster'});
like($cluster, qr/^[\w-]{22}$/, 'the cluster has an id');
is(steps(''), "resolve 127.0.0.1|t;connect 127.0.0.1 port $port|t;kafka 127.0.0.1 port $port|t;authenticate PLAINTEXT|t;cluster $cluster|t;broker 1 at 127.0.0.1:$port|t", 'all is well');
is(steps('', 'count(hint)'), '0', '... and there is nothing to do');
like(steps('', q{step, reason}), qr/;kafka\|(Kafka \d\.\d[^;]* \(metadata\.version \d+\));authenticate\|as nobody in particular, with librdkafka \d[^;]*;cluster\|;broker\|\1$/, '... and which version the broker has');
is(steps('k', undef, 'anna'), "resolve 127.0.0.1|t;connect 127.0.0.1 port $sasl_port|t;kafka 127.0.0.1 port $sasl_port|t;authenticate SASL_PLAINTEXT, PLAIN|t;cluster $cluster|t;broker 1 at 127.0.0.1:$sasl_port|t", 'with credentials, as an ordinary role');
$node->sql("ALTER SERVER kk OPTIONS (SET bootstrap_servers 'no-such-host.invalid:9092, 127.0.0.1:1,@{[ $kafka->bootstrap ]}')");
is(steps('kk', q{step || ' ' || subject, ok, hint IS NOT NULL}),
	"resolve no-such-host.invalid|f|t;resolve 127.0.0.1|t|f;connect 127.0.0.1 port 1|f|t;resolve 127.0.0.1|t|f;connect 127.0.0.1 port $port|t|f;kafka 127.0.0.1 port $port|t|f;authenticate PLAINTEXT|t|f;cluster $cluster|t|f;broker 1 at 127.0.0.1:$port|t|f",
	'one good address is enough, and the others are told');
like(steps('kk', q{string_agg(reason || ': ' || hint, ';') FILTER (WHERE NOT ok)}), qr/^Name or service not known: Correct the name in bootstrap_servers.*;Connection refused: Nothing listens there/, '... with the reasons, and what to do');
is(steps('wrong'), 'resolve no-such-host.invalid|f;authenticate PLAINTEXT|f', 'a name that is none');
like(steps('closed', q{reason, hint}), qr/;Connection refused\|Nothing listens there.*;nothing listens at the address of a Kafka server: .*Connection refused.*\|See the rows/, 'an address that refuses');
$node->sql(q{ALTER USER MAPPING FOR anna SERVER k OPTIONS (SET sasl_password 'burrow-mistake')});
like(steps('k', q{step, ok, reason, hint}, 'anna'), qr/;authenticate\|f\|Kafka refuses the credentials: .*Authentication failed.*\|See user name and password in the user mapping\.$/, 'a wrong password');
$node->sql(q{ALTER USER MAPPING FOR anna SERVER k OPTIONS (SET sasl_password 'burrow-secret')});
$node->sql("ALTER SERVER kk OPTIONS (SET bootstrap_servers '@{[ $kafka->sasl_bootstrap ]}')");
like(steps('kk', q{step, ok, reason, hint}), qr/;kafka\|f\|the listener wants SASL: PLAIN\|Compare option security_protocol[^;]*;authenticate\|f\|Kafka's listener speaks another security protocol: .*\|Compare option security_protocol/, 'another security protocol');
like($node->sql_error(q{SELECT burrow.check_connection('q')}), qr/42704: server "q" does not exist/, 'no such server');
$node->sql('REVOKE USAGE ON FOREIGN SERVER k FROM anna');
like($node->answer_to('anna', q{SELECT burrow.check_connection('k')}), qr/42501: permission denied for foreign server k/, 'who may not');

# TLS
my ($tls_port) = $kafka->tls_bootstrap =~ /:(\d+)$/;
my ($ca, $other_ca) = ($kafka->authority->pem, BurrowTest::Certificates->create($kafka->dir . '/other', 'other')->pem);
$node->sql(<<"SQL");
CREATE SERVER tls FOREIGN DATA WRAPPER burrow OPTIONS (bootstrap_servers '127.0.0.1:$tls_port', security_protocol 'SASL_SSL', sasl_mechanism 'PLAIN', ssl_ca_pem '$ca');
CREATE USER MAPPING FOR PUBLIC SERVER tls OPTIONS (sasl_username 'plain', sasl_password 'correct-horse');
SQL
is(steps('tls'), "resolve 127.0.0.1|t;connect 127.0.0.1 port $tls_port|t;tls 127.0.0.1 port $tls_port|t;kafka 127.0.0.1 port $tls_port|t;authenticate SASL_SSL, PLAIN|t;cluster $cluster|t;broker 1 at 127.0.0.1:$tls_port|t", 'TLS');
like(steps('tls', q{step, reason}), qr/;tls\|TLSv1\.\d, certificate of CN=broker by CN=ca, valid until Jan  1 00:00:00 2049 GMT, which is trusted, and for the name 127\.0\.0\.1;.*;authenticate\|by PLAIN as user "plain", as sent \([^)]*\), with librdkafka/, '... with its details, and as whom');
# a listener for clients that have a certificate
my ($mutual_port) = $kafka->mutual_bootstrap =~ /:(\d+)$/;
my $client = $kafka->authority->issue('mutual');
$node->sql(<<"SQL");
CREATE SERVER mutual FOREIGN DATA WRAPPER burrow OPTIONS (bootstrap_servers '127.0.0.1:$mutual_port', security_protocol 'SSL', ssl_ca_pem '$ca');
CREATE USER MAPPING FOR PUBLIC SERVER mutual OPTIONS (ssl_certificate_pem '$client->{certificate}', ssl_key_pem '$client->{key}');
SQL
like(steps('mutual', q{step, ok, reason}), qr/;tls\|t\|[^;]*;kafka\|t\|Kafka [^;]*;authenticate\|t\|by TLS as certificate "CN=mutual", as sent \([^)]*\), with librdkafka/, 'a client that has a certificate');
$node->sql('ALTER USER MAPPING FOR PUBLIC SERVER mutual OPTIONS (DROP ssl_certificate_pem, DROP ssl_key_pem)');
like(steps('mutual', q{step, ok, reason, hint}), qr/;tls\|t\|[^;]*;kafka\|f\|[^|;]+\|Give a certificate that the brokers trust[^;]*;authenticate\|f\|/, '... and one that has none');
# other protocols than the listeners'
$node->sql("ALTER SERVER mutual OPTIONS (SET bootstrap_servers '127.0.0.1:$port')");
like(steps('mutual', q{step, ok, reason, hint}), qr/;connect\|t\|\|;tls\|f\|[^|;]+\|Compare option security_protocol[^;]*;authenticate\|f\|/, 'TLS, where there is none');
$node->sql("ALTER SERVER mutual OPTIONS (SET bootstrap_servers '127.0.0.1:$mutual_port', DROP security_protocol, DROP ssl_ca_pem)");
like(steps('mutual', q{step, ok, reason, hint}), qr/;connect\|t\|\|;kafka\|f\|it (?:speaks TLS|closes the connection)\|Compare option security_protocol[^;]*;authenticate\|f\|/, 'and none, where there is TLS');
$node->sql("ALTER SERVER tls OPTIONS (SET ssl_ca_pem '$other_ca')");
like(steps('tls', q{step, ok, reason, hint}), qr/;tls\|f\|Kafka's certificate is not trusted: TLSv1[^;]*, refused: [^;]*\|Give the certificate of the authority that has signed it[^;]*;authenticate\|f\|Kafka's certificate is not trusted: .*\|Give the certificate of the authority that has signed it as option ssl_ca_pem/, 'another authority');

# the classic trap: the address that the broker gives for itself
my $far = BurrowTest::Kafka->create('far', config => { 'advertised.listeners' => 'PLAINTEXT://127.0.0.1:1' });
$node->sql("CREATE SERVER far FOREIGN DATA WRAPPER burrow OPTIONS (bootstrap_servers '@{[ $far->bootstrap ]}'); CREATE USER MAPPING FOR PUBLIC SERVER far");
like(steps('far', q{step || ' ' || subject, ok, reason, hint}), qr/;authenticate PLAINTEXT\|t\|[^;]*;cluster \S+\|t\|\|;broker 1 at 127\.0\.0\.1:1\|f\|the advertised address cannot be reached: Connection refused\|Clients go to the address that the broker has in advertised\.listeners/, 'the advertised address cannot be reached');
$far->stop;

# what a subscription needs
my $group = $node->group_of('orders');
sub needs_of
{
	my ($subscription, $role) = @_;
	my $sql = "SELECT step, subject, ok, reason FROM burrow.check_connection(subscription => '$subscription') WHERE step IN ('topic', 'group')";
	return ($role ? $node->answer_to($role, $sql) : $node->sql($sql)) =~ tr/\n/;/r;
}
# the first who asks for a group has a new cluster's coordinators begin, and may be told to ask again
$kafka->committed($_, 'orders') foreach $group, $node->group_of('both');
is(needs_of('orders'), "topic|orders|t|;group|$group|t|", 'topic and group of a subscription');
is(needs_of('both'), 'topic|^o|t|;group|' . $node->group_of('both') . '|t|', 'of a pattern');
$node->sql(q{SELECT burrow.subscribe('missing', 'h', enabled => false)});
is(needs_of('missing'), 'topic|missing|f|Kafka has no such topic, or does not show it to this client', 'no such topic');
$kafka->deny('orders', 'READ');
$node->wait_for('the topic to be denied', sub { needs_of('orders') eq 'topic|orders|f|Kafka has no such topic, or does not show it to this client' });
$kafka->allow('orders', 'READ');
$kafka->deny($group, 'DESCRIBE', 'group');
$node->wait_for('the group to be denied', sub { needs_of('orders') =~ /^topic\|orders\|t\|;group\|\Q$group\E\|f\|.*authorization failed/i });
is($node->sql(q{SELECT count(*) > 0 FROM burrow.peek('orders')}), 't', 'a look needs no group');
$kafka->allow($group, 'DESCRIBE', 'group');
like(needs_of('orders', 'anna'), qr/42501: must be owner of subscription "orders"/, "somebody else's");
is(needs_of('many', 'anna') =~ s/;.*//r, 'topic|many|t|', "one's own");
like($node->sql_error(q{SELECT burrow.check_connection('k', 'orders')}), qr/22023: options "server" and "subscription" cannot be used together/, 'a server and a subscription');
like($node->sql_error(q{SELECT burrow.check_connection(subscription => 'order')}), qr/42704: subscription "order" does not exist.*HINT:  Perhaps you meant "orders"/s, 'no such subscription');

# an IPv6 address, in whatever way it cannot be reached
$node->sql("ALTER SERVER kk OPTIONS (SET bootstrap_servers '[::1]:1')");
like(steps('kk'), qr/^resolve ::1\|t;connect ::1 port 1\|f;authenticate PLAINTEXT\|f$/, 'an IPv6 address');

# ---------------------------------------------------------------- the caller goes; and nobody answers
$kafka->suspend;
for my $end (['pg_cancel_backend', qr/canceling statement due to user request/], ['pg_terminate_backend', qr/terminating connection/])
{
	my ($function, $expected) = @$end;
	my $session = $node->background_psql('postgres', on_error_stop => 0);
	my ($pid) = $session->query_safe('SELECT pg_backend_pid()') =~ /(\d+)/;
	$session->query_until(qr/begun/, qq{\\echo begun\nSELECT burrow.check_connection();\n\\echo over\n});
	$node->wait_for('the process', q{SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'burrow first look' AND state = 'active'});
	$node->sql("SELECT $function($pid)");
	no_process($function);
	$node->wait_for('the error', sub { eval { $session->{run}->pump_nb }; $session->{stderr} =~ $expected });
	pass("$function of the caller ends both");
	eval { $session->quit };
}
# a port whose queue is full drops what comes
my $deaf = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1');
my @waiting = map { IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $deaf->sockport, Blocking => 0) } 1 .. 8;
$node->sql("ALTER SERVER kk OPTIONS (SET bootstrap_servers '127.0.0.1:@{[ $deaf->sockport ]}')");
my $dropped = $node->background_psql('postgres');
$dropped->query_until(qr/begun/, qq{\\echo begun\nSELECT step, ok, reason, hint FROM burrow.check_connection('kk');\n\\echo over\n});
# and a resolver that never answers
my %hanging;
for my $look ('burrow.check_connection(\'hang\') c', 'burrow.topics(\'hang\') c')
{
	my $session = $hanging{$look} = $node->background_psql('postgres', on_error_stop => 0);
	$session->query_until(qr/begun/, qq{\\echo begun\nSELECT clock_timestamp() AS began \\gset\nSELECT c FROM $look;\nSELECT 'seconds', extract(epoch FROM clock_timestamp() - :'began'::timestamptz)::int;\n\\echo over\n});
}

fails(q{SELECT burrow.peek('orders')}, qr/08006: could not list the topics of the cluster of burrow\.bootstrap_servers: Kafka does not answer/, 'the time is up', $limit + 10);
$kafka->continue;
like($dropped->query_until(qr/over/, ''), qr/^connect\|f\|Connection timed out\|Nothing answers: a firewall may be in between.*^authenticate\|f\|Kafka does not answer/ms, 'an address that neither answers nor refuses');
$dropped->quit;

for my $look (sort keys %hanging)
{
	my $said = $hanging{$look}->query_until(qr/over/, '') . $hanging{$look}->{stderr};
	like($said, $look =~ /check/ ? qr/resolve,hang\.example,f,"the resolver has not answered for 10 s"/ : qr/could not list the topics of server "hang": Kafka does not answer/, "$look: a resolver that never answers is not waited for");
	my ($seconds) = $said =~ /^seconds\|(\d+)/m;
	cmp_ok($seconds // 1000, '<', 2 * $limit + 10 * slow_by(), "... within its time ($seconds s)");
	$hanging{$look}->quit;
}

# no process; no library
$node->append_conf('postgresql.conf', "max_worker_processes = 1\nmax_logical_replication_workers = 0");
$node->restart;
fails(q{SELECT burrow.peek('orders')}, qr/53400: could not start a process for burrow\.peek\(\).*HINT:  Consider increasing the configuration parameter "max_worker_processes"/s, 'no free background worker slot');
$node->append_conf('postgresql.conf', "shared_preload_libraries = ''");
$node->restart;
like($node->sql_error(q{SELECT burrow.peek('orders')}), qr/55000: .*shared_preload_libraries/s, 'not preloaded');

$node->stop;
done_testing();
