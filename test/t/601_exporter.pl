# The exporter: what it serves, to whom, and that nothing a client does harms it or the server.

use BurrowTest;
use BurrowTest::Metrics;
use IO::Socket::INET;
use IO::Socket::IP;
use IO::Socket::UNIX;
use Socket qw(PF_UNIX SOCK_STREAM pack_sockaddr_un);
use IO::Select;

my $kafka = BurrowTest::Kafka->create('kafka');

# somebody else has the port; the exporter is to get it when he has gone
my $other = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => 0, Listen => 1) or die "cannot listen: $!";
my $port = $other->sockport;
my $node = BurrowTest::Node->create('main', kafka => $kafka, conf => "burrow.metrics_listen = '127.0.0.1:$port'");

sub connection
{
	my ($to) = @_;
	return IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $to // $port, Timeout => 10);
}

# Sends bytes and returns all that comes until the other side closes; undef: nobody is there.
sub answer_to_bytes
{
	my ($bytes, $socket) = @_;
	$socket //= connection() or return;
	local $SIG{PIPE} = 'IGNORE';
	$socket->syswrite($bytes);
	my ($answer, $deadline) = ('', time + 60);
	while (time < $deadline && IO::Select->new($socket)->can_read(1 + $deadline - time))
	{
		my $n = $socket->sysread(my $more, 65536);
		last if !$n;
		$answer .= $more;
	}
	return $answer;
}

