# A dashboard of Grafana's, without Grafana: its queries are sent to a Prometheus, and a browser draws it with
# Grafana's own library of panels.

package BurrowTest::Dashboard;

use strict;
use warnings FATAL => 'all';

use Carp;
use Cwd qw(abs_path);
use IPC::Run ();
use JSON::PP ();
use PostgreSQL::Test::Utils ();

my $json = JSON::PP->new->utf8->canonical;

# BurrowTest::Dashboard->read($path); its JSON is in ->{json}
sub read
{
	my ($class, $path) = @_;
	return bless({ json => $json->decode(PostgreSQL::Test::Utils::slurp_file($path)) }, $class);
}

# Its variables but for the data source.
sub variables { my ($self) = @_; return grep { $_->{type} eq 'query' } @{ $self->{json}{templating}{list} } }

# The values with which it shows everything; $rate_interval is that of $__rate_interval, such as "1m".
sub everything { my ($self, $rate_interval) = @_; return (__rate_interval => $rate_interval, map { $_->{name} => $_->{allValue} } $self->variables) }

# A query with its variables filled in, as Grafana does before it sends one.
sub filled_in
{
	my ($self, $query, $values) = @_;
	$query =~ s/\$(\w+)/$values->{$1} \/\/ die "no variable $1: $query"/ge;
	return $query;
}

# Have a browser draw all of it, and write that as PNG into a file.
#
# from, to, step	of the time that is shown, in seconds
# width				of the window, in pixels
#
# The values of all variables are "All".  Prometheus's interval is the step: $__rate_interval is four times that.
sub picture
{
	my ($self, $browser, $prometheus, $path, %options) = @_;
	my ($from, $to, $step) = @options{qw(from to step)};
	my %values = $self->everything((4 * $step) . 's');
	my %answers;
	foreach my $panel (@{ $self->{json}{panels} })
	{
		$answers{ $panel->{id} } = [
			map {
				my @query = (query => $self->filled_in($_->{expr}, \%values));
				$_->{instant} ? $prometheus->ask('query', @query, time => $to) : $prometheus->ask('query_range', @query, start => $from, end => $to, step => $step)
			} @{ $panel->{targets} }];
	}
	my $run = { dashboard => $self->{json}, answers => \%answers, from => $from, to => $to, step => $step, variables => { map { $_->{name} => 'All' } $self->variables } };
	my $dir = abs_path(PostgreSQL::Test::Utils::tempdir());
	_bundle($dir);
	_write("$dir/run.js", 'window.run = ' . $json->encode($run) . ';');
	_write("$dir/index.html", <<'HTML');
<!DOCTYPE html><meta charset="utf-8"><link rel="stylesheet" href="draw.css">
<body style="margin: 0"><div id="dashboard"></div><script src="run.js"></script><script src="draw.js"></script></body>
HTML
# a table out of sight has no rows: in the second look the window is as high as the page
	foreach my $look (1, 2)
	{
		$browser->size($options{width}, $look == 1 ? 900 : $browser->run('return document.documentElement.scrollHeight'));
		$browser->go("file://$dir/index.html");
		BurrowTest::wait_until('the dashboard to be drawn', sub { $browser->run('return window.drawn === true') }, diagnose => sub { join("\n", $browser->console) });
	}
	$browser->picture($path);
	system($ENV{BURROW_PYTHON}, "$ENV{BURROW_ROOT}/test/dashboard/small_png.py", $path) == 0 or croak "cannot make $path small";
	return;
}

# One file of draw.jsx and the libraries that it is made of.
sub _bundle
{
	my ($dir) = @_;
	my $libraries = $ENV{BURROW_GRAFANA} // croak 'BURROW_GRAFANA is not set: run scripts/test tap';
	my $said = '';
	local $ENV{NODE_PATH} = "$libraries/node_modules";
	my @arguments = (
		"$ENV{BURROW_ROOT}/test/dashboard/draw.jsx", '--bundle', '--minify', '--jsx=automatic', '--log-level=error', "--outfile=$dir/draw.js",
		'--define:process.env.NODE_ENV="production"', map { "--loader:.$_=dataurl" } qw(woff woff2 ttf svg png));
	IPC::Run::run(["$libraries/node_modules/.bin/esbuild", @arguments], '<', \undef, '>', \$said, '2>', \$said) or croak "esbuild: $said";
	return;
}

sub _write
{
	my ($path, $text) = @_;
	open(my $file, '>:raw', $path) or croak "cannot write $path: $!";
	print {$file} $text;
	close $file or croak "cannot write $path: $!";
	return;
}

1;
