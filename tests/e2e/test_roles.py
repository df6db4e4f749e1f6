"""The roles as processes of their own over a real Redis: who is active, who takes over, what a process
does that wakes up late, and workers that die."""

import collections
import os
import threading
import time
from datetime import datetime

import pytest

from crew import Flow, wait_judged
from monitor import wait_until

FULL = bool(os.environ.get("CN_FULL"))  # as long and as much as the promise says, by hand
ONE_RULE = """\
version: 1
watched_items:
  - name: note
    when: {event: created, directory: /home}
    actions: [log]
"""
QUARANTINE = """\
version: 1
watched_items:
  - name: quarantine
    when: {event: created, directory: /in, extension: .bad}
    actions: [{quarantine: {to: /quarantine}}]
  - name: note
    when: {event: created, directory: /in, extension: .txt}
    actions: [log]
"""
WRONG = "version: 1\nwatched_items:\n  - {name: wrong, when: {event: creatd}, actions: [log]}\n"


def seconds(text):
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


# ---- All of them together ----

def test_the_roles_as_processes_do_the_job_and_each_answers_for_all(simulator, redis, make_crew):
    (simulator.root / "in").mkdir()
    crew = make_crew(simulator, redis, QUARANTINE)
    for role in ("watch", "filter", "act", "act"):
        crew.start(role)
    crew.wait_at_work()
    (simulator.root / "in/a.bad").write_text("bad")
    (simulator.root / "in/b.txt").write_text("fine")
    crew.wait_for_jobs(2)
    assert [p.name for p in (simulator.root / "quarantine").rglob("*.bad")] == ["a.bad"]
    crew.wait_idle()

    for member in crew.members:
        wait_until(lambda: len(member.status()["members"]) == 4, "four members")
        status = member.status()
        assert [w["state"] for w in status["watches"]] == ["listening"]
        assert status["filter"]["cursor"] == status["store"]["last_seq"] > 0
        wait_until(lambda: not member.status()["act"]["trouble"], "no trouble to be told of")
        assert status["filter"]["trouble"] == ""
        assert status["act"]["processes"] == 2 and status["store"]["jobs_done"] == 2
        assert status["member"].split("/")[1] == member.role
        roles = collections.Counter(role for m in status["members"] for role in m["roles"])
        assert roles == {"watch": 1, "filter": 1, "act": 2}
        echoes = [e for e in member.tail() if "echo_of" in e.get("label", {})]
        assert echoes, "the quarantine's own move is known as an echo"
        shown = member.run("status")
        assert shown.returncode == 0, shown.stdout + shown.stderr
        assert shown.stdout.count("act active") == 2 and "watch active" in shown.stdout
        assert "quarantine" in member.run("history").stdout
        assert member.run("health").returncode == member.run("health", "--live").returncode == 0
        assert member.run("explain", "--seq", "1").returncode == 0
    assert crew.stop() == [0, 0, 0, 0]


@pytest.mark.parametrize("role", ["watch", "filter", "act"])
def test_one_role_over_the_embedded_store_is_refused(simulator, make_monitor, role):
    monitor = make_monitor(simulator)
    done = monitor.run(role)
    assert done.returncode == 2 and "is for one process only" in done.stderr
    assert "cn_monitor run" in done.stderr and "redis://" in done.stderr


def test_two_whole_monitors_are_a_pair(simulator, redis, make_crew):
    crew = make_crew(simulator, redis, ONE_RULE)
    first = crew.start("run").wait_state("active", "watch").wait_state("active", "filter")
    second = crew.start("run").wait_state("standby", "watch").wait_state("standby", "filter")
    assert second.state("act") == "active"
    crew.wait_at_work()
    simulator.says("child_file_added", "/home/one")
    wait_judged(crew, ["/home/one"])
    first.kill()
    second.wait_state("active", "watch", 60).wait_state("active", "filter", 60)
    crew.wait_at_work()
    simulator.says("child_file_added", "/home/two")
    wait_judged(crew, ["/home/one", "/home/two"])


