"""After an outage: how fast what changed meanwhile is found and judged, by the difference of two
snapshots and by a walk over the tree. The files are real, and so is the cluster's work for them."""

import time

from machine import Cost
from monitor import wait_until
from parties import PATIENCE_S

RULES = """\
version: 1
watched_items:
  - name: marked
    when: {event: created, extension: .marked}
    actions: [log]
"""
IN_A_DIRECTORY = 100
WAYS = {"snapshot": "the difference of two snapshots", "scan": "a walk over the tree"}
SKEW_S = 11  # a walk takes what changed up to 10 s before for what may have changed


def run(figures, stage, options):
    changes = max(IN_A_DIRECTORY, int(5_000 * options.scale) // IN_A_DIRECTORY * IN_A_DIRECTORY)
    figures.part = (f"After an outage: {changes:,} files were written in a tree of {5 * changes:,} "
                    "(embedded store)")
    for _ in range(options.rounds):
        for way in WAYS:
            with stage.simulator(switches={"keep_alive": "200ms"}) as simulator:  # a baseline waits for one
                one(figures, stage, simulator, changes, way)


def fill(root, top, count):
    for n in range(count):
        folder = root / top / f"d{n // IN_A_DIRECTORY}"
        if n % IN_A_DIRECTORY == 0:
            folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{n}.{'marked' if n % IN_A_DIRECTORY == 0 else 'txt'}").write_text("x")


def repair_of(monitor):
    return monitor.status()["watches"][0].get("repair") or {}


def one(figures, stage, simulator, changes, way):
    fill(simulator.root, "old", 4 * changes)
    if way == "scan":
        time.sleep(SKEW_S)
    with stage.monitor(simulator, RULES, {"WATCH": {"GAP_REPAIR": way}}) as monitor:
        if way == "snapshot":
            wait_until(lambda: repair_of(monitor).get("baseline"), "a baseline", PATIENCE_S, 0.05)
        simulator.reboot(3600)
        wait_until(lambda: monitor.status()["watches"][0]["state"] != "listening", "the outage", PATIENCE_S)
        fill(simulator.root, "new", changes)
        cost, source = Cost(monitor.process.pid), Cost(simulator.process.pid)
        simulator.up()

        def is_closed():
            cost.look()
            status = monitor.status()
            states = [gap["repair"]["state"] for gap in status["store"]["gaps"]]
            return states and states[-1] == "repaired" and status["filter"]["matches"] >= changes // IN_A_DIRECTORY
        wait_until(is_closed, "the gap to be closed and judged", PATIENCE_S, 0.02)
        cost.stop()
        source.stop()
        matches = monitor.status()["filter"]["matches"]
        assert matches == changes // IN_A_DIRECTORY, f"{matches} matches"
    title = f"by {WAYS[way]}"
    figures.add(f"outage.{way}.rate", changes / cost.wall_s, "changes/s", f"{title}: speed")
    figures.add(f"outage.{way}.wall", cost.wall_s, "s", f"{title}: from the cluster's return to judged")
    figures.add(f"outage.{way}.cpu", cost.cpu_s * 1000 / changes, "CPU-ms / change", f"{title}: CPU")
    figures.add(f"outage.{way}.source", source.cpu_s * 1000 / changes, "CPU-ms / change",
                "  (the stand-in cluster, on the same cores)")
    figures.add(f"outage.{way}.memory", cost.peak_mib, "MiB", f"{title}: memory", most=64)
