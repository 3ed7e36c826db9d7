# A real Prometheus reads what Burrow says of a run: its tools have nothing to object, each query of the example's
# dashboard has data, its rules work, and its alerts fire.

use BurrowTest;
use BurrowTest::Dashboard;
use BurrowTest::Metrics;
use BurrowTest::Prometheus;
use JSON::PP ();

my $example = "$ENV{BURROW_ROOT}/examples/with-metrics";
my $port = PostgreSQL::Test::Cluster::get_free_port();
my $kafka = BurrowTest::Kafka->create('kafka');
my $node = BurrowTest::Node->create('main', kafka => $kafka, conf => "burrow.metrics_listen = '127.0.0.1:$port'");

sub example_file { return PostgreSQL::Test::Utils::slurp_file("$example/$_[0]") }

# One point for a check of promtool's.
sub promtool_is_content
{
	my ($about, $arguments, $input) = @_;
	my ($ok, $said) = BurrowTest::Prometheus->promtool($arguments, $input);
	ok($ok, $about) or diag($said);
	return;
}

#
# What needs no run: the example's files, and when each alert fires.
#
promtool_is_content('the configuration', ['check', 'config', "$example/prometheus.yml"]);
promtool_is_content('the rules', ['check', 'rules', "$example/burrow.rules.yml"]);
promtool_is_content('what the rules do', ['test', 'rules', "$ENV{BURROW_ROOT}/test/metrics/alerts.yml"]);
my @alerts = example_file('burrow.rules.yml') =~ /- alert: (\w+)/g;
my $tested = PostgreSQL::Test::Utils::slurp_file("$ENV{BURROW_ROOT}/test/metrics/alerts.yml");
is_deeply([grep { $tested !~ /alertname="$_"/ } @alerts], [], 'each alert is seen to fire there');