# ---- Reload ----

def test_a_reload_reaches_every_process_and_tells_what_each_found(simulator, redis, make_crew):
    crew = make_crew(simulator, redis, ONE_RULE)
    watch, judge, act = [crew.start(role) for role in ("watch", "filter", "act")]
    crew.wait_at_work()
    wait_until(lambda: len(act.status()["members"]) == 3, "three members")

    done = act.run("reload")
    assert done.returncode == 0 and "Nothing had changed" in done.stdout, done
    names = {m["member"] for m in act.status()["members"]}
    assert all(name in done.stdout for name in names)

    crew.write_rules(ONE_RULE.replace("note", "other"))
    assert watch.run("reload").returncode == 0
    simulator.says("child_file_added", "/home/one")
    wait_judged(crew, ["/home/one"])
    assert crew.tail()[0]["label"]["rules"] == ["other"]

    crew.write_rules(WRONG)
    done = judge.run("reload")
    assert done.returncode == 2 and "creatd" in done.stderr and "old rules stay" in done.stderr
    answer = act.ask("/v1/reload", "POST")
    assert not answer["ok"] and {m["member"] for m in answer["members"]} == names
    assert all(not m["ok"] and "creatd" in m["report"] for m in answer["members"])


def test_a_process_with_other_rules_is_shown(simulator, redis, make_crew, tmp_path):
    crew = make_crew(simulator, redis, ONE_RULE)
    for role in ("watch", "filter"):
        crew.start(role)
    other = tmp_path / "other.yml"
    other.write_text(ONE_RULE.replace("note", "other"))
    act = crew.start("act", environment={"CN_MONITOR_WATCH_ITEMS": str(other)})
    crew.wait_at_work()

    def differs():
        return [m["member"] for m in crew.members[0].status()["members"] if m["other_rules"]]
    wait_until(differs, "the other rules to be noticed")
    assert [name.split("/")[1] for name in differs()] == ["act"]
    shown = crew.members[0].run("status")
    assert shown.returncode == 1 and "other rules than here" in shown.stdout
    other.write_text(ONE_RULE)
    assert act.run("reload").returncode == 0
    wait_until(lambda: not differs(), "the same rules everywhere")


# ---- Standby ----

def end(member, how):
    if how == "killed":
        member.kill()
    elif how == "frozen":
        member.freeze()
    else:
        assert member.stop() == 0


@pytest.mark.parametrize("how", ["killed", "frozen", "told to stop"])
def test_a_standby_takes_over_the_watch_and_the_gap_is_recorded(simulator, redis, make_crew, how):
    crew = make_crew(simulator, redis, ONE_RULE)
    first = crew.start("watch").wait_state("active")
    second = crew.start("watch").wait_state("standby")
    crew.start("filter")
    crew.start("act")
    crew.wait_at_work()
    assert second.run("health").returncode == 0  # standing by is well
    simulator.says("child_file_added", "/home/before")
    wait_judged(crew, ["/home/before"])

    began = time.time()
    end(first, how)
    second.wait_state("active", patience_s=60)
    print(f"{how}: active after {time.time() - began:.1f} s")
    crew.wait_at_work()
    listening = time.time()
    after = [f"/home/after{n}" for n in range(20)]
    for path in after:
        simulator.says("child_file_added", path)
    wait_judged(crew, ["/home/before", *after])

    gaps = crew.status()["store"]["gaps"]
    assert len(gaps) == 1 and gaps[0]["watch"] == "main", gaps
    assert seconds(gaps[0]["from"]) <= began + 0.001
    assert began <= seconds(gaps[0]["until"]) <= listening + 0.001
    if how != "frozen":
        return
    # It has heard the same events in its socket, and its number is old: nothing of it is kept.
    first.thaw()
    first.wait_state("standby", patience_s=60)
    simulator.says("child_file_added", "/home/last")
    wait_judged(crew, ["/home/before", *after, "/home/last"])
    assert second.state() == "active"
    assert len(crew.status()["store"]["gaps"]) == 1


