"""The history's chain, as an administrator checks it."""

import json
import re

import lmdb
import pytest

from monitor import wait_until

RULES = """version: 1
watched_items:
  - name: move
    when: {event: created, directory: /in, extension: .txt}
    actions: [{rename: "{stem}.done"}]
  - name: fails
    when: {event: created, directory: /in, extension: .bad}
    actions: [{rename: {to: "taken", collision: fail}}]
"""


@pytest.fixture
def monitor(simulator, make_monitor):
    (simulator.root / "in").mkdir()
    (simulator.root / "in/taken").write_text("")
    monitor = make_monitor(simulator, RULES).start()
    for n in range(5):
        (simulator.root / f"in/{n}.txt").write_text("x")
    for n in range(2):
        (simulator.root / f"in/{n}.bad").write_text("x")
    monitor.wait_for_jobs(5)
    monitor.wait_for_jobs(2, "dead")
    return monitor


def verify(monitor, *more):
    result = monitor.run("history", "--verify", "--json", *more)
    return json.loads(result.stdout), result.returncode


def sealed(monitor):
    def all_sealed():
        report, status = verify(monitor)
        assert status == 0 and report["intact"], report
        return report if not report["unsealed"] else None
    return wait_until(all_sealed, "the history to be sealed")


def test_beside_a_running_monitor_all_is_as_it_was_written(monitor):
    report = sealed(monitor)
    assert (report["links"], report["jobs"]) == (7, 7)
    shown = monitor.run("history", "--verify")
    assert shown.stdout.startswith("The history is as it was written: 7 links, 7 jobs.\nNewest link: 7:")
    dead = monitor.jobs("dead")
    assert monitor.run("dead", "drop", str(dead[0]["id"])).returncode == 0
    assert monitor.run("dead", "retry", str(dead[1]["id"])).returncode == 0
    monitor.wait_for_jobs(1, "dead")
    later = sealed(monitor)
    assert later["links"] == 10
    assert verify(monitor, "--head", report["head"])[1] == 0
    number, digits = report["head"].split(":")
    other, status = verify(monitor, "--head", f"{number}:{digits[::-1]}")
    assert status == 1 and "is not the one that was kept" in other["problems"][0]
    assert re.search(r"the history's newest link is \d+:[0-9a-f]{64}", monitor.log())


def test_a_stopped_monitor_leaves_nothing_unsealed(monitor):
    monitor.stop()
    report, status = verify(monitor)
    assert status == 0 and report["unsealed"] == 0 and report["links"] == 7


def test_a_history_that_somebody_wrote_is_found(monitor):
    sealed(monitor)
    monitor.stop()
    with lmdb.open(str(monitor.folder / "store/state"), max_dbs=64) as state:
        history = state.open_db(b"history")
        with state.begin(write=True) as txn:
            key, value = next((k, v) for k, v in txn.cursor(history) if b"/in/3.done" in v)
            txn.put(key, value.replace(b"moved to /in/3.done", b"moved to /in/x.done"), db=history)
    report, status = verify(monitor)
    assert status == 1 and not report["intact"]
    assert re.search(r"job \d+, ended \S+, is not what link \d+ says of it: it was changed", report["problems"][0])
    assert "The history was changed: 7 links, 7 jobs." in monitor.run("history", "--verify").stdout


def test_wrong_words_are_told(monitor):
    result = monitor.run("history", "--verify", "--head", "7")
    assert result.returncode == 2 and "--head 7: expected a link as --verify and the log show it" in result.stderr
    result = monitor.run("history", "--head", "7")
    assert result.returncode == 2 and "--head belongs to --verify" in result.stderr
