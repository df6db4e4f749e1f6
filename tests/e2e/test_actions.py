"""Every action module with real parts: files, programs, a mail server with TLS, a web hook."""

import base64
import json
import os
import re
import stat
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from cluster import ref
from mail_server import MailServer, free_port
from monitor import PROGRAM, wait_until


def rules(*actions, when="{event: created, directory: /in}", more=""):
    """One rule with these actions, each a line of YAML."""
    lines = "".join(f"      - {action}\n" for action in actions)
    return (f"version: 1\nwatched_items:\n  - name: the-rule\n    when: {when}\n{more}"
            f"    actions:\n{lines}")


@pytest.fixture
def inbox(simulator):
    folder = simulator.root / "in"
    folder.mkdir()
    return folder


@pytest.fixture
def run(simulator, make_monitor, inbox):
    """run(*actions, when=..., sections=...): a started monitor with that rule."""
    def start(*actions, sections=None, environment=None, **options):
        monitor = make_monitor(simulator, rules(*actions, **options), sections=sections)
        return monitor.start(environment=environment)
    return start


def mode_of(path):
    return stat.S_IMODE(path.stat().st_mode)


def program(folder, name, text):
    path = folder / name
    path.write_text(f"#!{sys.executable} -IS\n{text}")
    path.chmod(0o755)
    return path


def outcome_of(monitor, state="done"):
    return monitor.wait_for_jobs(1, state)[0]["outcome"]


# ---- quarantine ----

def test_quarantine_keeps_the_path_by_date_and_never_overwrites(simulator, run, inbox):
    monitor = run("quarantine: {to: /q}")
    for n in range(3):
        (inbox / "a.zip").write_text(f"{n}")
        monitor.wait_for_jobs(n + 1)
    day, = (simulator.root / "q").iterdir()
    assert time.strptime(day.name, "%Y-%m-%d")
    assert {f.name: f.read_text() for f in (day / "in").iterdir()} == {
        "a.zip": "0", "a (2).zip": "1", "a (3).zip": "2"}
    assert not os.listdir(inbox)


def test_quarantine_takes_a_whole_directory(simulator, run, inbox, tmp_path):
    monitor = run("quarantine: {to: /q, by_date: no}",
                  when="{event: [child_dir_added, child_dir_moved_to], directory: /in}")
    (simulator.root / "out").mkdir()
    (simulator.root / "out/evil/deep").mkdir(parents=True)
    (simulator.root / "out/evil/deep/a.txt").write_text("x")
    (simulator.root / "out/evil").rename(inbox / "evil")
    assert "/q/in/evil" in outcome_of(monitor)
    assert (simulator.root / "q/in/evil/deep/a.txt").read_text() == "x"


def test_quarantine_brings_a_tag_and_permissions_along_and_undo_takes_all_back(simulator, run, inbox):
    monitor = run('quarantine: {to: /q, by_date: no, tag: yes, permissions: nobody}\n        on_error: continue',
                  'log: {text: "now {tag.value}"}')
    (inbox / "a.zip").write_text("x")
    job, = monitor.wait_for_jobs(1)
    monitor.wait_idle()
    assert [entry["module"] for entry in job["body"]["log"]] == ["quarantine", "tag", "permissions", "log"]
    assert re.fullmatch(rf"from /in/a\.zip by rule the-rule, job {job['id']}, \d{{4}}-\S+Z",
                        tags(simulator, "/q/in/a.zip")["quarantined"])
    acl = simulator.client().get(f"/v1/files/{ref('/q/in/a.zip')}/info/acl").json["acl"]
    assert acl["aces"] == [] and "now from /in/a.zip by rule the-rule" in monitor.log()
    done = monitor.run("undo", str(job["id"]))
    assert done.returncode == 0, done.stdout + done.stderr
    assert (inbox / "a.zip").read_text() == "x" and mode_of(inbox / "a.zip") == 0o644
    assert tags(simulator, "/in/a.zip") == {}