@pytest.mark.parametrize("how", ["killed", "frozen", "told to stop"])
def test_a_standby_takes_over_the_filter_and_each_event_is_judged_once(simulator, redis, make_crew,
                                                                       how):
    crew = make_crew(simulator, redis, ONE_RULE, sections={"LOG": {"LEVEL": "info"}})
    crew.start("watch")
    first = crew.start("filter").wait_state("active")
    second = crew.start("filter").wait_state("standby")
    crew.start("act")
    crew.wait_at_work()
    flow = Flow(simulator, 400)
    flow.start()
    try:
        wait_until(lambda: crew.status()["filter"]["cursor"] > 20, "the flow to be judged")
        began = time.time()
        end(first, how)
        second.wait_state("active", patience_s=60)
        print(f"{how}: active after {time.time() - began:.1f} s")
        at = crew.status()["filter"]["cursor"]
        wait_until(lambda: crew.status()["filter"]["cursor"] > at + 20, "the standby to judge")
        if how == "frozen":
            first.thaw()
            first.wait_state("standby", patience_s=60)
            at = crew.status()["filter"]["cursor"]
            wait_until(lambda: crew.status()["filter"]["cursor"] > at + 20, "the flow to go on")
    finally:
        paths = flow.stop()
    wait_judged(crew, paths, 120)
    assert second.state() == "active"
    assert crew.status()["store"]["gap_count"] == 0


def test_a_stream_that_the_filter_cannot_read_is_opened_anew_by_the_watch(simulator, redis, make_crew):
    crew = make_crew(simulator, redis, ONE_RULE)
    for role in ("watch", "filter", "act"):
        crew.start(role)
    crew.wait_at_work()
    simulator.emit(raw="data: [{\"type\":\n\n")
    wait_until(lambda: crew.status()["store"]["gaps"], "the gap")
    crew.wait_at_work()
    simulator.says("child_file_added", "/home/after")
    wait_until(lambda: "/home/after" in [e.get("path") for e in crew.tail()], "the event after it")
    gap = crew.status()["store"]["gaps"][0]
    assert gap["until"], gap


# ---- Workers ----

WORKERS_RULES = """\
version: 1
watched_items:
  - name: quarantine
    when: {event: created, directory: /in, extension: .bad}
    actions: [{quarantine: {to: /quarantine}}]
  - name: rename
    when: {event: [created, renamed], directory: /in, extension: .tmp}
    actions: [{rename: {to: "{stem}-done{extension}"}}]
  - name: permissions
    when: {event: [created, permissions], directory: /in, extension: .sec}
    actions: [{permissions: {mode: "0600"}}]
  - name: order
    when: {event: child_data_written, directory: /order}
    actions: [{exec: {command: [/bin/sh, -c, 'echo "$1 $CN_JOB" >> "$2"', sh, "{path}", "RAN"]}}]
"""
KINDS = ["bad", "tmp", "sec"]


class Killer(threading.Thread):
    """kill -9 to one worker after the other, and a new one in its place, every so many seconds."""

    def __init__(self, crew, pause_s):
        super().__init__(daemon=True)
        self.crew, self.pause_s = crew, pause_s
        self.kills, self.is_over = 0, threading.Event()

    def run(self):
        workers = [m for m in self.crew.members if m.role == "act"]
        while not self.is_over.wait(self.pause_s):
            member = workers[self.kills % len(workers)]
            member.kill()
            self.kills += 1
            member.start()

    def stop(self):
        self.is_over.set()
        self.join()


