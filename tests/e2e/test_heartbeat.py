"""The heartbeat: a file that the monitor touches on the cluster, whose event proves that the stream
lives and is recursive. No rule sees it."""

import os

import pytest

from monitor import wait_until

RULES = """\
version: 1
watched_items:
  - name: everything
    when: {event: any}
    actions: [log]
"""
BEAT = {"WATCH": {"HEARTBEAT": "200ms"}}


@pytest.fixture
def make_beating(make_monitor, simulator):
    def make(**sections):
        return make_monitor(simulator, RULES, sections={**BEAT, **sections})
    return make


def heartbeat(monitor):
    return monitor.status()["watches"][0]["heartbeat"]


def wait_state(monitor, state):
    def is_there():
        told = heartbeat(monitor)
        return told if told["state"] == state else None
    return wait_until(is_there, f"a heartbeat that is {state} in:\n{monitor.log()[-2000:]}")


def beats(monitor):
    lines = monitor.fetch("/metrics")[1].splitlines()
    found = [line for line in lines if line.startswith("cn_heartbeat_heard_total")]
    return int(found[0].split()[-1]) if found else 0


def judged(monitor):
    return {event["path"] for event in monitor.tail() if (event.get("label") or {}).get("rules")}


def wait_beats(monitor, count):
    target = beats(monitor) + count
    wait_until(lambda: beats(monitor) >= target, f"{count} heartbeats more")


def test_a_heartbeat_is_heard_and_measured_and_no_rule_sees_it(make_beating, simulator):
    monitor = make_beating().start()
    told = wait_state(monitor, "heard")
    assert 0 <= told["delay_ms"] < 2000 and told["heard"] and not told["why"]
    wait_beats(monitor, 3)
    (simulator.root / "users-own").write_text("x")
    monitor.wait_for_jobs(1)
    monitor.wait_idle()
    assert judged(monitor) == {"/users-own"}
    files = list((simulator.root / ".cn_monitor").iterdir())
    assert [file.name for file in files] == [f"heartbeat-{os.uname().nodename}-main"]
    assert files[0].stat().st_size == 0
    shown = monitor.run("status").stdout
    assert "the last heartbeat was heard" in shown and " ms after it was sent" in shown
    metrics = monitor.fetch("/metrics")[1]
    assert "cn_heartbeat_judged_ms{watch=\"main\"}" in metrics
    assert "cn_heartbeat_missed_total{watch=\"main\"} 0" in metrics


def test_what_others_do_in_its_directory_is_judged(make_beating, simulator):
    monitor = make_beating().start()
    wait_state(monitor, "heard")
    folder = simulator.root / ".cn_monitor"
    (folder / "hidden.zip").write_text("x")
    (folder / "heartbeat-hidden.zip").write_text("")
    next(folder.glob("heartbeat-*-main")).chmod(0o600)
    monitor.wait_for_jobs(3)
    wait_beats(monitor, 2)
    monitor.wait_idle()
    own = f"/.cn_monitor/heartbeat-{os.uname().nodename}-main"
    assert judged(monitor) == {"/.cn_monitor/hidden.zip", "/.cn_monitor/heartbeat-hidden.zip", own}
    told = [e["type"] for e in monitor.tail() if e["path"] == own and (e.get("label") or {}).get("rules")]
    assert told == ["child_acl_changed"]


def test_the_next_run_uses_the_same_file_and_one_that_is_gone_is_made_anew(make_beating, simulator):
    monitor = make_beating().start()
    wait_state(monitor, "heard")
    monitor.stop()
    monitor.start()
    wait_state(monitor, "heard")
    folder = simulator.root / ".cn_monitor"
    assert len(list(folder.iterdir())) == 1
    next(folder.iterdir()).unlink()
    folder.rmdir()
    wait_until(lambda: folder.exists() and len(list(folder.iterdir())) == 1, "the file to come back")
    wait_beats(monitor, 2)
    assert wait_state(monitor, "heard")
    monitor.wait_idle()
    told = {e["type"] for e in monitor.tail() if (e.get("label") or {}).get("rules")}
    assert told == {"child_file_removed", "child_dir_removed"}  # by the user; what the heartbeat made is not


def test_a_stream_that_tells_nothing_of_what_is_below_is_found_out(make_beating, simulator):
    simulator.switch(recursive_mode="DISABLED_IGNORE")
    monitor = make_beating().start()
    told = wait_state(monitor, "deaf")
    assert told["why"] == "the heartbeat's event did not come within 0.6 s"
    monitor.wait_for_log("3 streams in a row told nothing of /.cn_monitor/heartbeat-")
    status = monitor.status()
    gaps = status["store"]["gaps"]
    assert gaps and all("heartbeat" in gap["reason"] for gap in gaps), gaps
    assert status["watches"][0]["state"] == "listening"  # it is kept: another would not be better
    reconnects = status["watches"][0]["reconnects"]
    missed = monitor.fetch("/metrics")[1]
    wait_until(lambda: monitor.fetch("/metrics")[1] != missed and beats(monitor) == 0, "more beats")
    assert monitor.status()["watches"][0]["reconnects"] == reconnects
    status, text = monitor.fetch("/readyz")
    assert status == 503 and "heartbeat" in text
    done = monitor.run("status")
    assert done.returncode == 1 and "no heartbeat: the heartbeat's event did not come" in done.stdout


def test_a_stream_that_stops_telling_is_opened_anew_and_its_gap_begins_at_the_last_beat(make_beating, simulator):
    monitor = make_beating(WATCH={"HEARTBEAT": "200ms", "GAP_REPAIR": "scan"}).start()
    wait_state(monitor, "heard")
    heard = heartbeat(monitor)["heard"]
    wait_beats(monitor, 2)
    simulator.streams("stall")  # not even keep-alives come; but SILENCE is a minute
    (simulator.root / "unheard").write_text("x")
    wait_until(lambda: monitor.status()["store"]["gap_count"] >= 1, "the gap")
    gap = monitor.status()["store"]["gaps"][-1]
    assert gap["from"] >= heard and "did not come within" in gap["reason"]
    monitor.wait_for_log("repaired by")
    wait_state(monitor, "heard")
    monitor.wait_idle()
    assert judged(monitor) == {"/unheard"}


def test_what_lies_in_its_place_is_left_alone(make_beating, simulator):
    folder = simulator.root / ".cn_monitor"
    folder.mkdir()
    file = folder / f"heartbeat-{os.uname().nodename}-main"
    file.write_text("somebody's")
    os.utime(file, (1000, 1000))
    monitor = make_beating().start()
    told = wait_state(monitor, "failed")
    assert told["why"].endswith("it is not an empty file, and so not ours")
    assert file.read_text() == "somebody's" and file.stat().st_mtime == 1000
    file.unlink()
    wait_state(monitor, "heard")
    assert monitor.log().count("no heartbeat, so that nothing proves") == 1


def test_without_the_right_to_write_the_stream_is_listened_to_all_the_same(make_beating, simulator):
    folder = simulator.root / ".cn_monitor"
    monitor = make_beating()
    simulator.fault(status=403, method="POST", path="/v1/files/{}/entries/", count=1000)
    monitor.start()
    told = wait_state(monitor, "failed")
    assert "make the directory of /.cn_monitor/heartbeat-" in told["why"]
    (simulator.root / "heard").write_text("x")
    monitor.wait_for_jobs(1)
    assert monitor.status()["watches"][0]["state"] == "listening" and not folder.exists()
    assert "no heartbeat: make the directory of" in monitor.run("status").stdout