@pytest.mark.parametrize("how", ["answered", "killed", "lost"])
def test_a_file_that_is_moved_by_mistake_is_put_back_and_its_own_job_waits(simulator, make_monitor, inbox, how):
    """Somebody swaps the files between the monitor's look and the cluster's move."""
    monitor = make_monitor(simulator, f"""version: 1
watched_items:
  - {{name: away, when: {{event: created, file: /in/a.zip}}, actions: [{{quarantine: {{to: /q, by_date: no}}}}]}}
  - name: other
    when: {{event: renamed, file: /in/a.zip}}
    actions: [{{exec: [/bin/sleep, "0.8"]}}, {{tag: {{key: mine, value: "yes"}}}}]
""").start()
    (inbox / "other").write_text("other")
    if how == "lost":
        simulator.fault(method="POST", path="/v1/files/{}/entries/", delay_ms=600, answer="lost", skip=2)
    simulator.fault(method="POST", path="/v1/files/{}/entries/", delay_ms=600, count=-1)
    (inbox / "a.zip").write_text("first")
    wait_until(lambda: any(job["body"].get("memory", {}).get("target") for job in monitor.jobs("taken")),
               "the move to be on its way")
    (inbox / "a.zip").rename(inbox / "first")
    (inbox / "other").rename(inbox / "a.zip")
    wait_until((simulator.root / "q/in/a.zip").exists, "the mistake")
    if how == "killed":
        monitor.kill()
        simulator.no_faults()
        monitor.start()
    wait_until(lambda: (inbox / "a.zip").exists(), "it to be put back")
    wait_until(lambda: tags(simulator, "/in/a.zip") == {"mine": "yes"}, "its own job")
    assert (inbox / "a.zip").read_text() == "other" and (inbox / "first").read_text() == "first"
    assert not list((simulator.root / "q/in").iterdir())


@pytest.mark.parametrize("how", ["answered", "lost"])
def test_what_was_put_back_is_moved_for_its_own_sake_once(simulator, make_monitor, inbox, how):
    """Its own job waits until it is known that the file is back, and nobody looks for it any more."""
    monitor = make_monitor(simulator, """version: 1
watched_items:
  - name: the-rule
    when: {event: [created, renamed], extension: .part}
    actions: [{rename: {to: "{stem}.done", collision: suffix}}]
""").start()
    (inbox / "other").write_text("other")
    move = {"method": "POST", "path": "/v1/files/{}/entries/"}
    simulator.fault(**move, delay_ms=600)
    simulator.fault(**move, delay_ms=600, **({"answer": "lost"} if how == "lost" else {}))
    (inbox / "a.part").write_text("first")
    wait_until(lambda: any(job["body"].get("memory", {}).get("target") for job in monitor.jobs("taken")),
               "the move to be on its way")
    (inbox / "a.part").unlink()
    simulator.fault(method="GET", path="/v1/files/{}/info/attributes", delay_ms=300, count=-1)
    (inbox / "other").rename(inbox / "a.part")
    wait_until(lambda: any("moved to /in/a.done" in job["outcome"] for job in monitor.jobs("done")), "its own move")
    monitor.wait_idle()
    assert {f.name: f.read_text() for f in inbox.iterdir()} == {"a.done": "other"}
    moved = [change["body"]["old_path"] for change in simulator.changes("POST")
             if (change["body"] or {}).get("action") == "RENAME"]
    assert moved == ["/in/a.part", "/in/a.done", "/in/a.part"]


def test_two_jobs_that_moved_each_others_file_do_not_wait_for_each_other(simulator, make_monitor, inbox):
    """Two names are swapped while both moves are on their way, and both put-backs are not answered."""
    monitor = make_monitor(simulator, """version: 1
watched_items:
  - name: the-rule
    when: {event: [created, renamed], extension: .part}
    actions: [{rename: {to: "{stem}.done", collision: suffix}}]
""").start()
    move = {"method": "POST", "path": "/v1/files/{}/entries/"}
    simulator.fault(**move, delay_ms=600, count=2)
    simulator.fault(**move, delay_ms=300, answer="lost", count=2)
    (inbox / "a.part").write_text("first")
    (inbox / "b.part").write_text("second")
    wait_until(lambda: sum(bool(job["body"].get("memory", {}).get("target"))
                           for job in monitor.jobs("taken")) == 2, "both moves to be on their way")
    (inbox / "a.part").rename(inbox / "aside")
    (inbox / "b.part").rename(inbox / "a.part")
    (inbox / "aside").rename(inbox / "b.part")
    wait_until(lambda: {f.name: f.read_text() for f in inbox.iterdir()} == {"a.done": "second", "b.done": "first"}
               and not monitor.jobs("taken") and not monitor.jobs("waiting"), "both to be where they belong")
    moved = [change["body"]["old_path"] for change in simulator.changes("POST")
             if (change["body"] or {}).get("action") == "RENAME"]
    assert {"/in/a.done", "/in/b.done"} < set(moved)  # it was both times the other's


# ---- rename ----

@pytest.mark.parametrize("collision, state, names", [
    ("fail", "dead", {"a.txt": "new", "a.done": "old"}),
    ("suffix", "done", {"a (2).done": "new", "a.done": "old"}),
    ("replace", "done", {"a.done": "new"})])
def test_rename_when_the_name_is_taken(run, inbox, collision, state, names):
    (inbox / "a.done").write_text("old")
    monitor = run(f'rename: {{to: "{{stem}}.done", collision: {collision}}}')
    (inbox / "a.txt").write_text("new")
    monitor.wait_for_jobs(1, state)
    assert {f.name: f.read_text() for f in inbox.iterdir()} == names


