# Certificates of an authority of its own, made by openssl while the test runs.

package BurrowTest::Certificates;

use strict;
use warnings FATAL => 'all';

use Carp;
use IPC::Run ();

# BurrowTest::Certificates->create($dir, $name): an authority, whose files and those of what it issues are in
# the folder.
sub create
{
	my ($class, $dir, $name) = @_;
	my $self = bless { dir => $dir, name => $name, number => 0 }, $class;
	-d $dir or mkdir $dir or croak "cannot make $dir: $!";
	_openssl('req', '-x509', _new_key($self->_path($name, 'key')), '-out', $self->_path($name, 'pem'), '-days', 30,
		'-subj', "/CN=$name", '-addext', 'keyUsage=critical,keyCertSign,cRLSign');
	$self->_write_config;
	return $self;
}

# The authority's own certificate: its file, and its text.
sub file { my ($self) = @_; return $self->_path($self->{name}, 'pem') }
sub pem { my ($self) = @_; return _read($self->file) }

# $authority->issue($common_name, names => 'DNS:localhost,IP:127.0.0.1', expired => 1, passphrase => $text, authority => 1)
#
# A certificate and its key: { certificate => text, key => text, file => path of a file with both }.  The
# key's text is encrypted where there is a passphrase; "file" has it open, because a broker reads it.  "authority" makes it an
# authority as well (of what ->under gives).
sub issue
{
	my ($self, $name, %options) = @_;
	my $base = $self->{number}++ ? "$name-$self->{number}" : $name;
	my ($key, $request, $pem) = map { $self->_path($base, $_) } qw(key csr crt);
	my @extensions = map { ('-addext', $_) } (
		$options{names} ? "subjectAltName=$options{names}" : (),
		$options{authority} ? 'basicConstraints=critical,CA:TRUE' : 'basicConstraints=CA:FALSE');
	my @dates = $options{expired} ? (20200101000000, 20200201000000) : (20200101000000, 20490101000000);

	_openssl('req', '-new', _new_key($key), '-out', $request, '-subj', "/CN=$name", @extensions);
	_openssl('ca', '-batch', '-notext', '-config', $self->_path($self->{name}, 'conf'), '-cert', $self->_path($self->{name}, 'pem'),
		'-keyfile', $self->_path($self->{name}, 'key'), '-startdate', "$dates[0]Z", '-enddate', "$dates[1]Z", '-in', $request, '-out', $pem);
	my $result = { certificate => _read($pem), key => _read($key), file => $self->_path($base, 'pem') };
	_write($result->{file}, $result->{key} . $result->{certificate});
	if (defined $options{passphrase})
	{
		_openssl('pkcs8', '-topk8', '-in', $key, '-out', "$key.locked", '-passout', "pass:$options{passphrase}");
		$result->{key} = _read("$key.locked");
	}
	return $result;
}

# An authority below this one, and its certificate: ($authority, $certificate)
sub intermediate
{
	my ($self, $name) = @_;
	my $certificate = $self->issue($name, authority => 1);
	my $below = bless { dir => $self->{dir}, name => $name, number => 1 }, ref $self;
	_write($below->_path($name, 'pem'), $certificate->{certificate});
	_write($below->_path($name, 'key'), $certificate->{key});
	$below->_write_config;
	return ($below, $certificate->{certificate});
}

sub _write_config
{
	my ($self) = @_;
	_write($self->_path($self->{name}, 'index'), '');
	_write($self->_path($self->{name}, 'conf'), <<"END");
[ca]
default_ca = this
[this]
new_certs_dir = $self->{dir}
database = @{[ $self->_path($self->{name}, 'index') ]}
rand_serial = yes
unique_subject = no
default_md = sha256
policy = any
copy_extensions = copy
[any]
commonName = supplied
END
	return;
}

sub _path { my ($self, $name, $kind) = @_; return "$self->{dir}/$name.$kind" }

sub _new_key { my ($path) = @_; return ('-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', $path) }

sub _openssl
{
	my (@arguments) = @_;
	my ($out, $err) = ('', '');
	IPC::Run::run(['openssl', @arguments], '<', \undef, '>', \$out, '2>', \$err) or croak "openssl $arguments[0] failed: $out$err";
	return;
}

sub _read { my ($path) = @_; return PostgreSQL::Test::Utils::slurp_file($path) }

sub _write
{
	my ($path, $text) = @_;
	open(my $file, '>', $path) or croak "cannot write $path: $!";
	print $file $text;
	close($file) or croak "cannot write $path: $!";
	return;
}

1;
