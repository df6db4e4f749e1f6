"""Dead letters and the history, as a person sees them at night: what failed for good is shown, its
cause is mended, it is tried again and done once; or it is dropped and still to be found."""

import json
import stat

import pytest

from monitor import wait_until

RULES = """\
version: 1
watched_items:
  - name: the rule
    when: {event: created, directory: /in}
    actions:
      - webhook: {url: "%s"}
      - rename: {to: "{stem}.done", collision: fail}
  - name: other
    when: {event: created, directory: /other}
    actions:
      - rename: {to: "{stem}.done", collision: fail}
"""


@pytest.fixture
def folders(simulator):
    """/in and /other, in which a.done and b.done are in the way."""
    for name in ("in", "other"):
        (simulator.root / name).mkdir()
        for taken in ("a.done", "b.done"):
            (simulator.root / name / taken).write_text("in the way")
    return simulator.root


@pytest.fixture
def monitor(simulator, folders, make_monitor, hooks):
    return make_monitor(simulator, RULES % hooks.url).start()


def says(monitor, *words, status=0):
    """What the command prints; all of it, if it fails."""
    done = monitor.run(*words)
    assert done.returncode == status, done.stdout + done.stderr
    assert status or not done.stderr, done.stderr
    return done.stdout if status == 0 else done.stdout + done.stderr


def fail(monitor, folders, *paths):
    """New files whose names are taken; answers the numbers of their jobs, oldest first."""
    jobs = []
    for path in paths:
        (folders / path).write_text("new")
        jobs.append(monitor.wait_for_jobs(len(jobs) + 1, "dead")[0]["id"])
    return jobs


def test_a_dead_letter_is_shown_mended_tried_again_and_done_once(monitor, folders, hooks):
    job, = fail(monitor, folders, "in/a.txt")
    assert f"(cn_monitor dead show {job})" in monitor.log()

    line, = says(monitor, "dead").splitlines()
    assert f"  job {job}  the rule: /in/a.txt -> rename: " in line
    shown = says(monitor, "dead", "show", str(job))
    digest = monitor.jobs("dead")[0]["body"]["rules"]
    lines = {name: line for name, line in
             ((line[:9].strip(), line[10:]) for line in shown.splitlines())}
    assert list(lines) == ["job", "given up", "reason", "rule", "event", "step 1", "step 2"]
    assert lines["job"] == str(job)
    assert lines["rule"] == f"the rule (rules {digest})" and digest
    assert lines["event"].startswith("child_file_added /in/a.txt, file ")
    assert lines["step 1"].startswith("webhook: done: ") and "1 attempt)" in lines["step 1"]
    assert lines["step 2"].startswith("rename: rejected: ")
    assert lines["step 2"].removeprefix("rename: rejected: ").startswith(
        lines["reason"].removeprefix("rename: "))

    (folders / "in/a.done").unlink()
    assert says(monitor, "dead", "retry", str(job)) == f"Job {job} is tried again.\n"
    done, = monitor.wait_for_jobs(1, "done")
    assert done["id"] == job and "moved to /in/a.done" in done["outcome"]
    assert (folders / "in/a.done").read_text() == "new"
    monitor.wait_idle()
    assert len(hooks.received) == 1  # the step before it was not done again
    assert says(monitor, "dead") == "There are no dead letters.\n"
    assert f"the dead letter of job {job} is tried again by hand" in monitor.log()


def test_what_fails_again_is_a_dead_letter_again(monitor, folders):
    job, = fail(monitor, folders, "other/a.txt")
    first = monitor.jobs("dead")[0]["ended"]
    says(monitor, "dead", "retry", str(job))
    monitor.wait_idle()
    again, = monitor.jobs("dead")
    assert again["id"] == job and again["ended"] > first