def test_rename_makes_the_directories_of_a_path(simulator, run, inbox):
    monitor = run('rename: {to: "/archive/{extension}/{date}/"}')
    (inbox / "a.txt").write_text("x")
    monitor.wait_for_jobs(1)
    moved, = (simulator.root / "archive/.txt").rglob("a.txt")
    assert moved.read_text() == "x"


# ---- permissions ----

def test_permissions_sets_mode_and_owner_and_leaves_alone_what_is_so(simulator, run, inbox):
    monitor = run('permissions: {mode: "0640", owner: uid:1234, group: "2345"}',
                  when="{event: [created, renamed], directory: /in}")
    (inbox / "a.txt").write_text("x")
    monitor.wait_for_jobs(1)
    found = (inbox / "a.txt").stat()
    assert (stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid) == (0o640, 1234, 2345)
    assert len(simulator.changes()) == 1

    (inbox / "a.txt").rename(inbox / "b.txt")
    assert "it is so already" in monitor.wait_for_jobs(2)[0]["outcome"]
    assert len(simulator.changes()) == 1


# ---- lock and tag ----

def attributes(simulator, path):
    return simulator.client().get(
        f"/v1/files/{ref(path)}/info/attributes?retrieve-file-lock=true").json


def tags(simulator, path):
    """{key: value} as the cluster has them."""
    entries = simulator.client().get(f"/v1/files/{ref(path)}/user-metadata/").json["entries"]
    return {e["key"]: base64.b64decode(e["value"]).decode() for e in entries}


def test_a_file_is_tagged_then_locked_and_both_once(simulator, run, inbox):
    monitor = run("tag: {key: Herkunft ä/ö, value: '{dir} by {rule}'}",
                  "lock: {until: 2040-01-01, legal_hold: yes, confirm: true}",
                  "log: {text: '{tag.value}, {lock.retention}'}",
                  when="{event: [created, metadata], directory: /in}")
    (inbox / "a.txt").write_text("x")
    monitor.wait_for_jobs(1)
    monitor.wait_idle()
    lock = attributes(simulator, "/in/a.txt")["lock"]
    assert tags(simulator, "/in/a.txt") == {"Herkunft ä/ö": "/in by the-rule"}
    assert lock["legal_hold"] and lock["retention_period"]
    assert f"/in by the-rule, {lock['retention_period'][:10]}" in monitor.log()
    assert len(simulator.changes()) == 2

    before = len(monitor.jobs())
    os.utime(inbox / "a.txt")
    monitor.wait_for_jobs(before + 1)
    outcome = monitor.jobs()[0]["outcome"]
    assert "it is so already" in outcome and "locked like that already" in outcome
    assert len(simulator.changes()) == 2


def test_files_and_empty_directories_are_deleted_and_nothing_else_is(simulator, run, inbox, tmp_path):
    monitor = run("delete: {confirm: true}", "log: {text: 'was {delete.from}, {delete.bytes} bytes'}",
                  when="{event: [created, removed], path: '/in/*'}")
    (inbox / "a.tmp").write_text("12345")
    monitor.wait_for_jobs(1)
    monitor.wait_idle()
    assert not (inbox / "a.tmp").exists() and "was /in/a.tmp, 5 bytes" in monitor.log()
    assert len(monitor.jobs()) == 1  # that it was removed is an echo
    # What has several names, and what has something in it, stays.
    (tmp_path / "full/of").mkdir(parents=True)
    (tmp_path / "two").write_text("x")
    os.link(tmp_path / "two", simulator.root / "other-name")
    os.rename(tmp_path / "two", inbox / "two")
    (tmp_path / "full").rename(inbox / "full")
    (inbox / "empty").mkdir()
    wait_until(lambda: not (inbox / "empty").exists(), "the empty one is deleted")
    monitor.wait_idle()
    reasons = {j["body"]["event"]["path"]: j["outcome"] for j in monitor.jobs("dead")}
    assert (inbox / "two").exists() and (inbox / "full/of").exists()
    assert all("several names" in why or "not empty" in why for why in reasons.values()), reasons


def test_a_snapshot_is_taken_once_and_taken_back(simulator, run, inbox):
    monitor = run("snapshot: {name: 'before {name}', expires: 1h}", "log: {text: 'now {snapshot.name}'}")
    simulator.fault(method="POST", path="/v3/snapshots/", answer="lost", count=1)
    (inbox / "a.txt").write_text("x")
    job, = monitor.wait_for_jobs(1)
    monitor.wait_idle()
    listed = lambda: simulator.client().get("/v3/snapshots/?filter=all").json["entries"]  # noqa: E731
    taken, = [each for each in listed() if "before-a.txt" in each["name"]]
    assert taken["expiration"] and f"now {taken['name']}" in monitor.log()
    done = monitor.run("undo", str(job["id"]))
    assert done.returncode == 0 and "taken back" in done.stdout, done.stdout + done.stderr
    assert not [each for each in listed() if "before-a.txt" in each["name"] and not each["in_delete"]]


