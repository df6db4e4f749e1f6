"""doctor says what will work with this credential, what will not, and what is missing."""

import json

import pytest

from cluster import ADMIN_TOKEN, NOBODY_TOKEN, READER_TOKEN

RULES = """\
version: 1
watched_items:
  - name: isolate
    when: {event: created, extension: [.zip]}
    actions:
      - quarantine: {to: /quarantine}
  - name: note
    when: {event: created}
    actions:
      - log
"""


@pytest.fixture
def ask_doctor(simulator, make_monitor):
    def ask(token, **options):
        monitor = make_monitor(simulator, RULES, **options)
        monitor.write_token(token)
        return monitor.run("doctor")
    return ask


def test_with_all_privileges_everything_will_work(ask_doctor):
    done = ask_doctor(ADMIN_TOKEN)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "watch main: will work" in done.stdout
    assert "rule isolate: quarantine will work" in done.stdout
    assert "failure" not in done.stdout


def test_with_file_read_access_only_it_names_the_role_and_the_privilege(ask_doctor):
    done = ask_doctor(READER_TOKEN)
    assert done.returncode == 1
    assert "watch main: will not work" in done.stdout
    assert "Data-Administrators" in done.stdout
    assert "rule isolate: quarantine will not work" in done.stdout
    assert "PRIVILEGE_FILE_FULL_ACCESS is missing" in done.stdout
    assert "rule note: log needs nothing of the cluster" in done.stdout


def test_without_any_privilege_it_says_so_too(ask_doctor):
    done = ask_doctor(NOBODY_TOKEN)
    assert done.returncode == 1
    assert "neither PRIVILEGE_FILE_READ_ACCESS nor PRIVILEGE_FILE_FULL_ACCESS" in done.stdout
    assert "watch main: will not work" in done.stdout


@pytest.mark.parametrize("switch", ["403", "401"])
def test_a_missing_privilege_is_told_whichever_status_it_has(simulator, ask_doctor, switch):
    simulator.switch(missing_privilege=switch)
    done = ask_doctor(READER_TOKEN)
    assert "watch main: will not work" in done.stdout
    assert "Data-Administrators" in done.stdout


def test_a_dead_token_is_a_failure_with_a_cure(ask_doctor):
    done = ask_doctor("access-v1:bm9uc2Vuc2U")
    assert done.returncode == 1
    assert "the credential was refused" in done.stdout
    assert "make a new access token" in done.stdout
    assert "bm9uc2Vuc2U" not in done.stdout + done.stderr


def test_a_silently_narrowed_watch_is_found(simulator, ask_doctor):
    simulator.switch(recursive_mode="DISABLED_IGNORE")
    done = ask_doctor(ADMIN_TOKEN)
    assert done.returncode == 1
    assert "DISABLED_IGNORE" in done.stdout and "silently" in done.stdout


def test_a_missing_directory_is_named(ask_doctor):
    done = ask_doctor(ADMIN_TOKEN, sections={"WATCH": {"PATH": "/not/here"}})
    assert done.returncode == 1
    assert "/not/here does not exist on the cluster" in done.stdout


def test_nothing_is_changed_on_the_cluster(simulator, ask_doctor):
    ask_doctor(ADMIN_TOKEN)
    assert simulator.changes() == []
    assert list(simulator.root.iterdir()) == []


def test_an_unreachable_cluster_is_a_failure_that_says_where_it_looked(simulator, ask_doctor):
    simulator.stop()
    done = ask_doctor(ADMIN_TOKEN)
    assert done.returncode == 1
    assert "does not answer" in done.stdout


EVERYTHING = """\
version: 1
watched_items:
  - name: all-of-them
    when: {event: created, extension: [.zip]}
    actions:
      - log
      - log: {text: "{path} has {size} bytes"}
      - exec: {command: [/nowhere/script, "{path}"]}
      - quarantine: {to: /quarantine}
      - rename: {to: "{stem}.x"}
      - permissions: {mode: "0640"}
      - tag: {key: seen, value: "{rule}"}
      - lock: {for: 1d, confirm: true}
      - email: {to: [a@example.com], subject: x}
      - webhook: {url: "http://127.0.0.1:9/x"}
  - name: rehearsal
    mode: dry_run
    when: {event: removed}
    actions: [quarantine: {to: /quarantine}]
  - name: asleep
    mode: off
    when: {event: removed}
    actions: [quarantine: {to: /quarantine}]
"""
CHANGES = ["quarantine", "rename", "permissions", "tag"]


