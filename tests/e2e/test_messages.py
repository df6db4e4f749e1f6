"""Bad input of each kind: a message that a tired person understands, and exit status 2 for usage
and configuration, 1 for what goes wrong at run time. The texts are held word by word: whoever
changes one looks here how it reads."""

import json
import os
import re
import socket
import subprocess
from pathlib import Path

import pytest

from cluster import ADMIN_TOKEN
from monitor import BUILD, PROGRAM, wait_until

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = ["run", "check", "doctor", "explain", "backtest", "tail", "status", "history", "dead", "reload"]
# What a command wants to know beside its configuration.
QUESTIONS = {"explain": ["--event", '{"event":"created","path":"/a"}']}
SECRET = "access-v1:dGhlIHNlY3JldCBvZiB0aGVzZSB0ZXN0cw"


class Here:
    """A folder with cn_monitor.conf, watched_items.yml and a token; commands run in it."""

    def __init__(self, folder):
        self.folder = folder
        self.write("token", SECRET + "\n").chmod(0o600)
        self.write("watched_items.yml", "version: 1\nwatched_items:\n"
                   "  - {name: note, when: {event: any}, actions: [log]}\n")
        self.conf()

    def write(self, name, text):
        path = self.folder / name
        path.write_text(text)
        return path

    def conf(self, cluster="", watch="", rest="", address="127.0.0.1:1",
             credential="TOKEN_FILE = token", store="URL = embedded:store"):
        self.write("cn_monitor.conf",
                   f"[CLUSTER]\nCLUSTER_ADDRESS = {address}\n{credential}\n{cluster}\n"
                   f"[WATCH]\n{watch}\n[STORE]\n{store}\n{rest}\n").chmod(0o600)

    def run(self, *words, environment=None):
        done = subprocess.run([PROGRAM, *words], cwd=self.folder, capture_output=True, text=True,
                              timeout=30, stdin=subprocess.DEVNULL,
                              env={**os.environ, **(environment or {})})
        assert SECRET not in done.stdout + done.stderr
        return done

    def says(self, words, status, message):
        """The command ends with status, and message is a line of what it prints."""
        done = self.run(*words)
        lines = (done.stdout + done.stderr).replace(f"{self.folder}/", "").splitlines()
        # Without the time of a log line.
        lines = [re.sub(r"^\d{4}-\d\d-\d\dT[\d:.]+Z ", "", line) for line in lines]
        assert message in lines, "\n".join(lines)
        assert done.returncode == status
        return lines


@pytest.fixture
def here(tmp_path):
    return Here(tmp_path)


# ---- usage ----

@pytest.mark.parametrize("words, message", [
    (["frob"], "cn_monitor: 'frob' is not a command"),
    (["stats"], "cn_monitor: 'stats' is not a command, did you mean 'status'?"),
    (["run", "--frob"], "cn_monitor run: '--frob' is not an option of this command"),
    (["run", "--json"], "cn_monitor run: '--json' is not an option of this command"),
    (["check", "-x"], "cn_monitor check: '-x' is not an option of this command"),
    (["run", "extra"], "cn_monitor run: 'extra': no arguments are expected"),
    (["run", "-c"], "cn_monitor run: -c needs a value"),
    (["tail", "-n", "x"], "cn_monitor tail: --lines 'x': expected a whole number"),
    (["history", "--since", "2 parsecs"], "cn_monitor history: --since '2 parsecs': expected an "
     "age like 30m, 24h or 7d, or a time like 2026-11-25 or 2026-11-25T10:00:00Z"),
    (["dead", "frob"], "cn_monitor dead: 'frob': expected list, show, retry or drop"),
    (["dead", "show"],
     "cn_monitor dead: show: expected the number of a job (cn_monitor dead list shows them)"),
    (["dead", "retry", "x"], "cn_monitor dead: 'x': expected the number of a job"),
    (["dead", "drop", "1", "2"], "cn_monitor dead: '2': no more arguments are expected"),
    (["dead", "drop", "1", "--all"],
     "cn_monitor dead: --all goes with retry or drop, instead of a job"),
    (["dead", "drop", "1", "--rule", "r"],
     "cn_monitor dead: --rule goes with list, or with --all"),
])
def test_a_slip_of_the_fingers_is_named(here, words, message):
    lines = here.says(words, 2, message)
    assert lines[-1].startswith("See: cn_monitor ") and lines[-1].endswith("--help")