def test_another_file_of_the_same_name_is_never_deleted(simulator, make_monitor, inbox):
    monitor = make_monitor(simulator, "version: 1\nwatched_items:\n  - {name: r, when: {event: created, directory: /in}, "
                           "actions: [{delete: {confirm: true}, approve: by hand}]}\n").start()
    (inbox / "a.tmp").write_text("unwanted")
    held, = monitor.wait_for_jobs(1, "dead")
    (inbox / "a.tmp").rename(inbox / "b.tmp")
    (simulator.root / "c").write_text("another")
    (simulator.root / "c").rename(inbox / "a.tmp")
    monitor.wait_idle()
    assert monitor.run("approve", str(held["id"])).returncode == 0
    wait_until(lambda: not (inbox / "b.tmp").exists(), "the file that was meant is deleted")
    monitor.wait_idle()
    assert (inbox / "a.tmp").read_text() == "another"


def test_what_a_locked_file_forbids_is_given_up_and_said(simulator, make_monitor, inbox):
    steps = {"rename": '"{name}.x"', "permissions": '"0600"', "tag": "{key: a, value: b}",
             "quarantine": "/q"}
    monitor = make_monitor(simulator, "version: 1\nwatched_items:\n" + "".join(
        f"  - {{name: try-{n}, when: {{event: written}}, actions: [{n}: {o}]}}\n"
        for n, o in steps.items()))
    file = inbox / "a.txt"
    file.write_text("x")
    assert simulator.client().patch(f"/v1/files/{ref('/in/a.txt')}/file-lock",
                                    {"legal_hold": True}).status == 200
    monitor.start()
    with open(file, "a") as more:
        more.write("by somebody whom the real directory does not stop")
    dead = {j["body"]["rule"]: j["outcome"] for j in monitor.wait_for_jobs(4, "dead")}
    assert set(dead) == {f"try-{n}" for n in steps}
    assert all("locked by its legal hold" in why for why in dead.values()), dead
    assert attributes(simulator, "/in/a.txt")["path"] == "/in/a.txt"


# ---- exec ----

def test_exec_hands_over_the_event_and_nothing_secret(run, inbox, tmp_path):
    seen = tmp_path / "seen.json"
    show = program(tmp_path, "show", f"""
import json, os, sys
with open("{seen}.new", "w") as out:
    json.dump({{"argv": sys.argv[1:], "environment": dict(os.environ), "stdin": json.load(sys.stdin),
               "group": os.getpgid(0) == os.getpid(), "fds": sorted(os.listdir("/proc/self/fd"))}}, out)
os.rename("{seen}.new", "{seen}")
print("the output")
""")
    monitor = run(f'exec: {{command: [{show}, "{{name}}", "--size={{size}}"], '
                  'environment: ["FOR={rule}"]}',
                  'log: {text: "it said {exec.output}"}',
                  environment={"CN_MONITOR_EMAIL_USERNAME": "", "SECRET_THING": "hush",
                               "CN_MONITOR_CLUSTER_TIMEOUT": "29s"})
    (inbox / "a.txt").write_text("four")
    monitor.wait_for_jobs(1)
    got = json.loads(seen.read_text())
    assert got["argv"] == ["a.txt", "--size=4"]
    assert got["stdin"]["path"] == "/in/a.txt" and got["stdin"]["event"] == "child_file_added"
    assert got["group"]
    own = {name for name in got["environment"] if not name.startswith("CN_")}
    assert own <= {"PATH", "HOME", "LANG", "TZ", "FOR", "LC_CTYPE"}
    assert got["environment"]["FOR"] == "the-rule"
    assert not [name for name in got["environment"] if name.startswith("CN_MONITOR_")]
    assert len(got["fds"]) == 5  # 0, 1, 2, that of the file and that of the listing
    monitor.wait_for_log("it said the output")


def test_exec_that_exits_75_is_tried_again(run, inbox, tmp_path):
    flaky = program(tmp_path, "flaky", f"""
import os, sys
tries = "{tmp_path}/tries"
with open(tries, "a") as file:
    file.write("x")
sys.exit(75 if os.path.getsize(tries) < 3 else 0)
""")
    monitor = run(f"exec: [{flaky}]")
    (inbox / "a.txt").write_text("x")
    monitor.wait_for_jobs(1)
    assert (tmp_path / "tries").read_text() == "xxx"
    assert "exit status 75" in monitor.log()


