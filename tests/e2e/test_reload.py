"""Rules change while events flow: between two records, whole or not at all."""

import itertools
import signal
import subprocess

import pytest

from monitor import PROGRAM, wait_until

EVENTS, RELOADS, PER_SECOND = 100_000, 100, 8_000


def version(number, file):
    """Rules of which exactly one is true for every event, and that tell their version."""
    return f"""\
version: 1
watched_items:
  - name: v{number}
    when: {{directory: /home}}
    actions: [{{log: {{file: {file}}}}}]
"""


WRONG = """\
version: 1
watched_items:
  - name: wrong
    when: {event: creatd}
    actions: [log]
"""


@pytest.fixture
def watching(simulator, make_monitor, tmp_path):
    """A monitor with version 0 of the rules."""
    monitor = make_monitor(simulator, version(0, tmp_path / "matches.jsonl"),
                           sections={"LOG": {"LEVEL": "info"}})
    monitor.matches = tmp_path / "matches.jsonl"
    return monitor.start()


def rules_of_last_event(monitor):
    """Which rules judged the event that was judged last."""
    events = monitor.ask("/v1/tail?last=1")["events"]
    return events[-1].get("label", {}).get("rules") if events else None


def wait_at_work(monitor, number):
    wait_until(lambda: rules_of_last_event(monitor) == [f"v{number}"],
               f"version {number} to judge an event", pause_s=0.005)


def wait_loaded(monitor, reloads):
    wait_until(lambda: monitor.status()["rules"]["reloads"] == reloads, f"{reloads} reloads",
               pause_s=0.005)


def judges_by(simulator, monitor, number):
    """Whether an event that happens now is judged by that version, and by it alone."""
    before = monitor.status()["filter"]["events"]
    simulator.says("child_file_added", f"/home/asks-for-{number}")
    wait_until(lambda: monitor.status()["filter"]["events"] == before + 1, "the event")
    return rules_of_last_event(monitor) == [f"v{number}"]


def test_each_event_is_judged_by_one_set_while_rules_change_a_hundred_times(simulator, watching):
    monitor, file = watching, watching.matches

    def by_command():
        done = monitor.run("reload")  # the change may have been seen by itself meanwhile
        assert done.returncode == 0, done
        assert "At work" in done.stdout or "Nothing had changed" in done.stdout, done

    ways = itertools.cycle([by_command, lambda: monitor.process.send_signal(signal.SIGHUP),
                            lambda: None])  # the last: the file's change is seen by itself
    simulator.generate(EVENTS, rate=PER_SECOND, per_message=[1, 100], path="home/f{n}", seed=7)
    wait_at_work(monitor, 0)  # or the first change may come before the first event
    for number in range(1, RELOADS + 1):
        monitor.write_rules(version(number, file))
        if number % 10:
            assert monitor.ask("/v1/reload", "POST")["ok"]
        else:
            next(ways)()
        wait_at_work(monitor, number)
    wait_until(lambda: monitor.status()["filter"]["events"] >= EVENTS, "all events", 120, 0.2)
    status = monitor.wait_idle(120)

    assert status["rules"]["reloads"] == RELOADS and status["rules"]["refused"] == 0
    assert status["filter"]["events"] == status["filter"]["matches"] == EVENTS
    assert status["store"]["jobs_done"] == EVENTS
    events = monitor.tail()
    assert [e["path"] for e in events] == [f"/home/f{n}" for n in range(EVENTS)]
    judged_by = [e["label"]["rules"] for e in events]
    assert all(len(rules) == 1 for rules in judged_by)
    versions = [int(rules[0][1:]) for rules in judged_by]
    assert versions == sorted(versions)
    assert set(versions) == set(range(RELOADS + 1))
    # Between two records, that is: a message is judged by one set as a whole.
    assert len({(e["seq"], v) for e, v in zip(events, versions)}) == len({e["seq"] for e in events})
    assert [job for e in events for job in e["label"]["jobs"]] == list(range(1, EVENTS + 1))
    assert len(file.read_text().splitlines()) == EVENTS


def test_sighup_reads_the_rules_again(simulator, watching):
    watching.items.write_text(version(1, watching.matches))  # in place, as some editors do
    watching.process.send_signal(signal.SIGHUP)
    wait_loaded(watching, 1)
    assert judges_by(simulator, watching, 1)


def test_a_changed_file_is_noticed_by_itself(simulator, watching):
    watching.write_rules(version(1, watching.matches))
    wait_loaded(watching, 1)
    assert judges_by(simulator, watching, 1)
    with open(watching.items, "w") as file:
        file.write(version(2, watching.matches))
    wait_loaded(watching, 2)
    assert judges_by(simulator, watching, 2)