def test_no_command_shows_the_commands(here):
    done = here.run()
    assert done.returncode == 2 and done.stdout == ""
    assert "Usage: cn_monitor COMMAND" in done.stderr


@pytest.mark.parametrize("words", [["--help"], ["-h"], ["help"],
                                   *([command, "--help"] for command in COMMANDS),
                                   ["check", "--config-reference"]])
def test_help_is_everywhere_and_fits_a_terminal(here, words):
    done = here.run(*words)
    assert done.returncode == 0 and done.stderr == ""
    assert len(done.stdout.splitlines()) >= 5
    assert max(map(len, done.stdout.splitlines())) < 100


def test_help_names_every_command(here):
    text = here.run("--help").stdout
    assert all(re.search(rf"^  {command} ", text, re.M) for command in COMMANDS)


def test_the_version_is_one_line(here):
    assert re.fullmatch(r"cn_monitor \d+\.\d+\.\d+\n", here.run("--version").stdout)


# ---- cn_monitor.conf ----

@pytest.mark.parametrize("command", COMMANDS)
def test_without_a_configuration_it_says_how_to_begin(here, command):
    (here.folder / "cn_monitor.conf").unlink()
    here.says([command, *QUESTIONS.get(command, [])], 2,
              "there is no cn_monitor.conf here and none in /etc/cn_monitor: name one with -c "
              "FILE, or write one that begins with [CLUSTER], CLUSTER_ADDRESS and TOKEN_FILE "
              "(cn_monitor check --config-reference explains every key)")


@pytest.mark.parametrize("parts, message", [
    ({"cluster": "CLUSTER_ADRESS = x"},
     "cn_monitor.conf:4:1: unknown key 'CLUSTER_ADRESS': did you mean CLUSTER_ADDRESS?"),
    ({"watch": "RECURSIV = yes"},
     "cn_monitor.conf:6:1: unknown key 'RECURSIV': did you mean RECURSIVE?"),
    ({"rest": "[WATHC]\nPATH = /"},
     "cn_monitor.conf:9:1: unknown section [WATHC]: did you mean [WATCH]?"),
    ({"rest": "[WATCH]\nPATH = /home"},
     "cn_monitor.conf:9:1: section [WATCH] is there twice; the first is in line 5 (join them, or "
     "give each a name of its own, like [WATCH two])"),
    ({"watch": "PATH = /a\nPATH = /b"},
     "cn_monitor.conf:7:1: PATH is there twice; the first is in line 6"),
    ({"watch": "SILENCE = 10 parsecs"},
     "cn_monitor.conf:6:11: SILENCE '10 parsecs': expected a duration like 500ms, 10s, 5m, 2h or "
     "7d"),
    ({"watch": "RECURSIVE = perhaps"},
     "cn_monitor.conf:6:13: RECURSIVE 'perhaps': expected yes or no"),
    ({"watch": "PATH = home"},
     "cn_monitor.conf:6:8: PATH 'home': expected an absolute path on the cluster, like /home"),
    ({"watch": "CLUSTER = other"},
     "cn_monitor.conf:6:11: CLUSTER 'other': there is no such cluster"),
    ({"store": "MAX_SIZE = lots"},
     "cn_monitor.conf:8:12: MAX_SIZE 'lots': expected a size like 4096, 64 KiB, 10 MiB or 2 GB"),
    ({"store": "MAX_SIZE = 1 KiB"},
     "cn_monitor.conf:8:12: MAX_SIZE '1 KiB': expected from 1 MiB to 1024 TiB"),
    ({"store": "MAX_SIZE = -1"},
     "cn_monitor.conf:8:12: MAX_SIZE '-1': expected a size like 4096, 64 KiB, 10 MiB or 2 GB"),
    ({"store": "COMMIT = never"},
     "cn_monitor.conf:8:10: COMMIT 'never': expected batch, always or os"),
    ({"store": "URL = embedded:"},
     "cn_monitor.conf:8:7: URL 'embedded:': expected embedded:DIRECTORY, like "
     "embedded:/var/lib/cn_monitor, or redis://host:6379/0, rediss://... or unix:/PATH"),
    ({"rest": "[ACT]\nATTEMPTS = many"},
     "cn_monitor.conf:10:12: ATTEMPTS 'many': expected a whole number"),
    ({"cluster": "FINGERPRINT = 12:34"},
     "cn_monitor.conf:4:15: FINGERPRINT: expected the 64 hexadecimal digits of a SHA-256, found "
     "another number of them"),
    ({"cluster": "CA_FILE = nowhere.pem"},
     "cn_monitor.conf:4:11: CA_FILE: nowhere.pem cannot be read: No such file or directory"),
    ({"credential": "TOKEN_FILE = nowhere"},
     "cn_monitor.conf:3:14: TOKEN_FILE: nowhere cannot be read: No such file or directory"),
    ({"credential": ""},
     "cn_monitor.conf:1:1: cluster 'default' has no credential: set TOKEN_FILE, TOKEN, or USERNAME "
     "and PASSWORD_FILE"),
    ({"credential": "USERNAME = joe"},
     "cn_monitor.conf:3:12: USERNAME needs a PASSWORD_FILE"),
    ({"address": "http://example.com"},
     "cn_monitor.conf:2:19: CLUSTER_ADDRESS 'http://example.com': http:// would show the token to "
     "the network and is for loopback addresses only; use https://"),
    ({"rest": "what is this"},
     "cn_monitor.conf:9:1: expected KEY = value, on one line"),
])
@pytest.mark.parametrize("command", ["check", "run"])
def test_each_mistake_in_the_configuration_has_its_sentence(here, command, parts, message):
    here.conf(**parts)
    here.says([command], 2, message)