def test_exec_that_fails_is_a_dead_letter_with_its_last_words(run, inbox, tmp_path):
    broken = program(tmp_path, "broken", "import sys\nprint('disk on fire', file=sys.stderr)\n"
                                         "sys.exit(3)\n")
    monitor = run(f"exec: [{broken}]", "log: {text: never}")
    (inbox / "a.txt").write_text("x")
    outcome = outcome_of(monitor, "dead")
    assert "exit status 3" in outcome and "disk on fire" in outcome
    assert "never" not in monitor.log()


def test_exec_that_takes_too_long_is_ended_with_its_children(run, inbox, tmp_path):
    slow = program(tmp_path, "slow", f"""
import os, time
child = os.fork()
with open("{tmp_path}/pids", "a") as file:
    file.write(f"{{os.getpid()}}\\n")
time.sleep(600)
""")
    monitor = run(f"exec: {{command: [{slow}], timeout: 300ms}}", sections={"ACT": {"ATTEMPTS": 2}})
    (inbox / "a.txt").write_text("x")
    assert "took longer than 0.3 s" in outcome_of(monitor, "dead")
    pids = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
    assert len(pids) == 4
    wait_until(lambda: not any(is_alive(pid) for pid in pids), "all to be gone")


def is_alive(pid):
    """Not a zombie either: those wait for whoever adopted them."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


# ---- log ----

def test_log_writes_lines_of_json_into_the_file_that_is_there(run, inbox, tmp_path):
    path = tmp_path / "out.jsonl"
    monitor = run(f'log: {{file: {path}, text: "{{name}} of {{size}}"}}')
    (inbox / "a.txt").write_text("x")
    monitor.wait_for_jobs(1)
    path.rename(tmp_path / "out.jsonl.1")  # as logrotate does it
    (inbox / "b.txt").write_text("xy")
    monitor.wait_for_jobs(2)
    first, = (tmp_path / "out.jsonl.1").read_text().splitlines()
    second, = path.read_text().splitlines()
    assert json.loads(first)["text"] == "a.txt of 1"
    line = json.loads(second)
    assert (line["path"], line["rule"], line["event"], line["watch"], line["origin"]) == (
        "/in/b.txt", "the-rule", "child_file_added", "main", "live")


# ---- email ----

@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    """A CA and a certificate for localhost that it signed: (ca, cert, key)."""
    folder = tmp_path_factory.mktemp("authority")

    def openssl(*words):
        subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)

    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-keyout", "ca.key", "-out", "ca.pem", "-days", "2", "-subj", "/CN=our authority")
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-keyout", "mail.key", "-out", "mail.csr", "-subj", "/CN=localhost")
    (folder / "names").write_text("subjectAltName=DNS:localhost\n")
    openssl("x509", "-req", "-in", "mail.csr", "-CA", "ca.pem", "-CAkey", "ca.key",
            "-CAcreateserial", "-days", "2", "-extfile", "names", "-out", "mail.pem")
    return folder / "ca.pem", folder / "mail.pem", folder / "mail.key"


@pytest.fixture
def safe_mails(authority):
    server = MailServer(cert=authority[1], key=authority[2], login=("ann", "pass word\u00e9"))
    yield server
    server.stop()


def email_section(server, folder, authority, password):
    file = folder / "mail-password"
    file.touch(mode=0o600)
    file.write_text(password + "\n")
    return {"EMAIL": {"SERVER": f"localhost:{server.port}", "CA_FILE": authority[0],
                      "FROM": "cn_monitor <storage@example.com>", "USERNAME": "ann",
                      "PASSWORD_FILE": file}}


MAIL = 'email: {to: [ops@example.com, joe@example.com], ' \
       'subject: "Achtung \u00dcbel: {name}", body: "{path}\\n\\n.\\nis at {quarantine.path}"}'


def test_email_goes_out_over_tls_with_a_log_in_and_tells_of_earlier_steps(
        run, inbox, tmp_path, safe_mails, authority):
    run("quarantine: {to: /q, by_date: no}", MAIL,
        sections=email_section(safe_mails, tmp_path, authority, "pass word\u00e9"))
    (inbox / "b\u00f6se \U0001f608.zip").write_text("x")
    mail, = safe_mails.wait_for(1)
    assert mail["Subject"] == "Achtung \u00dcbel: b\u00f6se \U0001f608.zip"
    assert mail["From"] == "cn_monitor <storage@example.com>"
    body = mail.get_content().replace("\r\n", "\n")
    assert body.rstrip() == ("/in/b\u00f6se \U0001f608.zip\n\n.\nis at "
                             "/q/in/b\u00f6se \U0001f608.zip")
    assert safe_mails.envelopes == [
        ("storage@example.com", ["ops@example.com", "joe@example.com"], True, True)]


def test_email_with_a_wrong_password_is_a_dead_letter_that_says_so(
        run, inbox, tmp_path, safe_mails, authority):
    monitor = run("email: ops@example.com",
                  sections=email_section(safe_mails, tmp_path, authority, "wrong-password"))
    (inbox / "a.txt").write_text("x")
    outcome = outcome_of(monitor, "dead")
    assert "PASSWORD_FILE" in outcome and safe_mails.received == []
    assert "wrong-password" not in monitor.log()


def test_email_is_tried_again_after_4xx(run, inbox, mails):
    mails.answers += ["451 greylisted", "421 too busy"]
    monitor = run("email: ops@example.com", sections={"EMAIL": {
        "SERVER": mails.address, "SECURITY": "plain", "FROM": "storage@example.com"}})
    (inbox / "a.txt").write_text("x")
    mail, = mails.wait_for(1)
    assert "a.txt" in mail["Subject"]
    monitor.wait_for_jobs(1)
    assert "451" in monitor.log() and "greylisted" in monitor.log()
    assert len(mails.received) == 1


def test_email_to_a_server_that_nobody_vouches_for_is_not_sent(run, inbox, tmp_path, safe_mails,
                                                             authority):
    sections = email_section(safe_mails, tmp_path, authority, "x")
    del sections["EMAIL"]["CA_FILE"]
    monitor = run("email: ops@example.com", sections=sections)
    (inbox / "a.txt").write_text("x")
    assert "CA_FILE" in outcome_of(monitor, "dead")


# ---- webhook ----

def test_webhooks_of_each_kind(run, inbox, hooks):
    run(f'webhook: {{url: "{hooks.url}/generic"}}',
        f'webhook: {{url: "{hooks.url}/slack", preset: slack, text: "{{rule}}: {{path}}"}}',
        f'webhook: {{url: "{hooks.url}/teams", preset: teams, text: "{{path}}"}}')
    (inbox / "a <b> & \u00fc.txt").write_text("x")
    got = {path: (headers, body) for path, headers, body in hooks.wait_for(3)}
    path = "/in/a <b> & \u00fc.txt"
    headers, event = got["/generic"]
    assert headers["Content-Type"].startswith("application/cloudevents+json")
    assert (event["specversion"], event["type"], event["subject"], event["data"]["path"]) == (
        "1.0", "cn_monitor.child_file_added", path, path)
    assert got["/slack"][1] == {"text": "the-rule: /in/a &lt;b&gt; &amp; \u00fc.txt"}
    card = got["/teams"][1]["attachments"][0]["content"]
    assert card["body"][0]["inlines"][0]["text"] == path


def test_a_signed_webhook_is_verified_by_the_example(run, inbox, tmp_path):
    port = free_port()
    key = tmp_path / "key"
    key.write_text("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n")
    key.chmod(0o600)
    example = Path(__file__).resolve().parents[2] / "examples/actions/verify_webhook.py"
    with subprocess.Popen([sys.executable, example, key, str(port)], stdout=subprocess.PIPE, text=True) as receiver:
        monitor = run(f'webhook: {{url: "http://127.0.0.1:{port}/", secret_file: {key}}}')
        (inbox / "a.txt").write_text("x")
        assert receiver.stdout.readline() == "cn_monitor.child_file_added /in/a.txt\n"
        monitor.wait_for_jobs(1)
        with pytest.raises(urllib.error.HTTPError, match="401"):  # anybody else's
            urllib.request.urlopen(f"http://127.0.0.1:{port}/", b"{}")
        receiver.terminate()


def test_a_webhook_is_tried_again_after_503_and_given_up_after_400(run, inbox, hooks):
    hooks.answers += [503]
    monitor = run(f'webhook: {{url: "{hooks.url}/x"}}')
    (inbox / "a.txt").write_text("x")
    hooks.wait_for(1)
    monitor.wait_for_jobs(1)
    hooks.answers += [400]
    (inbox / "b.txt").write_text("x")
    assert "400" in outcome_of(monitor, "dead")
    assert len(hooks.received) == 1


def test_a_webhook_waits_as_long_as_it_is_told_to(run, inbox, hooks):
    hooks.answers += [(429, {"Retry-After": "2"})]
    monitor = run(f'webhook: {{url: "{hooks.url}/x"}}')
    start = time.monotonic()
    (inbox / "a.txt").write_text("x")
    hooks.wait_for(1)
    assert time.monotonic() - start >= 1.8  # BACK_OFF of these tests is 50 ms
    monitor.wait_for_jobs(1)


# ---- rules ----

@pytest.mark.parametrize("where", ["rule", "step", "everywhere"])
def test_a_dry_run_changes_nothing_and_says_what_it_would_do(simulator, run, inbox, mails, hooks,
                                                           tmp_path, where):
    touch = program(tmp_path, "touch", f"open('{tmp_path}/touched', 'w')")
    steps = ['permissions: {mode: "0600"}', "tag: {key: a, value: b}", "copy: /out/", "lock: {legal_hold: yes, confirm: true}",
             "rename: {to: b.txt}", "snapshot: {of: /in}", "quarantine: {to: /q}", "delete: {confirm: true}", f"exec: [{touch}]",
             f'webhook: {{url: "{hooks.url}/x"}}', "email: ops@example.com", f"log: {{file: {tmp_path}/log}}", f"syslog: {{server: {tmp_path}/syslog}}"]
    reference = subprocess.run([PROGRAM, "check", "--rules-reference"], capture_output=True, text=True, check=True).stdout
    modules = re.findall(r"^\| `(\w+)` ", reference.partition("## Actions")[2].partition("\n## ")[0], re.M)
    assert set(modules) == {step.split(":")[0] for step in steps}  # none is forgotten
    if where == "step":
        steps = [step + "\n        dry_run: yes" for step in steps]
    monitor = run(
        *steps, more="    mode: dry_run\n" if where == "rule" else "",
        sections={"EMAIL": {"SERVER": mails.address, "SECURITY": "plain", "FROM": "a@example.com"},
                  **({"ACT": {"DRY_RUN": "yes"}} if where == "everywhere" else {})})
    (inbox / "a.txt").write_text("x")
    outcome = outcome_of(monitor)
    for words in ["would set mode 0600", "would move /in/a.txt to /q/", "would run", "would mail", "would delete /in/a.txt",
                  "would set the tag a", "would copy /in/a.txt to /out/a.txt", "would take a snapshot of /in", "legal hold", "would rename"]:
        assert words in outcome, outcome
    assert simulator.changes() == [] and hooks.received == [] and mails.received == []
    assert not (tmp_path / "touched").exists() and not (tmp_path / "log").exists()
    assert os.listdir(inbox) == ["a.txt"]


def test_named_conditions_and_actions_are_the_same_as_written_out(simulator, make_monitor, inbox,
                                                                  tmp_path):
    monitor = make_monitor(simulator, f"""\