def test_attempts_begin_anew(simulator, folders, make_monitor, hooks):
    hooks.answers = [503] * 4
    monitor = make_monitor(simulator, RULES % hooks.url, sections={
        "ACT": {"ATTEMPTS": "2", "BACK_OFF": "10ms", "BACK_OFF_MAX": "10ms"}}).start()
    (folders / "in/c.txt").write_text("new")
    job, = monitor.wait_for_jobs(1, "dead")
    assert "(after 2 attempts)" in job["outcome"] and len(hooks.answers) == 2
    assert "2 attempts)" in says(monitor, "dead", "show", str(job["id"]))
    says(monitor, "dead", "retry", str(job["id"]))
    wait_until(lambda: not hooks.answers, "two more attempts")
    again, = monitor.wait_for_jobs(1, "dead")
    assert "(after 2 attempts)" in again["outcome"]
    says(monitor, "dead", "retry", str(job["id"]))
    monitor.wait_for_jobs(1, "done")
    assert len(hooks.received) == 1 and (folders / "in/c.done").exists()


def test_what_is_dropped_is_in_the_history(monitor, folders):
    job, = fail(monitor, folders, "in/a.txt")
    reason = monitor.jobs("dead")[0]["outcome"]
    assert says(monitor, "dead", "drop", str(job)) == \
        f"Job {job} is dropped; it is in the history now.\n"
    assert says(monitor, "dead", "list") == "There are no dead letters.\n"
    line, = says(monitor, "history").splitlines()
    assert line.endswith(f"  job {job}  the rule: /in/a.txt -> dropped by hand: {reason}")
    assert (folders / "in/a.txt").exists()


def test_all_of_a_rule_at_once(monitor, folders):
    a, b, c = fail(monitor, folders, "in/a.txt", "other/a.txt", "in/b.txt")
    listed = says(monitor, "dead", "list", "--rule", "the rule").splitlines()
    assert [f"job {n}  " in line for n, line in zip((c, a), listed, strict=True)] == [True, True]
    assert says(monitor, "dead", "list", "--rule", "none") == \
        "There are no dead letters of rule none.\n"
    assert says(monitor, "dead", "drop", "--all", "--rule", "the rule") == \
        "2 dead letters of rule the rule are dropped; they are in the history now.\n"
    assert [job["id"] for job in monitor.jobs("dead")] == [b]
    (folders / "other/a.done").unlink()
    assert says(monitor, "dead", "retry", "--all") == f"Job {b} is tried again.\n"
    monitor.wait_for_jobs(3, "done")
    assert (folders / "other/a.done").read_text() == "new"
    assert says(monitor, "dead", "retry", "--all") == "There are no dead letters.\n"


def test_json_is_for_programs(monitor, folders):
    a, b = fail(monitor, folders, "in/a.txt", "other/b.txt")
    assert [job["id"] for job in json.loads(says(monitor, "dead", "--json"))] == [b, a]
    shown = json.loads(says(monitor, "dead", "show", str(a), "--json"))
    assert (shown["id"], shown["state"], shown["body"]["rule"]) == (a, "dead", "the rule")
    assert shown["body"]["event"]["path"] == "/in/a.txt"
    assert json.loads(says(monitor, "dead", "--json", "drop", str(a))) == {"jobs": [a]}
    assert json.loads(says(monitor, "dead", "drop", "--all", "--json")) == {"jobs": [b]}
    assert json.loads(says(monitor, "dead", "--json")) == []
    assert [job["id"] for job in json.loads(says(monitor, "history", "--json"))] == [b, a]


def test_what_is_not_there_is_said(monitor, folders):
    for choice in ("show", "retry", "drop"):
        assert says(monitor, "dead", choice, "4711", status=1) == \
            "cn_monitor dead: job 4711 is not a dead letter\n"
    job, = fail(monitor, folders, "in/a.txt")
    says(monitor, "dead", "drop", str(job))
    assert says(monitor, "dead", "retry", str(job), status=1) == \
        f"cn_monitor dead: job {job} is not a dead letter\n"
    monitor.stop()
    for words in (["dead"], ["dead", "retry", "--all"], ["history"]):
        assert "no monitor answers" in says(monitor, *words, status=1)


def test_a_decision_survives_a_kill(monitor, folders, simulator):
    a, b = fail(monitor, folders, "in/a.txt", "in/b.txt")
    (folders / "in/a.done").unlink()
    says(monitor, "dead", "drop", str(b))
    says(monitor, "dead", "retry", str(a))
    monitor.kill()
    monitor.start()
    monitor.wait_for_jobs(2, "done")
    assert (folders / "in/a.done").read_text() == "new"
    assert monitor.jobs("dead") == []