def test_a_configuration_that_is_not_there_is_named(here):
    here.says(["run", "-c", "nowhere.conf"], 2,
              "nowhere.conf: cannot be read: No such file or directory")


def test_a_directory_is_no_configuration(here):
    here.says(["run", "-c", "."], 2, ".: cannot be read: it is a directory, expected a file")


def test_a_token_file_that_everybody_can_read_is_refused(here):
    (here.folder / "token").chmod(0o644)
    here.says(["run"], 2, "cn_monitor.conf:3:14: TOKEN_FILE: token: everybody on this machine can "
              "read it (mode 0644): chmod 600 token")


def test_a_token_in_a_configuration_that_others_can_read_is_refused_and_not_shown(here):
    here.conf(credential=f"TOKEN = {SECRET}")
    (here.folder / "cn_monitor.conf").chmod(0o644)
    lines = here.says(["run"], 2,
                      "cn_monitor.conf:3:9: TOKEN is in a file that others can read (mode 0644): "
                      "chmod 600 cn_monitor.conf, or move it to a TOKEN_FILE of its own")
    assert "    3 | TOKEN = ***" in lines


def test_an_empty_token_file_is_told(here):
    here.write("token", "")
    here.says(["run"], 2, "cn_monitor.conf:3:14: TOKEN_FILE: token is empty, expected a secret")


def test_a_socket_path_that_is_too_long_is_told_with_the_limit(here):
    here.conf(rest=f"[ADMIN]\nSOCKET = /{'x' * 150}")
    here.says(["run"], 2, f"cn_monitor.conf:10:10: SOCKET '/{'x' * 150}': expected a path of at "
              "most 107 bytes")


def test_a_wrong_variable_of_the_environment_is_named(here):
    done = here.run("check", environment={"CN_MONITOR_WATCH_RECURSIVE": "perhaps"})
    assert done.returncode == 2
    assert "CN_MONITOR_WATCH_RECURSIVE" in done.stderr
    assert "'perhaps': expected yes or no" in done.stderr


# ---- watched_items.yml ----