version: 1
conditions:
  media: {{extension: [.jpg, .mp4]}}
  drafts: {{any: [{{name: "draft*"}}, {{directory: /in/drafts}}]}}
actions:
  note: {{log: {{file: {tmp_path}/noted}}}}
watched_items:
  - name: final-media
    when: {{event: created, all: [media, {{not: drafts}}]}}
    ignore_case: yes
    actions: [note]
""").start()
    (inbox / "drafts").mkdir()
    for name in ["a.jpg", "b.MP4", "draft.jpg", "drafts/c.jpg", "d.txt"]:
        (inbox / name).write_text("x")
    monitor.wait_for_jobs(2)
    monitor.wait_idle()
    noted = [json.loads(line)["path"] for line in (tmp_path / "noted").read_text().splitlines()]
    assert sorted(noted) == ["/in/a.jpg", "/in/b.MP4"]


def test_a_file_written_in_pieces_settles_into_one_job(run, inbox, tmp_path):
    monitor = run(f"log: {{file: {tmp_path}/noted, text: '{{size}}'}}", more="    settle: 400ms\n",
                  when="{event: [created, written], directory: /in}")
    with open(inbox / "a.mov", "wb", buffering=0) as file:
        for piece in range(10):
            file.write(b"x" * 1000)
            seen = monitor.status()["filter"]["events"]
            wait_until(lambda: monitor.status()["filter"]["events"] >= seen, "a look")
    monitor.wait_for_jobs(1)
    monitor.wait_idle()
    line, = (tmp_path / "noted").read_text().splitlines()
    assert json.loads(line)["text"] == "10000"


def test_the_files_of_the_prototype_work_as_they_are(simulator, make_monitor, inbox):
    monitor = make_monitor(simulator, """\
