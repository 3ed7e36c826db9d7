# A real Apache Kafka for a TAP test, and an independent client of it.

package BurrowTest::Kafka;

use strict;
use warnings FATAL => 'all';

use File::Copy ();
use Carp;
use Cwd qw(abs_path);
use File::Basename qw(basename dirname);
use IPC::Run ();
use JSON::PP ();
use Time::HiRes ();

use BurrowTest::Certificates;

my $programs = abs_path(dirname(__FILE__) . '/../../kafka');
my $json = JSON::PP->new->utf8->canonical->allow_nonref;
my @all;

sub _python { return $ENV{BURROW_PYTHON} // croak 'BURROW_PYTHON is not set: run scripts/test tap' }

# BurrowTest::Kafka->create($name, brokers => 1, wires => 0, sasl => 0, secure => 0, users => {}, formatted => 0, release => undef,
#	config => { name => value })
#
# A new cluster that runs.  It is gone when the test ends.  "sasl" gives it other
# addresses as well, for clients that authenticate: sasl_bootstrap.  "secure" gives it two more, with
# certificates (see "credentials" below), where "users" have PLAIN's passwords.  "formatted" makes it as
# Kafka's own tool does, with the new group protocol, from "release" 4 on.  "wires" are ways to the brokers that can be
# cut, each of its own: see "wires" below.
sub create
{
	my ($class, $name, %options) = @_;
	my $test = basename($0) =~ s/\.[^.]+$//r;
	my $self = bless {
		name => $name,
		brokers => $options{brokers} // 1,
		dir => "$PostgreSQL::Test::Utils::tmp_check/t_${test}_$name",
		owner => $$,
		jars => $options{release} ? $ENV{"BURROW_KAFKA_$options{release}"} : $ENV{BURROW_KAFKA},
	}, $class;
	push @all, $self;
	system('rm', '-rf', $self->{dir});    # of an earlier run

	$self->_prepare_tls($options{users} // {}) if $options{secure};
	my $config = $options{config} // {};
	my $out = $self->_broker('start', '--brokers', $self->{brokers}, '--wires', $options{wires} // 0, (map { $options{$_} ? "--$_" : () } qw(sasl secure formatted)), map { "$_=$config->{$_}" } sort keys %$config);
	$out =~ /^bootstrap (\S+)/m or croak "no bootstrap address in: $out";
	$self->{bootstrap} = $1;
	$self->_lay_wires if $options{wires};
	for my $id (1 .. $self->{brokers})
	{
		my $link = "$PostgreSQL::Test::Utils::log_path/${test}_${name}_$id.log";
		unlink $link;
		symlink(abs_path("$self->{dir}/node-$id/server.log"), $link) or croak "cannot link $link: $!";
	}
	return $self;
}

sub bootstrap { return $_[0]{bootstrap} }
sub sasl_bootstrap { my ($self) = @_; return $self->_broker('sasl') =~ s/\s+$//r }
sub dir { return $_[0]{dir} }

# The brokers' life.  $id is a broker's number (from 1); all of them without it.
# "stop" is orderly, "kill" is kill -9; "start" starts what is down, on the same
# port and with the same data.
sub stop { my ($self, @id) = @_; $self->_broker('stop', @id); return }
sub kill { my ($self, @id) = @_; $self->_broker('kill', @id); return }
sub start { my ($self) = @_; $self->_broker('start'); return }
sub restart { my ($self, @id) = @_; $self->_broker('restart', @id); return }
sub suspend { my ($self, @id) = @_; $self->_broker('suspend', @id); return }
sub continue { my ($self, @id) = @_; $self->_broker('continue', @id); return }

sub _broker
{
	my ($self, $verb, @args) = @_;
	my ($out, $err) = ('', '');
	local $ENV{BURROW_KAFKA} = $self->{jars};
	# The broker must not hold our pipes open: it has its own log.
	IPC::Run::run(["$programs/run_broker", $verb, $self->{dir}, @args], '<', \undef, '>', \$out, '2>', \$err)
		or croak "run_broker $verb failed: $out$err";
	return $out;
}

# The end of each broker's log.
sub log_tail
{
	my ($self, $lines) = @_;
	$lines //= 20;
	return join '', map { "--- broker $_:\n" . `tail -n $lines '$self->{dir}/node-$_/server.log'` } 1 .. $self->{brokers};
}

# ---------------------------------------------------------------- wires

# Of a cluster with wires => N, by numbers from 1: who connects to wire_bootstrap(1) knows the brokers by addresses of this wire
# alone.  While it is cut nothing is forwarded, in either direction, and no connection ends; when it is mended, what was
# sent meanwhile arrives, where both ends are still there.
sub wire_bootstrap { my ($self, $wire) = @_; return join ',', map { $_->[1] } grep { $_->[0] == $wire } @{ $self->{wires} } }
sub cut { my ($self, $wire) = @_; return $self->_tell_wires("cut $wire") }
sub mend { my ($self, $wire) = @_; return $self->_tell_wires("mend $wire") }

sub _lay_wires
{
	my ($self) = @_;
	$self->{wires} = [map { [split] } split /\n/, $self->_broker('wires')];
	my $job = $self->{wire_job} = { in => '', out => '', err => '' };
	$job->{run} = IPC::Run::start([_python(), "$programs/wire.py", map { join '=', @$_ } @{ $self->{wires} }],
		'<', \$job->{in}, '>', \$job->{out}, '2>', \$job->{err});
	return $self->_tell_wires('');
}

# It answers each line when that is so.
sub _tell_wires
{
	my ($self, $what) = @_;
	my $job = $self->{wire_job};
	$job->{out} = '';
	$job->{in} .= "$what\n";
	$job->{run}->pump while $job->{run}->pumpable && $job->{out} !~ /\n/;
	croak "wire.py has ended: $job->{err}" if $job->{out} !~ /\n/;
	return;
}

# ---------------------------------------------------------------- topics

# $kafka->create_topic($name, $partitions, 'cleanup.policy' => 'compact', ...)
sub create_topic
{
	my ($self, $topic, $partitions, %config) = @_;
	return $self->ask(create_topic => topic => $topic, partitions => ($partitions // 1) + 0, config => \%config);
}

# The same with a partition on each of these brokers, which alone has it: the broker's partitions
# are without a leader while it is down.
sub create_topic_on
{
	my ($self, $topic, @brokers) = @_;
	return $self->ask(create_topic => topic => $topic, brokers => [map { $_ + 0 } @brokers]);
}

# Wait until the cluster has noticed that these partitions have no leader, or, without any, that all have one.
sub wait_for_leaderless
{
	my ($self, $topic, @partitions) = @_;
	my $wanted = join ',', sort { $a <=> $b } @partitions;
	BurrowTest::wait_until("the leaderless partitions of $topic to be ($wanted)",
		sub { return join(',', @{ $self->ask(leaderless => topic => $topic) }) eq $wanted });
	return;
}

sub delete_topic { my ($self, $topic) = @_; return $self->ask(delete_topic => topic => $topic) }

sub add_partitions
{
	my ($self, $topic, $total) = @_;
	return $self->ask(add_partitions => topic => $topic, partitions => $total + 0);
}

sub alter_topic
{
	my ($self, $topic, %config) = @_;
	return $self->ask(alter_topic => topic => $topic, config => \%config);
}

# $kafka->delete_records($topic, { 0 => 100 }): what retention does to the offsets below.
sub delete_records
{
	my ($self, $topic, $before) = @_;
	return $self->ask(delete_records => topic => $topic, before => { map { $_ => $before->{$_} + 0 } keys %$before });
}

# Forbid an operation on a topic (or another kind of resource: "group") to everybody, and allow it again.  The
# cluster needs an authorizer.  As long as there is such a rule, no other operation on the topic is
# allowed either.  Brokers hear of it a little later than this returns.
sub deny { my ($self, $name, $operation, $resource) = @_; return $self->ask(deny => resource => $resource // 'topic', name => $name, operation => $operation) }
sub allow { my ($self, $name, $operation, $resource) = @_; return $self->ask(allow => resource => $resource // 'topic', name => $name, operation => $operation) }

# ---------------------------------------------------------------- credentials

# Of a cluster with secure => 1.  Addresses: tls_bootstrap is for SASL over TLS, mutual_bootstrap for
# clients that have a certificate, whose common name is the user.
sub tls_bootstrap { my ($self) = @_; return $self->_broker('tls') =~ s/\s+$//r }
sub mutual_bootstrap { my ($self) = @_; return $self->_broker('mutual') =~ s/\s+$//r }

# Who signs the brokers' certificates and those of clients: BurrowTest::Certificates.
sub authority { return $_[0]{authority} }

sub _prepare_tls
{
	my ($self, $users) = @_;
	my $dir = "$self->{dir}/tls";
	system('mkdir', '-p', $self->{dir}) == 0 or croak "cannot make $self->{dir}";
	$self->{authority} = BurrowTest::Certificates->create($dir, 'ca');
	$self->{authority}->issue('broker', names => 'DNS:localhost,IP:127.0.0.1');
	PostgreSQL::Test::Utils::append_to_file("$dir/users", join '', map { "$_ $users->{$_}\n" } sort keys %$users);
	return;
}

# From now on the brokers show this certificate to those who connect, on both kinds of addresses.  They start again for
# it: one that was told of another file while it ran was seen to go by the old one for a minute and longer.
sub show_certificate
{
	my ($self, $certificate) = @_;
	my $shown = $self->dir . '/tls/broker.pem';
	File::Copy::copy($certificate->{file}, "$shown.new") && rename("$shown.new", $shown) or croak "cannot write $shown: $!";
	return $self->restart;
}

# From now on the brokers take clients' certificates of this authority's, and no others: they start again, as above.
sub trust
{
	my ($self, $authority) = @_;
	my $trusted = $self->dir . '/tls/ca.pem';
	File::Copy::copy($authority->file, "$trusted.new") && rename("$trusted.new", $trusted) or croak "cannot write $trusted: $!";
	return $self->restart;
}

# A user's password for SCRAM, of both kinds.
sub set_scram
{
	my ($self, $user, $password, @mechanisms) = @_;
	return $self->ask(scram => user => $user, password => $password, mechanisms => [@mechanisms ? @mechanisms : qw(SCRAM-SHA-256 SCRAM-SHA-512)]);
}

# $kafka->grant($user, 'topic' | 'group' | 'cluster', $name, 'read' | 'describe' | ...), and revoke.  The name of the cluster is
# "kafka-cluster", and "*" is all of a kind.
sub grant { my ($self, $user, $resource, $name, $operation) = @_; return $self->ask(grant => user => $user, resource => $resource, name => $name, operation => $operation) }
sub revoke { my ($self, $user, $resource, $name, $operation) = @_; return $self->ask(revoke => user => $user, resource => $resource, name => $name, operation => $operation) }

# ---------------------------------------------------------------- messages

# $kafka->produce($topic, @messages)
#
# A message is a hash of: key, value, key_base64, value_base64, headers => [[name, value], ...],
# partition, timestamp (ms), topic.  A key or value that is missing or undef is null.
# Returns for each message { partition, offset }, in the same order.
sub produce
{
	my ($self, $topic, @messages) = @_;
	_make_numbers(@messages);
	my $places = $self->ask(produce => topic => $topic, messages => \@messages);
	return map { { partition => $_->[0], offset => $_->[1] } } @$places;
}

# The same through a transactional producer; { transaction => 'begin' } (or 'commit',
# or 'abort') stand between the messages.  Nothing is begun or committed by itself.
sub produce_transactions
{
	my ($self, $topic, @messages) = @_;
	my $id = 'tx-' . ++$self->{transactional_ids};
	return $self->_produce_lines(['--topic', $topic, '--transactional-id', $id], @messages);
}

# A producer that stays: what it is given by give() is in the log when that returns.  With "transactional" among
# it may be { transaction => 'begin' } (or 'commit', or 'abort'), and a transaction stays open between two calls.
sub open_producer
{
	my ($self, $topic, %options) = @_;
	my $job = { in => '', out => '', err => '' };
	my @transactional = !$options{transactional} ? () :
		('--transactional-id', 'tx-' . ++$self->{transactional_ids}, '--property', 'transaction.timeout.ms=600000');
	$job->{run} = IPC::Run::start([$self->_producer_command('--topic', $topic, @transactional)],
		'<', \$job->{in}, '>', \$job->{out}, '2>', \$job->{err});
	$self->give($job);
	return $job;
}

# $kafka->give($producer, @messages)
sub give
{
	my ($self, $job, @messages) = @_;
	$job->{out} = '';
	$job->{in} .= _lines(@messages, { tell => JSON::PP::true });
	$job->{run}->pump while $job->{run}->pumpable && $job->{out} !~ /told/;
	croak "the producer failed: $job->{err}" if $job->{out} !~ /told/;
	return;
}

# A transaction that is open, as a producer that was given its messages, and its end, "commit" or "abort":
# $kafka->end_transaction($producer, $how, $topic)
sub open_transaction
{
	my ($self, $topic, @messages) = @_;
	my $job = $self->open_producer($topic, transactional => 1);
	$self->give($job, { transaction => 'begin' }, @messages);
	return $job;
}

# The coordinator answers before the marker is in the log: so it is waited for, by what readers of what is
# committed see.
sub end_transaction
{
	my ($self, $job, $how, $topic) = @_;
	my $before = $self->end_offsets($topic);
	$self->give($job, { transaction => $how });
	BurrowTest::wait_until("the transaction's end to be in topic $topic",
		sub { my $now = $self->end_offsets($topic); return grep { $now->{$_} != $before->{$_} } keys %$now });
	return;
}

# $kafka->produce_batches($topic, $partition, $size, @messages): the same in batches of this
# many, compressed by gzip.
sub produce_batches
{
	my ($self, $topic, $partition, $size, @messages) = @_;
	my @properties = ("batch.num.messages=$size", 'linger.ms=30000', 'compression.type=gzip');
	return $self->_produce_lines(['--topic', $topic, map { ('--property', $_) } @properties], map { { %$_, partition => $partition } } @messages);
}

# Damages the batch that begins at this offset, in the file of a broker that is stopped; returns the
# offsets of its first and last message.
sub damage_batch
{
	my ($self, $topic, $partition, $offset) = @_;
	my ($path) = glob("$self->{dir}/node-1/data/$topic-$partition/*.log");
	open(my $file, '+<:raw', $path) or croak "cannot open $path: $!";
	for (my $at = 0 ; sysseek($file, $at, 0) && sysread($file, my $header, 27) == 27 ;)
	{
		my ($first, $length, undef, undef, undef, $attributes, $last) = unpack('q> N N C N n N', $header);
		if ($first == $offset)
		{
			# the beginning of the records: no decompression is begun
			sysseek($file, $at + 61, 0);
			syswrite($file, "\xff" x 8) == 8 or croak "cannot write to $path: $!";
			close($file) or croak "cannot close $path: $!";
			return [$first, $first + $last];
		}
		$at += 12 + $length;
	}
	croak "no batch of $topic-$partition begins at offset $offset";
}

# Changes a value, which is not compressed, into another of the same length, in the file of a broker that is stopped.
sub damage_value
{
	my ($self, $topic, $partition, $value, $other) = @_;
	my ($path) = glob("$self->{dir}/node-1/data/$topic-$partition/*.log");
	my $log = PostgreSQL::Test::Utils::slurp_file($path);
	my $at = index($log, $value);
	croak "$value is not in $path, or $other is of another length" if $at < 0 || length $value != length $other;
	open(my $file, '+<:raw', $path) or croak "cannot open $path: $!";
	sysseek($file, $at, 0);
	syswrite($file, $other) == length $other or croak "cannot write to $path: $!";
	close($file) or croak "cannot close $path: $!";
	return;
}

sub _produce_lines
{
	my ($self, $args, @messages) = @_;
	my $out = _run([$self->_producer_command(@$args)], _lines(@messages));
	return map { $json->decode($_) } split /\n/, $out;
}

sub _lines
{
	my (@messages) = @_;
	_make_numbers(@messages);
	return join '', map { $json->encode($_) . "\n" } @messages;
}

# Numbers have to be numbers in JSON.
sub _make_numbers
{
	my (@messages) = @_;
	for my $message (@messages)
	{
		$_ += 0 foreach grep { defined } @$message{ grep { exists $message->{$_} } qw(partition timestamp) };
	}
	return;
}

# $kafka->produce_many($topic, count => N, keys => K, size => S, first => I, partition => P, rate => R)
#
# N messages made by the producer, always the same ones: message i has the key
# "key-<i mod K>" (none with keys => 0) and the value {"n": i, "key": <i mod K>, "seq": <i div K>},
# filled up to S bytes.  "transactional_id" puts them into one transaction.
sub produce_many
{
	my ($self, $topic, %options) = @_;
	if (defined $options{transactional_id} || defined $options{rate})
	{
		_run([$self->_many_command($topic, %options)], '');
		return;
	}
	$self->ask(produce_many => topic => $topic, map { defined $options{$_} ? ($_ => $options{$_} + 0) : () } keys %options);
	return;
}

# The same in the background; returns a handle for finish_producing.
sub start_producing
{
	my ($self, $topic, %options) = @_;
	my $job = { out => '', err => '' };
	$job->{run} = IPC::Run::start([$self->_many_command($topic, %options)], '<', \undef, '>', \$job->{out}, '2>', \$job->{err});
	return $job;
}

# Wait for the producer in the background to have sent everything.
sub finish_producing
{
	my ($self, $job) = @_;
	$job->{run}->finish or croak "the producer failed: $job->{err}";
	return;
}

# Have it send no more, and wait for what it has sent to be in the log; returns how many messages that are.
sub stop_producing
{
	my ($self, $job) = @_;
	$job->{run}->signal('TERM');
	$self->finish_producing($job);
	return $json->decode($job->{out})->{produced};
}

sub _many_command
{
	my ($self, $topic, %options) = @_;
	my @args = ('--topic', $topic);
	for my $name (sort keys %options)
	{
		next unless defined $options{$name};
		push @args, '--' . ($name =~ tr/_/-/r), $options{$name};
	}
	return $self->_producer_command(@args);
}

sub _producer_command
{
	my ($self, @args) = @_;
	return (_python(), "$programs/producer.py", '--bootstrap', $self->{bootstrap}, @args);
}

# All messages of a topic as it is now, in order: hashes of partition, offset, timestamp,
# key, value, headers => [[name, value], ...].  Bytes that are no UTF-8 come as { base64 => ... }.
sub read_topic
{
	my ($self, $topic) = @_;
	return @{ $self->ask(read => topic => $topic) };
}

# The same of a topic that start_producing() has filled, into a file for COPY, as many as they may
# be: lines of partition, offset, key, seq.  Returns their number.
sub dump_topic
{
	my ($self, $topic, $file) = @_;
	return $self->ask(dump => topic => $topic, file => $file);
}

# ---------------------------------------------------------------- offsets and groups

# { partition => offset } that comes next, after the last message.
sub end_offsets { my ($self, $topic) = @_; return $self->ask(end_offsets => topic => $topic) }
sub begin_offsets { my ($self, $topic) = @_; return $self->ask(begin_offsets => topic => $topic) }

# { partition => offset } that the group committed, without partitions that have none.
sub committed
{
	my ($self, $group, $topic) = @_;
	my $answer = $self->ask(committed => group => $group, topic => $topic);
	return { map { $_ => $answer->{$_}[0] } keys %$answer };
}

# { partition => metadata } of those commits.
sub committed_metadata
{
	my ($self, $group, $topic) = @_;
	my $answer = $self->ask(committed => group => $group, topic => $topic);
	return { map { $_ => $answer->{$_}[1] } keys %$answer };
}

# Set a group's offsets, as an administrator does, or, with metadata, as another member
# would have; only while it has no members.
sub commit
{
	my ($self, $group, $topic, $offsets, $metadata) = @_;
	return $self->ask(commit => group => $group, topic => $topic, offsets => { map { $_ => $offsets->{$_} + 0 } keys %$offsets },
		defined $metadata ? (metadata => $metadata) : ());
}

# The same by Kafka's own program.
sub reset_by_kafka
{
	my ($self, $group, $topic, $offset) = @_;
	return $self->_group_command('--group', $group, '--topic', $topic, '--reset-offsets', '--to-offset', $offset, '--execute');
}

sub delete_group { my ($self, $group) = @_; return $self->ask(delete_group => group => $group) }

# { state => 'STABLE', assignor => ..., members => [{ member_id, instance_id, client_id, host, partitions => [[topic, n], ...] }] }
sub group { my ($self, $group) = @_; return $self->ask(group => group => $group) }

sub group_members { my ($self, $group) = @_; return @{ $self->group($group)->{members} } }

# Messages that the group has not committed, over all partitions of the topic.
sub lag
{
	my ($self, $group, $topic) = @_;
	return $self->ask(lag => group => $group, topic => $topic);
}

# A second member of a group, an ordinary client (member.py); with consume => 1 one that reads
# its partitions' messages and commits what it has read when it gives them back.  session_ms => N is its session's time-out.
sub join_group
{
	my ($self, $group, $topic, %options) = @_;
	my $member = { in => '', out => '', err => '' };
	$member->{run} = IPC::Run::start(
		[_python(), "$programs/member.py", '--bootstrap', $self->{bootstrap}, '--group', $group, '--topic', $topic,
			$options{consume} ? '--consume' : (), defined $options{session_ms} ? ('--session-ms', $options{session_ms}) : ()],
		'<', \$member->{in}, '>', \$member->{out}, '2>', \$member->{err});
	push @{ $self->{members} }, $member;
	return $member;
}

# The partitions that it has now, after its last rebalance; undef: it never had any.
sub partitions_of
{
	my ($self, $member) = @_;
	# what was written is there when the pipe is no longer pumpable, too
	$member->{run}->pump_nb if $member->{run}->pumpable;
	my ($last) = $member->{out} =~ /.*^(\{"(?:assigned|revoked|lost)": .*?\})$/ms;
	croak "the member has ended: $member->{err}" if !$member->{run}->pumpable;
	return undef if !defined $last;
	return $json->decode($last)->{assigned} // [];
}

sub wait_until_assigned
{
	my ($self, $member, %options) = @_;
	my $partitions;
	BurrowTest::wait_until('the second member to be assigned partitions',
		sub { $partitions = $self->partitions_of($member); return $partitions && @$partitions }, %options);
	return $partitions;
}

# It leaves the group; returns [partition, offset] of all that it has read.
sub leave_group
{
	my ($self, $member) = @_;
   # not the end of its input: a server that was started meanwhile holds it open
	$member->{in} .= "leave\n";
	$member->{run}->finish or croak "the member failed: $member->{err}";
	@{ $self->{members} } = grep { $_ != $member } @{ $self->{members} };
	return map { /^\{"read": (.*)\}$/ ? $json->decode($1) : () } split /\n/, $member->{out};
}

# Wait until the group has committed everything that is in the topic.
sub wait_until_committed
{
	my ($self, $group, $topic, %options) = @_;
	my $lag;
	BurrowTest::wait_until(
		"group $group to have committed all of topic $topic",
		sub { $lag = $self->lag($group, $topic); return $lag == 0 },
		%options,
		diagnose => sub { return "lag $lag; " . $json->encode($self->committed($group, $topic)) . ($options{diagnose} ? "\n" . $options{diagnose}->() : '') });
	return;
}

# The same two questions put to Kafka's own programs.  A JVM starts for each:
# for the checks that count, not for waiting.
sub end_offsets_by_kafka
{
	my ($self, $topic) = @_;
	my $out = $self->tool('org.apache.kafka.tools.GetOffsetShell', '--bootstrap-server', $self->{bootstrap}, '--topic', $topic);
	return { map { /^\Q$topic\E:(\d+):(\d+)$/ ? ($1 => $2 + 0) : () } split /\n/, $out };
}

sub committed_by_kafka
{
	my ($self, $group, $topic) = @_;
	my $out = $self->_group_command('--describe', '--offsets', '--group', $group);
	my %committed;
	for my $line (split /\n/, $out)
	{
		my ($its_group, $its_topic, $partition, $offset) = split ' ', $line;
		next unless defined $offset && $its_group eq $group && $its_topic eq $topic && $offset =~ /^\d+$/;
		$committed{$partition} = $offset + 0;
	}
	return \%committed;
}

# Kafka's program for groups.  It gives up after 5 s, if not told otherwise, and is content with that.
sub _group_command
{
	my ($self, @args) = @_;
	my $out = $self->tool('org.apache.kafka.tools.consumer.group.ConsumerGroupCommand',
		'--bootstrap-server', $self->{bootstrap}, '--timeout', 60_000, @args);
	croak "Kafka's program says: $out" if $out =~ /^Error: /m;
	return $out;
}

# Run one of Kafka's own programs and return what it prints.
sub tool
{
	my ($self, $program, @args) = @_;
	local $ENV{BURROW_KAFKA} = $self->{jars};
	return _run(["$programs/run_broker", 'tool', $self->{dir}, $program, @args], '');
}

# ---------------------------------------------------------------- the rest

# Put one request to admin.py, which stays for as long as the test.
sub ask
{
	my ($self, $what, %args) = @_;
	my $admin = $self->{admin} //= $self->_start_admin;
	$admin->{in} .= $json->encode({ do => $what, %args }) . "\n";
	my $deadline = Time::HiRes::time() + 120;
	my $pause = 0.002;
	my $end;
	while (($end = index($admin->{out}, "\n")) < 0)
	{
		$admin->{run}->pump_nb;
		Time::HiRes::sleep($pause);
		$pause *= 1.1 if $pause < 0.02;
		croak "admin.py has ended: $admin->{err}" if !$admin->{run}->pumpable;
		croak "admin.py gave no answer to $what: $admin->{err}" if Time::HiRes::time() > $deadline;
	}
	my $answer = $json->decode(substr($admin->{out}, 0, $end + 1, ''));
	croak "Kafka, asked for $what: $answer->{error}" if defined $answer->{error};
	return $answer->{result};
}

sub _start_admin
{
	my ($self) = @_;
	my $admin = { in => '', out => '', err => '' };
	$admin->{run} = IPC::Run::start([_python(), "$programs/admin.py", '--bootstrap', $self->{bootstrap}],
		'<', \$admin->{in}, '>', \$admin->{out}, '2>', \$admin->{err});
	return $admin;
}

sub _run
{
	my ($command, $in) = @_;
	my ($out, $err) = ('', '');
	IPC::Run::run($command, '<', \$in, '>', \$out, '2>', \$err) or croak "@$command[0 .. 1] failed: $out$err";
	return $out;
}

END
{
	my $status = $?;
	for my $self (grep { $_->{owner} == $$ } @all)
	{
		$self->{admin}{run}->kill_kill if $self->{admin};
		$_->{run}->kill_kill foreach @{ $self->{members} // [] }, $self->{wire_job} // ();
		eval { $self->_broker('kill') };
		system('rm', '-rf', "$self->{dir}/node-$_/data") foreach 1 .. $self->{brokers};
	}
	$? = $status;
}

1;
