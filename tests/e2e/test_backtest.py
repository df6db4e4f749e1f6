"""backtest: what rules would have done, beside what they did; and that it only looks."""

import hashlib
import json
import os
import signal
import subprocess

import pytest

from monitor import PROGRAM, wait_until

RULES = """\
version: 1
watched_items:
  - name: zips
    when: {event: [created, renamed], directory: /home, extension: .zip}
    actions: [{quarantine: {to: /quarantine}}, log]
  - name: many
    when: {event: created, directory: /home}
    threshold: {count: 5, within: 1m}
    actions: [log]
  - name: bounded
    when: {event: created, directory: /home}
    limit: {count: 7, within: 1h}
    actions: [log]
  - name: quiet
    when: {event: created, directory: /home, extension: .doc}
    settle: 100ms
    actions: [log]
  - name: never
    when: {event: created, directory: /nowhere}
    actions: [log]
"""

OTHERS = """\
version: 1
watched_items:
  - name: zips
    when: {event: [created, renamed], directory: /home, extension: [.zip, .doc]}
    actions: [log]
  - name: large
    when: {event: created, directory: /home, size: {over: 10 MiB}}
    actions: [{rename: {to: "{name}.large"}}]
"""


def live_through(simulator, monitor):
    """24 files, some of them quarantined: what that causes are echoes."""
    home = simulator.root / "home"
    for n in range(12):
        (home / f"a{n}.doc").write_text("x")
        (home / f"b{n}.tmp").write_text("x")
        if n % 2:
            (home / f"b{n}.tmp").rename(home / f"b{n}.zip")
    wait_until(lambda: len(done_of(monitor, "quiet")) == 12 and len(done_of(monitor, "zips")) == 6,
               "the jobs")
    # What comes behind these came behind all that the files caused.
    (simulator.root / "last").mkdir()
    wait_for_path(monitor, "/last")
    simulator.says("child_file_added", "/very-last")
    wait_for_path(monitor, "/very-last")
    monitor.wait_idle()


def wait_for_path(monitor, path):
    wait_until(lambda: [e for e in monitor.tail() if e.get("path") == path], path)


def done_of(monitor, rule):
    return [job for job in monitor.jobs() if job["body"]["rule"] == rule]


def backtest(monitor, *words):
    done = monitor.run("backtest", "--json", *words)
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


def rules_of(answer):
    return {rule["rule"]: rule for rule in answer["rules"]}


def sum_of(rule):
    return [rule["jobs"][bound] + rule["dry_runs"][bound] + rule["limited"][bound]
            for bound in ("sure", "most")]


def check_jobs(monitor, answer):
    rules = rules_of(answer)
    for name in ("zips", "many", "bounded", "quiet", "never"):
        real = done_of(monitor, name)
        assert sum_of(rules[name]) == [len(real)] * 2, name
        dry = sum(job["body"]["mode"] == "dry_run" for job in real)
        assert rules[name]["limited"] == {"sure": dry, "most": dry}, name
    assert len(done_of(monitor, "never")) == 0 and rules["bounded"]["limited"]["sure"] > 0
    assert answer["complete"] and answer["not_judged_yet"] == 0
    assert answer["echoes"] == monitor.status()["filter"]["echoes"] > 0


@pytest.fixture
def home(simulator):
    (simulator.root / "home").mkdir()
    (simulator.root / "quarantine").mkdir()
    return simulator.root / "home"


def files_of(monitor):
    return {path.name + path.parent.name: hashlib.sha256(path.read_bytes()).hexdigest()
            for path in (monitor.folder / "store").rglob("data.mdb")}


def test_a_running_monitor_is_looked_at_and_finds_the_jobs_that_it_had(
        simulator, make_monitor, home, tmp_path):
    monitor = make_monitor(simulator, RULES).start()
    live_through(simulator, monitor)
    others = tmp_path / "others.yml"
    others.write_text(OTHERS)

    before = monitor.status()
    answer = backtest(monitor)
    check_jobs(monitor, answer)
    tried = backtest(monitor, "--items", str(others), "--compare")
    assert rules_of(tried)["zips"]["jobs"] == {"sure": 18, "most": 18}
    large = rules_of(tried)["large"]
    assert (large["jobs"], large["depends_on"]) == ({"sure": 0, "most": 24}, ["size"])
    assert tried["actions"]["rename"] == {"sure": 0, "most": 24}
    rules = {rule["rule"]: rule for rule in tried["compare"]["rules"]}
    assert rules["zips"]["only_tried"]["count"] == 12
    assert rules["large"]["running"] is None and rules["many"]["tried"] is None
    after = monitor.status()
    for key in ("jobs_waiting", "jobs_done"):
        assert after["store"][key] == before["store"][key]

    # It is the same without the monitor; the cluster is not asked, and the store is to the last
    # byte what it was.
    monitor.stop()
    files, asked = files_of(monitor), simulator.status()["requests"]
    again = backtest(monitor, "--until", answer["until"])
    assert again["rules"] == answer["rules"] and again["events"] == answer["events"]
    backtest(monitor, "--items", str(others), "--compare")
    assert files_of(monitor) == files
    assert simulator.status()["requests"] == asked