PATHS:
  - /in
  - elsewhere/
EXTENSIONS:
  - .zip
  - exe
""", cluster={"TOKEN": simulator.token, "CLUSTER_ADDRESS": simulator.address, "USE_SSL": "False"})
    monitor.start()
    (simulator.root / "elsewhere").mkdir()
    for name in ["in/a.zip", "in/a.txt", "elsewhere/b.exe", "b.zip"]:
        (simulator.root / name).write_text("x")
    jobs = monitor.wait_for_jobs(2)
    monitor.wait_idle()
    assert sorted(j["body"]["event"]["path"] for j in jobs) == ["/elsewhere/b.exe", "/in/a.zip"]
    assert len(monitor.jobs()) == 2
    assert "FINGERPRINT" in monitor.log()  # there is a better way than USE_SSL = False
    assert simulator.token not in monitor.log()


# ---- the answer is lost ----

@pytest.mark.parametrize("method, action", [
    ("POST", 'rename: {to: "{name}.x", collision: suffix}'),
    ("POST", "quarantine: {to: /q, by_date: no}"),
    ("PATCH", 'permissions: {mode: "0600"}'),
    ("PATCH", "lock: {legal_hold: yes, confirm: true}"),
    ("POST", "tag: {key: seen, value: yes}"),
    ("DELETE", "delete: {confirm: true}")])
def test_a_request_whose_answer_is_lost_is_applied_exactly_once(simulator, run, inbox, method,
                                                               action):
    simulator.switch(metadata_event="extra-attrs")
    monitor = run(action)
    (simulator.root / "q/in").mkdir(parents=True)
    simulator.fault(method=method, path="/v1/files/", answer="lost", count=1)
    file = inbox / "a.txt"
    file.write_text("x")
    monitor.wait_for_jobs(1)
    monitor.wait_idle()
    assert monitor.jobs("dead") == []
    if "lock" in action:
        assert attributes(simulator, "/in/a.txt")["lock"]["legal_hold"]
    elif "tag" in action:
        assert tags(simulator, "/in/a.txt") == {"seen": "yes"}
    elif method == "PATCH":
        assert mode_of(file) == 0o600
    elif method == "DELETE":
        assert not file.exists()
    else:
        left = [p for folder in (inbox, simulator.root / "q/in") for p in folder.iterdir()]
        assert [p.name for p in left] == ["a.txt.x" if "rename" in action else "a.txt"]
        assert not file.exists()
    assert len(simulator.changes()) == 1
    wait_until(lambda: [e for e in monitor.tail() if "echo_of" in e.get("label", {})], "the echo")


# ---- not all at once ----

def test_no_more_of_an_action_run_at_once_than_it_says(run, inbox, tmp_path):
    (tmp_path / "at").mkdir()
    count = program(tmp_path, "count", f"""