@pytest.mark.parametrize("rules, message", [
    ("", "watched_items.yml:1:1: the file holds nothing: expected watched_items: and a list of "
     "rules"),
    ("version: 1\nwatched_items:\n\t- name: x\n",
     "watched_items.yml:3:1: tab character; YAML wants spaces"),
    ("watched_items:\n  - {name: x, when: {evnt: any}, actions: [log]}\n",
     "watched_items.yml:2:22: a condition has no key 'evnt'; did you mean 'event'?"),
    ("watched_items:\n  - {name: x, when: {event: 5}, actions: [log]}\n",
     "watched_items.yml:2:29: event '5': expected created, removed, renamed, moved_in, moved_out, "
     "written, metadata, permissions, any, or a type like child_file_added"),
    ("watched_items:\n  - {name: x, when: {extension: {a: b}}, actions: [log]}\n",
     "watched_items.yml:2:33: extension: expected text or a list of texts, found a mapping"),
    ("watched_items:\n  - {name: x, actions: [log]}\n  - {name: x, actions: [log]}\n",
     "watched_items.yml:3:12: there is already a rule 'x', in line 2: expected another name"),
    ("watched_items:\n  - {name: x, actions: [lgo]}\n",
     "watched_items.yml:2:25: there is no action 'lgo': expected a name from 'actions:' or one of "
     "log, syslog, exec, quarantine, rename, permissions, lock, tag, copy, delete, snapshot, email, webhook"),
    ("watched_items:\n  - {name: x, settle: soon, actions: [log]}\n",
     "watched_items.yml:2:23: settle 'soon': expected a duration like 500ms, 10s, 5m, 2h or 7d"),
])
@pytest.mark.parametrize("command", ["check", "run"])
def test_each_mistake_in_the_rules_has_its_sentence(here, command, rules, message):
    here.write("watched_items.yml", rules)
    lines = here.says([command], 2, message)
    if command == "run":
        assert lines[-1] == "error cn_monitor: cannot start: the rules have errors"


def test_all_mistakes_are_told_at_once(here):
    here.write("watched_items.yml", "watched_items:\n  - {nme: x, actions: [lgo], settle: soon}\n")
    assert "watched_items.yml: 4 errors" in here.says(
        ["check"], 2, "watched_items.yml:2:38: settle 'soon': expected a duration like 500ms, 10s, "
        "5m, 2h or 7d")


LOOP = """\
watched_items:
  - name: tidy
    when: {event: renamed, extension: .a}
    actions: [rename: {to: "{stem}.a"}]
"""
TOLD = ("watched_items.yml:4:15: warning: rule 'tidy' may trigger itself: its action rename causes "
        "renamed events in the same directory that its own conditions (line 3) may match; "
        "cn_monitor recognises such echoes and ignores them, but not: {name: '*.a'} would rule it "
        "out [loop]")


def test_warnings_have_a_name_by_which_they_can_be_accepted(here):
    here.write("watched_items.yml", LOOP)
    lines = here.says(["check"], 0, TOLD.replace("not: {name: '*.a'}", "a condition that excludes "
                                                 "them"))
    assert lines[-2:] == ["watched_items.yml: 1 rule, no errors, 1 warning",
                          "What is meant as it is, the rule can say by the name in brackets: "
                          "accept: [loop]"]
    assert here.run("check", "--strict").returncode == 1
    here.write("watched_items.yml", LOOP + "    accept: [loop]\n")
    lines = here.says(["check", "--strict"], 0,
                      "watched_items.yml: 1 rule, no errors, 1 warning accepted")
    assert not any("may trigger" in line for line in lines)
    lines = here.says(["check", "-v"], 0,
                      "watched_items.yml: 1 rule, no errors, 1 warning accepted")
    assert any(line.startswith("watched_items.yml:4:15: accepted: rule 'tidy' may trigger itself")
               for line in lines)


