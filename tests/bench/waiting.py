"""A filter that is behind: memory with records waiting, and how fast it catches up.

For records to wait, the log is filled and then the state put back to what it was before: the next
start finds everything still to be judged."""

import shutil

from machine import Cost
from parties import wait_judged
from rule_files import MATCHING, PATH, rule_file

RULES = 10_000


def run(figures, stage, options):
    figures.part = f"Behind: records that wait in the log (embedded store, {RULES:,} rules)"
    count = options.waiting or max(1000, int(1_000_000 * options.scale) // 1000 * 1000)
    for _ in range(1 if options.waiting else options.rounds):
        for size in (1, 100):
            one(figures, stage, count, size)


def one(figures, stage, count, size):
    folder = stage.fresh("behind")
    state, before = folder / "store" / "state" / "data.mdb", folder / "state-before"
    rules = rule_file(RULES)
    with stage.simulator() as simulator:
        with stage.monitor(simulator, rules, keep=folder):
            pass
        shutil.copy(state, before)
        with stage.monitor(simulator, rules, keep=folder) as monitor:
            simulator.generate(count, per_message=size, path=PATH)
            wait_judged(monitor, count)
            log_bytes = monitor.status()["store"]["log_bytes"]
            heard_bytes = monitor.status()["watches"][0]["bytes"]
        shutil.copy(before, state)
        # Counted from its start: reading ten thousand rules is part of it.
        with stage.monitor(simulator, rules, keep=folder) as monitor:
            cost = Cost(monitor.process.pid)
            left = max(1, count - monitor.status()["filter"]["events"])
            wait_judged(monitor, count, cost)
            cost.stop()
            assert monitor.status()["filter"]["matches"] == count // MATCHING
    shutil.rmtree(folder)
    title = f"{count // size:,} records of {size:,} events"
    figures.add(f"waiting.{size}.memory", cost.peak_mib, "MiB", f"{title}: memory besides page cache",
                most=64)
    figures.add(f"waiting.{size}.rate", left / cost.wall_s, "events/s", f"{title}: catching up")
    figures.add(f"waiting.{size}.cpu", cost.threads.get("cn-filter", 0) * 1e6 / left,
                "CPU-s / M events", f"{title}: CPU of filter")
    figures.add(f"waiting.{size}.wire", heard_bytes / count, "bytes/event", f"{title}: on the socket")
    figures.add(f"waiting.{size}.disk", log_bytes / count, "bytes/event", f"{title}: in the log")
