"""An action never feeds itself, and never makes the monitor deaf for what somebody else does."""

import json
import os
import random
import re
import stat
import time

import pytest

from monitor import wait_until

RENAME = """\
version: 1
watched_items:
  - name: mark-done
    when:
      event: [created, renamed, moved_in, metadata]
      directory: /work
      name: "*.tmp*"
    actions:
      - rename: {to: "{name}.done"}
  - name: note
    when: {directory: /work, name: "*.tmp*"}
    actions:
      - log: {file: LOG}
"""

QUARANTINE = """\
version: 1
watched_items:
  - name: isolate
    when: {event: any, directory: /, extension: .zip}
    actions:
      - quarantine: {to: /kept/here, by_date: no}
"""

PERMISSIONS = """\
version: 1
watched_items:
  - name: lock-up
    when: {event: [created, permissions], directory: /shared}
    actions:
      - permissions: {mode: "0640"}
  - name: note
    when: {event: permissions, directory: /shared}
    actions:
      - log: {file: LOG}
"""


@pytest.fixture
def noted(tmp_path):
    class Noted:
        path = tmp_path / "noted.jsonl"

        def rules(self, text):
            return text.replace("LOG", str(self.path))

        def lines(self):
            return [json.loads(line) for line in self.path.read_text().splitlines()] \
                if self.path.exists() else []

    return Noted()


def mode_of(path):
    return stat.S_IMODE(path.stat().st_mode)


def settled(monitor, simulator):
    """Until the cluster has told all and all of it is judged and done; then what was asked of it
    stays as it is. Answers the successful changes."""
    seen = None
    def is_same_twice():
        nonlocal seen
        monitor.wait_idle()
        before, seen = seen, (simulator.status()["change_count"], monitor.status()["filter"])
        return before == seen
    wait_until(is_same_twice, "nothing to happen any more", pause_s=0.3)
    return [c for c in simulator.changes() if c["status"] == 200]


# ---- each acts once, and check says where the danger is ----

@pytest.mark.parametrize("rules, action, conditions", [
    (RENAME, 9, 4), (QUARANTINE, 6, 4), (PERMISSIONS, 6, 4)])
def test_check_names_a_rule_that_its_own_action_could_trigger(simulator, make_monitor, noted, rules,
                                                             action, conditions):
    monitor = make_monitor(simulator, noted.rules(rules))
    done = monitor.run("check", "--no-color")
    assert done.returncode == 0, done.stderr
    said = done.stdout + done.stderr
    warning = re.search(r"watched_items\.yml:(\d+):\d+: warning: rule '(\S+)' may trigger itself"
                        r".*\(line (\d+)\)", said)
    assert warning, said
    assert (int(warning[1]), int(warning[3])) == (action, conditions)


def test_a_rename_inside_its_own_scope_happens_once_however_its_halves_arrive(simulator,
                                                                             make_monitor, noted):
    (simulator.root / "work").mkdir()
    monitor = make_monitor(simulator, noted.rules(RENAME)).start()
    for pairing in ["together", "separate", "mixed", "reversed"]:
        for delay in ["0s", "200ms"]:
            simulator.switch(rename_pair=pairing, event_delay=delay)
            for n in range(5):
                (simulator.root / f"work/{pairing}-{delay}-{n}.tmp").write_text("x")
    monitor.wait_for_jobs(40)
    changes = settled(monitor, simulator)
    names = sorted(os.listdir(simulator.root / "work"))
    assert len(names) == 40 and all(name.endswith(".tmp.done") for name in names)
    assert not any(name.endswith(".done.done") for name in names)
    assert len(changes) == 40

    # Both halves of each are known as echoes; no rule at all saw them.
    moves = [e for e in monitor.tail() if "_moved_" in e["type"]]
    assert len(moves) == 80 and all("echo_of" in e["label"] for e in moves)
    assert not [line for line in noted.lines() if "moved" in line["event"]]


def test_a_quarantine_inside_the_watched_tree_takes_each_file_once(simulator, make_monitor):
    for folder in ["a", "b/c"]:
        (simulator.root / folder).mkdir(parents=True)
    monitor = make_monitor(simulator, QUARANTINE).start()
    for n in range(20):
        (simulator.root / f"a/{n}.zip").write_text("a")
        (simulator.root / f"b/c/{n}.zip").write_text("b")
    wait_until(lambda: len(list((simulator.root / "kept").rglob("*.zip"))) == 40, "40 files")
    changes = settled(monitor, simulator)
    for n in range(20):
        assert (simulator.root / f"kept/here/a/{n}.zip").read_text() == "a"
        assert (simulator.root / f"kept/here/b/c/{n}.zip").read_text() == "b"
    assert len([c for c in changes if c["body"]["action"] == "RENAME"]) == 40


