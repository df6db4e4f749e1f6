"""Rules that set themselves off, through a program or through their own echoes: they are stopped."""

import pytest

from monitor import wait_until

LIMITS = {"ACT": {"RUNS_PER_FILE": "5", "RUNS_WITHIN": "1h", "MAX_DEPTH": "3"}}


def dead_of(monitor, rule):
    return [job for job in monitor.jobs("dead") if job["body"]["rule"] == rule]


def test_a_program_that_writes_what_its_rule_watches_is_stopped_for_that_file(simulator, make_monitor, tmp_path):
    script = tmp_path / "stamp.sh"
    script.write_text(f"#!/bin/sh\necho stamp >> {simulator.root}\"$1\"\n")
    script.chmod(0o755)
    monitor = make_monitor(simulator, "version: 1\nwatched_items:\n"
                           "  - name: stamp\n    when: {event: child_data_written, extension: .txt}\n"
                           f"    actions: [exec: {{command: [{script}, '{{path}}']}}]\n", LIMITS).start()
    (simulator.root / "a.txt").write_text("x\n")
    wait_until(lambda: dead_of(monitor, "stamp"), "the end of the loop")
    monitor.wait_idle()
    assert (simulator.root / "a.txt").read_text() == "x\n" + "stamp\n" * 5
    dead, = dead_of(monitor, "stamp")
    shown = monitor.run("dead", "show", str(dead["id"])).stdout
    assert "stopped: the rule has fired 5 times in 3600 s on this file, perhaps because of what it does itself" in shown
    assert "rule 'stamp' has fired 5 times in 3600 s on /a.txt" in monitor.log()
    # Other files are looked after, the file is not, and nothing is lost: by hand it is done once more.
    (simulator.root / "b.txt").write_text("y\n")
    wait_until(lambda: (simulator.root / "b.txt").read_text() == "y\n" + "stamp\n" * 5, "the other file")
    with (simulator.root / "a.txt").open("a") as file:
        file.write("z\n")
    monitor.wait_idle()
    assert len(dead_of(monitor, "stamp")) == 2  # one for each file
    assert monitor.run("dead", "retry", str(dead["id"])).returncode == 0
    wait_until(lambda: (simulator.root / "a.txt").read_text() == "x\n" + "stamp\n" * 5 + "z\nstamp\n", "the retry")
    monitor.wait_idle()
    assert ["stamp"] in [event["label"].get("stopped") for event in monitor.tail() if "label" in event]


def test_a_rule_that_sees_its_own_echoes_is_stopped_after_a_few(simulator, make_monitor):
    monitor = make_monitor(simulator, "version: 1\nwatched_items:\n"
                           "  - name: grow\n    when: {event: [created, renamed], name: 'a*'}\n    on_own: yes\n"
                           "    actions: [rename: {to: '{name}a'}]\n", LIMITS).start()
    (simulator.root / "a").write_text("x")
    wait_until(lambda: dead_of(monitor, "grow"), "the end of the loop")
    monitor.wait_idle()
    dead, = dead_of(monitor, "grow")
    names = [path.name for path in simulator.root.iterdir()]
    assert names == ["aaaaa"]  # the first, and three of each other's echoes
    assert "stopped: it comes of 4 jobs in a row, each set off by what the one before it did (jobs " in (
        monitor.run("dead", "show", str(dead["id"])).stdout)
