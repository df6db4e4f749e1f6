"""calibrate, and what its answer is good for: an own change that a cluster tells in more events than usual."""

import json

import pytest

from monitor import wait_until

RULES = """version: 1
watched_items:
  - name: mark
    when: {event: created, directory: /in, extension: .txt}
    actions: [{rename: "{stem}.done"}]
  - name: all
    when: {event: any, not: {event: [child_file_added, child_data_written, child_size_changed]}}
    actions: [{log: {file: LOG}}]
"""


@pytest.fixture
def make(make_simulator, make_monitor, tmp_path):
    def start(switches, act=None):
        simulator = make_simulator(switches=switches)
        for folder in ("in", "scratch"):
            (simulator.root / folder).mkdir()
        monitor = make_monitor(simulator, RULES.replace("LOG", str(tmp_path / "log")),
                               sections={"ACT": act} if act else None)
        return simulator, monitor
    return start


def test_a_usual_cluster_tells_nothing_unexpected_and_nothing_is_left(make):
    simulator, monitor = make({})
    result = monitor.run("calibrate", "/scratch")
    assert result.returncode == 0, result.stdout + result.stderr
    assert "Nothing unexpected is told of our own changes." in result.stdout
    lines = {line[:20].strip(): line[20:] for line in result.stdout.splitlines() if line[:1].strip()}
    assert lines["rename"] == "child_file_moved_from, child_file_moved_to"
    assert lines["permissions (mode)"] == lines["permissions (acl)"] == "child_acl_changed"
    assert lines["delete"] == "child_file_removed" and lines["lock"] == "nothing is told"
    assert lines["copy"].startswith("child_file_added") and "child_file_moved_to" in lines["copy"]
    assert "not done" not in result.stdout
    assert list((simulator.root / "scratch").iterdir()) == []
    assert [e for e in simulator.client().get("/v3/snapshots/?filter=all").json["entries"] if not e["in_delete"]] == []


def test_what_is_not_expected_is_shown_and_can_be_expected_from_then_on(make, tmp_path):
    switches = {"parent_mtime": "on", "metadata_event": "extra-attrs"}
    simulator, monitor = make(switches)
    result = monitor.run("calibrate", "/scratch", "--json")
    assert result.returncode == 1, result.stdout + result.stderr
    also = json.loads(result.stdout)["also_caused"]
    assert "rename child_mtime_changed of directory" in also and "tag child_extra_attrs_changed" not in also
    assert list((simulator.root / "scratch").iterdir()) == []
    simulator, monitor = make(switches, {"ALSO_CAUSED": ", ".join(also)})
    monitor.start()
    (simulator.root / "in/a.txt").write_text("x")
    wait_until((simulator.root / "in/a.done").exists, "the rename")
    monitor.wait_idle()
    told = [e for e in monitor.tail() if e["type"] == "child_mtime_changed" and e["path"] == "/in"]
    assert len([e for e in told if "echo_of" in e.get("label", {})]) == 1 and len(told) == 2  # the other one is the user's


def test_wrong_words_are_told(make):
    simulator, monitor = make({"smb_archive_noise": "on"})
    result = monitor.run("calibrate")
    assert result.returncode == 2 and "expected a directory of the cluster, like /scratch" in result.stderr
    result = monitor.run("calibrate", "/nowhere")
    assert result.returncode == 1 and "no directory can be made in /nowhere: " in result.stderr
    result = monitor.run("calibrate", "/scratch", "--watch", "x")
    assert result.returncode == 2 and "there is no such watch" in result.stderr


@pytest.mark.parametrize("line, message", [
    ("rename", "expected a module and an event, like 'rename child_mtime_changed of directory'"),
    ("renames child_mtime_changed", "there is no module 'renames', did you mean rename?"),
    ("rename child_mtime", "there is no type of event 'child_mtime'"),
    ("rename child_mtime_changed of file", "expected 'of directory' or nothing")])
def test_wrong_settings_are_told(make, line, message):
    simulator, monitor = make({}, {"ALSO_CAUSED": line})
    result = monitor.run("check")
    assert result.returncode == 2 and message in result.stderr, result.stderr