def test_each_module_is_judged_for_what_it_needs(simulator, make_monitor):
    monitor = make_monitor(simulator, EVERYTHING,
                           sections={"EMAIL": {"SERVER": "127.0.0.1:9", "FROM": "m@example.com"}})
    monitor.write_token(READER_TOKEN)
    told = monitor.run("doctor").stdout
    for module in CHANGES:
        assert (f"failure  rule all-of-them: {module} will not work, except on files whose "
                "permissions let user reader change them: PRIVILEGE_FILE_FULL_ACCESS is missing"
                in told)
    for module in ["log", "exec", "email", "webhook"]:
        assert f"ok       rule all-of-them: {module} needs nothing of the cluster" in told
    assert ("failure  rule all-of-them: lock will not work: PRIVILEGE_FS_FILE_LOCK_WRITE is missing\n"
            in told)
    assert "warning  rule rehearsal: quarantine will not work once the dry run is over" in told
    assert "asleep" not in told
    assert "there is no program '/nowhere/script'" in told or "/nowhere/script" in told
    monitor.write_token(ADMIN_TOKEN)
    done = monitor.run("doctor")
    assert done.returncode == 0, done.stdout
    for module in [*CHANGES, "lock"]:
        assert f"ok       rule all-of-them: {module} will work" in done.stdout


def test_what_only_looks_at_files_is_told_when_it_may_not(simulator, make_monitor):
    monitor = make_monitor(simulator, EVERYTHING)
    monitor.write_token(NOBODY_TOKEN)
    told = monitor.run("doctor").stdout
    assert "warning  rule all-of-them: log will run, but what it tells about a file" in told
    assert "user nobody, with 0 privileges" in told


def test_mail_without_a_server_is_found(ask_doctor, simulator, make_monitor):
    done = make_monitor(simulator, EVERYTHING).run("doctor")
    assert done.returncode == 1
    assert ("failure  rule all-of-them: will not work: email: there is no mail server: SERVER is "
            "not set in section [EMAIL] of cn_monitor.conf" in done.stdout)


def test_a_watch_that_is_not_recursive_needs_the_right_to_read_only(simulator, ask_doctor):
    simulator.switch(recursive_mode="DISABLED_ERROR")
    (simulator.root / "media").mkdir()
    done = ask_doctor(READER_TOKEN, sections={"WATCH": {"PATH": "/media", "RECURSIVE": "no"}})
    assert "ok       watch main: will work: the stream of /media opened" in done.stdout
    assert "recursive" not in done.stdout


def test_each_cluster_and_watch_is_judged_with_its_own_credential(tmp_path, make_simulator,
                                                                 make_monitor):
    here, there = make_simulator(tmp_path / "here"), make_simulator(tmp_path / "there")
    monitor = make_monitor(here, RULES)
    (there.root / "media").mkdir()
    reader = monitor.folder / "reader"
    reader.touch(mode=0o600)
    reader.write_text(READER_TOKEN)
    monitor.conf.write_text(f"""\
[CLUSTER here]
CLUSTER_ADDRESS = {here.address}
TOKEN_FILE = token
FINGERPRINT = {here.fingerprint}
[CLUSTER there]
CLUSTER_ADDRESS = {there.address}
TOKEN_FILE = reader
FINGERPRINT = {there.fingerprint}
[WATCH one]
CLUSTER = here
ITEMS = {monitor.items}
[WATCH two]
CLUSTER = there
ITEMS = {monitor.items}
[WATCH three]
CLUSTER = there
PATH = /media
RECURSIVE = no
ITEMS = {monitor.items}
[STORE]
URL = embedded:store
""")
    done = monitor.run("doctor")
    assert done.returncode == 1
    for line in ["ok       watch one: will work: the stream of / and everything below it opened",
                 "failure  watch two: will not work",
                 "ok       watch three: will work: the stream of /media opened",
                 "ok       rule isolate of watch one: quarantine will work",
                 "failure  rule isolate of watch two: quarantine will not work"]:
        assert line in done.stdout, done.stdout


def test_a_program_reads_the_findings_as_json(simulator, make_monitor):
    monitor = make_monitor(simulator, EVERYTHING)
    monitor.write_token(READER_TOKEN)
    done = monitor.run("doctor", "--json")
    findings = json.loads(done.stdout)
    assert done.returncode == 1 and done.stderr == ""
    assert {f["level"] for f in findings} == {"ok", "warning", "failure"}
    assert all(f["about"] and f["what"] for f in findings)
    assert any(f["about"] == "watch main" and f["level"] == "failure"
               and "Data-Administrators" in f["cure"] for f in findings)


def test_rules_with_errors_are_a_failure_that_names_check(simulator, make_monitor):
    done = make_monitor(simulator, "watched_items: [{nme: x}]\n").run("doctor")
    assert done.returncode == 1
    assert "-> cn_monitor check shows each of them" in done.stdout