def test_permissions_set_on_permission_events_are_set_once(simulator, make_monitor, noted):
    (simulator.root / "shared").mkdir()
    monitor = make_monitor(simulator, noted.rules(PERMISSIONS)).start()
    files = [simulator.root / f"shared/{n}.txt" for n in range(20)]
    for file in files:
        file.write_text("x")
    wait_until(lambda: all(mode_of(f) == 0o640 for f in files), "20 files to be locked up")
    assert len(settled(monitor, simulator)) == 20
    assert noted.lines() == []
    assert [e["label"]["echo_of"] for e in monitor.tail() if e["type"] == "child_acl_changed"]


# ---- somebody else, at the same moment ----

def insist(monitor, path, rounds, rng, mode=0o666):
    """A user who undoes at once, or nearly, whatever the monitor does."""
    for n in range(rounds):
        path.chmod(mode)
        end = time.monotonic() + 30
        while mode_of(path) == mode:
            assert time.monotonic() < end, \
                f"round {n}: the user's change was swallowed\n" + monitor.log()[-3000:]
        pause_until = time.monotonic() + rng.choice([0, 0, 0, 0.0005, 0.002, 0.005])
        while time.monotonic() < pause_until:
            pass


@pytest.mark.parametrize("merge", ["yes", "no"])
def test_a_users_chmod_in_the_moment_of_ours_is_judged(make_simulator, make_monitor, noted, merge):
    simulator = make_simulator(switches={"merge": merge})
    (simulator.root / "shared").mkdir()
    path = simulator.root / "shared/contested.txt"
    monitor = make_monitor(simulator, noted.rules(PERMISSIONS)).start()
    path.write_text("x")
    wait_until(lambda: mode_of(path) == 0o640, "the file to be locked up")
    rounds = 12
    insist(monitor, path, rounds, random.Random(merge))
    changes = settled(monitor, simulator)
    assert mode_of(path) == 0o640
    assert len(changes) <= rounds + 1  # each for a change of the user's
    # Judged at least once each; twice if the look at the file was faster than the event.
    assert (rounds if merge == "no" else 1) <= len(noted.lines()) <= 2 * rounds


def test_a_users_chmod_while_the_request_is_on_its_way_is_judged(simulator, make_monitor, noted):
    (simulator.root / "shared").mkdir()
    files = [simulator.root / f"shared/{n}.txt" for n in range(10)]
    monitor = make_monitor(simulator, noted.rules(PERMISSIONS)).start()
    simulator.fault(method="PATCH", path="/v1/files/", delay_ms=500, count=-1)
    for file in files:
        file.write_text("x")
    wait_until(lambda: monitor.status()["act"]["running"] == len(files), "the requests")
    for file in files:
        file.chmod(0o604)
    simulator.no_faults()
    wait_until(lambda: all(mode_of(f) == 0o640 for f in files), "the files to be locked up")
    settled(monitor, simulator)
    assert all(mode_of(f) == 0o640 for f in files)


def test_a_users_rename_in_the_moment_of_ours_is_judged(simulator, make_monitor, noted):
    (simulator.root / "work").mkdir()
    monitor = make_monitor(simulator, noted.rules(RENAME)).start()
    rounds = 0
    for pairing in ["together", "separate", "mixed", "reversed"]:
        simulator.switch(rename_pair=pairing)
        name = simulator.root / f"work/{pairing}.tmp"
        done = simulator.root / f"work/{pairing}.tmp.done"
        name.write_text("x")
        for n in range(8):
            end = time.monotonic() + 30
            while not done.exists():
                assert time.monotonic() < end, f"{pairing} {n}: swallowed\n" + monitor.log()[-3000:]
            if n < 7:
                done.rename(name)
            rounds += 1
    changes = settled(monitor, simulator)
    assert len(changes) == rounds == 32
    assert sorted(os.listdir(simulator.root / "work")) == sorted(
        f"{p}.tmp.done" for p in ["together", "separate", "mixed", "reversed"])


# ---- nothing stays behind ----