def test_the_history_is_asked_by_rule_path_and_time(monitor, folders):
    fail(monitor, folders, "in/a.txt")
    for path in ("in/x.txt", "other/y y%&.txt", "other/z.txt"):
        (folders / path).write_text("new")
    monitor.wait_for_jobs(3, "done")
    lines = says(monitor, "history").splitlines()
    assert len(lines) == 4 and lines == sorted(lines, reverse=True)
    dead, = (line for line in lines if "/in/a.txt" in line)
    assert dead.endswith(" (given up: a dead letter)")
    assert len(says(monitor, "history", "-n", "2").splitlines()) == 2
    assert says(monitor, "history", "-n", "0") == ""
    of_rule = says(monitor, "history", "--rule", "the rule")
    assert "/in/a.txt" in of_rule and "/in/x.txt" in of_rule and "/other" not in of_rule
    line, = says(monitor, "history", "--path", "/other/y y%&").splitlines()
    assert " other: /other/y y%&.txt -> rename: moved to /other/y y%&.done" in line
    assert says(monitor, "history", "--path", "/in/x.done").count("\n") == 1  # where it is now
    assert says(monitor, "history", "--since", "1h").count("\n") == 4
    assert says(monitor, "history", "--since", "1ms") == ""
    assert says(monitor, "history", "--status", "dead").splitlines() == [dead]
    assert says(monitor, "history", "--status", "done").splitlines() == [line for line in lines if line != dead]


def test_a_name_cannot_write_on_the_terminal(simulator, folders, make_monitor, hooks):
    (folders / "in/e\x1b[2J.done").write_text("in the way")
    monitor = make_monitor(simulator, RULES % hooks.url).start()
    job, = fail(monitor, folders, "in/e\x1b[2J.txt")
    for words in (["dead"], ["dead", "show", str(job)], ["history"]):
        shown = says(monitor, *words)
        assert "\x1b" not in shown and "/in/e\\x1b[2J.txt" in shown


def test_only_the_owner_may_ask_and_decide(monitor):
    socket = monitor.folder / "store" / "admin.sock"
    assert stat.S_IMODE(socket.stat().st_mode) == 0o600


def test_a_failure_is_told_by_the_steps_of_on_error_and_kept(simulator, folders, make_monitor, hooks):
    monitor = make_monitor(simulator, """\
version: 1
watched_items:
  - name: r
    when: {event: created, directory: /in}
    actions:
      - rename: {to: "{stem}.done", collision: fail}
        on_error:
          - webhook: {url: "%s", text: "{error.module} failed: {error.why}"}
      - log
""" % hooks.url).start()
    job, = fail(monitor, folders, "in/a.txt")
    (_, _, told), = hooks.received
    assert told["data"]["text"].startswith("rename failed: rename: /in/a.done exists, ")
    shown = says(monitor, "dead", "show", str(job)).splitlines()
    assert [line.split(None, 2)[:2] for line in shown[-3:]] == [["step", "1"], ["step", "2"], ["on", "error"]]
    assert shown[-2] == "step 2    log: not begun" and "webhook: done: " in shown[-1]

    (folders / "in/a.done").unlink()
    says(monitor, "dead", "retry", str(job))
    done, = monitor.wait_for_jobs(1, "done")
    assert "moved to /in/a.done" in done["outcome"] and "log: done" in done["outcome"]
    monitor.wait_idle()
    assert len(hooks.received) == 1


def test_a_step_may_fail_and_the_job_go_on(simulator, folders, make_monitor, hooks):
    hooks.answers = [400]
    monitor = make_monitor(simulator, """\
version: 1
watched_items:
  - name: r
    when: {event: created, directory: /in}
    actions:
      - {webhook: {url: "%s"}, on_error: continue}
      - rename: {to: "{stem}.new"}
""" % hooks.url).start()
    (folders / "in/c.txt").write_text("x")
    done, = monitor.wait_for_jobs(1, "done")
    assert "answered with status 400" in done["outcome"] and (folders / "in/c.new").exists()
    assert "the job goes on, as on_error says" in monitor.log()
