# Several PostgreSQL servers in one consumer group, each with a table of its own, and each on a wire of its own to one Kafka.
#
#	my $servers = BurrowTest::Servers->create($kafka, [qw(a b c)], topic => 'shared', options => "workers => 4", handler => "plpgsql");
#
# What Kafka has acknowledged is asked from Kafka; with that it is known of a server that dies, or is cut off, which messages its
# successor may handle again: see may_repeat.

package BurrowTest::Servers;

use strict;
use warnings FATAL => 'all';

use BurrowTest;
use MIME::Base64 qw(decode_base64);

# "handler" are statements that come before the row is written; "node" are further options of each server, by its name.
# The group's name is "group", and the subscription's that of the topic.
sub create
{
	my ($class, $kafka, $names, %options) = @_;
	my $self = bless { kafka => $kafka, names => $names, topic => $options{topic}, options => $options{options} }, $class;
	my $wire = 0;
	for my $name (@$names)
	{
		my $node = $self->{node}{$name} = BurrowTest::Node->create($name, kafka => $kafka, wire => ++$wire, %{ $options{node}{$name} // {} });
		$self->{wire}{$name} = $wire;
		$node->sql(<<"SQL");
CREATE TABLE got (id bigserial, partition int, "offset" bigint, key text, at timestamptz DEFAULT clock_timestamp());
CREATE FUNCTION keep(partition int, "offset" bigint, key text) RETURNS void LANGUAGE plpgsql AS \$\$
BEGIN
    $options{handler}
    INSERT INTO got (partition, "offset", key) VALUES (partition, "offset", key);
END \$\$;
SQL
	}
	return $self;
}

sub node { my ($self, $name) = @_; return $self->{node}{$name} }
sub set_node { my ($self, $name, $node) = @_; $self->{node}{$name} = $node; return }
sub cut { my ($self, $name) = @_; return $self->{kafka}->cut($self->{wire}{$name}) }
sub mend { my ($self, $name) = @_; return $self->{kafka}->mend($self->{wire}{$name}) }

sub subscribe
{
	my ($self, @names) = @_;
	$self->{node}{$_}->sql("SELECT burrow.subscribe('$self->{topic}', 'keep', consumer_group => 'group', $self->{options})") foreach @names;
	return;
}

sub diagnostics { my ($self) = @_; return join "\n", map { "==== $_\n" . $self->{node}{$_}->diagnostics } @{ $self->{names} } }

# The partitions that a server says it has; none: it does not answer.
sub partitions
{
	my ($self, $name) = @_;
	my ($status, $out) = $self->{node}{$name}->psql('postgres', 'SELECT partition FROM burrow.partitions ORDER BY 1');
	return $status == 0 ? split(/\n/, $out // '') : ();
}

# Wait until these servers have so many partitions each: { name => n }.
sub wait_for_split
{
	my ($self, %expected) = @_;
	wait_until(join(', ', map { "$expected{$_} partitions at $_" } sort keys %expected),
		sub { return !grep { $self->partitions($_) != $expected{$_} } keys %expected },
		timeout => 90, diagnose => sub { return $self->diagnostics });
	return;
}

# ---- what Kafka has acknowledged

# { partition => [offset, [first, last], ...] }: all below the offset is done, and these runs are.
sub acknowledged
{
	my ($self) = @_;
	my $committed = $self->{kafka}->ask(committed => group => 'group', topic => $self->{topic});
	return { map { $_ => [$committed->{$_}[0], _runs(@{ $committed->{$_} })] } keys %$committed };
}

# As src/core/offset_set.h has them.
sub _runs
{
	my ($offset, $metadata) = @_;
	return if $metadata !~ m{^burrow/1 \S+ \S+ (\S+)$};
	my (@numbers, @runs);
	my ($number, $shift) = (0, 0);
	for my $byte (unpack 'C*', decode_base64($1))
	{
		$number |= ($byte & 127) << $shift;
		$shift += 7;
		next if $byte & 128;
		push @numbers, $number;
		($number, $shift) = (0, 0);
	}
	my $end = $offset - 2;
	while (my ($distance, $length) = splice(@numbers, 0, 2))
	{
		my $first = $end + 2 + $distance;
		$end = $first + $length;
		push @runs, [$first, $end];
	}
	return @runs;
}

sub is_acknowledged
{
	my ($acknowledged, $partition, $offset) = @_;
	my ($head, @runs) = @{ $acknowledged->{$partition} // [0] };
	return $offset < $head || grep { $_->[0] <= $offset && $offset <= $_->[1] } @runs;
}

# ---- what they have done

# "partition|offset" of all rows of a server, or of those that the condition holds for.
sub rows
{
	my ($self, $name, $where) = @_;
	return split /\n/, $self->{node}{$name}->sql('SELECT partition, "offset" FROM got WHERE ' . ($where // 'true'));
}

# What a server had done of these partitions, and Kafka had not acknowledged: as a hash.  To be asked when it does nothing more
# of them, with what was acknowledged when it died or was cut off.
sub may_repeat
{
	my ($self, $name, $acknowledged, @partitions) = @_;
	return {} if !@partitions;
	my @rows = $self->rows($name, 'partition IN (' . join(',', @partitions) . ')');
	return { map { $_ => 1 } grep { !is_acknowledged($acknowledged, split /\|/) } @rows };
}

# { "partition|offset" => how many rows } over all servers.
sub times
{
	my ($self) = @_;
	my %times;
	$times{$_}++ foreach map { $self->rows($_) } @{ $self->{names} };
	return \%times;
}

1;