def test_expectations_that_no_event_meets_are_gone_after_their_time(simulator, make_monitor):
    for folder in ["watched", "elsewhere"]:
        (simulator.root / folder).mkdir()
    monitor = make_monitor(simulator, """\
version: 1
watched_items:
  - name: away
    when: {event: [created, moved_in], extension: .zip}
    actions: [quarantine: {to: /elsewhere, by_date: no}]
  - name: into-view
    when: {event: renamed, extension: .txt}
    actions: [log]
""", sections={"WATCH": {"PATH": "/watched"}, "ACT": {"ECHO_EXPIRY": "1s"}}).start()
    file = simulator.root / "watched/a.zip"
    file.write_text("x")
    moved = simulator.root / "elsewhere/watched/a.zip"
    wait_until(moved.exists, "the quarantine")
    monitor.wait_for_jobs(1)
    assert monitor.status()["store"]["expected_echoes"] > 0  # it is out of sight: no event comes

    # The same file again, once the echo could be late no more: a user's doing.
    moved.rename(file)
    wait_until(lambda: moved.exists() and not file.exists(), "the second quarantine")
    assert len(monitor.wait_for_jobs(2)) == 2
    monitor.stop()
    end = time.monotonic() + 1.1
    wait_until(lambda: time.monotonic() > end, "the expectations to expire")
    monitor.start()
    wait_until(lambda: monitor.status()["store"]["expected_echoes"] == 0, "no expectation")
    assert monitor.stop() == 0


# ---- both promises, at random ----

RANDOM = """\
version: 1
watched_items:
  - {name: mark-done, when: {event: [created, renamed], directory: /work, name: "*.tmp"}, actions: [rename: {to: "{name}.done"}]}
  - {name: lock-up, when: {event: [created, permissions], directory: /shared}, actions: [permissions: {mode: "0640"}]}
  - {name: away, when: {event: [created, renamed, written], directory: /drop}, actions: [quarantine: {to: /kept, by_date: no}, tag: {key: by, value: "{rule}"}]}
  - {name: note, when: {event: [renamed, permissions], any: [{directory: /work}, {directory: /shared}, {directory: /kept}]}, actions: [log: {file: LOG}]}
"""
SEEDS = [int(seed) for seed in os.environ.get("CN_SEED", "").split(",") if seed] or (
    range(1, 101) if os.environ.get("CN_FULL") else [1, None])  # None: another one each time


class People:
    """Who work on the same files as the rules do, and never wait for them."""

    def __init__(self, root, rng):
        self.root, self.rng, self.made = root, rng, 0
        self.renames = self.marks = self.drops = 0
        self.chmods = {}

    def choose(self, folder, ending):
        found = [path for path in (self.root / folder).iterdir() if path.name.endswith(ending)]
        return self.rng.choice(found) if found else None

    def act(self):
        self.made += 1
        what = self.rng.choice(["new", "back", "share", "chmod", "contest", "drop", "aside"])
        if what == "new":
            (self.root / f"work/{self.made}.tmp").write_text("x")
            self.marks += 1
        elif what == "back":
            path = self.choose("work", ".done")
            if path:
                path.rename(self.root / f"work/{self.made}.tmp")
                self.renames += 1
                self.marks += 1
        elif what == "aside":  # concerns no rule but the note
            path = self.choose("work", ".done")
            if path:
                path.rename(self.root / f"work/{self.made}.done")
                self.renames += 1
        elif what == "share":
            path = self.root / f"shared/{self.made}"
            path.write_text("x")
            path.chmod(0o604)
            self.chmods[path] = 1
        elif what == "chmod" and self.chmods:
            path = self.rng.choice(list(self.chmods))
            path.chmod(self.rng.choice([0o600, 0o606, 0o666, 0o644]))
            self.chmods[path] += 1
        elif what == "contest" and self.chmods:  # in the moment of ours
            path = self.rng.choice(list(self.chmods))
            path.chmod(0o604)
            until = time.monotonic() + 0.3
            while mode_of(path) != 0o640 and time.monotonic() < until:
                pass
            path.chmod(0o622)
            self.chmods[path] += 2
        elif what == "drop":
            (self.root / f"drop/{self.made}").write_text("x")
            self.drops += 1


