# Whatever becomes a regular expression is parsed by Burrow first, wherever a role can give one: what is not in the subset
# that is matched in bounded time is refused, with the place and what is allowed.  What is inside the subset, and that it means what
# the C library says, is shown by test/unit/test_topic_pattern.py.

use BurrowTest;
use Time::HiRes qw(time);

# no broker is needed
my $node = BurrowTest::Node->create('main', conf => "burrow.bootstrap_servers = 'localhost:1'");
$node->sql(<<'SQL');
CREATE ROLE app LOGIN;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA burrow TO app;
CREATE FUNCTION h(value text) RETURNS void LANGUAGE sql AS 'SELECT';
SQL
sub as { return $node->answer_to('app', $_[0]) }
is(as(q{SELECT burrow.subscribe('^(a|b)[.].*$', 'h', 'patterns', enabled => false)}), 'patterns', 'one that is allowed');

my %expressions = (
	'^((((((a))))))' => 'At character 7 of the regular expression: groups are too deep within each other\.',
	'^(a*)*' => 'At character 6 of the regular expression: what is repeated must have no \*, \+ or \? in it\.',
	'^a{2}' => 'At character 3 of the regular expression: there is no counted repetition\.',
	'^(a)\1' => 'At character 5 of the regular expression: a backslash stands only before one of .*',
	'^' . 'a' x 300 => 'At character 250 of the regular expression: it is longer than 249 characters\.',
);
my $call = sub { my ($text) = @_; return "'$text'" };
my $json = sub { my ($text) = @_; return sprintf q('{"topic.blacklist": "%s"}'), $text =~ s/\\/\\\\/gr };
foreach my $expression (sort keys %expressions)
{
	my $detail = $expressions{$expression};
	my $topic = qr/ERROR:  22023: invalid value for option "topic": .*\nDETAIL:  $detail\nHINT:  /;
	my $blacklist = qr/ERROR:  22023: invalid value for Kafka property "topic\.blacklist": .*\nDETAIL:  $detail\nHINT:  /;
	my $began = time;
	like(as('SELECT burrow.subscribe(' . $call->($expression) . q{, 'h', 'x', enabled => false)}), $topic, 'subscribe: ' . substr($expression, 0, 20));
	like(as(q{SELECT burrow.alter('patterns', topic => } . $call->($expression) . ')'), $topic, '... alter');
	like(as('SELECT * FROM burrow.peek(' . $call->($expression) . ')'), $topic, '... peek');
	like(as(q{SELECT burrow.subscribe('t', 'h', 'x', enabled => false, kafka => } . $json->($expression) . ')'), $blacklist, '... topic.blacklist');
	like(as(q{SELECT burrow.alter('patterns', kafka => } . $json->($expression) . ')'), $blacklist, '... and of alter');
	cmp_ok(time - $began, '<', 10 * BurrowTest::slow_by(), '... in no time');
}
is($node->sql('SELECT topic FROM burrow.subscriptions'), '^(a|b)[.].*$', 'nothing has changed');

# ---- what matches in a backend: seek's topic, and the topic of dead letters

is(as(q{SELECT burrow.seek('patterns', 'b.orders', 0, 0)}), '', 'a topic that matches');
like(as(q{SELECT burrow.seek('patterns', 'c.orders', 0, 0)}), qr/ERROR:  22023: subscription "patterns" does not consume topic "c\.orders"\nDETAIL:  It consumes the topics that match/, 'one that does not');
like(as(q{SELECT burrow.alter('patterns', on_failure => 'dead_letter', dead_letter_topic => 'a.dead')}), qr/ERROR:  22023: invalid value for option "dead_letter_topic": "a\.dead"/, 'nor do dead letters come back');
is(as(q{SELECT burrow.alter('patterns', topic => '^' || repeat('a?', 100) || repeat('a', 40), on_failure => 'halt', dead_letter_topic => '')}), '', 'one that is slow to match by trying');
my $began = time;
like(as(q{SELECT burrow.seek('patterns', repeat('a', 39) || repeat('b', 200), 0, 0)}), qr/does not consume topic/, '... with a name that nearly matches');
cmp_ok(time - $began, '<', 5 * BurrowTest::slow_by(), '... in no time');

$node->stop;
done_testing();