def test_workers_that_are_killed_lose_no_job_and_do_none_twice(simulator, redis, make_crew, tmp_path):
    """20,000 jobs and a minute of kills with CN_FULL=1; less of both in the ordinary run."""
    files, ordered, rounds, seconds_ = (16_000, 40, 100, 60) if FULL else (900, 10, 10, 8)
    (simulator.root / "in").mkdir()
    (simulator.root / "order").mkdir()
    ran = tmp_path / "ran"
    crew = make_crew(simulator, redis, WORKERS_RULES.replace("RAN", str(ran)),
                     sections={"LOG": {"LEVEL": "info"}})
    crew.start("watch")
    crew.start("filter")
    for _ in range(3):
        crew.start("act")
    crew.wait_at_work()
    killer = Killer(crew, 1)
    killer.start()
    try:
        start = time.monotonic()
        for number in range(max(files, ordered * rounds)):
            if number < files:
                path = simulator.root / f"in/f{number}.{KINDS[number % 3]}"
                fd = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644)
                os.write(fd, path.name.encode())
                os.close(fd)
            if number < ordered * rounds:
                simulator.says("child_data_written", f"/order/f{number % ordered}")
        wait_until(lambda: time.monotonic() > start + seconds_, "the kills", seconds_ + 60)
    finally:
        killer.stop()
    total = files + ordered * rounds
    wait_until(lambda: crew.status()["store"]["jobs_done"] >= total, f"{total} jobs",
               600 if FULL else 180, 0.5)
    status = crew.wait_idle(120)
    print(f"{killer.kills} kills, {total} jobs in {time.monotonic() - start:.0f} s")

    # Each job is done, and each built-in action once: what comes of it is there, and nothing else.
    assert status["store"]["jobs_dead"] == 0 and status["store"]["jobs_done"] == total
    names = set(os.listdir(simulator.root / "in"))
    expected = {f"f{n}.sec" for n in range(2, files, 3)} | {f"f{n}-done.tmp"
                                                            for n in range(1, files, 3)}
    assert names == expected
    assert {os.stat(simulator.root / "in" / name).st_mode & 0o777
            for name in names if name.endswith(".sec")} == {0o600}
    moved = [p.name for p in (simulator.root / "quarantine").rglob("*") if p.is_file()]
    assert sorted(moved) == sorted(f"f{n}.bad" for n in range(0, files, 3))

    # A script may run again after a kill, never not at all; those of one file in their order.
    runs = collections.defaultdict(list)
    for line in ran.read_text().splitlines():
        path, job = line.split()
        runs[path].append(int(job))
    assert len(runs) == ordered
    for jobs in runs.values():
        firsts = list(dict.fromkeys(jobs))
        assert firsts == sorted(firsts) and len(firsts) == rounds
        # Again only while it was the last: the next of the file has to wait for it.
        assert jobs == sorted(jobs)


SLOW_RULES = """\
version: 1
watched_items:
  - name: slow
    when: {event: created, directory: /home}
    actions: [{exec: {command: [/bin/sh, -c, 'echo "$1" >> "$2"; [ -e "$3" ] || sleep 30', sh,
                                "{path}", "RAN", "FAST"]}}]
"""


def test_a_worker_that_stood_still_leaves_its_jobs_to_others_and_works_on(simulator, redis, make_crew,
                                                                          tmp_path):
    ran, fast = tmp_path / "ran", tmp_path / "fast"
    crew = make_crew(simulator, redis,
                     SLOW_RULES.replace("RAN", str(ran)).replace("FAST", str(fast)))
    crew.start("watch")
    crew.start("filter")
    first = crew.start("act")
    crew.wait_at_work()
    simulator.says("child_file_added", "/home/one")
    wait_until(lambda: ran.exists() and ran.read_text().split() == ["/home/one"], "the script")
    first.freeze()
    second = crew.start("act")
    fast.touch()
    crew.wait_for_jobs(1, patience_s=60)  # taken after the lease, and done
    assert ran.read_text().split() == ["/home/one"] * 2

    first.thaw()
    first.wait_for_log("was not prolonged in time")
    second.kill()
    simulator.says("child_file_added", "/home/two")
    crew.wait_for_jobs(2, patience_s=60)
    status = crew.wait_idle(60)
    assert status["store"]["jobs_done"] == 2 and status["act"]["trouble"] == ""
    assert ran.read_text().split() == ["/home/one", "/home/one", "/home/two"]
