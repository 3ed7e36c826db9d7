# The page for people, in a real browser: it says what burrow.stats says, shows no contents, and can be used
# without a mouse, on a telephone, in the dark, and without JavaScript.
#
# BURROW_TEST_PICTURES names a folder for pictures of it after some minutes: docs/status-page.png is one, and docs/dashboard.png is the
# example's dashboard in the same run.  With it, no more than that is tested.

use BurrowTest;
use BurrowTest::Browser;
use BurrowTest::Dashboard;
use BurrowTest::Prometheus;
use HTTP::Tiny;
use JSON::PP qw(decode_json);

my $kafka = BurrowTest::Kafka->create('kafka');
my $port = PostgreSQL::Test::Cluster::get_free_port();
my $node = BurrowTest::Node->create('main', kafka => $kafka, conf => "burrow.metrics_listen = '127.0.0.1:$port'");
my $url = "http://127.0.0.1:$port/";

#
# A message that is stuck, a subscription that has halted, dead letters, a retry that is far away.
#
$node->sql(<<'SQL');
CREATE TABLE got (value jsonb);
CREATE FUNCTION keep(value jsonb) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	IF value->>'n' = '3' THEN
		PERFORM pg_advisory_xact_lock_shared(1);
	END IF;
	INSERT INTO got VALUES (value);
END $$;
CREATE FUNCTION pass(key text) RETURNS void LANGUAGE sql RETURN NULL;
CREATE FUNCTION keep_none(key text) RETURNS void LANGUAGE sql RETURN NULL;
CREATE FUNCTION wait(value jsonb) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	IF value->>'n' = '7' THEN
		RAISE EXCEPTION 'the secret is 7' USING ERRCODE = '40001';
	END IF;
END $$;
CREATE FUNCTION refuse(value jsonb) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	IF (value->>'n')::int % 20 = 0 THEN
		RAISE EXCEPTION 'the secret is %', value->>'n' USING ERRCODE = '23514';
	END IF;
END $$;
SQL
my $holder = $node->background_psql('postgres');
$holder->query_safe('SELECT pg_advisory_lock(1)');
foreach my $topic (qw(orders payments mails clicks))
{
	$kafka->create_topic($topic, 2);
	$kafka->produce_many($topic, count => 2000, keys => 10);
}
$node->sql(q{SELECT burrow.subscribe('orders', 'keep', workers => 2, commit_interval => '100 ms')});
$node->sql(q{SELECT burrow.subscribe('payments', 'refuse', workers => 1, on_failure => 'halt')});
$node->sql(q{SELECT burrow.subscribe('mails', 'refuse', workers => 2, on_failure => 'dead_letter', max_consecutive_errors => 1000)});
$node->sql(q{SELECT burrow.subscribe('clicks', 'wait', workers => 1, retry_backoff => '1 h', retry_backoff_max => '1 h')});
$node->wait_for_state('payments', 'halted');
$node->wait_for('the dead letters', q{SELECT count(*) = 100 FROM burrow.dead_letters WHERE subscription = 'mails'});
$node->wait_for('all but the messages of one key', 'SELECT count(*) = 1800 FROM got');
$node->wait_for('all but what waits for its retry', q{SELECT messages_processed = 1800 AND messages_failed = 1 FROM burrow.stats WHERE subscription = 'clicks'});
$node->wait_for('the dead letters to be committed', q{SELECT lag = 0 FROM burrow.stats WHERE subscription = 'mails'});

my $browser = BurrowTest::Browser->open;

# All tables: id => [{ column => text }]
sub tables
{
	return $browser->run(<<'JS');
const tables = {};
for (const table of document.querySelectorAll("table")) {
	const columns = Array.from(table.querySelectorAll("thead th"), (cell) => cell.textContent);
	tables[table.id] = Array.from(table.querySelectorAll("tbody tr"), (row) =>
		Object.fromEntries(Array.from(row.cells, (cell, i) => [columns[i], cell.textContent])));
}
return tables;
JS
}

# A page that was out of sight is refreshed at once.
sub refresh { $browser->run('document.dispatchEvent(new Event("visibilitychange"))'); return 1 }

