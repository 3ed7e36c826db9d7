# SASL PLAIN, SCRAM-SHA-256 and SCRAM-SHA-512 over TLS, and clients' certificates: each consumes ten
# thousand messages and commits.  Certificates as people have them: a large bundle, lines that end with
# CR LF, a key with a passphrase, a chain in the wrong order; taken, or refused with the reason.

use BurrowTest;

my $messages = 10_000;
my $kafka = BurrowTest::Kafka->create('kafka', secure => 1, users => { plain => 'correct-horse' });
my $node = BurrowTest::Node->create('main');
my $authority = $kafka->authority;
my $others = join '', map { BurrowTest::Certificates->create($kafka->dir . '/others', "other-$_")->pem } 1 .. 10;
my $bundle = $others x (200_000 / length($others) + 1) . $authority->pem;
my ($issuer, $issuers) = $authority->intermediate('issuer');
my $client = $authority->issue('mutual', passphrase => 'open-sesame');
my $below = $issuer->issue('below');

# ---- what is taken, and works

my %ways = (
	plain => { ca => $bundle, protocol => "SASL_SSL', sasl_mechanism 'PLAIN" },
	scram256 => { ca => $authority->pem =~ s/\n/\r\n/gr, protocol => "SASL_SSL', sasl_mechanism 'SCRAM-SHA-256" },
	scram512 => { ca => $authority->pem, protocol => "SASL_SSL', sasl_mechanism 'SCRAM-SHA-512" },
	mutual => { ca => $authority->pem, protocol => 'SSL',
		credentials => "ssl_certificate_pem '$client->{certificate}', ssl_key_pem '$client->{key}', ssl_key_password 'open-sesame'" },
	crlf => { ca => $authority->pem, protocol => 'SSL', user => 'mutual',
		credentials => "ssl_certificate_pem '$client->{certificate}', ssl_key_pem '$client->{key}', ssl_key_password 'open-sesame'" =~ s/\n/\r\n/gr });

