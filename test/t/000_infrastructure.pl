# The tests' own tools: the broker, the independent client, Kafka's programs and
# a server; Burrow has no part in this one.  When this fails, others mean nothing.

use BurrowTest;

my $kafka = BurrowTest::Kafka->create('kafka');
like($kafka->bootstrap, qr/^127\.0\.0\.1:\d+$/, 'a broker is up');

$kafka->create_topic('plain', 3);
is_deeply($kafka->end_offsets('plain'), { 0 => 0, 1 => 0, 2 => 0 }, 'an empty topic');

my @sent = $kafka->produce('plain',
	{ key => 'a', value => 'one', partition => 1, timestamp => 1700000000123, headers => [['h', 'x'], ['n', undef]] },
	{ key => 'a', value => undef, partition => 1 },
	{ value_base64 => 'AP8=', partition => 2 });
is_deeply(
	\@sent,
	[{ partition => 1, offset => 0 }, { partition => 1, offset => 1 }, { partition => 2, offset => 0 }],
	'the producer says where each message went');

my @read = $kafka->read_topic('plain');
is_deeply(
	$read[0],
	{ partition => 1, offset => 0, timestamp => 1700000000123, key => 'a', value => 'one', headers => [['h', 'x'], ['n', undef]] },
	'key, value, headers and timestamp arrive');
is_deeply([@{ $read[1] }{qw(key value)}], ['a', undef], 'a tombstone');
is_deeply([@{ $read[2] }{qw(key value)}], [undef, { base64 => 'AP8=' }], 'no key, and a value that is no text');

$kafka->create_topic('many', 2);
$kafka->produce_many('many', count => 1000, keys => 10, size => 100);
my $end = $kafka->end_offsets('many');
is($end->{0} + $end->{1}, 1000, 'made messages are there');
is_deeply($kafka->end_offsets_by_kafka('many'), $end, 'the client and Kafka agree on the end offsets');
my @of_key = grep { $_->{key} eq 'key-7' } $kafka->read_topic('many');
is_deeply([map { $_->{value} =~ /"seq": (\d+)/ } @of_key], [0 .. 99], 'a key\'s messages are in order');
is(length $of_key[0]{value}, 100, 'and of the size that was asked for');

$kafka->create_topic('transactions', 1);
$kafka->produce_transactions('transactions',
	{ transaction => 'begin' }, { value => 'dropped' }, { transaction => 'abort' },
	{ transaction => 'begin' }, { value => 'kept' }, { transaction => 'commit' });
is_deeply([map { $_->{value} } $kafka->read_topic('transactions')], ['kept'], 'an aborted message is not read');
is_deeply($kafka->end_offsets('transactions'), { 0 => 4 }, 'but has its place, as the markers have');

is_deeply($kafka->committed('group', 'many'), {}, 'a group that never committed');
$kafka->commit('group', 'many', { 0 => 5 });
is_deeply($kafka->committed('group', 'many'), { 0 => 5 }, 'a committed offset');
is_deeply($kafka->committed_by_kafka('group', 'many'), { 0 => 5 }, 'as Kafka\'s own program sees it');
is($kafka->lag('group', 'many'), 995, 'and the lag');
is_deeply([$kafka->group_members('group')], [], 'a group without members');

$kafka->delete_records('many', { 0 => 10 });
is($kafka->begin_offsets('many')->{0}, 10, 'records can be deleted');

my $bootstrap = $kafka->bootstrap;
$kafka->kill;
$kafka->start;
is_deeply($kafka->end_offsets('many'), $end, 'a killed broker comes back on its port with its data');

my $node = BurrowTest::Node->create('plain', kafka => undef, preload => 0, extension => 0);
is($node->sql('SELECT 1'), '1', 'a server is up');
is($node->sql('SHOW server_encoding'), 'UTF8', 'in UTF-8');
ok($node->wait_for('something true', 'SELECT true'), 'wait_for');
eval { wait_until('something false', sub { 0 }, timeout => 0) };
like($@, qr/waited 0 s in vain for something false/, 'a wait that is in vain names what it waited for');
like($node->sql_error('SELECT 1/0'), qr/22012: division by zero/, 'sql_error');

$node->sql('CREATE TABLE kept AS SELECT 1 AS n');
my $postmaster = $node->postmaster_pid;
$node->crash;
ok(!is_running($postmaster), 'a crashed server is gone');
$node->start;
is($node->sql('SELECT n FROM kept'), '1', 'and starts again');
$node->stop;

done_testing();