#
# What it says is what the views say.
#
my $of_views = <<'SQL';
SELECT json_build_object(
	'subscriptions', (SELECT json_object_agg(subscription, json_build_array(u.state, coalesce(t.lag::text, ''), coalesce(pending::text, '0'),
			format('%s, %s busy', t.workers, workers_active), messages_processed::text) ORDER BY subscription)
		FROM burrow.stats t JOIN burrow.subscriptions u USING (subscription)
			LEFT JOIN (SELECT subscription, sum(inflight) AS pending FROM burrow.partitions GROUP BY 1) p USING (subscription)),
	'errors', (SELECT json_object_agg(subscription, json_build_array(messages_dead_lettered::text, messages_parked::text, messages_skipped::text,
			messages_failed::text)) FROM burrow.stats JOIN burrow.subscriptions u USING (subscription) WHERE messages_failed > 0 OR u.last_error IS NOT NULL),
	'partitions', (SELECT json_object_agg(topic || ' ' || partition, json_build_array(subscription, oldest_pending::text, inflight::text, processed::text,
			committed::text, end_offset::text, lag::text)) FROM burrow.partitions),
	'workers', (SELECT json_object_agg(pid, json_build_array(subscription, worker::text, state,
			topic || format(' %s offset %s', partition, "offset"), messages_processed::text, messages_failed::text)) FROM burrow.workers))
