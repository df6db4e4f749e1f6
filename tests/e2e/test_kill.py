"""kill -9 at any moment: what was received is acted upon, once; what was not is a gap that says so."""

import collections
import os
import random
import threading
import time
from datetime import datetime
from pathlib import PurePosixPath

import pytest

KILLS = 50
KINDS = ["bad", "tmp", "sec", "run", "log"]
RULES = """\
version: 1
watched_items:
  - name: quarantine
    when: {event: created, directory: /in, extension: .bad}
    actions: [{quarantine: {to: /quarantine}}]
  - name: rename
    when: {event: [created, renamed], directory: /in, extension: .tmp}
    actions: [{rename: {to: "{stem}-done{extension}"}}]
  - name: permissions
    when: {event: [created, permissions], directory: /in, extension: .sec}
    actions: [{permissions: {mode: "0600"}}]
  - name: run
    when: {event: created, directory: /in, extension: .run}
    actions: [{exec: {command: [/bin/sh, -c, 'echo "$1" >> "$2"', sh, "{path}", "RAN"]}}]
  - name: log
    when: {event: created, directory: /in, extension: .log}
    actions: [{log: {file: LOGGED}}]
"""


class Writer(threading.Thread):
    """A user who writes file after file; made: when each was there, by path on the cluster."""

    def __init__(self, root, chance):
        super().__init__(daemon=True)
        self.root, self.chance = root, chance
        self.made, self.is_over = {}, threading.Event()

    def run(self):
        number = 0
        while not self.is_over.wait(self.chance.uniform(0.01, 0.1)):
            for _ in range(self.chance.randint(1, 25)):
                path = f"/in/f{number}.{self.chance.choice(KINDS)}"
                file = os.open(f"{self.root}{path}", os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644)
                self.made[path] = time.time()
                os.write(file, path.encode())
                os.close(file)
                number += 1

    def stop(self):
        self.is_over.set()
        self.join()


def seconds(text):
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


class Life:
    """A monitor that is killed and started again; gaps: all that it ever told of, by number."""

    def __init__(self, monitor, chance):
        self.monitor, self.chance = monitor, chance
        self.gaps, self.down, self.restarts = {}, [], []

    def look(self):
        status = self.monitor.status()
        self.gaps.update({gap["id"]: gap for gap in status["store"]["gaps"]})
        return status

    def live_and_die(self, is_early):
        """is_early: perhaps before it listens, or even before it has opened its store."""
        start = time.time()
        self.monitor.start(listening=not is_early)
        if not is_early:
            self.restarts.append(time.time() - start)
            self.look()
        time.sleep(self.chance.uniform(0, 0.15 if is_early else 0.3))  # the moment is the test
        self.down.append(time.time())
        self.monitor.kill()

    def is_in_gap(self, moment):
        # The times of the gaps are cut to milliseconds.
        return any(seconds(gap["from"]) - 0.001 <= moment <= seconds(gap["until"]) + 0.001
                   for gap in self.gaps.values())


@pytest.fixture
def killed(simulator, make_monitor, tmp_path):
    """Killed fifty times while files were written, then left in peace until it had nothing to do."""
    seed = int(os.environ.get("SEED", time.time_ns() % 100000))
    print(f"SEED={seed}")
    chance = random.Random(seed)
    (simulator.root / "in").mkdir()
    rules = RULES.replace("RAN", f"{tmp_path}/ran").replace("LOGGED", f"{tmp_path}/logged")
    life = Life(make_monitor(simulator, rules), chance)
    writer = Writer(simulator.root, random.Random(seed + 1))
    life.monitor.start()
    writer.start()
    life.monitor.kill()
    life.down.append(time.time())
    try:
        for number in range(KILLS - 1):
            life.live_and_die(is_early=number % 3 == 2)
    finally:
        writer.stop()
    life.monitor.start()
    life.monitor.wait_idle(60)
    life.status = life.look()
    life.made, life.folder = writer.made, tmp_path
    restarts = sorted(life.restarts)
    print(f"{len(writer.made)} files; restart to listening: median "
          f"{restarts[len(restarts) // 2]:.3f} s, longest {restarts[-1]:.3f} s")
    return life


def received(events):
    """Paths of the files of whose creation the monitor heard."""
    paths = [e["path"] for e in events if e["type"] == "child_file_added"
             and PurePosixPath(e["path"]).parent == PurePosixPath("/in")]
    assert len(paths) == len(set(paths))
    return set(paths)


def of_kind(paths, kind):
    return {path for path in paths if path.endswith("." + kind)}


def test_what_was_received_before_a_kill_is_done_once_after_it(simulator, killed):
    monitor, root = killed.monitor, simulator.root
    events = monitor.tail()
    heard = received(events)
    print(f"{len(heard)} of {len(killed.made)} creations heard, {len(killed.gaps)} gaps")
    assert heard < set(killed.made) and len(heard) > KILLS
    assert sorted(killed.restarts)[len(killed.restarts) // 2] < 1

    # Each event was judged: it has its job, each job has ended, and none was given up.
    jobs = [job for e in events for job in e.get("label", {}).get("jobs", [])]
    judged = {e["path"] for e in events if e.get("label", {}).get("jobs")}
    assert heard <= judged and len(jobs) == len(set(jobs))
    assert monitor.jobs("dead") == []
    assert killed.status["store"]["jobs_done"] == len(jobs)

    # Each file action was done once: on all of what was heard, and on nothing else.
    names = {f"/in/{name}" for name in os.listdir(root / "in")}
    quarantined = [path for path in (root / "quarantine").rglob("*") if path.is_file()]
    assert {"/" + str(path.relative_to(root / "quarantine")).split("/", 1)[1]
            for path in quarantined} == of_kind(heard, "bad")
    assert len(quarantined) == len(of_kind(heard, "bad"))
    assert of_kind(names, "bad") == of_kind(killed.made, "bad") - heard
    assert of_kind(names, "tmp") == {path.replace(".tmp", "-done.tmp") if path in heard else path
                                     for path in of_kind(killed.made, "tmp")}
    modes = {path: os.stat(f"{root}{path}").st_mode & 0o777 for path in of_kind(names, "sec")}
    assert modes == {path: 0o600 if path in heard else 0o644
                     for path in of_kind(killed.made, "sec")}
    for path in quarantined:
        assert path.read_text().endswith(path.name)

    # What leaves the cluster may be done again after each kill that it was under way, never not
    # at all; at most CONCURRENCY jobs are under way.
    ran = collections.Counter((killed.folder / "ran").read_text().split())
    assert set(ran) == of_kind(heard, "run")
    print(f"{len(ran)} scripts, {sum(ran.values()) - len(ran)} runs more than that")
    assert sum(ran.values()) - len(ran) <= 32 * KILLS
    logged = (killed.folder / "logged").read_text()
    assert {path for path in of_kind(heard, "log") if f'"{path}"' in logged} == \
        of_kind(heard, "log")

    # What was not heard happened in a gap, and every time that it was down is in one.
    assert all(gap["until"] for gap in killed.gaps.values())
    assert killed.status["store"]["gap_count"] == len(killed.gaps) <= KILLS
    missed = set(killed.made) - heard
    assert [path for path in missed if not killed.is_in_gap(killed.made[path])] == []
    assert [moment for moment in killed.down if not killed.is_in_gap(moment)] == []
    shown = monitor.run("status").stdout
    assert f"gaps    {len(killed.gaps)} so far" in shown and "was not running" in shown