@pytest.mark.parametrize("seed", SEEDS)
def test_no_own_event_triggers_and_no_foreign_change_is_swallowed(make_simulator, make_monitor, noted, seed):
    seed = seed or time.time_ns() % 1_000_000_000
    rng = random.Random(seed)
    switches = {"rename_pair": rng.choice(["together", "separate", "mixed", "reversed"]), "merge": rng.choice(["yes", "no"]),
                "event_delay": rng.choice(["0s", "0s", "30ms", "200ms"]), "message_events": rng.choice(["1", "1000"]),
                "metadata_event": rng.choice(["none", "extra-attrs"]), "id_size": rng.choice(["short", "29"])}
    simulator = make_simulator(switches=switches)
    for folder in ("work", "shared", "drop", "kept"):
        (simulator.root / folder).mkdir()
    monitor = make_monitor(simulator, noted.rules(RANDOM)).start()
    people = People(simulator.root, rng)
    for _ in range(150):
        people.act()
        time.sleep(rng.choice([0, 0, 0, 0.001, 0.01, 0.03]))  # people's, not the test's
    changes = settled(monitor, simulator)
    story = f"CN_SEED={seed} {switches}\n{monitor.log()[-2000:]}"
    assert monitor.jobs("dead") == [], story

    # Nobody's change was swallowed: everything is as the rules want it.
    assert not list((simulator.root / "drop").iterdir()) and not list((simulator.root / "work").glob("*.tmp")), story
    assert all(mode_of(path) == 0o640 for path in people.chmods), story
    # Nothing of ours triggered: each change answers one of theirs.
    done = [c["body"] for c in changes if (c["body"] or {}).get("action") == "RENAME"]
    assert len([b for b in done if b["old_path"].startswith("/work/")]) == people.marks, story
    assert len([b for b in done if b["old_path"].startswith("/drop/")]) == people.drops, story
    modes = [c for c in changes if "mode" in (c["body"] or {})]
    assert len(modes) <= sum(people.chmods.values()) + len(people.chmods), story
    # And whoever watches sees theirs, not ours.
    seen = [line["event"] for line in noted.lines() if line["path"].startswith("/work/") and "moved_to" in line["event"]]
    assert len(seen) == people.renames, story
    assert not [line for line in noted.lines() if line["path"].startswith("/kept/")], story


@pytest.mark.parametrize("switches", [{"event_copies": "2"}, {"event_copies": "2", "rename_pair": "separate"},
                                      {"event_copies": "2", "rename_pair": "reversed", "event_delay": "30ms"},
                                      {"event_order": "swapped"}, {"event_order": "swapped", "event_copies": "2"}])
def test_events_told_twice_or_in_another_order_repeat_no_action(make_simulator, make_monitor, noted, switches):
    seed = int(os.environ.get("CN_SEED", "").split(",")[0] or time.time_ns() % 1_000_000_000)
    rng = random.Random(seed)
    simulator = make_simulator(switches=switches)
    for folder in ("work", "shared", "drop", "kept"):
        (simulator.root / folder).mkdir()
    monitor = make_monitor(simulator, noted.rules(RANDOM)).start()
    people = People(simulator.root, rng)
    for _ in range(100):
        people.act()
        time.sleep(rng.choice([0, 0, 0, 0.001, 0.01, 0.03]))  # people's, not the test's
    changes = settled(monitor, simulator)
    story = f"CN_SEED={seed} {switches}\n{monitor.log()[-2000:]}"
    assert monitor.jobs("dead") == [], story
    assert not list((simulator.root / "drop").iterdir()) and not list((simulator.root / "work").glob("*.tmp")), story
    assert all(mode_of(path) == 0o640 for path in people.chmods), story
    done = [c["body"] for c in changes if (c["body"] or {}).get("action") == "RENAME"]
    assert len([b for b in done if b["old_path"].startswith("/work/")]) == people.marks, story
    assert len([b for b in done if b["old_path"].startswith("/drop/")]) == people.drops, story
    ours = {b["name"] for b in done}
    assert not [line for line in noted.lines() if line["path"].startswith("/kept/")], story
    told = [line for line in noted.lines() if line["path"].startswith("/work/") and "moved_to" in line["event"]]
    assert not [line for line in told if line["path"].endswith(".tmp.done") and line["path"].split("/")[-1] in ours
                and line["old_path"].endswith(".tmp")], story


def test_echoes_that_are_lost_leave_nothing_behind(make_simulator, make_monitor, noted):
    simulator = make_simulator(switches={"event_loss": "3"})
    for folder in ("work", "shared", "drop", "kept"):
        (simulator.root / folder).mkdir()
    monitor = make_monitor(simulator, noted.rules(RANDOM), sections={"ACT": {"ECHO_EXPIRY": "1s"}}).start()
    for n in range(60):
        (simulator.root / f"work/{n}.tmp").write_text("x")
        (simulator.root / f"drop/{n}").write_text("x")
    changes = settled(monitor, simulator)
    done = [c["body"]["old_path"] for c in changes if (c["body"] or {}).get("action") == "RENAME"]
    assert len(done) == len(set(done)) and len(done) > 60  # most were heard of, and none was moved twice
    assert monitor.jobs("dead") == []
    wait_until(lambda: monitor.status()["store"]["expected_echoes"] == 0, "no expectation")