SQL
sub of_page
{
	my ($t) = @_;
	my $plain = sub { return $_[0] =~ tr/,//dr };
	my $name = sub { return $_[0]->{Subscription} =~ s/ in postgres$//r };
	my $offset = sub { return $_[0] eq '' ? undef : $_[0] };
	return {
		subscriptions => { map { $name->($_) => [$_->{State} =~ /^([a-z]+)/, $plain->($_->{Lag} =~ s/ .*//r), $plain->($_->{Pending}), $_->{Workers}, $plain->($_->{Handled})] } @{ $t->{subscriptions} } },
		errors => { map { $name->($_) => [map({ $plain->($_) } @$_{ 'Became dead letters', 'Parked', 'Skipped', 'Failed attempts' })] } @{ $t->{errors} } },
		partitions => { map { $_->{Partition} => [$name->($_), $offset->($_->{'Oldest offset'}), map({ $plain->($_) } @$_{qw(Pending)}), map({ $offset->($_) } $_->{'Done up to'}, @$_{qw(Committed End)}),
					$plain->($_->{Lag})] } @{ $t->{partitions} } },
		workers => { map { $_->{Process} => [$name->($_), @$_{qw(Worker State)}, $offset->($_->{Message}), map({ $plain->($_) } @$_{qw(Handled Failed)})] } @{ $t->{workers} } },
	};
}

my $tables;

sub compare
{
	my ($name) = @_;
	my $said;
	wait_until('the views to say the same before and after the page',
		sub {
			my $before = $node->sql($of_views);
			$browser->go($url);
			$tables = tables();
			$said = $node->sql($of_views);
			return $before eq $said;
		});
	is_deeply(of_page($tables), decode_json($said), $name);
	return;
}
compare('the page says what the views say');
my %row = map { $_->{Subscription} =~ s/ in postgres$//r => $_ } @{ $tables->{subscriptions} };
like($row{payments}{State}, qr/^halted.*class 23/, 'that one has halted, and after which class of errors');
like($row{clicks}{State}, qr/^running 1 message waits for its retry: clicks partition \d offset \d+, attempt 2 in \d+ min \d+ s; failed first [\d.]+ (s|min \d+ s) ago$/, 'that one waits for a retry');
my %error = map { $_->{Subscription} =~ s/ in postgres$//r => $_ } @{ $tables->{errors} };
is($error{mails}{'By class, since the start'}, '23: 100', 'errors by class');
wait_until('the dead letters to be counted', sub { $browser->go($url); my ($mails) = grep { $_->{Subscription} =~ /^mails/ } @{ tables()->{errors} }; return $mails->{'Dead letters'} eq '100' });
like($row{orders}{'Oldest pending'}, qr/^\d+(\.\d)? (s|min)/, 'since when a message is pending');
my ($stuck) = grep { $_->{Message} ne '' } @{ $tables->{workers} };
is($stuck->{Message}, 'orders ' . $node->sql(q{SELECT partition || ' offset ' || "offset" FROM burrow.workers WHERE state = 'running'}), 'and which one is in a worker\'s hands');
is_deeply([sort map { $_->{Partition} } grep { $_->{Pending} ne '0' } @{ $tables->{partitions} }[0, 1]], [sort $stuck->{Message} =~ /^(.*) offset/, $row{clicks}{State} =~ /(clicks) partition( \d)/ ? "$1$2" : ''], 'partitions with pending messages come first');
is($browser->run('return document.getElementById("summary").textContent'), '4 subscriptions: 1 halted, 3 running.', 'the summary');
my $source = $browser->run('return document.documentElement.outerHTML');
unlike($source, qr/secret|"n":|key-3/, 'no contents of messages');

#
# Pictures.
#
if (my $pictures = $ENV{BURROW_TEST_PICTURES})
{
	my $example = "$ENV{BURROW_ROOT}/examples/with-metrics";
	my $config = PostgreSQL::Test::Utils::slurp_file("$example/prometheus.yml");
	$config =~ s/localhost:9187/127.0.0.1:$port/ or die 'no target';
	$config =~ s/_interval: 15s/_interval: 5s/g == 2 or die 'no intervals';
	my $prometheus = BurrowTest::Prometheus->start($config, files => { 'burrow.rules.yml' => PostgreSQL::Test::Utils::slurp_file("$example/burrow.rules.yml") });
	my @jobs = (
		$kafka->start_producing('orders', count => 9000, keys => 10, first => 2000, rate => 60),
		$kafka->start_producing('mails', count => 3000, keys => 10, first => 2000, rate => 20));
	foreach my $burst (1 .. 5)
	{
		my $rate = 40 * $burst;
		$kafka->produce_many('clicks', count => 25 * $rate, keys => 10, first => 2000 * $burst, rate => $rate);
	}
	$kafka->finish_producing($_) foreach @jobs;
	$browser->go($url);
	foreach my $name ('status-page', 'status-page-telephone')
	{
		my $is_telephone = $name =~ /telephone/;
		$browser->size($is_telephone ? 390 : 1200, 844, mobile => $is_telephone);
		foreach my $scheme (qw(light dark))
		{
			$browser->scheme($scheme);
			$browser->picture("$pictures/$name" . ($scheme eq 'dark' ? '-dark' : '') . '.png');
		}
	}
	$browser->scheme('light');
	BurrowTest::Dashboard->read("$example/burrow.dashboard.json")->picture($browser, $prometheus, "$pictures/dashboard.png", from => time() - 140, to => time(), step => 5, width => 1500);
	done_testing();
	exit;
}

#
# A name that is HTML.
#
my $hostile = q{<b title="x">&'</b><script>document.title='fallen'</script>};
$node->sql(qq{SELECT burrow.subscribe('clicks', 'keep_none', subscription => \$name\$$hostile\$name\$, workers => 1)});
$browser->go($url);
wait_until('it on the page', sub { refresh(); my %of = map { $_->{Subscription} => $_ } @{ tables()->{subscriptions} }; return ($of{"$hostile in postgres"}{Handled} // '') eq '2,000' });
is($browser->run('return document.title'), '5 subscriptions: 1 halted, 4 running - Burrow', 'a name that is HTML is a name');
$node->sql(qq{SELECT burrow.unsubscribe(\$name\$$hostile\$name\$)});
wait_until('it to be gone', sub { refresh() && @{ tables()->{subscriptions} } == 4 });

#
# It is refreshed by itself.
#
$browser->run('document.querySelector("#subscriptions caption").dataset.stays = "yes"');
$holder->query_safe('SELECT pg_advisory_unlock(1)');
$node->wait_for('all messages', 'SELECT count(*) = 2000 FROM got');
wait_until('the page to show them', sub {
		my ($orders) = grep { $_->{Subscription} =~ /^orders/ } @{ tables()->{subscriptions} };
		return $orders->{Handled} eq '2,000' && $orders->{Lag} =~ /^0/;
});
is($browser->run('return document.querySelector("#subscriptions caption").dataset.stays'), 'yes', 'without loading it as a whole');
$node->sql(q{SELECT burrow.pause('mails')});
wait_until('the summary to show a pause', sub { refresh() && $browser->run('return document.getElementById("summary").textContent') eq '4 subscriptions: 1 halted, 2 running, 1 paused.' });

#
# The last ten minutes.
#
$node->wait_for('a step of the history', q{SELECT bool_or(messages_processed > 0) FROM burrow.history WHERE subscription = 'orders'});
wait_until('the page to show what burrow.history does', sub {
		my $max = $node->sql(q{SELECT round(max(messages_per_second)::numeric, 1) FROM burrow.history WHERE subscription = 'orders'});
		my ($orders) = refresh() && grep { $_->{Subscription} =~ /^orders/ } @{ tables()->{subscriptions} };
		return $orders->{Rate} =~ m{^(\d+\.\d/s)? Messages a second in the last ten minutes: at most \Q$max\E, at last \d+\.\d$};
});
my $lines = $browser->run('return [...document.querySelectorAll("#subscriptions svg polyline")].map((line) => line.points.length)');
ok(@$lines >= 2 && !grep({ $_ < 2 } @$lines), 'as lines');

#
# Without a mouse, and with a screen reader.
#
my @reached = map { $browser->press("\x{E004}"); $browser->run('return document.activeElement.textContent + (getComputedStyle(document.activeElement).outlineStyle == "solid" ? "" : " unseen")') } 1 .. 5;
is_deeply(\@reached, ['Pause updates', 'Subscriptions', 'Errors and dead letters', 'Partitions', 'Workers'], 'all that can be reached is, in order, and is seen to be');
$browser->run('document.querySelector("button").focus()');
$browser->press("\x{E007}");
is($browser->run('return document.querySelector("button").textContent'), 'Resume updates', 'updates can be stopped by keyboard');
$browser->press("\x{E007}");
foreach my $width (1280, 390)
{
	$browser->size($width, 844, mobile => $width < 1000);
	my %nodes;
	push @{ $nodes{ $_->{role}{value} } }, $_->{name}{value} foreach grep { !$_->{ignored} } @{ $browser->devtools('Accessibility.getFullAXTree')->{nodes} };
	is_deeply($nodes{table}, ['Subscriptions', 'Errors and dead letters', 'Partitions', 'Workers'], "tables have names, $width pixels wide");
	is(scalar @{ $nodes{columnheader} // [] }, 9 + 10 + 10 + 8, 'columns have headers');
	is(scalar @{ $nodes{rowheader} // [] }, $browser->run('return document.querySelectorAll("tbody tr").length'), 'and so have rows');
	# a cell is named after its line where no rate stands before it
	is(() = grep(/^Messages a second/, map { @{ $nodes{$_} } } grep { !/cell/i } keys %nodes), $browser->run('return document.querySelectorAll("td[data-label=Rate] svg").length'), 'lines have names');
	is_deeply($nodes{status}, [''], 'what changes is told of in one place');
	is($browser->run('return document.documentElement.scrollWidth <= innerWidth'), JSON::PP::true, 'nothing is wider than the window');
}

# Contrast of all texts with what is behind them, at least 4.5 (WCAG 2.2, AA)
foreach my $scheme (qw(light dark))
{
	$browser->scheme($scheme);
	is_deeply($browser->run(<<'JS'), [], "contrasts, $scheme");
const numbers = (color) => color.match(/[\d.]+/g).map(Number);
const light = (color) => numbers(color).slice(0, 3).map((c) => c / 255).map((c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
	.reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
function behind(element) {
	for (let e = element; e; e = e.parentElement) {
		const color = getComputedStyle(e).backgroundColor;
		if (numbers(color)[3] !== 0)
			return color;
	}
	return "rgb(255, 255, 255)";
}
const low = new Set();
for (const element of document.querySelectorAll("body *:not(script)")) {
	const [a, b] = [light(getComputedStyle(element).color), light(behind(element))];
	const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
	if (element.textContent.trim() && contrast < 4.5)
		low.add(element.tagName + " " + element.className + " " + contrast.toFixed(1));
}
return [...low];
JS
}

#
# After a reset of the statistics.
#
$node->sql(q{SELECT burrow.stats_reset('mails')});
compare('after a reset it says what the views say, too');

#
# Nothing to complain of, and nothing from elsewhere.
#
is_deeply([$browser->console], [], 'no word on the console');
is_deeply($browser->run('return performance.getEntriesByType("resource").map((e) => e.name).filter((name) => name != arguments[0])', $url), [], 'it has fetched nothing but itself');

# without JavaScript it is the same, and asks for itself again
$browser->devtools('Emulation.setScriptExecutionDisabled', value => JSON::PP::true);
$browser->go($url);
$browser->devtools('Emulation.setScriptExecutionDisabled', value => JSON::PP::false);
is(scalar @{ tables()->{subscriptions} }, 4, 'it is complete without JavaScript');
like($browser->run('return document.querySelector("noscript").innerHTML'), qr/http-equiv="refresh"/, 'and is refreshed');

#
# A token: the browser's password.
#
my $token_file = PostgreSQL::Test::Utils::tempdir() . '/token';
PostgreSQL::Test::Utils::append_to_file($token_file, "s3cr3t\n");
$node->sql("ALTER SYSTEM SET burrow.metrics_token_file = '$token_file'");
$node->reload;
my $http = HTTP::Tiny->new;
wait_until('a token is asked for', sub { $http->get($url)->{status} == 401 });
is_deeply([map { /^(\w+)/ } @{ $http->get($url)->{headers}{'www-authenticate'} }], [qw(Bearer Basic)], 'in a way that browsers know');
is($http->get($url, { headers => { authorization => 'Bearer s3cr3t' } })->{status}, 200, 'a bearer token does');
is($http->get($url =~ s{//}{//anybody:s3cr3t@}r)->{status}, 200, 'and so does a password');
is($http->get($url =~ s{//}{//s3cr3t:@}r)->{status}, 401, 'but not as the user\'s name');
is($http->get($url =~ s{//}{//anybody:s3cr3@}r)->{status}, 401, 'nor a part of it');
is($http->get($url, { headers => { authorization => "Basic $_" } })->{status}, 401, "nor \"Basic $_\"") foreach ('', 's3cr3t', 'czNjcjN0', '=', '!!!!');
$browser->go($url =~ s{//}{//anybody:s3cr3t@}r);
is(scalar @{ tables()->{subscriptions} }, 4, 'in the browser, too');
my $at = $browser->run('return document.querySelector("[data-part=at]").textContent');
wait_until('the page to be refreshed with it', sub { refresh() && $browser->run('return document.querySelector("[data-part=at]").textContent') ne $at });

#
# Over TLS.
#
my $tls = PostgreSQL::Test::Utils::tempdir();
system('openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2', '-subj', '/CN=localhost',
	'-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1', '-keyout', "$tls/key.pem", '-out', "$tls/cert.pem") == 0 or die 'openssl cannot make a certificate';
$node->sql("ALTER SYSTEM SET burrow.metrics_tls_${_}_file = '$tls/$_.pem'") foreach qw(cert key);
$node->reload;
wait_until('the page over TLS', sub { eval { $browser->go("https://anybody:s3cr3t\@127.0.0.1:$port/"); 1 } && @{ tables()->{subscriptions} // [] } == 4 });
is($browser->run('return location.protocol'), 'https:', 'the same page over TLS, with a password');
$browser->console;
$at = $browser->run('return document.querySelector("[data-part=at]").textContent');
wait_until('the page to be refreshed over TLS', sub { refresh() && $browser->run('return document.querySelector("[data-part=at]").textContent') ne $at });
is_deeply([$browser->console], [], 'no word on the console there either');
ok(!$http->get($url)->{success}, 'and nothing without TLS');
$node->sql("ALTER SYSTEM RESET burrow.metrics_tls_${_}_file") foreach qw(cert key);
$node->reload;
wait_until('the page without TLS', sub { $http->get($url)->{status} == 401 });

$browser->size(1280, 844);
my $policy = $http->get($url, { headers => { authorization => 'Bearer s3cr3t' } })->{headers}{'content-security-policy'};
like($policy, qr/default-src 'none'.*script-src 'nonce-[0-9a-f]{32}'/, 'only the page\'s own script runs');
isnt($http->get($url, { headers => { authorization => 'Bearer s3cr3t' } })->{headers}{'content-security-policy'}, $policy, 'by a word that is another each time');
done_testing();
