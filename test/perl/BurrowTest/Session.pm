# A session on a server, for one that asks it again and again: it speaks the protocol itself, so that a
# look costs neither a psql nor a backend.

package BurrowTest::Session;

use strict;
use warnings FATAL => 'all';

use IO::Select;
use IO::Socket::UNIX;

# longer than any answer takes that somebody would wait for
my $ANSWER_LIMIT = 60;

# BurrowTest::Session->open($node, $database): as who psql would be without a name.  Dies when the server
# does not let it in.
sub open
{
	my ($class, $node, $database) = @_;
	my $socket = IO::Socket::UNIX->new(Peer => $node->host . '/.s.PGSQL.' . $node->port) or die "cannot connect: $!\n";
	my $self = bless { socket => $socket, buffer => '', pid => $$ }, $class;
	my $parameters = pack('N(Z*)*x', 3 << 16, user => $ENV{PGUSER} // scalar getpwuid($<), database => $database, application_name => 'BurrowTest');
	$self->_write(pack('N', length($parameters) + 4) . $parameters);
	$self->_answer;
	return $self;
}

# What psql -At would print of a query's rows.  Dies of an error; the session can go on being used, if it is
# not the session's own.
sub query
{
	my ($self, $query) = @_;
	utf8::encode($query) if utf8::is_utf8($query);
	$self->_write('Q' . pack('NZ*', length($query) + 5, $query));
	return $self->_answer;
}

# Is there still a session?
sub is_open { my ($self) = @_; return defined $self->{socket} }

# The server's process is gone when this returns: its end of the connection is the last that it gives back.
sub close
{
	my ($self) = @_;
	return if !$self->{socket};
	eval {
		$self->_write('X' . pack('N', 4));
		1 while length $self->_read;
	};
	$self->{socket} = undef;
	return;
}

sub DESTROY
{
	my ($self) = @_;
	local ($@, $!, $?);
	# a child that was forked has a copy, and no business with it
	$self->close if $self->{pid} == $$;
	return;
}

# What was in the rows up to the moment at which the server is ready for the next query.
sub _answer
{
	my ($self) = @_;
	my (@rows, $error);
	while (1)
	{
		my ($type, $content) = $self->_message;
		if ($type eq 'D')
		{
			push @rows, join '|', _fields($content);
		}
		elsif ($type eq 'E')
		{
			my %field = map { substr($_, 0, 1) => substr($_, 1) } split /\0/, $content;
			$error = "$field{S}:  $field{M}\n";
			$self->_give_up($error) if $field{V} eq 'FATAL' || $field{V} eq 'PANIC';
		}
		elsif ($type eq 'R' && unpack('N', $content) != 0)
		{
			$self->_give_up("the server asks for a password\n");
		}
		last if $type eq 'Z';
	}
	die $error if defined $error;
	return join "\n", @rows;
}

# A row's fields as text; NULL is nothing.
sub _fields
{
	my ($content) = @_;
	my @fields;
	my $at = 2;
	while ($at < length $content)
	{
		my $length = unpack('l>', substr($content, $at, 4));
		push @fields, $length < 0 ? '' : substr($content, $at + 4, $length);
		$at += 4 + ($length < 0 ? 0 : $length);
	}
	return @fields;
}

sub _message
{
	my ($self) = @_;
	my $length;
	while (length $self->{buffer} < 5 || length $self->{buffer} < 1 + ($length = unpack('x N', $self->{buffer})))
	{
		my $more = eval { $self->_read };
		$self->_give_up($@) if $@;
		$self->_give_up("the server has closed the connection\n") if !length $more;
		$self->{buffer} .= $more;
	}
	my $message = substr($self->{buffer}, 0, 1 + $length, '');
	return (substr($message, 0, 1), substr($message, 5));
}

# The next bytes; none at the end of the connection.
sub _read
{
	my ($self) = @_;
	my $select = IO::Select->new($self->{socket});
	$select->can_read($ANSWER_LIMIT) or die "no answer in $ANSWER_LIMIT s\n";
	my $read = sysread($self->{socket}, my $bytes, 65536);
	return defined $read ? $bytes : '';
}

sub _write
{
	my ($self, $bytes) = @_;
	local $SIG{PIPE} = 'IGNORE';
	my $written = $self->{socket} && syswrite($self->{socket}, $bytes);
	$self->_give_up("the connection is broken\n") if !$written || $written != length $bytes;
	return;
}

sub _give_up
{
	my ($self, $why) = @_;
	$self->{socket} = undef;
	die $why;
}

1;