def test_check_answers_programs_with_objects(here):
    here.write("watched_items.yml", LOOP + "    accept: [never]\n")
    done = here.run("check", "--json")
    answer = json.loads(done.stdout)
    conf, rules = answer["files"]
    assert (done.returncode, answer["ok"], answer["errors"], answer["warnings"]) == (0, True, 0, 2)
    assert (conf["file"], conf["problems"]) == ("cn_monitor.conf", [])
    assert (rules["rules"], rules["warnings"], rules["accepted"]) == (1, 2, 0)
    loop, accept = rules["problems"]
    assert (loop["line"], loop["column"], loop["severity"], loop["name"]) == (
        4, 15, "warning", "loop")
    assert loop["file"].endswith("watched_items.yml") and "may trigger itself" in loop["message"]
    assert (accept["line"], "name" in accept) == (5, False)
    here.write("watched_items.yml", LOOP + "    accept: [loop]\n    colour: red\n")
    done = here.run("check", "--json")
    answer = json.loads(done.stdout)
    assert (done.returncode, answer["ok"], answer["errors"]) == (2, False, 1)
    assert answer["files"][1]["problems"][0]["severity"] == "error"
    here.conf(watch="RECURSIVE = perhaps")
    done = here.run("check", "--json")
    answer = json.loads(done.stdout)
    assert (done.returncode, answer["ok"], len(answer["files"])) == (2, False, 1)
    assert "expected yes or no" in answer["files"][0]["problems"][0]["message"]


def test_rules_that_are_not_there_are_named(here):
    (here.folder / "watched_items.yml").unlink()
    here.says(["run"], 2, "watched_items.yml: cannot be read: No such file or directory")


def test_a_directory_is_no_rule_file(here):
    here.conf(watch="ITEMS = .")
    here.says(["run"], 2, ".: cannot be read: it is a directory, expected a file")


def test_rules_in_a_folder_that_is_not_there_are_named(here):
    here.conf(watch="ITEMS = no/such/watched_items.yml")
    done = here.run("run")
    assert done.returncode == 2
    assert "no/such" in done.stderr and "No such file or directory" in done.stderr


# ---- run time ----

@pytest.mark.parametrize("command", ["tail", "status", "reload"])
def test_asking_a_monitor_that_does_not_run_is_told_so(here, command):
    here.says([command], 1, f"cn_monitor {command}: no monitor answers: store/admin.sock: no "
              "connection (No such file or directory); is `cn_monitor run` up with this "
              "configuration, and may you read its socket?")


def test_a_socket_that_nobody_serves_any_more_is_told_so(here):
    (here.folder / "store").mkdir()
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(here.folder / "store" / "admin.sock"))
    left.close()
    here.says(["status"], 1, "cn_monitor status: no monitor answers: store/admin.sock: no "
              "connection (Connection refused); is `cn_monitor run` up with this configuration, "
              "and may you read its socket?")


def test_a_store_in_a_place_that_cannot_be_is_told(here):
    here.conf(store="URL = embedded:/proc/nowhere/store")
    here.says(["run"], 1, "error cn_monitor: cannot start: cannot create the directory "
              "/proc/nowhere: No such file or directory")


def test_a_file_is_no_store(here):
    here.conf(store="URL = embedded:token")
    here.says(["run"], 1,
              "error cn_monitor: cannot start: cannot open token/lock: Not a directory")


def test_a_store_that_cannot_be_read_says_what_to_do(here, simulator, make_monitor):
    monitor = make_monitor(simulator)
    monitor.start()
    monitor.stop()
    for data in (monitor.folder / "store" / "state").rglob("data.mdb"):
        data.write_bytes(b"this is no store" * 1024)
    done = monitor.run("run")
    assert done.returncode == 1
    assert "cannot start: store" in done.stderr and "is damaged" in done.stderr
    assert "then restore it, or let cn_monitor salvage save what can be read of it" in done.stderr


def test_a_second_monitor_on_the_same_store_is_refused(simulator, make_monitor):
    monitor = make_monitor(simulator).start()
    done = monitor.run("run")
    assert done.returncode == 1
    assert re.search(r"cannot start: .*store.* (in use|used) by .*process \d+", done.stderr), \
        done.stderr
    assert monitor.run("status").returncode == 0


