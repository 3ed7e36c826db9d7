# A real Prometheus, and other programs of its kind, for a TAP test.

package BurrowTest::Prometheus;

use strict;
use warnings FATAL => 'all';

use Carp;
use HTTP::Tiny ();
use IPC::Run ();
use JSON::PP ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils ();

my @all;

sub _folder { return $ENV{BURROW_PROMETHEUS} // croak 'BURROW_PROMETHEUS is not set: run scripts/test tap' }

# BurrowTest::Prometheus->start($config, files => { name => text })
#
# One that runs with this configuration, and these files beside it.  It is gone when the test ends.
sub start
{
	my ($class, $config, %options) = @_;
	my $self = bless({ dir => PostgreSQL::Test::Utils::tempdir(), port => PostgreSQL::Test::Cluster::get_free_port() }, $class);
	my %files = (%{ $options{files} // {} }, 'prometheus.yml' => $config);
	_write("$self->{dir}/$_", $files{$_}) foreach keys %files;
	$self->{run} = $class->run_beside(
		'prometheus', "--config.file=$self->{dir}/prometheus.yml",
		"--storage.tsdb.path=$self->{dir}/data", "--web.listen-address=127.0.0.1:$self->{port}", '--log.level=warn');
	BurrowTest::wait_until('Prometheus to be ready', sub { ($self->_get('/-/ready'))[0] eq '200' }, diagnose => sub { $self->{run}{err} });
	return $self;
}

# One of its programs, or another by its path, in the background, until the test ends.
sub run_beside
{
	my ($class, $program, @arguments) = @_;
	my $job = { out => '', err => '', owner => $$ };
	$program = _folder() . "/$program" if $program !~ m{^/};
	$job->{run} = IPC::Run::start([$program, @arguments], '<', \undef, '>', \$job->{out}, '2>', \$job->{err});
	push @all, $job;
	return $job;
}

# Have it end now, as it does on SIGTERM; returns whether it says that all was well.
sub end_beside
{
	my ($class, $job) = @_;
	@all = grep { $_ != $job } @all;
	$job->{run}->signal('TERM');
	return $job->{run}->finish;
}

# (whether promtool is content, all that it says) for a verb; "input" goes to its standard input
sub promtool
{
	my ($class, $arguments, $input) = @_;
	my $said = '';
	my $ok = IPC::Run::run([_folder() . '/promtool', @$arguments], '<', \($input // ''), '>', \$said, '2>', \$said);
	return ($ok ? 1 : 0, $said);
}

# (status, body) of a GET; status 599: there was no answer
my $client = HTTP::Tiny->new(timeout => 60, proxy => undef, http_proxy => undef);

sub get
{
	my ($class, $address) = @_;
	my $answer = $client->get($address);
	return ($answer->{status}, $answer->{content});
}

sub _get { my ($self, $path) = @_; return $self->get("http://127.0.0.1:$self->{port}$path") }

# What its API answers to a path with parameters: $prometheus->ask('query', query => 'up').  One that it does not
# take ends the test.
sub ask
{
	my ($self, $verb, @parameters) = @_;
	my @pairs;
	while (my ($name, $value) = splice(@parameters, 0, 2))
	{
		$value =~ s/([^A-Za-z0-9_.-])/sprintf('%%%02X', ord $1)/ge;
		push @pairs, "$name=$value";
	}
	my ($status, $body) = $self->_get("/api/v1/$verb?" . join('&', @pairs));
	croak "Prometheus does not take $verb @pairs: $status $body" if $status ne '200';
	return JSON::PP->new->utf8->decode($body)->{data};
}

# The samples of an instant query that are numbers: [{ metric => { label => value }, value => number }]
sub query
{
	my ($self, $query) = @_;
	return map { { metric => $_->{metric}, value => $_->{value}[1] } } grep { $_->{value}[1] ne 'NaN' } @{ $self->ask('query', query => $query)->{result} };
}

sub _write
{
	my ($path, $text) = @_;
	open(my $file, '>', $path) or croak "cannot write $path: $!";
	print {$file} $text;
	close $file;
	return;
}

END
{
	my $status = $?;
	$_->{run}->kill_kill foreach grep { $_->{owner} == $$ } @all;
	$? = $status;
}

1;
