# Metrics, as text, read by Prometheus's own parser (test/metrics/read_metrics.py).

package BurrowTest::Metrics;

use strict;
use warnings FATAL => 'all';

use Carp;
use Cwd qw(abs_path);
use File::Basename qw(dirname);
use IPC::Run ();

my $reader = abs_path(dirname(__FILE__) . '/../../metrics/read_metrics.py');

# BurrowTest::Metrics->parse($text, "openmetrics" or "prometheus")
#
# The samples: their names without the prefix pgburrow_, with sorted labels, to values.  Text that is not in the
# format ends the test.
sub parse
{
	my ($class, $text, $format) = @_;
	my ($out, $err) = ('', '');
	IPC::Run::run([$ENV{BURROW_PYTHON} // croak('BURROW_PYTHON is not set: run scripts/test tap'), $reader, $format], '<', \$text, '>', \$out, '2>', \$err)
		or croak "not $format:\n$text\n$err";
	return bless({ map { /^pgburrow_(.*)\t(.*)$/ ? ($1 => $2 + 0) : () } split /\n/, $out }, $class);
}

# The value of a sample; undef: there is none.
sub value { my ($self, $series) = @_; return $self->{$series} }

# The same of a subscription's: $metrics->of('orders', 'workers', 'state="idle"'); the database is "postgres".
sub of
{
	my ($self, $subscription, $name, @labels) = @_;
	return $self->{ "$name\{" . join(',', sort(@labels, qq{database="postgres"}, qq{subscription="$subscription"})) . '}' };
}

# Sum of a metric's samples.
sub sum
{
	my ($self, $name) = @_;
	my $sum = 0;
	$sum += $self->{$_} foreach grep { /^\Q$name\E(\{|$)/ } keys %$self;
	return $sum;
}

1;
