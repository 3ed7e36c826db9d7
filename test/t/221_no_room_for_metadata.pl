# A broker that takes no metadata with commits, not even what tells whose they are: offsets are committed without, which is
# said once; and what a start goes on with is neither missing nor, exactly once, handled twice.

use BurrowTest;

my $kafka = BurrowTest::Kafka->create('kafka', config => { 'offset.metadata.max.bytes' => 10 });
my $node = BurrowTest::Node->create('main', kafka => $kafka, gate => 1);
$node->sql(<<'SQL');
CREATE TABLE got (topic text, "offset" bigint);
CREATE FUNCTION keep(topic text, "offset" bigint) RETURNS void LANGUAGE sql AS 'INSERT INTO got VALUES ($1, $2)';
SQL

my %sent;
sub produce { my ($topic, $count) = @_; $kafka->produce_many($topic, count => $count, keys => 5, first => $sent{$topic} // 0); $sent{$topic} += $count; return }
sub wait_for_all { my ($topic) = @_; return $node->wait_for("all of $topic", "SELECT count(DISTINCT \"offset\") = $sent{$topic} FROM got WHERE topic = '$topic'") }
sub wait_until_committed { my ($topic) = @_; return $kafka->wait_until_committed($node->group_of($topic), $topic, diagnose => sub { $node->diagnostics }) }

sub pause
{
	my ($topic) = @_;
	$node->sql("SELECT burrow.pause('$topic')");
	$node->wait_for_state($topic, 'paused');
	wait_until("the group of $topic to be empty", sub { return !$kafka->group_members($node->group_of($topic)) });
	return;
}

for my $delivery (qw(exactly_once at_least_once))
{
	my $topic = $delivery =~ tr/_/-/r;
	my $position = $node->log_position;
	$kafka->create_topic($topic, 1);
	produce($topic, 20);
	$node->sql("SELECT burrow.subscribe('$topic', 'keep', delivery => '$delivery', workers => 2, commit_interval => '100 ms')");
	wait_until_committed($topic);
	is($kafka->committed_metadata($node->group_of($topic), $topic)->{0}, '', "$topic: offsets are committed without metadata");
	is($node->sql("SELECT state FROM burrow.subscriptions WHERE subscription = '$topic'"), 'running', 'and it runs');
	is($node->sql("SELECT commits_failed FROM burrow.stats WHERE subscription = '$topic'"), 1, 'one commit has failed');

	# Kafka is behind: a commit an hour
	$node->sql("SELECT burrow.alter('$topic', commit_interval => '1 h', commit_batch_size => 1000000)");
	produce($topic, 10);
	wait_for_all($topic);
	$node->crash;
	$node->start;
	produce($topic, 10);
	wait_for_all($topic);
	is($node->sql("SELECT state FROM burrow.subscriptions WHERE subscription = '$topic'"), 'running', "$topic: after a crash it goes on");
	is($node->sql("SELECT count(*) FROM got WHERE topic = '$topic'"), 40, 'and each message was handled once') if $delivery eq 'exactly_once';

	# Kafka is ahead: the database was restored
	pause($topic);
	is($kafka->committed($node->group_of($topic), $topic)->{0}, 40, "$topic: a pause commits what is done");
	$node->sql(q{DELETE FROM burrow.progress WHERE lane >= 0; UPDATE burrow.progress SET low = 32, done = '' WHERE topic = '} . $topic . q{'});
	$node->sql("DELETE FROM got WHERE topic = '$topic' AND \"offset\" >= 32");
	$node->sql("SELECT burrow.resume('$topic')");
	wait_for_all($topic);
	is($node->sql("SELECT count(*) FROM got WHERE topic = '$topic' AND \"offset\" >= 32"), 8, "$topic: a restored database goes on where its data is");

	# Kafka has forgotten the group
	pause($topic);
	$kafka->delete_group($node->group_of($topic));
	produce($topic, 10);
	$node->sql("SELECT burrow.resume('$topic')");
	wait_for_all($topic);
	$node->sql("SELECT burrow.seek('$topic', '$topic', 0, 45)");
	$node->wait_for("$topic: the end again", "SELECT count(*) >= 2 FROM got WHERE topic = '$topic' AND \"offset\" = 49");
	is($node->sql("SELECT count(*) FROM got WHERE topic = '$topic' AND \"offset\" >= 44"), 11, "$topic: burrow.seek() moves it");

	my @said = $node->log_since($position) =~ /subscription "$topic" commits without metadata from now on/g;
	is(scalar @said, 1, "$topic: it was said once");
	unlike($node->log_since($position), qr/could not commit offsets.*\n(?s:.*)could not commit offsets/, 'nor was there more trouble');
	$node->sql("SELECT burrow.unsubscribe('$topic')");
}

# ---- that Kafka takes none cannot be kept: somebody has locked the table, between the first contact and the first commit
$kafka->create_topic('locked', 1);
produce('locked', 5);
$node->close_gate;
$node->sql(q{SELECT burrow.subscribe('locked', 'keep', commit_interval => '100 ms')});
$node->wait_at_gate;
my $holder = $node->background_psql('postgres');
$holder->query_safe('BEGIN; LOCK TABLE burrow.subscription IN SHARE MODE');
my ($pid) = $holder->query_safe('SELECT pg_backend_pid()') =~ /(\d+)/;
$node->open_gate;
$node->wait_for('why_stuck() to say so', "SELECT count(*) = 1 FROM burrow.why_stuck('locked') WHERE cause = 'process $pid has locked the table burrow.subscription' AND error LIKE 'could not keep that Kafka takes no metadata: %' AND pid = $pid");
$holder->query_safe('COMMIT');
$holder->quit;
wait_for_all('locked');
wait_until_committed('locked');
$node->wait_for('nothing to hold it up', q{SELECT count(*) = 0 FROM burrow.why_stuck('locked')});
$node->sql(q{SELECT burrow.unsubscribe('locked')});

# ---- when the broker's limit is raised, the next start finds that out
$kafka->create_topic('raised', 1);
produce('raised', 20);
$node->sql(q{SELECT burrow.subscribe('raised', 'keep', commit_interval => '100 ms')});
wait_until_committed('raised');
is($kafka->committed_metadata($node->group_of('raised'), 'raised')->{0}, '', 'a commit without metadata');
pause('raised');
my $properties = $kafka->dir . '/node-1/server.properties';
open(my $file, '>>', $properties) or die "$properties: $!";
print $file "offset.metadata.max.bytes=4096\n" or die $!;
close $file or die $!;
$kafka->restart;
$node->sql(q{SELECT burrow.resume('raised')});
produce('raised', 20);
wait_until_committed('raised');
like($kafka->committed_metadata($node->group_of('raised'), 'raised')->{0}, qr{^burrow/1 }, 'then commits have metadata again');
is($node->sql(q{SELECT count(*), count(DISTINCT "offset") FROM got WHERE topic = 'raised'}), '40|40', 'and each message was handled once');

$node->stop;
done_testing();