def test_a_config_map_that_swaps_its_link_is_noticed(simulator, make_monitor, tmp_path):
    """Kubernetes: ITEMS -> ..data/watched_items.yml, ..data -> a dated directory."""
    config, matches = tmp_path / "config", tmp_path / "matches.jsonl"

    def publish(number):
        folder = config / f"..2026_11_22_{number}"
        folder.mkdir(parents=True)
        (folder / "watched_items.yml").write_text(version(number, matches))
        (config / "..data_tmp").symlink_to(folder.name)
        (config / "..data_tmp").rename(config / "..data")

    publish(0)
    (config / "watched_items.yml").symlink_to("..data/watched_items.yml")
    monitor = make_monitor(simulator, sections={
        "WATCH": {"ITEMS": config / "watched_items.yml"}}).start()
    assert judges_by(simulator, monitor, 0)
    for number in range(1, 4):
        publish(number)
        wait_loaded(monitor, number)
        assert judges_by(simulator, monitor, number)


def test_a_change_of_an_included_file_or_directory_is_noticed(simulator, make_monitor, tmp_path):
    monitor = make_monitor(simulator, "version: 1\ninclude: [team.yml, more.d/]\n")
    team, more = monitor.folder / "team.yml", monitor.folder / "more.d"
    more.mkdir()
    team.write_text(version(0, tmp_path / "matches.jsonl"))
    monitor.start()
    assert judges_by(simulator, monitor, 0)
    monitor.wait_for_log("other files are included than before")

    team.write_text(version(1, tmp_path / "matches.jsonl"))
    wait_loaded(monitor, 1)
    assert judges_by(simulator, monitor, 1)

    team.write_text("version: 1\n")
    wait_loaded(monitor, 2)
    (more / "new").write_text(version(2, tmp_path / "matches.jsonl"))
    (more / "new").rename(more / "10.yml")
    wait_loaded(monitor, 3)
    assert judges_by(simulator, monitor, 2)

    (more / "10.yml").write_text(WRONG)
    wait_until(lambda: not monitor.status()["rules"]["ok"], "the mistake to be noticed")
    assert f"{more / '10.yml'}:4:19:" in monitor.status()["rules"]["last_report"]
    assert judges_by(simulator, monitor, 2)
    (more / "10.yml").write_text(version(3, tmp_path / "matches.jsonl"))
    wait_loaded(monitor, 4)
    assert judges_by(simulator, monitor, 3)


def test_a_wrong_file_changes_nothing_and_is_explained(simulator, watching):
    watching.write_rules(WRONG)
    done = watching.run("reload")
    assert done.returncode == 2
    said = done.stdout + done.stderr
    assert f"{watching.items}:4:19:" in said and "'creatd'" in said
    assert "    when: {event: creatd}\n" in said and "^" in said and "'created'" in said
    assert "the old rules stay at work" in said
    assert judges_by(simulator, watching, 0)

    shown = watching.run("status")
    assert shown.returncode == 1 and "creatd" in shown.stdout
    rules = watching.status()["rules"]
    assert not rules["ok"] and rules["refused"] >= 1 and rules["reloads"] == 0
    assert "creatd" in watching.log()

    watching.write_rules(version(1, watching.matches))
    assert watching.run("reload").returncode == 0
    assert watching.status()["rules"]["ok"] and judges_by(simulator, watching, 1)
    assert watching.run("status").returncode == 0


def test_the_same_warnings_are_not_told_again_at_each_change(simulator, watching):
    loop = """\
  - name: tidy
    when: {event: renamed, extension: .a}
    actions: [rename: {to: "{stem}.a"}]
"""
    watching.write_rules(version(1, watching.matches) + loop)
    wait_loaded(watching, 1)
    assert watching.log().count("rule 'tidy' may trigger itself") == 1
    rules = watching.status()["rules"]
    assert rules["warnings"] == 1 and "[loop]" in rules["warning_lines"][0]
    assert "rule 'tidy' may trigger itself" in watching.run("status").stdout

    watching.write_rules(version(2, watching.matches) + loop)
    wait_loaded(watching, 2)
    assert watching.log().count("rule 'tidy' may trigger itself") == 1
    assert "1 warning, the same as before" in watching.log()

    watching.write_rules(version(3, watching.matches) + loop + "    accept: [loop]\n")
    wait_loaded(watching, 3)
    rules = watching.status()["rules"]
    assert (rules["warnings"], rules["accepted"], rules["warning_lines"]) == (0, 1, [])
    assert "1 warning" not in watching.run("status").stdout


def test_a_file_that_is_deleted_and_restored(simulator, watching):
    watching.items.unlink()
    wait_until(lambda: not watching.status()["rules"]["ok"], "the missing file to be noticed")
    assert "watched_items.yml" in watching.status()["rules"]["last_report"]
    assert judges_by(simulator, watching, 0)
    assert watching.run("reload").returncode == 2
    watching.write_rules(version(1, watching.matches))
    wait_loaded(watching, 1)
    assert watching.status()["rules"]["ok"] and judges_by(simulator, watching, 1)


def test_nothing_changed_is_no_reload(watching):
    done = watching.run("reload")
    assert done.returncode == 0 and "Nothing had changed" in done.stdout
    assert watching.status()["rules"]["reloads"] == 0


def test_reload_without_a_monitor_says_so(watching):
    watching.stop()
    done = subprocess.run([PROGRAM, "reload", "-c", watching.conf], capture_output=True, text=True,
                          timeout=30)
    assert done.returncode == 1 and "no monitor answers" in done.stderr