import os, time
mine = "{tmp_path}/at/" + os.environ["CN_JOB"]
open(mine, "w").close()
with open("{tmp_path}/seen", "a") as seen:
    seen.write(f"{{len(os.listdir('{tmp_path}/at'))}}\\n")
time.sleep(0.05)
os.unlink(mine)
""")
    monitor = run(f"exec: [{count}]\n        concurrency: 2", "log: {text: done}",
                  sections={"ACT": {"CONCURRENCY": "20"}})
    for n in range(40):
        (inbox / f"{n}.txt").write_text("x")
    monitor.wait_for_jobs(40)
    seen = [int(line) for line in (tmp_path / "seen").read_text().split()]
    assert len(seen) == 40 and max(seen) == 2
    assert all(job["body"]["log"][0]["attempts"] == 1 for job in monitor.jobs("done"))


def test_a_step_may_have_a_back_off_of_its_own(run, inbox, tmp_path):
    later = program(tmp_path, "later", "import sys; sys.exit(75)")
    monitor = run(f"exec: [{later}]\n        back_off: 20ms\n        attempts: 4", sections={"ACT": {"BACK_OFF": "1h", "BACK_OFF_MAX": "1h"}})
    (inbox / "a.txt").write_text("x")
    dead, = monitor.wait_for_jobs(1, "dead")
    assert "after 4 attempts" in dead["outcome"]


# ---- a server that does not work ----

def test_jobs_wait_for_a_web_hook_that_fails_and_none_is_given_up(simulator, run, inbox, hooks):
    hooks.answers = [503] * 12
    monitor = run(f'webhook: {{url: "{hooks.url}/x"}}', sections={"ACT": {
        "ATTEMPTS": "20", "BACK_OFF": "30ms", "BACK_OFF_MAX": "120ms", "CIRCUIT_BREAKER": "3", "CONCURRENCY": "2"}})
    shown = []
    for i in range(20):
        (inbox / f"{i}.txt").write_text("x")
    while hooks.answers:
        breakers = monitor.status()["act"]["breakers"]
        if breakers and not shown:
            shown = [breakers[0], monitor.run("status").stdout]
    monitor.wait_for_jobs(20)
    assert len(hooks.received) == 20 and monitor.jobs("dead") == []
    assert shown[0]["server"] == hooks.url and shown[0]["state"] in ("open", "half-open")
    assert f"jobs wait for {hooks.url} since " in shown[1]
    assert monitor.status()["act"]["breakers"] == []
    assert f"{hooks.url} works again; what waited for it goes on" in monitor.log()