my ($answers) = PostgreSQL::Test::Utils::slurp_file("$ENV{BURROW_ROOT}/docs/operations.md") =~ /^# Alerts$(.*?)^# /ms;
is_deeply([$answers =~ /^## (\w+)$/mg], \@alerts, 'docs/operations.md says what to do about each');
is_deeply([example_file('burrow.rules.yml') =~ /runbook: docs\/operations\.md#(\w+)$/mg], [map { lc } @alerts], 'and each says where');

#
# A run.  Prometheus has seen the subscriptions before there are messages, so that what these do is an increase.
#
$kafka->create_topic($_, 2) foreach qw(orders broken late);
$node->sql(<<'END');
CREATE TABLE got (n int);
-- one in ten is no good, one in ten fails once
CREATE FUNCTION on_order(value jsonb, attempt int) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF (value->>'n')::int % 10 = 0 THEN
        PERFORM 1 / 0;
    ELSIF (value->>'n')::int % 10 = 1 AND attempt = 1 THEN
        RAISE 'not yet';
    END IF;
    INSERT INTO got VALUES ((value->>'n')::int);
END $$;
CREATE FUNCTION on_broken(value jsonb) RETURNS void LANGUAGE plpgsql AS $$ BEGIN PERFORM 1 / 0; END $$;
SELECT burrow.subscribe('orders', 'on_order', on_failure => 'dead_letter', max_consecutive_errors => 1000, retry_backoff => '1 ms');
SELECT burrow.subscribe('broken', 'on_broken');
SELECT burrow.subscribe('late', 'on_broken', retry_backoff => '1 h', retry_backoff_max => '1 h', permanent_errors => '{}');
END

# the example's, but of this server, and in a hurry
my $config = example_file('prometheus.yml');
$config =~ s/localhost:9187/127.0.0.1:$port/ or die 'no target';
$config =~ s/_interval: 15s/_interval: 1s/g == 2 or die 'no intervals';
my $prometheus = BurrowTest::Prometheus->start($config, files => { 'burrow.rules.yml' => example_file('burrow.rules.yml') });

# Wait until a query has samples; returns them.
sub samples
{
	my ($about, $query) = @_;
	my @samples;
	wait_until($about, sub { @samples = $prometheus->query($query) }, diagnose => sub { $query . "\n" . $node->diagnostics });
	return @samples;
}

foreach my $subscription (qw(orders broken late))
{
	$node->wait_for_state($subscription, 'running');
	samples("Prometheus to see $subscription", qq{pgburrow_messages_processed_total{subscription="$subscription"} == 0});
	samples("Prometheus to see the lag of $subscription", qq{pgburrow_consumer_lag_messages{subscription="$subscription"} == 0});
}
$kafka->produce_many('orders', count => 300, keys => 30);
$kafka->produce_many($_, count => 1) foreach qw(broken late);
$node->wait_for('the messages to be dealt with', q{SELECT (SELECT count(*) FROM got) = 270 AND (SELECT count(*) FROM burrow.dead_letters) = 30});
$node->wait_for_state('broken', 'halted');
$node->wait_for('the workers to be idle', q{SELECT workers_active = 0 AND inflight = 0 AND lag = 0 FROM burrow.stats WHERE subscription = 'orders'});

promtool_is_content('the text of the exporter', ['check', 'metrics'], (BurrowTest::Prometheus->get("http://127.0.0.1:$port/metrics"))[1]);
promtool_is_content('the text of burrow.metrics()', ['check', 'metrics'], $node->sql(q{SELECT burrow.metrics('prometheus', per_partition => true)}) . "\n");

my ($handled) = samples('what was handled', q{pgburrow_messages_processed_total{subscription="orders",outcome="handled"} == 270});
is_deeply(
	$handled->{metric},
	{
		__name__ => 'pgburrow_messages_processed_total',
		instance => "127.0.0.1:$port",
		job => 'burrow',
		database => 'postgres',
		subscription => 'orders',
		outcome => 'handled',
	},
	'Prometheus has what the table has');

#
# For who wants no other port: exporters that ask a database, with the example's queries.  What they tell under the
# names of ours is the same.
#
$node->sql('CREATE ROLE exporter LOGIN IN ROLE pg_monitor');
my ($host, $server_port) = ($node->host, $node->port);

# The samples of another exporter, when a line that it is to have is there.
sub samples_of_another
{
	my ($program, $line, @arguments) = @_;
	my $its_port = PostgreSQL::Test::Cluster::get_free_port();
	my ($listen) = $program =~ /postgres/ ? "--web.listen-address=127.0.0.1:$its_port" : "-web.listen-address=127.0.0.1:$its_port";
	my $job = BurrowTest::Prometheus->run_beside($program, $listen, @arguments);
	my $text;
	wait_until("$program to answer", sub { $text = (BurrowTest::Prometheus->get("http://127.0.0.1:$its_port/metrics"))[1]; $text =~ $line }, diagnose => sub { $job->{run}->pump_nb; $job->{err} });
	return map { /^(\w*pgburrow_\w+)\{(.*)\} (\S+)$/ ? [$1, $2, $3 + 0] : () } split /\n/, $text;
}

my $ours = BurrowTest::Metrics->parse((BurrowTest::Prometheus->get("http://127.0.0.1:$port/metrics"))[1], 'prometheus');
{
	local $ENV{DATA_SOURCE_NAME} = "host=$host port=$server_port user=exporter dbname=postgres sslmode=disable";
	my @theirs = samples_of_another('prometheus-postgres-exporter', qr/^pgburrow_wanted_workers/m,
		"--extend.query-path=$example/postgres_exporter.yml", '--disable-default-metrics', '--disable-settings-metrics');
	my (%seen, %told, @differ);
	foreach my $sample (@theirs)
	{
		my ($name, $labels, $value) = @$sample;
		my ($metric) = $name =~ /^pgburrow_(.*)/;
		my $series = "$metric\{" . join(',', sort grep { !/^server=/ } split /,/, $labels) . '}';
		$seen{$metric}++;
		$told{$series} = 1;
		# ages go on; a state of the other kind; failures are by class in ours
		next if $metric eq 'consumer_lag_seconds' || $metric eq 'handler_failures_total' || !exists $ours->{$series} && $value == 0;
		push @differ, "$series: $value, and " . ($ours->{$series} // 'none') if $value != ($ours->{$series} // -1);
	}
	is_deeply(\@differ, [], 'what postgres_exporter tells is what ours does');
	is_deeply([grep { /^(subscription_state|workers)\{/ && !$told{$_} } sort keys %$ours], [], '... with each state that there is');
	my %used = map { $_ => 1 } (example_file('burrow.rules.yml') =~ /- name: burrow_alerts(.*)/s)[0] =~ /pgburrow_(\w+)\b(?=[{\[)> ])/g;
	cmp_ok(scalar keys %used, '>=', 7, 'alerts use some metrics');
	is_deeply([sort grep { !$seen{$_} } keys %used], ['restarts_total'], '... all of which postgres_exporter has, but for one');
}
my $job = example_file('sql_exporter.yml');
$job =~ s{exporter\@localhost/postgres\?}{exporter@/postgres?host=$host&port=$server_port&} or die 'no connection';
my $folder = PostgreSQL::Test::Utils::tempdir();
PostgreSQL::Test::Utils::append_to_file("$folder/job.yml", $job);
my %theirs = map { ($_->[0] . '/' . join('/', $_->[1] =~ /(?:col|state)="(\w+)"/g, $_->[1] =~ /subscription="(\w+)"/)) => $_->[2] }
	samples_of_another('prometheus-sql-exporter', qr/^sql_pgburrow_state.*"late".*^sql_pgburrow_stats/ms, '-config.file', "$folder/job.yml");
my $stats = JSON::PP->new->decode($node->sql(q{SELECT to_json(s) FROM burrow.stats s WHERE subscription = 'orders'}));
my @columns = map { m{^sql_pgburrow_stats/(\w+)/orders$} ? $1 : () } sort keys %theirs;
cmp_ok(scalar @columns, '>=', 20, 'sql_exporter has many columns of burrow.stats');
is_deeply({ map { $_ => $theirs{"sql_pgburrow_stats/$_/orders"} } @columns }, { map { $_ => $stats->{$_} + 0 } @columns }, '... and their values');
is_deeply({ map { $_ => $theirs{$_} } grep { /_state/ } keys %theirs },
	{ 'sql_pgburrow_state/is/running/orders' => 1, 'sql_pgburrow_state/is/halted/broken' => 1, 'sql_pgburrow_state/is/running/late' => 1 }, '... and the states');

#
# Rules and alerts.
#
my ($group) = grep { $_->{name} eq 'burrow_recording' } @{ $prometheus->ask('rules')->{groups} };
foreach my $rule (map { $_->{name} } @{ $group->{rules} })
{
	ok(samples("the rule $rule", $rule), "the rule $rule has data");
}
is_deeply([grep { $_->{health} ne 'ok' } map { @{ $_->{rules} } } @{ $prometheus->ask('rules')->{groups} }], [], 'all rules are well');
ok(samples('the alert', q{ALERTS{alertname="BurrowDeadLetters",subscription="orders",alertstate="firing"}}), 'dead letters are told of');
ok(samples('the alert', q{ALERTS{alertname="BurrowHalted",subscription="broken"}}), 'and what has halted');
my @told = @{ $prometheus->ask('alerts')->{alerts} };
my %said = map { $_->{labels}{alertname} => $_->{annotations} } @told;
# what waits for its time may be of a moment
is_deeply([grep { $_ ne 'BurrowHalted' } map { $_->{labels}{alertname} } grep { $_->{state} eq 'firing' } @told], ['BurrowDeadLetters'], 'and nothing else');
like($said{BurrowHalted}{description}, qr/burrow\.why_stuck\('broken'\)/, 'with a statement');
my ($statement) = $said{BurrowDeadLetters}{description} =~ /\A(SELECT .*);$/m;
is($node->sql("SELECT count(*) FROM ($statement) x"), 30, 'that runs as it stands');

foreach my $sql (map { s/\n/ /gr =~ s/ +/ /gr } $answers =~ /(SELECT [^;]*;)/g)
{
	is(($node->psql('postgres', "BEGIN; $sql ROLLBACK", on_error_stop => 1))[0], 0, "a statement of docs/operations.md runs: $sql");
}

#
# The dashboard.
#
my $dashboard = BurrowTest::Dashboard->read("$example/burrow.dashboard.json");
my @variables = @{ $dashboard->{json}{templating}{list} };
is_deeply([map { $_->{name} } @variables], [qw(datasource job instance database subscription)], 'its variables');
is($variables[0]{query}, 'prometheus', 'the data source is one');
my %chosen = (job => 'burrow', instance => "127\\\\.0\\\\.0\\\\.1:$port", database => 'postgres', subscription => 'orders', __rate_interval => '1m');
my %all = (%chosen, $dashboard->everything('1m'));

foreach my $variable ($dashboard->variables)
{
	my ($matcher, $label) = $variable->{query}{query} =~ /\Alabel_values\((.*), (\w+)\)\z/ or die "a query: $variable->{query}{query}";
	my $values = $prometheus->ask("label/$label/values", 'match[]' => $dashboard->filled_in($matcher, \%all));
	is_deeply($values, { job => ['burrow'], instance => ["127.0.0.1:$port"], database => ['postgres'], subscription => [qw(broken late orders)] }->{$label}, "its variable $label");
}
my (%ids, @taken);
my @names = map { $_->{name} } $dashboard->variables;
foreach my $panel (@{ $dashboard->{json}{panels} })
{
	my $title = $panel->{title};
	ok(!$ids{ $panel->{id} }++, "$title: a number of its own");
	like($panel->{type}, qr/\A(stat|timeseries|table)\z/, '... is of a kind that Grafana brings');
	ok(length $panel->{description}, '... says what it shows');
	is_deeply([grep { $_->{uid} ne '${datasource}' } map { $_->{datasource} } $panel, @{ $panel->{targets} }], [], '... is of the data source that is chosen');
	my $at = $panel->{gridPos};
	my @cells = map { my $y = $_; map { "$_,$y" } $at->{x} .. $at->{x} + $at->{w} - 1 } $at->{y} .. $at->{y} + $at->{h} - 1;
	is_deeply([grep { $taken[0]{$_}++ } @cells], [], '... has its place');
	my $defaults = $panel->{fieldConfig}{defaults};
	like($defaults->{unit}, qr/\A(short|s|bytes|Bps|cps)\z/, '... has a unit that Grafana knows');
	# without, Grafana has its own: red from 80 on
	ok($defaults->{thresholds} || ($defaults->{color}{mode} // '') eq 'fixed', '... says when its number is bad, if ever') if $panel->{type} eq 'stat';
	foreach my $target (@{ $panel->{targets} })
	{
		my @chooses = $target->{expr} =~ /ALERTS|build_info/ ? 'instance' : @names;
		is_deeply([grep { my $is = $_; grep { index($is, qq{$_=~"\$$_"}) < 0 } @chooses } $target->{expr} =~ /\w+\{(.*?)\}/g], [], '... shows what is chosen');
		# several servers may have databases and subscriptions of the same names
		like($target->{legendFormat}, qr/\A\{\{instance\}\} \{\{database\}\}\/\{\{subscription\}\}/, '... says of which server') if $panel->{type} eq 'timeseries';
		foreach my $values (\%all, \%chosen)
		{
			ok(samples("data for $title", $dashboard->filled_in($target->{expr}, $values)), "... has data: $target->{expr}");
		}
	}
}

$node->stop;
done_testing();