def test_redis_is_only_read(simulator, redis, make_crew, home):
    crew = make_crew(simulator, redis, RULES)
    crew.start("run")
    crew.wait_at_work()
    live_through(simulator, crew)
    check_jobs(crew, backtest(crew))
    member = crew.any()
    crew.stop()

    redis.ask("CONFIG", "RESETSTAT")
    answer = backtest(member)
    assert answer["events"] > 36
    used = {line.split(":")[0].removeprefix("cmdstat_")
            for line in redis.ask("INFO", "commandstats").splitlines() if line.startswith("cmd")}
    assert used <= {"evalsha", "eval", "script|load", "script", "get", "hget", "hmget", "xrange",
                    "zrangebylex", "info", "config|get", "config|resetstat", "config", "role",
                    "auth", "hello", "select", "cluster|slots", "ping", "client|setname", "exists"}, used


def test_people_read_what_rules_would_have_done(simulator, make_monitor, home, tmp_path):
    monitor = make_monitor(simulator, RULES).start()
    live_through(simulator, monitor)
    others = tmp_path / "others.yml"
    others.write_text(OTHERS)

    shown = monitor.run("backtest").stdout
    assert "nothing is executed and nothing is changed\n" in shown
    assert "\nzips (line 3): 6 jobs for 6 files\n  true for 6 events\n" in shown
    assert "  for instance /home/b1.zip\n               /home/b3.zip\n" in shown
    assert "  threshold of 5 in 1m reached 4 times\n" in shown
    assert "17 jobs after it are dry runs\n" in shown
    assert "\ntrue for no event: never\n" in shown
    assert "; the actions change 6 files on the cluster\n" in shown

    shown = monitor.run("backtest", "--items", others, "--compare", "-n", "1").stdout
    assert "large (line 6): at most 24 jobs for at most 24 files\n" in shown
    assert "  depends on size, which is not known any more\n" in shown
    assert "  changed  zips: 6 jobs -> 18 jobs\n             + /home/a0.doc\n" in shown
    assert "             + and 11 more\n" in shown
    assert "  gone     quiet: 12 jobs\n" in shown

    shown = monitor.run("backtest", "--since", "1ms").stdout
    assert "nothing was heard in that time: the log reaches from 20" in shown
    shown = monitor.run("backtest", "--since", "2020-01-01", "--rule", "zips").stdout
    assert " UTC only; [STORE] RETENTION says" in shown and "in all" not in shown

    # The rules that judged then are not those of now.
    monitor.write_rules(RULES + "# changed\n")
    monitor.wait_for_log("rules")
    shown = monitor.run("backtest", "--items", others, "--compare").stdout
    assert "other rules were at work in a part of this time than these are now" in shown


@pytest.mark.parametrize("words, message", [
    (["--rule", "zip"], "there is no rule 'zip'; did you mean 'zips'?"),
    (["--watch", "mian"], "there is no watch 'mian' in {conf}; did you mean 'main'?"),
    (["--compare"], "--compare tells what --items FILE would do otherwise than the rules of -c: "
                    "expected --items, too"),
    (["--since", "1h", "--until", "2h"], "--until is before --since"),
    (["--since", "soon"], "--since 'soon': expected an age like 30m, 24h or 7d, or a time like "
                          "2026-11-25 or 2026-11-25T10:00:00Z"),
    (["--since", "2200-01-01"], "--since 2200-01-01: that is still to come"),
])
def test_a_question_that_is_not_clear_is_refused(simulator, make_monitor, words, message):
    monitor = make_monitor(simulator, RULES)
    done = monitor.run("backtest", *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (f"cn_monitor backtest: {message.format(conf=monitor.conf)}\n"
                           "See: cn_monitor backtest --help\n")


def test_a_store_that_cannot_be_read_says_why(simulator, make_monitor):
    monitor = make_monitor(simulator, RULES)
    store = monitor.folder / "store"

    def says():
        done = monitor.run("backtest")
        assert (done.returncode, done.stdout) == (1, "")
        return done.stderr.strip().removeprefix("cn_monitor backtest: ")

    assert says() == f"store {store} is not there: has cn_monitor run yet?"
    store.mkdir()
    assert says() == f"store {store}: there is no store in this directory"
    assert not list(store.iterdir())
    monitor.start()
    assert says() == ("the log is empty: nothing was heard yet, or it is older than [STORE] "
                      "RETENTION")
    monitor.stop()
    data = store / "log" / "data.mdb"
    data.write_bytes(data.read_bytes()[:5000])
    assert "the store is damaged" in says() or "is damaged" in says()
    data.write_text("no store")
    assert says().startswith(f"store {store}/log is damaged (MDB_INVALID")


def test_who_interrupts_is_told_what_is_known_so_far(simulator, make_monitor, tmp_path):
    monitor = make_monitor(simulator).start()
    simulator.says("child_file_added", "/a.zip")
    wait_for_path(monitor, "/a.zip")
    pipe = tmp_path / "rules.yml"  # it waits for them, and so for us
    os.mkfifo(pipe)
    process = subprocess.Popen([PROGRAM, "backtest", "-c", monitor.conf, "--json", "--items", pipe],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wait_until(lambda: signals_caught(process.pid) & 1 << signal.SIGINT - 1, "it to listen")
    process.send_signal(signal.SIGINT)
    pipe.write_text(RULES)
    output, errors = process.communicate(timeout=30)
    answer = json.loads(output)
    assert (process.returncode, errors) == (1, "")
    assert (answer["complete"], answer["events"]) == (False, 0)


def signals_caught(pid):
    with open(f"/proc/{pid}/status") as lines:
        return next(int(line.split()[1], 16) for line in lines if line.startswith("SigCgt"))
