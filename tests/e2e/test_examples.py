"""The ready-made rule files of examples/rules at work, on real files."""

from datetime import date
from pathlib import Path

from cluster import ref
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


def attributes(simulator, path):
    return simulator.client().get(
        f"/v1/files/{ref(path)}/info/attributes?retrieve-file-lock=true").json


def test_what_is_finished_is_locked_and_what_is_open_is_not_yet(simulator, make_monitor):
    rules = replace(example("worm"), "defaults: {mode: dry_run}", "")
    rules = replace(rules, "quiet: 1h", "quiet: 200ms")
    archive = simulator.root / "archive"
    archive.mkdir()
    monitor = make_monitor(simulator, rules).start()
    (archive / "open.mov").write_bytes(b"half")
    simulator.opens("/archive/open.mov")
    (archive / "read.mov").write_bytes(b"whole")
    simulator.opens("/archive/read.mov", access="read")
    (archive / "draft.tmp").write_bytes(b"later")
    monitor.wait_for_jobs(1)
    assert attributes(simulator, "/archive/read.mov")["lock"]["retention_period"]
    monitor.kill()  # what waits for its handle does so after a restart
    monitor.start()
    monitor.wait_idle()
    assert not attributes(simulator, "/archive/open.mov")["lock"]["retention_period"]
    simulator.closes("/archive/open.mov")
    monitor.wait_for_jobs(2, patience_s=60)
    monitor.wait_idle()
    lock = attributes(simulator, "/archive/open.mov")["lock"]
    assert int(lock["retention_period"][:4]) - int(date.today().year) == 7
    assert not attributes(simulator, "/archive/draft.tmp")["lock"]["retention_period"]


def test_rules_wait_where_nobody_may_ask_who_has_a_file_open(simulator, make_monitor):
    simulator.set_rights("admin", "FILE_FULL_ACCESS,FS_SETTINGS_READ")
    (simulator.root / "legal").mkdir()
    rules = replace(example("worm"), "defaults: {mode: dry_run}", "")
    monitor = make_monitor(simulator, replace(rules, "quiet: 10m", "quiet: 200ms"))
    told = monitor.run("doctor").stdout
    assert ("failure  rule hold-evidence: unless_open will not work, who has files open cannot be "
            "asked, and the rule waits: PRIVILEGE_SMB_FILE_HANDLE_READ is missing" in told)
    assert "lock will not work: PRIVILEGE_FS_FILE_LOCK_WRITE is missing" in told
    monitor.start()
    (simulator.root / "legal/mail.eml").write_bytes(b"From: joe")
    monitor.wait_for_log("PRIVILEGE_SMB_FILE_HANDLE_READ lets the user ask")
    assert monitor.jobs() == []
    simulator.set_rights("admin", "Administrators")
    monitor.wait_for_jobs(1)
    assert attributes(simulator, "/legal/mail.eml")["lock"]["legal_hold"]


def test_files_that_settle_together_are_asked_for_by_one_listing(simulator, make_monitor):
    (simulator.root / "legal").mkdir()
    rules = replace(example("worm"), "quiet: 10m", "quiet: 1s")
    monitor = make_monitor(simulator, rules).start()
    for n in range(100):
        (simulator.root / f"legal/{n}").write_bytes(b"x")
    simulator.opens("/legal/7")
    monitor.wait_for_jobs(99)
    asked = sum(count for route, count in simulator.status()["requests"].items()
                if "/smb/files/" in route)
    assert 1 <= asked < 40, simulator.status()["requests"]
    simulator.closes()
    monitor.wait_for_jobs(100)


def test_clips_are_renamed_when_they_are_complete_and_the_editors_are_told(simulator, make_monitor,
                                                                          mails):
    rules = replace(example("media-ingest"), "quiet: 30s", "quiet: 300ms")
    (simulator.root / "ingest").mkdir()
    mail = {"EMAIL": {"SERVER": mails.address, "SECURITY": "plain", "FROM": "a@example.com"}}
    monitor = make_monitor(simulator, rules, sections=mail).start()
    (simulator.root / "ingest/A001.MOV").write_bytes(b"moov")
    for name in ["a.txt", "b.txt", "c.txt"]:
        (simulator.root / f"ingest/{name}").write_bytes(b"?")
    monitor.wait_for_jobs(2)
    monitor.wait_idle()
    names = sorted(p.name for p in (simulator.root / "ingest").iterdir())
    assert names[:3] == ["a.txt", "b.txt", "c.txt"]
    assert names[3].startswith("ready_2") and names[3].endswith("_A001.MOV")
    assert len(mails.received) == 2  # one for the clip, one for all that is strange


def test_what_is_dropped_is_closed_to_its_giver(simulator, make_monitor, mails):
    rules = replace(example("drop-box"), "settle: 5s", "settle: 200ms")
    rules = replace(rules, "group: reviewers", "group: gid:4711")
    (simulator.root / "dropbox").mkdir()
    mail = {"EMAIL": {"SERVER": mails.address, "SECURITY": "plain", "FROM": "a@example.com"}}
    monitor = make_monitor(simulator, rules, sections=mail).start()
    offer = simulator.root / "dropbox/offer.pdf"
    offer.write_bytes(b"%PDF")
    offer.chmod(0o666)
    monitor.wait_for_jobs(1)
    monitor.wait_idle()
    found = offer.stat()
    assert (found.st_mode & 0o777, found.st_uid, found.st_gid) == (0o640, 0, 4711)
    assert len(mails.received) == 1


def test_a_run_is_handed_over_when_its_last_file_is_quiet(simulator, make_monitor, tmp_path):
    handed = tmp_path / "handed"
    hand_over = tmp_path / "hand_over"
    hand_over.write_text(f'#!/bin/sh\necho "$1" >> {handed}\n')
    hand_over.chmod(0o755)
    rules = replace(example("lab-hand-over"), "/etc/cn_monitor/hand_over.py", hand_over)
    rules = replace(rules, "settle: 10s", "settle: 200ms")
    rules = replace(rules, "/var/log/cn_monitor/runs.jsonl", tmp_path / "runs.jsonl")
    run = simulator.root / "instruments/seq1/run_0042"
    run.mkdir(parents=True)
    monitor = make_monitor(simulator, rules).start()
    (run / "a.raw").write_bytes(b"1")
    (run / "run.complete").write_bytes(b"")
    monitor.wait_for_jobs(1)
    monitor.wait_idle()
    assert handed.read_text() == "/instruments/seq1/run_0042\n"
    assert len((tmp_path / "runs.jsonl").read_text().splitlines()) == 1
