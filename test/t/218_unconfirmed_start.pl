# Nothing that no standby has confirmed is told to Kafka, a restart between or not.  The rows that a new
# consumer reads may hold messages beyond offsets that are never delivered: here those of a transaction that
# was aborted, with its marker.  The standby that is asked for is not there.

use BurrowTest;

my $kafka = BurrowTest::Kafka->create('kafka');
my $node = BurrowTest::Node->create('main', kafka => $kafka, init => [allows_streaming => 1]);
$node->sql(<<'SQL');
CREATE TABLE got (topic text, "offset" bigint);
CREATE FUNCTION keep(topic text, "offset" bigint) RETURNS void LANGUAGE sql AS 'INSERT INTO got VALUES ($1, $2)';
SQL

# this test's own sessions do not wait for the standby
sub change { my ($sql) = @_; return $node->sql("SET synchronous_commit = local; $sql") }

sub message { my ($topic) = @_; $kafka->produce($topic, { key => 'a', value => '1' }); return }

# offsets that are never delivered: a message, and the marker
sub hole { my ($topic) = @_; $kafka->produce_transactions($topic, { transaction => 'begin' }, { key => 'a', value => '1' }, { transaction => 'abort' }); return }

sub wait_for_handled
{
	my ($topic, $expected) = @_;
	return $node->wait_for("$topic: $expected to be handled",
		qq{SELECT coalesce(string_agg("offset"::text, ',' ORDER BY "offset"), '') = '$expected' FROM got WHERE topic = '$topic'});
}

sub is_committed
{
	my ($topic, $expected, $description) = @_;
	is($kafka->committed($node->group_of($topic), $topic)->{0}, $expected, "$topic: $description");
	return;
}

# A pause ends with the last commit that may be made.
sub pause
{
	my ($topic) = @_;
	change("SELECT burrow.pause('$topic')");
	return $node->wait_for_state($topic, 'paused');
}

sub resume
{
	my ($topic) = @_;
	change("SELECT burrow.resume('$topic')");
	return $node->wait_for_state($topic, 'running');
}

sub pause_and_resume { my ($topic) = @_; pause($topic); resume($topic); return }

# "hole": what is done lies beyond a hole.  "end": nothing is done, and the partition ends with a hole.  "ahead":
# what is done lies where Kafka stands, and beyond a hole.
my @topics = qw(hole end ahead);
for my $topic (@topics)
{
	$kafka->create_topic($topic, 1);
	message($topic);
	change("SELECT burrow.subscribe('$topic', 'keep', workers => 2, commit_interval => '100 ms')");
	$kafka->wait_until_committed($node->group_of($topic), $topic, diagnose => sub { $node->diagnostics });
	is_committed($topic, 1, 'no standby is asked for, and all is committed');
}

$node->append_conf('postgresql.conf', "synchronous_standby_names = 'nobody'\n");
$node->reload;
$node->wait_for('the server to ask for a standby', q{SELECT current_setting('synchronous_standby_names') = 'nobody'});

# what comes is read at one go: the end of the partition is not seen between
pause($_) foreach @topics;
my %handled = (hole => '0,3', end => '0,1', ahead => '0,1,4');
message($_) foreach qw(end ahead);
hole($_) foreach @topics;
message($_) foreach qw(hole ahead);
resume($_) foreach @topics;
foreach my $topic (@topics)
{
	wait_for_handled($topic, $handled{$topic});
	is_committed($topic, 1, 'the standby is not there, and nothing more is committed');
}

$node->stop('fast');
$node->start;
foreach my $topic (@topics)
{
	$node->wait_for_state($topic, 'running');
	is_committed($topic, 1, 'after a restart the same');
	pause_and_resume($topic);
	is_committed($topic, 1, 'and after a pause');
	message($topic);
	wait_for_handled($topic, $handled{$topic} .= ',' . ($topic eq 'ahead' ? 5 : 4));
	pause_and_resume($topic);
	is_committed($topic, 1, 'and after another message');
}

$node->crash;
$node->start;
foreach my $topic (@topics)
{
	$node->wait_for_state($topic, 'running');
	is_committed($topic, 1, 'after a crash the same');
	pause_and_resume($topic);
	is_committed($topic, 1, 'and after a pause');
}

$node->append_conf('postgresql.conf', "synchronous_standby_names = ''\n");
$node->reload;
foreach my $topic (@topics)
{
	$kafka->wait_until_committed($node->group_of($topic), $topic, diagnose => sub { $node->diagnostics });
	is($node->sql(qq{SELECT string_agg("offset"::text, ',' ORDER BY "offset") FROM got WHERE topic = '$topic'}), $handled{$topic},
		"$topic: when no standby is asked for any more, Kafka's offset follows, and each message was handled once");
}

$node->stop;
done_testing();