cmp_ok(length($bundle), '>=', 200_000, 'a bundle of ' . length($bundle) . ' bytes');
$node->sql(<<'SQL');
CREATE TABLE got (topic text, n int);
CREATE FUNCTION h(topic text, value jsonb) RETURNS void LANGUAGE sql AS 'INSERT INTO got VALUES (topic, (value->>''n'')::int)';
SQL
for my $way (sort keys %ways)
{
	my ($ca, $protocol, $credentials, $user) = @{ $ways{$way} }{qw(ca protocol credentials user)};
	my $bootstrap = $credentials ? $kafka->mutual_bootstrap : $kafka->tls_bootstrap;

	$credentials //= "sasl_username '$way', sasl_password 'correct-horse'";
	$kafka->set_scram($way, 'correct-horse') if $way =~ /^scram/;
	$kafka->create_topic($way, 4);
	$kafka->grant($user // $way, 'topic', $way, 'read');
	$kafka->grant($user // $way, 'group', $way, 'read');
	$node->sql(<<"SQL");
CREATE SERVER $way FOREIGN DATA WRAPPER burrow OPTIONS (bootstrap_servers '$bootstrap', security_protocol '$protocol', ssl_ca_pem '$ca');
CREATE USER MAPPING FOR PUBLIC SERVER $way OPTIONS ($credentials);
SELECT burrow.subscribe('$way', 'h', consumer_group => '$way', server => '$way', commit_interval => '100 ms');
SQL
	$kafka->produce_many($way, count => $messages, keys => 100);
}
for my $way (sort keys %ways)
{
	$node->wait_for("the messages of $way", "SELECT count(*) >= $messages FROM got WHERE topic = '$way'");
	is($node->sql("SELECT count(*), count(DISTINCT n) FROM got WHERE topic = '$way'"), "$messages|$messages", "$way: each message once");
	$kafka->wait_until_committed($way, $way);
	is($node->sql("SELECT state FROM burrow.subscriptions WHERE subscription = '$way'"), 'running', "$way: it runs");
}
is_deeply($kafka->committed_by_kafka('mutual', 'mutual'), $kafka->end_offsets_by_kafka('mutual'), 'Kafka says so, too');

# ---- what is refused, and why

sub mapping
{
	my (%options) = @_;
	my $given = join ', ', map { "$_ '$options{$_}'" } sort keys %options;
	my (undef, undef, $text) = $node->psql('postgres', "BEGIN; DROP USER MAPPING FOR PUBLIC SERVER mutual; CREATE USER MAPPING FOR PUBLIC SERVER mutual OPTIONS ($given)");
	return $text =~ s/^psql:<stdin>:\d+: //mgr;
}

sub said
{
	my ($what, $said, %options) = @_;
	my $text = mapping(%options);
	is((split /\n/, $text)[0] // '', $said, $what);
	unlike($text, qr/open-sesame|[A-Za-z0-9+\/]{40}/, 'nothing of it is in the text');
	return;
}

my $stranger = $authority->issue('stranger');
my $expired = $authority->issue('expired', expired => 1);
my %good = (ssl_certificate_pem => $client->{certificate}, ssl_key_pem => $client->{key}, ssl_key_password => 'open-sesame');
my $damaged = $client->{certificate} =~ s/\n[^\n]{20}/\nAAAAAAAAAAAAAAAAAAAA/r;

said('a good one', '', %good);
said('a key of another certificate', 'ERROR:  invalid value for option "ssl_certificate_pem": the private key does not fit the certificate',
	%good, ssl_key_pem => $stranger->{key});
said('a wrong passphrase', 'ERROR:  invalid value for option "ssl_key_pem": the passphrase does not open the key', %good, ssl_key_password => 'open-barley');
said('no passphrase', 'ERROR:  invalid value for option "ssl_key_pem": the key is encrypted, and no passphrase is given',
	map { $_ => $good{$_} } qw(ssl_certificate_pem ssl_key_pem));
said('a certificate that has expired', 'WARNING:  option "ssl_certificate_pem": the certificate has expired: it was valid until Feb  1 00:00:00 2020 GMT',
	ssl_certificate_pem => $expired->{certificate}, ssl_key_pem => $expired->{key});
said('a certificate without a key', 'ERROR:  invalid value for option "ssl_certificate_pem": there is no private key for the certificate',
	ssl_certificate_pem => $client->{certificate});
said('a key without a certificate', 'ERROR:  invalid value for option "ssl_key_pem": there is no certificate for the key', ssl_key_pem => $stranger->{key});
said('a certificate that is damaged', 'ERROR:  invalid value for option "ssl_certificate_pem": the certificate is damaged', %good, ssl_certificate_pem => $damaged);
said('a chain whose end is damaged', 'ERROR:  invalid value for option "ssl_certificate_pem": certificate 2 in it is damaged',
	%good, ssl_certificate_pem => $client->{certificate} . $damaged);
said('a certificate whose line ends were lost', 'ERROR:  invalid value for option "ssl_certificate_pem": it is one line: its line ends are missing',
	%good, ssl_certificate_pem => $client->{certificate} =~ s/\n/ /gr);
said('a chain in the wrong order', 'ERROR:  invalid value for option "ssl_certificate_pem": the certificates are in the wrong order: '
		. 'the first must be the client\'s, and each of the others that of the issuer of the one before',
	ssl_certificate_pem => $issuers . $below->{certificate}, ssl_key_pem => $below->{key});
said('one that has a stranger in it', 'ERROR:  invalid value for option "ssl_certificate_pem": the certificates are in the wrong order: '
		. 'each after the first must be that of the issuer of the one before',
	ssl_certificate_pem => $below->{certificate} . $authority->pem . $issuers, ssl_key_pem => $below->{key});
like(mapping(ssl_certificate_pem => $below->{certificate} . $issuers, ssl_key_pem => $below->{key}),
	qr/^(|WARNING:  option "ssl_certificate_pem": librdkafka \S+ shows brokers the first certificate alone: they must know its issuer themselves)$/,
	'a chain in the right order, of which old versions show the first');

# A subscription's server and credentials are checked together: what is said names the option that it is about.
$node->psql('postgres', "CREATE SERVER stale FOREIGN DATA WRAPPER burrow OPTIONS (bootstrap_servers '127.0.0.1:1', security_protocol 'SSL', ssl_ca_pem '$expired->{certificate}')");
$node->sql("CREATE USER MAPPING FOR PUBLIC SERVER stale OPTIONS (ssl_certificate_pem '$stranger->{certificate}', ssl_key_pem '$stranger->{key}')");
my (undef, undef, $together) = $node->psql('postgres', q{BEGIN; SELECT burrow.subscribe('plain', 'h', subscription => 'stale', server => 'stale'); ROLLBACK});
like($together, qr/WARNING:  option "ssl_ca_pem": the certificate has expired/, 'with a client\'s certificate that is fine, the authority\'s is named');
# What a server's options say, everybody can read.
my (undef, undef, $leaked) = $node->psql('postgres', "CREATE SERVER leak FOREIGN DATA WRAPPER burrow OPTIONS (bootstrap_servers '127.0.0.1:1', security_protocol 'SSL', ssl_ca_pem '"
		. $authority->pem . "$stranger->{key}')");
like($leaked, qr/ERROR:  invalid value for option "ssl_ca_pem": there is a private key in it, and everybody can read a server's options/, 'no private key among the authorities');
unlike($leaked, qr/[A-Za-z0-9+\/]{40}/, 'and nothing of it is in the text');
$node->stop;
done_testing();
