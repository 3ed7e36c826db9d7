# Why Kafka does not serve a client is told by its cause: certificates that are refused, each for its own reason, a name
# that cannot be resolved, a topic that is misspelt, and the classic trap: the bootstrap address works, and the one that
# the broker advertises does not.  Each is over when what the statement shows is corrected.
# For a certificate no Kafka is needed: it is refused before anybody speaks of Kafka.

use BurrowTest;

use IO::Select;
use IO::Socket::INET;
use POSIX ();

# Nothing listens there yet.
my $advertised = PostgreSQL::Test::Cluster::get_free_port();
my $kafka = BurrowTest::Kafka->create('kafka', config => { 'advertised.listeners' => "PLAINTEXT://127.0.0.1:$advertised" });
our $node = BurrowTest::Node->create('main', kafka => $kafka);
# What librdkafka says of connections differs between versions.
my $recent = BurrowTest::Node->create('recent', kafka => $kafka, libraries => recent_librdkafka());
$_->sql(<<'SQL') foreach $node, $recent;
CREATE TABLE got (value text);
CREATE FUNCTION h(value text) RETURNS void LANGUAGE sql AS 'INSERT INTO got VALUES ($1)';
SQL

# A certificate and its key, signed by the authority, or by itself.
my $dir = $node->basedir . '/certificates';
mkdir $dir or die "mkdir $dir: $!";
sub run_openssl { my (@args) = @_; system("cd '$dir' && openssl @args >>log 2>&1") == 0 or die "openssl @args: " . PostgreSQL::Test::Utils::slurp_file("$dir/log"); return }
run_openssl('req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -subj /CN=authority -days 30');
sub certificate
{
	my ($name, $host, $expired) = @_;
	# OpenSSL 3.4 takes dates, and later ones no negative number of days
	my $dates = !$expired ? '-days 30' : qx{openssl x509 -help 2>&1} =~ /-not_after/ ? '-not_before 20200101000000Z -not_after 20200201000000Z' : '-days -1';
	PostgreSQL::Test::Utils::append_to_file("$dir/$name.ext", "subjectAltName=DNS:$host");
	run_openssl("req -newkey rsa:2048 -nodes -keyout $name.key -out $name.csr -subj /CN=$host");
	run_openssl("x509 -req -in $name.csr -CA ca.pem -CAkey ca.key -CAcreateserial $dates -extfile $name.ext -out $name.pem");
	return;
}

# Something that speaks TLS with it, on a port of its own.
my @children;
sub tls_server
{
	my ($name) = @_;
	my $port = PostgreSQL::Test::Cluster::get_free_port();
	my $pid = fork // die "fork: $!";
	if ($pid == 0)
	{
		open STDOUT, '>', "$dir/$name.log";
		open STDERR, '>&', \*STDOUT;
		exec('openssl', 's_server', '-quiet', '-accept', "127.0.0.1:$port", '-cert', "$dir/$name.pem", '-key', "$dir/$name.key") or POSIX::_exit(1);
	}
	push @children, $pid;
	wait_until("$name to listen", sub { return defined IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port) });
	return $port;
}

sub stuck
{
	my ($name, $cause, $error, $at) = @_;
	local $node = $at // $node;
	$cause =~ s/'/''/g;
	$node->wait_for("$name: $cause", "SELECT count(*) = 1 FROM burrow.why_stuck('$name') WHERE cause = '$cause' AND error ~ '$error' AND since <= clock_timestamp() AND next_statement IS NOT NULL");
	my $statement = $node->sql("SELECT next_statement FROM burrow.why_stuck('$name') WHERE cause = '$cause'");
	my $shown = $node->sql($statement);
	pass("$name: $cause");
	return $shown;
}

my $authority = PostgreSQL::Test::Utils::slurp_file("$dir/ca.pem");
sub server
{
	my ($name, $address, $options, $at) = @_;
	local $node = $at // $node;
	$node->sql("CREATE SERVER $name FOREIGN DATA WRAPPER burrow OPTIONS (bootstrap_servers '$address' $options)");
	$node->sql("CREATE USER MAPPING FOR PUBLIC SERVER $name");
	$node->sql(qq{SELECT burrow.subscribe('$name', 'h', server => '$name', kafka => '{"reconnect.backoff.max.ms": 500}')});
	return;
}
END { kill 'KILL', @children if @children }

# Lets connections to one port through to another address, until the test ends.
sub forward
{
	my ($from, $to) = @_;
	my $listener = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => $from, Listen => 20, ReuseAddr => 1) or die "cannot listen on port $from: $!";
	my $pid = fork // die "fork: $!";
	if ($pid)
	{
		push @children, $pid;
		return;
	}
	my $select = IO::Select->new($listener);
	my %other;
	while (1)
	{
		foreach my $socket ($select->can_read)
		{
			if ($socket == $listener)
			{
				my $here = $listener->accept or next;
				my $there = IO::Socket::INET->new(PeerAddr => $to) or next;
				@other{ $here, $there } = ($there, $here);
				$select->add($here, $there);
				next;
			}
			my $peer = $other{$socket} or next;
			my $data;
			next if sysread($socket, $data, 65536) && syswrite($peer, $data);
			$select->remove($socket, $peer);
			delete @other{ $socket, $peer };
			close $_ foreach $socket, $peer;
		}
	}
}

