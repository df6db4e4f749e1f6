"""The ready-made rule files of examples/rules at work, on real files."""

from pathlib import Path

from monitor import wait_until

RULES = Path(__file__).resolve().parents[2] / "examples" / "rules"


def example(name):
    return (RULES / f"{name}.yml").read_text()


def replace(text, old, new):
    assert old in text
    return text.replace(old, str(new))


def test_mass_encryption_and_a_canary_stop_everything_once(simulator, make_monitor, tmp_path):
    stopped = tmp_path / "stopped"
    stop = tmp_path / "stop"
    stop.write_text(f'#!/bin/sh\necho "$1" >> {stopped}\n')
    stop.chmod(0o755)
    rules = replace(example("ransomware"), "/etc/cn_monitor/all_stop.py", stop)
    rules = replace(rules, "{mode: dry_run}", "{mode: enforce}")
    rules = rules.replace("https://hooks.example.com/services/change-me", "http://127.0.0.1:9/")
    home = simulator.root / "home"
    home.mkdir()
    for n in range(60):
        (home / f"{n}.docx").write_text("text")
    (home / "!_do_not_touch.docx").write_text("bait")
    monitor = make_monitor(simulator, rules).start()
    for n in range(19):
        (home / f"{n}.docx").rename(home / f"{n}.docx.locked")
    monitor.wait_idle()
    assert not stopped.exists()
    for n in range(19, 60):
        (home / f"{n}.docx").rename(home / f"{n}.docx.locked")
    with open(home / "!_do_not_touch.docx", "w") as bait:
        bait.write("encrypted")
    monitor.wait_for_log("is throttled")
    wait_until(lambda: stopped.exists() and len(stopped.read_text().splitlines()) >= 2, "both stops")
    assert sorted(stopped.read_text().splitlines()) == ["/home/!_do_not_touch.docx",
                                                        "/home/19.docx.locked"]


def test_programs_go_to_quarantine_and_the_administrators_stay(simulator, make_monitor):
    rules = replace(example("quarantine-by-type"), '"uid:0"', '"uid:4711"')
    rules = rules.replace("settle: 2s", "settle: 200ms")
    home = simulator.root / "home"
    home.mkdir()
    monitor = make_monitor(simulator, rules).start()
    (home / "Setup.EXE").write_bytes(b"MZ")
    (home / "letter.txt").write_bytes(b"hello")
    (home / "small.zip").write_bytes(b"PK")
    monitor.wait_for_jobs(1)
    monitor.wait_idle()
    assert sorted(p.name for p in home.iterdir()) == ["letter.txt", "small.zip"]
    assert [p.name for p in (simulator.root / "quarantine").rglob("*.EXE")] == ["Setup.EXE"]


def test_permissions_that_were_opened_are_closed_again(simulator, make_monitor):
    projects = simulator.root / "projects"
    projects.mkdir()
    plan = projects / "plan.dwg"
    plan.write_bytes(b"AC1032")
    plan.chmod(0o640)
    monitor = make_monitor(simulator, example("permission-drift")).start()
    plan.chmod(0o666)
    monitor.wait_for_jobs(1)
    monitor.wait_idle()
    assert plan.stat().st_mode & 0o777 == 0o770
    assert len(monitor.jobs("done")) == 1  # its own change is no reason to change it again
