# A real browser: Chromium without a window, driven by its own driver in W3C's WebDriver protocol.

package BurrowTest::Browser;

use strict;
use warnings FATAL => 'all';

use Carp;
use Cwd qw(abs_path);
use File::Path ();
use HTTP::Tiny;
use JSON::PP ();
use MIME::Base64 ();
use POSIX ();

my $json = JSON::PP->new->utf8->canonical;

# BurrowTest::Browser->open: the browser ends with the object.
sub open
{
	my ($class) = @_;
	my $dir = abs_path($PostgreSQL::Test::Utils::tmp_check) . "/browser_$$";
	my $port = PostgreSQL::Test::Cluster::get_free_port();
	File::Path::make_path($dir);
	my $pid = fork // croak "cannot fork: $!";
	if ($pid == 0)
	{
		# all that it starts ends with its group
		setpgrp;
		@ENV{qw(HOME XDG_CONFIG_HOME XDG_CACHE_HOME TMPDIR)} = ($dir) x 4;
		CORE::open(STDOUT, '>', "$dir/log") and CORE::open(STDERR, '>&', \*STDOUT) and CORE::open(STDIN, '<', '/dev/null');
		exec('chromedriver', "--port=$port") or POSIX::_exit(127);
	}
	my $self = bless({ pid => $pid, owner => $$, dir => $dir, url => "http://127.0.0.1:$port", http => HTTP::Tiny->new(timeout => 120) }, $class);
	BurrowTest::wait_until('the driver of Chromium', sub { $self->{http}->get("$self->{url}/status")->{success} });
	my $answer = $self->_call(POST => '/session', { capabilities => { alwaysMatch => {
					browserName => 'chrome',
					acceptInsecureCerts => JSON::PP::true,
					'goog:loggingPrefs' => { browser => 'ALL' },
			 # the tests' user may have no namespaces, and /dev/shm may be small
					'goog:chromeOptions' => { args => [map { "--$_" } qw(headless=new no-sandbox disable-dev-shm-usage disable-gpu hide-scrollbars)] } } } });
	$self->{url} .= "/session/$answer->{sessionId}";
	return $self;
}

sub _call
{
	my ($self, $method, $path, $body) = @_;
	my $answer = $self->{http}->request($method, "$self->{url}$path", defined $body ? { content => $json->encode($body) } : {});
	croak "$method $path: $answer->{status} $answer->{content}" if !$answer->{success};
	return $json->decode($answer->{content})->{value};
}

sub go { my ($self, $url) = @_; $self->_call(POST => '/url', { url => $url }); return }

# What a function's body of JavaScript returns.
sub run { my ($self, $script, @arguments) = @_; return $self->_call(POST => '/execute/sync', { script => $script, args => \@arguments }) }

# A command of Chrome's DevTools.
sub devtools { my ($self, $command, %parameters) = @_; return $self->_call(POST => '/goog/cdp/execute', { cmd => $command, params => \%parameters }) }

# Press a key: $browser->press("\x{E004}") is Tab.
sub press
{
	my ($self, $key) = @_;
	$self->_call(POST => '/actions', { actions => [{ type => 'key', id => 'keys', actions => [map { { type => $_, value => $key } } qw(keyDown keyUp)] }] });
	return;
}

# Width and height in CSS pixels; a telephone's has mobile => 1.
sub size
{
	my ($self, $width, $height, %options) = @_;
	$self->devtools('Emulation.setDeviceMetricsOverride', width => $width, height => $height, deviceScaleFactor => $options{scale} // 1,
		mobile => $options{mobile} ? JSON::PP::true : JSON::PP::false);
	return;
}

# dark or light
sub scheme
{
	my ($self, $scheme) = @_;
	$self->devtools('Emulation.setEmulatedMedia', features => [{ name => 'prefers-color-scheme', value => $scheme }]);
	return;
}

# The whole page as PNG, into a file.
sub picture
{
	my ($self, $path) = @_;
	my $data = $self->devtools('Page.captureScreenshot', captureBeyondViewport => JSON::PP::true)->{data};
	CORE::open(my $file, '>:raw', $path) or croak "cannot write $path: $!";
	print $file MIME::Base64::decode_base64($data);
	close $file or croak "cannot write $path: $!";
	return;
}

# What the console has said since the last time, as lines.
sub console { my ($self) = @_; return map { "$_->{level} $_->{message}" } @{ $self->_call(POST => '/se/log', { type => 'browser' }) } }

sub DESTROY
{
	my ($self) = @_;
	return if $self->{owner} != $$;
	local ($?, $@);
	eval { $self->_call(DELETE => '') };
	kill 'KILL', -$self->{pid};
	waitpid $self->{pid}, 0;
	return;
}

1;
