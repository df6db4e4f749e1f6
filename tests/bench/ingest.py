"""From the socket to judged: what a million events cost, whole messages of several sizes, plain and
TLS, with few and with many rules; curl, a bare Python loop and redis-py beside it."""

import time

from machine import Cost
from parties import PATIENCE_S, curl, python_loop, seen_by_python, wait_judged
from rule_files import MATCHING, PATH, rule_file

FEW, MANY = 10, 10_000
MILLION = 1e6
CPU = "CPU-s / M events"


class Amounts:
    """How many events for whom: about as long for each, since Python takes many times as long."""

    def __init__(self, scale):
        self.ours = {1: whole(200_000 * scale), 10: whole(600_000 * scale),
                     100: whole(1_000_000 * scale), 5000: whole(1_000_000 * scale)}
        self.python = whole(200_000 * scale)


def whole(count):
    """So that it is known how many of them match."""
    return max(1, int(count) // MATCHING) * MATCHING


def run(figures, stage, options):
    amounts = Amounts(options.scale)
    figures.part = (f"Socket to durable log to judged (embedded store; one event in {MATCHING} matches "
                    "and is logged)")
    for _ in range(options.rounds):
        for tls in (False, True):
            with stage.simulator(tls) as simulator:
                others(figures, stage, simulator, amounts, tls)
                for rules in (FEW, MANY):
                    ours(figures, stage, simulator, amounts.ours[100], 100, tls, rules)
        with stage.simulator() as simulator:
            for size in (1, 10, 5000):
                ours(figures, stage, simulator, amounts.ours[size], size, False, FEW)
                ours(figures, stage, simulator, amounts.ours[size], size, False, MANY)
                python(figures, stage, simulator, amounts.python, size, False)
    ratios(figures)


def words(tls):
    return "TLS" if tls else "plain"


def ours(figures, stage, simulator, count, size, tls, rules):
    with stage.monitor(simulator, rule_file(rules)) as monitor:
        with_source = Cost(simulator.process.pid)
        cost = Cost(monitor.process.pid)
        simulator.generate(count, per_message=size, path=PATH)
        simulator.wait_emitted(PATIENCE_S)
        heard_s = time.monotonic() - cost.began
        wait_judged(monitor, count, cost)
        cost.stop()
        source = with_source.stop().cpu_s
        status = monitor.status()
        matches = status["filter"]["matches"]
        assert status["watches"][0]["reconnects"] == 0 and status["store"]["gap_count"] == 0, status
        assert matches == count // MATCHING, f"{matches} matches of {count} events"
    name = f"ingest.{words(tls)}.{size}.{rules}"
    title = f"cn_monitor, {rules:,} rules, {words(tls)}, {size:,} events a message"
    bar = {"most": 1.0} if (tls, size, rules) == (False, 100, MANY) else {}
    figures.add(f"{name}.cpu", cost.cpu_s * MILLION / count, CPU, f"{title}: CPU", **bar)
    figures.add(f"{name}.rate", count / cost.wall_s, "events/s", f"{title}: speed")
    if size == 100:
        figures.add(f"{name}.heard", count / heard_s, "events/s",
                    f"  the socket took a burst of {count:,} at")
        for thread, role in (("cn-watch", "watch"), ("cn-filter", "filter")):
            seconds = cost.threads.get(thread, 0) * MILLION / count
            figures.add(f"{name}.{role}", seconds, CPU, f"  of that in {role}")
    if size == 100 and rules == MANY:
        figures.add(f"{name}.memory", cost.peak_mib, "MiB", f"{title}: memory", most=64)
        figures.add(f"ingest.{words(tls)}.source", source * MILLION / count, CPU,
                    f"  (the stand-in cluster, {words(tls)}, on the same cores)")


def others(figures, stage, simulator, amounts, tls):
    count = amounts.ours[100]
    cpu, wall = curl(stage, simulator).run(simulator, count, per_message=100, path=PATH)
    figures.add(f"curl.{words(tls)}.cpu", cpu * MILLION / count, CPU,
                f"curl > file, {words(tls)}, 100 events a message: CPU")
    figures.add(f"curl.{words(tls)}.rate", count / wall, "events/s",
                f"curl > file, {words(tls)}, 100 events a message: speed")
    python(figures, stage, simulator, amounts.python, 100, tls)
    if not tls:
        with stage.redis() as redis:
            python(figures, stage, simulator, amounts.python, 100, tls, redis)


def python(figures, stage, simulator, count, size, tls, redis=None):
    cpu, wall = python_loop(stage, simulator, redis).run(simulator, count, per_message=size, path=PATH)
    seen = seen_by_python(stage)
    assert seen == {"events": count, "matches": count // MATCHING}, seen
    name = f"python{'-redis' if redis else ''}.{words(tls)}.{size}"
    title = (f"Python loop (aiohttp, json{', redis-py' if redis else ''}; 3 paths), {words(tls)}, "
             f"{size:,} events a message")
    figures.add(f"{name}.cpu", cpu * MILLION / count, CPU, f"{title}: CPU")
    figures.add(f"{name}.rate", count / wall, "events/s", f"{title}: speed")


def ratios(figures):
    figures.note("the design's bar is 1.0 CPU-second for a million events beside 4 of a Python loop; what such a "
                 "loop takes depends on how many events there are in a message: see the ratios")
    base = "ingest.plain.100"
    figures.part = "The same as ratios, round by round"
    figures.ratio("ingest.rules", f"{base}.{MANY}.cpu", f"{base}.{FEW}.cpu",
                  f"CPU, {MANY:,} rules : {FEW} rules", most=1.5)
    figures.ratio("ingest.rules.filter", f"{base}.{MANY}.filter", f"{base}.{FEW}.filter",
                  f"CPU of filter alone, {MANY:,} rules : {FEW} rules")
    for size in (1, 10, 100):
        figures.ratio(f"ingest.python.{size}", f"ingest.plain.{size}.{MANY}.cpu", f"python.plain.{size}.cpu",
                      f"CPU, cn_monitor with {MANY:,} rules : Python loop with 3 paths, {size} events a message")
    figures.ratio("ingest.python-redis", f"{base}.{MANY}.cpu", "python-redis.plain.100.cpu",
                  "CPU, the same : Python loop with redis-py, 100 events a message")
    figures.ratio("ingest.curl", f"{base}.{MANY}.cpu", "curl.plain.cpu",
                  "CPU, the same : curl > file, which judges nothing")
    figures.ratio("ingest.tls", f"ingest.TLS.100.{MANY}.cpu",
                  f"{base}.{MANY}.cpu", "CPU, TLS : plain")