# (status, header, body) of one request
sub request
{
	my ($method, $path, $fields, $socket) = @_;
	my $answer = answer_to_bytes("$method $path HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" . ($fields // '') . "\r\n", $socket) // return;
	return $answer =~ m{\AHTTP/1\.1 (\d+) [^\r]*\r\n(.*?)\r\n\r\n(.*)\z}s;
}

sub status_of { my ($status) = request(@_); return $status // 'none' }

sub exporter
{
	return (grep { (BurrowTest::_slurp("/proc/$_/cmdline") // '') =~ /burrow exporter/ } child_pids($node->postmaster_pid))[0];
}

#
# The port.
#
$node->wait_for_log_line(qr/WARNING:.*could not listen on 127\.0\.0\.1:$port for metrics: Address already in use/, 0);
my $pid = exporter();
close $other;
wait_until('the exporter has the port', sub { status_of('GET', '/-/healthy') eq '200' }, timeout => 30);
is(exporter(), $pid, 'it is the same process');
is(() = $node->log_since(0) =~ /could not listen/g, 1, 'and has warned once');

#
# What it serves.
#
$kafka->create_topic('orders', 2);
$kafka->produce_many('orders', count => 100, keys => 10);
$node->sql(<<'END');
CREATE TABLE got (n int);
CREATE FUNCTION h(value jsonb) RETURNS void LANGUAGE sql AS 'INSERT INTO got VALUES ((value->>''n'')::int)';
SELECT burrow.subscribe('orders', 'h');
END
$node->wait_for('the rows', 'SELECT count(*) = 100 FROM got');
is($node->sql(q{SELECT burrow.wait_until_caught_up('orders')}), 't', 'caught up');
$node->wait_for('the workers to be idle', q{SELECT workers_active = 0 AND inflight = 0 AND lag = 0 FROM burrow.stats});

my ($status, $header, $body) = request('GET', '/metrics');
is($status, 200, 'metrics');
like($header, qr{^Content-Type: text/plain; version=0\.0\.4}m, 'in the old format');
my $m = BurrowTest::Metrics->parse($body, 'prometheus');
is($m->of('orders', 'messages_processed_total', 'outcome="handled"'), 100, 'rows of the table');
my ($status2, $header2, $body2) = request('GET', '/metrics', "Accept: application/openmetrics-text; version=1.0.0; charset=utf-8, text/plain;q=0.5\r\n");
like($header2, qr{^Content-Type: application/openmetrics-text; version=1\.0\.0}m, 'and in the new one');
my $o = BurrowTest::Metrics->parse($body2, 'openmetrics');
is_deeply([sort keys %$o], [sort keys %$m], 'the same series');
is_deeply([sort keys %{ BurrowTest::Metrics->parse($node->sql('SELECT burrow.metrics()'), 'openmetrics') }], [sort keys %$m], 'as burrow.metrics() has');
my ($hs, $hh, $hb) = request('HEAD', '/metrics');
is($hs, 200, 'HEAD');
is($hb, '', 'has no body');
like($hh, qr/^Content-Length: [1-9]\d{3,}/m, 'and says how long it would be');

is_deeply([(request('GET', '/-/healthy'))[0, 2]], [200, "ok\n"], 'healthy');
is_deeply([(request('GET', '/-/ready'))[0, 2]], [200, "ok\n"], 'ready');
is(status_of('GET', '/-/ready?subscription=orders&database=postgres'), 200, 'one subscription');
is_deeply([(request('GET', '/-/ready?subscription=nothing'))[0, 2]], [503, qq{there is no subscription "nothing"\n}], 'one that there is not');
is(status_of('GET', '/-/ready?subscription=orders&database=other'), 503, 'nor in another database');
is(status_of('GET', '/nothing'), 404, 'an unknown path');
is(status_of('GET', '/metrics/../../../etc/passwd'), 404, 'nor is it a file server');
foreach my $method (qw(POST PUT DELETE OPTIONS PATCH TRACE))
{
	($status, $header) = request($method, '/metrics');
	is($status, 405, "$method is refused");
	like($header, qr/^Allow: GET, HEAD/m, 'and what is allowed is said');
}
is(status_of('GET', '/metrics', "Content-Length: 5\r\n"), 400, 'a body is refused');
is(status_of('GET', '/metrics', "Transfer-Encoding: chunked\r\n"), 400, 'a body in chunks, too');

$node->sql(q{SELECT burrow.pause('orders')});
$node->wait_for_state('orders', 'paused');
wait_until('not ready', sub { (request('GET', '/-/ready?subscription=orders'))[2] eq qq{subscription "orders" of database "postgres" is paused\n} });
is(status_of('GET', '/-/ready'), 200, 'what somebody has paused is not waited for');
$node->sql(q{SELECT burrow.resume('orders')});
$node->wait_for_state('orders', 'running');

#
# Harmless hostility.
#
my $kb = resident_kb(exporter());
# too large for its buffer
like(answer_to_bytes("GET /metrics HTTP/1.1\r\nHost: x\r\nX: " . 'x' x 100_000 . "\r\n\r\n") // '', qr{\A(HTTP/1\.1 4\d\d |\z)}, 'a huge header');
like(answer_to_bytes('GET /' . 'x' x 100_000 . " HTTP/1.1\r\n\r\n") // '', qr{\A(HTTP/1\.1 4\d\d |\z)}, 'a huge path');
like(answer_to_bytes("GET /metrics HTTP/1.1\r\n" . "X: y\r\n" x 5000 . "\r\n") // '', qr{\A(HTTP/1\.1 4\d\d |\z)}, 'many fields');
srand(15);
foreach my $size (map { 2**$_ } 0 .. 12)
{
	my $socket = connection() or die 'nobody is there';
	local $SIG{PIPE} = 'IGNORE';
	$socket->syswrite(join '', map { chr int rand 256 } 1 .. $size);
	close $socket;
}
# two requests at a time are answered one after the other
my $two = answer_to_bytes("GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\nGET /-/ready HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
is(() = $two =~ m{HTTP/1\.1 200 }g, 2, 'pipelined requests');
# one that says nothing, one that does not read: others do not wait for them
my @silent = map { connection() // die 'nobody is there' } 1 .. 20;
my @deaf = map { connection() // die 'nobody is there' } 1 .. 20;
$_->syswrite("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" x 20) foreach @deaf;
is(status_of('GET', '/metrics'), 200, 'silent and deaf clients are in nobody\'s way');
close $_ foreach @silent, @deaf;
# more than it takes at a time
my @many = grep { defined } map { connection() } 1 .. 500;
is(scalar @many, 500, '500 connections');
close $_ foreach @many;
wait_until('an answer after them', sub { status_of('GET', '/metrics') eq '200' });
is(exporter(), $pid, 'it is the same process');
memory_below(resident_kb($pid) - $kb, 8192, 'and has not grown much');

#
# A reload: other addresses, a token, files that are not there.
#
my $second = PostgreSQL::Test::Cluster::get_free_port();
my $path = PostgreSQL::Test::Utils::tempdir_short() . '/metrics';
sub set
{
	my (%settings) = @_;
	$node->sql("ALTER SYSTEM SET burrow.$_ = '$settings{$_}'") foreach sort keys %settings;
	$node->reload;
	return;
}
set(metrics_listen => "127.0.0.1:$second, $path");
wait_until('the other port', sub { my $socket = connection($second); $socket && status_of('GET', '/metrics', '', $socket) eq '200' });
is(connection($port), undef, 'the first is closed');
$port = $second;
wait_until('the socket', sub { my $socket = IO::Socket::UNIX->new(Peer => $path); $socket && status_of('GET', '/metrics', '', $socket) eq '200' });

# IPv6, where the machine has it
if (IO::Socket::IP->new(LocalHost => '::1', Listen => 1))
{
	set(metrics_listen => "[::1]:$second, 127.0.0.1:$second, $path");
	wait_until('IPv6', sub { my $socket = IO::Socket::IP->new(PeerHost => '::1', PeerPort => $second); $socket && status_of('GET', '/metrics', '', $socket) eq '200' });
	is(status_of('GET', '/metrics'), 200, 'and IPv4 on the same port');
}

# somebody else's socket, of a server that lives and does not accept: the exporter does not wait for it
my $busy = PostgreSQL::Test::Utils::tempdir_short() . '/busy';
my $deaf = IO::Socket::UNIX->new(Local => $busy, Listen => 1) or die "cannot listen: $!";
my @waiting;
my $full = 0;
until ($full)
{
	socket(my $socket, PF_UNIX, SOCK_STREAM, 0) or die "no socket: $!";
	IO::Handle::blocking($socket, 0);
	$full = !connect($socket, pack_sockaddr_un($busy));
	push @waiting, $socket;
}
my $before_busy = $node->log_position;
set(metrics_listen => "$busy, 127.0.0.1:$second, $path");
$node->wait_for_log_line(qr/could not listen on .*busy.* for metrics: Address already in use/, $before_busy);
wait_until('the other addresses to answer', sub { status_of('GET', '/metrics') eq '200' });
ok(-S $busy, 'and its file is still there');
set(metrics_listen => "127.0.0.1:$second, $path");
close $_ foreach @waiting, $deaf;
like($node->sql_error(q{ALTER SYSTEM SET burrow.metrics_listen = 'localhost:99999'}), qr/22023: invalid value for parameter "burrow\.metrics_listen"/, 'what is no address is refused');

my $token_file = PostgreSQL::Test::Utils::tempdir() . '/token';
PostgreSQL::Test::Utils::append_to_file($token_file, "s3cr3t\n");
set(metrics_token_file => $token_file);
wait_until('a token is asked for', sub { status_of('GET', '/metrics') eq '401' });
is(status_of('GET', '/metrics', "Authorization: Bearer s3cr3t\r\n"), 200, 'with the token');
is(status_of('GET', '/metrics', "Authorization: Bearer s3cr3\r\n"), 401, 'with a part of it');
is(status_of('GET', '/metrics', "Authorization: Bearer s3cr3t2\r\n"), 401, 'with more than it');
is(status_of('GET', '/metrics', "Authorization: Basic s3cr3t\r\n"), 401, 'with something else');
is(status_of('GET', '/-/healthy'), 200, 'health is no secret');
set(metrics_token_file => "$token_file.not_there");
$node->wait_for_log_line(qr/WARNING:.*could not read file ".*\.not_there" of burrow\.metrics_token_file/, 0);
wait_until('it is closed', sub { !connection() });
set(metrics_token_file => '');
wait_until('it is open again', sub { status_of('GET', '/metrics') eq '200' });

#
# TLS.
#
my $tls = PostgreSQL::Test::Utils::tempdir();
system('openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2', '-subj', '/CN=localhost',
	'-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1', '-keyout', "$tls/key.pem", '-out', "$tls/cert.pem") == 0 or die 'openssl cannot make a certificate';
set(metrics_tls_cert_file => "$tls/cert.pem");
$node->wait_for_log_line(qr/WARNING:.*metrics_tls_cert_file and burrow\.metrics_tls_key_file go together/, 0);
system('openssl', 'genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-out', "$tls/other.pem") == 0 or die 'openssl cannot make a key';
set(metrics_tls_key_file => "$tls/other.pem");
$node->wait_for_log_line(qr/WARNING:.*could not listen on 127\.0\.0\.1:$port for metrics: the HTTP library does not take the certificate with its key/, 0);
ok(!connection(), 'with a key of another certificate nothing listens');
set(metrics_tls_key_file => "$tls/key.pem");
my @get = ($ENV{BURROW_PYTHON}, '-c', 'import ssl, sys, urllib.request as u; print(u.urlopen(sys.argv[1], context=ssl.create_default_context(cafile=sys.argv[2])).read().decode())', "https://localhost:$port/-/healthy", "$tls/cert.pem");
my $said = '';
wait_until('an answer by TLS', sub { IPC::Run::run(\@get, '>', \$said, '2>', \my $err) });
like($said, qr/^ok/, 'by TLS');
is(answer_to_bytes("GET /-/healthy HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n") =~ m{200 OK}, '', 'and not without');
set(metrics_tls_cert_file => '', metrics_tls_key_file => '');
wait_until('without', sub { status_of('GET', '/metrics') eq '200' });

#
# Its end.
#
kill 'TERM', $pid;
wait_gone($pid);
wait_until('it is back', sub { status_of('GET', '/metrics') eq '200' });
is($node->sql('SELECT count(*) FROM got'), 100, 'nothing else was ended');

#
# A server whose background workers are PostgreSQL's own, the launcher and the exporter: nothing can be started, and
# nobody knows what there is.
#
$node->sql('ALTER SYSTEM SET max_worker_processes = 3');
$node->restart;
wait_until('the exporter', sub { status_of('GET', '/-/healthy') ne 'none' });
wait_until('the launcher', sub { (request('GET', '/-/healthy'))[2] !~ /launcher/ });
is_deeply([(request('GET', '/-/healthy'))[0, 2]], [503, "no process can be started: max_worker_processes\n"], 'not healthy');
is_deeply([(request('GET', '/-/ready'))[0, 2]], [503, "the launcher has not looked at all databases yet\n"], 'nor ready');
is((request('GET', '/-/ready?subscription=orders'))[0], 503, 'nor is the subscription');
$node->sql('ALTER SYSTEM RESET max_worker_processes');
$node->restart;
wait_until('all to be ready', sub { status_of('GET', '/-/ready') eq '200' && status_of('GET', '/-/healthy') eq '200' });
is(status_of('GET', '/-/ready?subscription=orders'), 200, 'and what is ready is there');
my $position = $node->log_position;
kill9(exporter());
$node->wait_for_log_line(qr/server process|background worker "burrow exporter" \(PID \d+\) was terminated by signal 9/, $position);
$node->wait_for('the server to be back', 'SELECT NOT pg_is_in_recovery()');
wait_until('the exporter to be back', sub { status_of('GET', '/metrics') eq '200' });
wait_until('ready', sub { status_of('GET', '/-/ready?subscription=orders') eq '200' });

$node->stop;
ok(!-e $path, 'the socket\'s file is gone');
done_testing();
