"""cn_monitor scan: what was there before the monitor came is judged when somebody asks for it."""

import json
import os
import subprocess

import pytest

from monitor import PROGRAM, wait_until

RULES = """\
version: 1
watched_items:
  - name: old
    when: {event: created, directory: /data, extension: .txt, origin: scan}
    actions: [rename: {to: "{name}.seen"}]
"""


def scan(monitor, *words, status=0):
    done = monitor.run("scan", *words)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout if status == 0 else done.stdout + done.stderr


@pytest.fixture
def make(simulator, make_monitor):
    for name in ("data/a.txt", "data/deep/er/b.txt", "data/c.dat", "other/d.txt"):
        path = simulator.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    return lambda sections=None: make_monitor(simulator, RULES, sections or {}).start()


def test_what_was_there_before_is_judged(make, simulator):
    monitor = make()
    assert scan(monitor) == "No scan was asked for.\n"
    assert scan(monitor, "/data").startswith("scan 1 of /data: done; 6 told, ")  # itself, three files, two directories
    wait_until(lambda: len(monitor.jobs()) == 2, "the jobs")
    assert sorted(path.name for path in (simulator.root / "data").rglob("*.seen")) == ["a.txt.seen", "b.txt.seen"]
    assert (simulator.root / "other/d.txt").exists()
    told = [(event["type"], event["path"]) for event in monitor.tail() if event["origin"] == "scan"]
    assert ("child_file_added", "/data/c.dat") in told and ("child_data_written", "/data/c.dat") in told
    assert ("child_dir_added", "/data/deep") in told
    # Again: what the stream has told, too, is told once more, for that is what was asked for. A file is fine, too.
    assert scan(monitor, "/data/c.dat").startswith("scan 2 of /data/c.dat: done; 1 told, ")
    scans = json.loads(scan(monitor, "list", "--json"))
    assert [(each["number"], each["state"], each["found"]) for each in scans] == [(1, "done", 6), (2, "done", 1)]
    assert scan(monitor, "/", "--json").startswith("{")


def test_a_dry_run_says_what_rules_would_be_true_for_and_does_nothing(make, simulator, tmp_path):
    monitor = make()
    monitor.stop()  # it is not needed
    many(simulator, 3)
    shown = scan(monitor, "/", "--dry-run")
    assert " looked at, " in shown and "nothing was done.\n" in shown
    assert "old: 5\n    /data/" in shown and "    ...\n" in shown
    items = tmp_path / "new.yml"
    items.write_text("version: 1\nwatched_items:\n"
                     "  - {name: large, when: {event: written, size: {over: 1 MiB}, extension: .txt}, actions: [log]}\n"
                     "  - {name: folders, when: {event: child_dir_added, directory: /data}, actions: [log]}\n"
                     "  - {name: none, when: {event: removed}, actions: [log]}\n")
    result = json.loads(scan(monitor, "/", "--dry-run", "--items", str(items), "--json"))
    assert {rule["rule"]: (rule["sure"], rule["perhaps"]) for rule in result["rules"]} == {
        "large": (0, 6), "folders": (5, 0), "none": (0, 0)}
    assert simulator.changes() == []
    assert "there is nothing of that name" in scan(monitor, "/nowhere", "--dry-run", status=1)
    assert "--items goes with --dry-run" in scan(monitor, "/data", "--items", str(items), status=2)
    assert "--watch and --dry-run go with a path" in scan(monitor, "--dry-run", status=2)
    assert "lies in none of the watched directories" in scan(monitor, "/data", "--dry-run", "--watch", "x", status=2)


def test_mistakes_are_told(make):
    monitor = make({"WATCH": {"PATH": "/data"}})
    assert "'data': expected a path that begins with /, as the cluster has it, list or stop" in scan(monitor, "data", status=2)
    assert "/other lies in none of the watched directories: expected one in /data" in scan(monitor, "/other", status=1)
    assert "scan 1 of /data/none: failed: there is nothing of that name" in scan(monitor, "/data/none", status=1)
    assert "no such scan waits or is under way" in scan(monitor, "stop", "1", status=1)
    assert "expected the number of a scan" in scan(monitor, "stop", status=2)
    assert "/data lies in none of the watched directories: expected one in" in scan(monitor, "/data", "--watch", "x", status=1)
    assert "scan 2 of /data: done; 5 told" in scan(monitor, "/data/")


def start_scan(monitor, path):
    return subprocess.Popen([PROGRAM, "scan", path, "-c", monitor.conf], stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True)


def state_of(monitor):
    scans = json.loads(scan(monitor, "--json"))
    return scans[-1] if scans else {"state": "", "found": 0}


def many(simulator, count):
    for number in range(count):
        (simulator.root / f"data/d{number}").mkdir()
        (simulator.root / f"data/d{number}/f.txt").write_text("x")


def test_a_scan_goes_on_after_a_kill_and_tells_everything_once(make, simulator):
    many(simulator, 60)
    monitor = make({"WATCH": {"SCAN_RATE": "20"}})
    display = start_scan(monitor, "/data")
    wait_until(lambda: state_of(monitor)["found"] > 10, "some of it")
    monitor.kill()
    display.communicate()
    monitor.start()
    wait_until(lambda: state_of(monitor)["state"] == "done", "the end", 30)
    monitor.wait_idle()
    added = [event["path"] for event in monitor.tail() if event["origin"] == "scan" and event["type"] == "child_file_added"]
    assert len(added) == len(set(added)) and {f"/data/d{n}/f.txt" for n in range(60)} <= set(added)
    assert len(list((simulator.root / "data").rglob("*.seen"))) == 62
    assert "was interrupted and goes on" in monitor.log()


def test_a_scan_is_stopped_by_hand_and_the_next_one_begins(make, simulator):
    many(simulator, 60)
    monitor = make({"WATCH": {"SCAN_RATE": "5"}})
    displays = [start_scan(monitor, "/data")]
    wait_until(lambda: state_of(monitor)["state"] == "under way", "the first")
    displays.append(start_scan(monitor, "/other"))
    wait_until(lambda: state_of(monitor)["path"] == "/other", "the second")
    assert state_of(monitor)["state"] == "waiting"
    assert "Scan 1 is being stopped" in scan(monitor, "stop", "1")
    outcomes = [display.communicate(timeout=20)[0].split(";")[0] for display in displays]
    assert outcomes == ["scan 1 of /data: stopped", "scan 2 of /other: done"]
    assert os.path.exists(simulator.root / "data/d59/f.txt")
