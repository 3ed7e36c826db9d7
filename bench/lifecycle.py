"""What is not about the rate: beginnings, doing nothing, one message that does not end."""

import time

import processes
from environment import Session, wait_until

MB = 1e6

# Burrow waits before it starts its consumers again in a server that has crashed within so many seconds.
CALM_S = 11


def first_handled(env):
    """When on_when() was called first, in seconds since 1970."""
    wait_until("the first message", lambda: env.session.value("SELECT count(*) > 0 FROM sink") == "t")
    return int(env.session.value("SELECT min(seq) FROM sink")) / 1e6


def restart(env, params):
    topic = env.fresh_name()
    env.create_topic(topic, 4)
    env.produce(topic, "--count", 1000)
    env.clear()
    subscribed = time.time()
    with env.subscribe(topic, "on_when", delivery=params["delivery"]) as subscription:
        figures = {"subscribe_s": first_handled(env) - subscribed}
        subscription.wait_for(1000)
        running_with = env.server.running_with
        env.session.query("TRUNCATE sink")
        env.server.stop()
        env.produce(topic, "--count", 1000)
        started = time.time()
        env.server.start(**running_with)
        first = first_handled(env)
        figures |= {"start_s": first - started, "ready_s": first - env.server.ready_at()}
        subscription.wait_for(1000)
        figures |= crash(env, topic, subscription)
    return figures


def crash(env, topic, subscription):
    """The consumer is killed while messages wait: the server starts itself again, and then they are handled."""
    # a server that crashes sooner has what crashes it started later
    wait_until("calm", lambda: time.time() - env.server.ready_at() > CALM_S, timeout=2 * CALM_S)
    env.session.query("TRUNCATE sink")
    other = Session(env.server)
    try:
        other.query("BEGIN; LOCK TABLE sink")
        env.produce(topic, "--count", 1000)
        killed = env.server.kill(subscription.consumer())
    finally:
        other.close()
    ready = env.server.ready_at()
    return {"crash_s": first_handled(env) - ready, "server_s": ready - killed}


def plain_restart(env, params):
    """A consumer of librdkafka's that does nothing else: from its start to its first message, and the same as a member
    that the group knows, after it was killed."""
    topic = env.fresh_name()
    env.create_topic(topic, 4)
    env.produce(topic, "--count", 1000)
    times = []
    for _ in range(2):
        started = time.time()
        with env.arrivals(topic, topic, group_instance_id="plain") as process:
            times.append(int(process.stdout.readline().split()[1]) / 1e6 - started)
            process.kill()
    return {"subscribe_s": times[0], "crash_s": times[1]}


def idle(env, params):
    """One subscription, whose single worker has handled something and waits for more."""
    topic = env.fresh_name()
    env.create_topic(topic, 4)
    env.produce(topic, "--count", 1000)
    env.clear()
    with env.subscribe(topic, "on_row", workers=1) as subscription:
        subscription.wait_for(1000)
        wait_until("the commit to Kafka", lambda: subscription.lag() == 0)
        consumer, worker = subscription.consumer(), subscription.workers()[0]
        launcher = int(env.session.value("SELECT pid FROM pg_stat_activity WHERE backend_type = 'burrow launcher'"))

        def counts():
            ours = (launcher, consumer, worker)
            others = processes.other_threads(consumer)
            return {
                "launcher_wakeups": processes.wakeups(launcher),
                "consumer_wakeups": processes.wakeups(consumer),
                "worker_wakeups": processes.wakeups(worker),
                "librdkafka_wakeups": sum(processes.wakeups(consumer, thread) for thread in others),
                "ours_us": sum(map(processes.main_seconds, ours)) * 1e6 / 60,
                "librdkafka_us": processes.other_seconds(consumer) * 1e6 / 60,
            }

        before, began = counts(), time.monotonic()
        # what is measured is this very time
        time.sleep(params["seconds"])
        minutes = (time.monotonic() - began) / 60
        return {name: (value - before[name]) / minutes for name, value in counts().items()}


def rate_between(subscription, first, last):
    began, at_first = subscription.wait_for(first)
    ended, at_last = subscription.wait_for(last)
    return (at_last - at_first) / (ended - began)


def pass_by(env, params, is_stuck):
    """Many messages that pass one of another key, whose handler does not end if is_stuck."""
    topic = env.fresh_name()
    total = params["messages"]
    env.create_topic(topic, 1)
    env.send_one(topic, "stuck")
    env.produce(topic, "--count", total)
    env.clear()
    if is_stuck:
        env.session.query("SELECT pg_advisory_lock(2)")
    options = {name: params[name] for name in ("delivery", "window", "workers")}
    with env.subscribe(topic, "on_stuck", **options) as subscription:
        subscription.wait_for(total // 100)
        consumer = subscription.consumer()
        figures = {"before_mb": processes.resident_memory(consumer) / MB}
        figures["first_rate"] = rate_between(subscription, total // 50, total // 50 + total // 10)
        figures["last_rate"] = rate_between(subscription, total - total // 10, total)
        figures["kept"] = figures["last_rate"] / figures["first_rate"]
        figures["after_mb"] = processes.resident_memory(consumer) / MB
        released = time.monotonic()
        if is_stuck:
            env.session.query("SELECT pg_advisory_unlock(2)")
        subscription.wait_for(total + 1)
        wait_until("Kafka's offset", lambda: subscription.lag() == 0)
        figures["release_s"] = time.monotonic() - released
        figures["released_mb"] = processes.resident_memory(consumer) / MB
    return figures


def stuck(env, params):
    return pass_by(env, params, True)


def not_stuck(env, params):
    return pass_by(env, params, False)