def test_an_unreachable_cluster_is_told_with_what_comes_next(here):
    process = subprocess.Popen([PROGRAM, "run"], cwd=here.folder, stderr=subprocess.PIPE,
                               stdin=subprocess.DEVNULL, text=True)
    lines = iter(process.stderr.readline, "")
    told = next(line for line in lines if " warn " in line)
    process.terminate()
    assert process.wait(30) == 0
    process.stderr.close()
    assert "watch/main: cannot listen" in told and "trying again" in told
    assert "127.0.0.1:1: no connection (Connection refused)" in told


@pytest.mark.parametrize("kind, words", [
    ("fingerprint", ["certificate", "fingerprint"]),
    ("ca", ["certificate"]),
])
def test_a_wrong_certificate_is_told_by_run_and_doctor(simulator, make_monitor, make_simulator,
                                                       tmp_path, kind, words):
    other = make_simulator(tmp_path / "other")
    trust = ({"FINGERPRINT": other.fingerprint} if kind == "fingerprint"
             else {"CA_FILE": other.cert})
    monitor = make_monitor(simulator)
    monitor.write_conf({}, {"CLUSTER_ADDRESS": simulator.address, **trust,
                            "TOKEN_FILE": monitor.token_file})
    done = monitor.run("doctor")
    assert done.returncode == 1
    assert all(word in done.stdout for word in words), done.stdout
    monitor.start(listening=False)
    monitor.wait_for_log("cannot listen")
    assert all(word in monitor.log() for word in words), monitor.log()
    assert ADMIN_TOKEN not in monitor.log() + done.stdout + done.stderr
    wait_until(lambda: monitor.status(), "the monitor to answer although it hears nothing")


# ---- a normal session ----

def test_the_log_of_a_session_reads_as_one_story(simulator, make_monitor):
    (simulator.root / "a").mkdir()
    monitor = make_monitor(simulator, """\
version: 1
watched_items:
  - {name: note, when: {event: created, extension: .txt}, actions: [log]}
  - {name: tidy, when: {event: created, extension: .part}, actions: [rename: {to: "{stem}.done"}]}
""", sections={"LOG": {"LEVEL": "info"}})
    monitor.start()
    (simulator.root / "a/x.txt").write_text("x")
    (simulator.root / "a/y.part").write_text("y")
    monitor.wait_for_jobs(2)
    assert monitor.run("reload").stdout.startswith("Nothing had changed: 2 rules of ")
    monitor.write_rules("version: 1\nwatched_items:\n"
                        "  - {name: one, when: {event: any}, actions: [log]}\n")
    monitor.wait_for_log("at work: 1 rule of")
    assert monitor.stop() == 0
    lines = [re.sub(r"^\S+ ", "", line).replace(f"{monitor.folder}/", "")
             .replace(simulator.address, "ADDRESS") for line in monitor.log().splitlines()]
    lines = [re.sub(r"process \d+", "process N", line) for line in lines]
    for line in ["info  watch/main: watches / and everything below of cluster default, 2 rules "
                 "from watched_items.yml",
                 "info  cn_monitor: version 0.1.0 is up, process N; store embedded:store, answers "
                 "at store/admin.sock",
                 "info  watch/main: listening to / and everything below at ADDRESS",
                 "info  rule/note: child_file_added /a/x.txt",
                 "info  rule/tidy: /a/y.part -> rename: moved to /a/y.done",
                 "info  rules: reading again: asked to",
                 "info  rules: nothing had changed, still at work: 2 rules of watched_items.yml",
                 "info  rules: reading again: watched_items.yml changed",
                 "info  rules: at work: 1 rule of watched_items.yml",
                 "info  cn_monitor: stopping: SIGTERM"]:
        assert lines.count(line) == 1, "\n".join(lines)
    assert not any("log: done" in line for line in lines)


def test_the_tables_of_the_manual_are_those_of_the_program():
    done = subprocess.run([ROOT / "scripts" / "rules-reference", "--check", "--build", BUILD],
                          capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stdout + done.stderr