# ---- the bootstrap address answers, and names another one
$_->sql(q{SELECT burrow.subscribe('trap', 'h', consumer_group => current_setting('cluster_name'), kafka => '{"reconnect.backoff.max.ms": 500}')}) foreach $node, $recent;
for my $at ($node, $recent)
{
	my $version = $at->name;
	like(stuck('trap', 'a broker cannot be reached at the address that it advertises', "127.0.0.1:$advertised", $at),
		qr/^broker\|.*127\.0\.0\.1:$advertised\|f\|/m, "$version: and which step fails");
# that all brokers are down is the same trouble; a recent librdkafka asks nobody else, so it does not know of the topic
	$at->wait_for("$version: as one cause", q{SELECT string_agg(cause, ', ') FILTER (WHERE cause <> 'Kafka has no such topic') = 'a broker cannot be reached at the address that it advertises' FROM burrow.why_stuck('trap')});
}
forward($advertised, $kafka->bootstrap);
$kafka->create_topic('trap', 1);
$kafka->produce('trap', { value => 'through' });
for my $at ($node, $recent)
{
	$at->wait_for('the message', q{SELECT count(*) = 1 FROM got WHERE value = 'through'});
	$at->wait_for('nothing to hold it up', q{SELECT count(*) = 0 FROM burrow.why_stuck('trap')});
}

# ---- certificates, and a name

certificate('good', 'localhost');
certificate('expired', 'localhost', 1);
certificate('other', 'elsewhere.example');
my $ports = { map { $_ => tls_server($_) } qw(good expired other) };
my $trusting = ", security_protocol 'SSL', ssl_ca_pem '$authority'";
server('expired', "localhost:$ports->{expired}", $trusting);
server('other', "localhost:$ports->{other}", $trusting);
server('untrusted', "localhost:$ports->{good}", ", security_protocol 'SSL'");
server('unresolved', 'kafka.invalid:9092', '');
# a certificate of RSA, and a client that takes none
server('handshake', "localhost:$ports->{good}", "$trusting, ssl_sigalgs_list 'ECDSA+SHA256'", $_) foreach $node, $recent;
# no route leads there
server('unreachable', '255.255.255.255:9092', '');
like(stuck('expired', q{Kafka's certificate has expired or is not valid yet}, 'certificate verify failed'), qr/^resolve\|localhost\|t\|.*^authenticate\|\w+\|f\|/ms, 'and which step fails');
stuck('other', q{Kafka's certificate is for another host name}, 'certificate verify failed');
stuck('untrusted', q{Kafka's certificate is not trusted}, 'certificate verify failed');
like(stuck('unresolved', 'the name of a Kafka server cannot be resolved', 'Failed to resolve'), qr/^resolve\|kafka\.invalid\|f\|/m, 'and which step fails');

like(stuck('handshake', 'the TLS handshake with Kafka fails', 'handshake failure', $_), qr/^authenticate\|\w+\|f\|/m, 'and which step fails') foreach $node, $recent;
like(stuck('unreachable', 'the address of a Kafka server cannot be reached', 'Network is unreachable'), qr/^connect\|255\.255\.255\.255 port 9092\|f\|/m, 'and which step fails');

# what was refused is over when it is corrected: another cause comes then, as this is no Kafka
for my $at ($node, $recent)
{
	$at->sql('ALTER SERVER handshake OPTIONS (DROP ssl_sigalgs_list)');
	stuck('handshake', 'Kafka does not answer', 'ApiVersion', $at);
}
$node->sql("ALTER SERVER untrusted OPTIONS (ADD ssl_ca_pem '$authority')");
stuck('untrusted', 'Kafka does not answer', 'ApiVersion');
$node->sql("SELECT burrow.unsubscribe('$_')") foreach qw(expired other untrusted handshake);

foreach my $name (qw(unreachable unresolved))
{
	$node->sql("ALTER SERVER $name OPTIONS (SET bootstrap_servers '@{[ $kafka->bootstrap ]}')");
	$kafka->create_topic($name, 1);
	$kafka->produce($name, { value => "not $name" });
	$node->wait_for('the message', "SELECT count(*) = 1 FROM got WHERE value = 'not $name'");
	$node->wait_for('nothing to hold it up', "SELECT count(*) = 0 FROM burrow.why_stuck('$name')");
}

# a mapping that is missing, where no credentials are asked for
$node->sql('DROP USER MAPPING FOR PUBLIC SERVER unresolved');
stuck('unresolved', 'the owner has no credentials for the foreign server', 'user mapping not found');
$kafka->produce('unresolved', { value => 'mapped' });
$node->wait_for('the message', q{SELECT count(*) = 1 FROM got WHERE value = 'mapped'});
$node->wait_for('nothing to hold it up', q{SELECT count(*) = 0 FROM burrow.why_stuck('unresolved')});

# a topic that is misspelt
$node->sql(q{SELECT burrow.subscribe('unresolvd', 'h')});
is(stuck('unresolvd', 'Kafka has no such topic', '^topic "unresolvd" does not exist; perhaps you meant "unresolved"$') =~ s/\|.*//r, 'unresolvd', 'the most similar topic is named');

$_->stop foreach $node, $recent;
done_testing();
