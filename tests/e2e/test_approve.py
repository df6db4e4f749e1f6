"""Steps that somebody has to approve: they wait, nothing waits behind them, and they go on once."""

import json
import time

import pytest

from monitor import wait_until

RULES = """\
version: 1
watched_items:
  - name: careful
    when: {event: created, directory: /in, extension: .zip}
    actions:
      - log
      - rename: {to: "{stem}.done"}
        approve: by hand
%s      - permissions: {mode: "0600"}
  - name: quick
    when: {event: created, directory: /in}
    actions: [log]
"""


@pytest.fixture
def make(simulator, make_monitor):
    (simulator.root / "in").mkdir()
    return lambda more="": make_monitor(simulator, RULES % more).start()


def says(monitor, *words, status=0):
    done = monitor.run("approve", *words)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout


def hold(monitor, simulator, name):
    """A new file; answers the number of its job, which waits for approval."""
    before = len(monitor.jobs("dead"))
    (simulator.root / "in" / name).write_text("x")
    job = monitor.wait_for_jobs(before + 1, "dead")[0]
    monitor.wait_idle()
    return job["id"]


def test_a_step_waits_until_it_is_approved_and_goes_on_once(make, simulator):
    monitor = make()
    job = hold(monitor, simulator, "a.zip")
    file = simulator.root / "in/a.zip"
    assert file.exists() and [j["body"]["rule"] for j in monitor.jobs()] == ["quick"]  # it keeps nobody
    assert f"(cn_monitor approve {job})" in monitor.log()
    line, = says(monitor).splitlines()
    assert f"job {job}  careful: /in/a.zip: would rename /in/a.zip to /in/a.done, until 20" in line
    assert [j["id"] for j in json.loads(says(monitor, "list", "--json"))] == [job]

    answer = says(monitor, str(job))
    assert answer.startswith(f"Job {job} is approved and goes on as job ")
    wait_until(lambda: len(monitor.jobs()) == 3, "the end of the job")
    monitor.wait_idle()
    done = simulator.root / "in/a.done"
    assert done.exists() and done.stat().st_mode & 0o777 == 0o600 and monitor.jobs("dead") == []
    outcomes = {j["id"]: j["outcome"] for j in monitor.jobs()}
    assert outcomes[job] == f"approved: it goes on as job {max(outcomes)}"
    assert "moved to /in/a.done; permissions: done" in outcomes[max(outcomes)]
    assert outcomes[max(outcomes)].count("log: done") == 1  # what was done before is not done again
    assert says(monitor, str(job), status=1) == f"Job {job} does not wait for approval.\n"
    assert says(monitor) == "No job waits for approval.\n"

    refused = monitor.run("undo", str(job))
    assert refused.returncode == 1 and f"it was approved: it goes on as job {max(outcomes)}" in refused.stdout
    undone = monitor.run("undo", "--rule", "careful", "--since", "1h")
    assert undone.stdout.endswith("1 of 1 jobs are taken back.\n") and (simulator.root / "in/a.zip").exists()


def test_all_of_a_rule_are_approved_the_oldest_first(make, simulator):
    monitor = make()
    jobs = [hold(monitor, simulator, f"{n}.zip") for n in range(3)]
    assert says(monitor, "--all", "--rule", "quick") == "No job waits for approval.\n"
    answer = says(monitor, "--all", "--rule", "careful").splitlines()
    assert [int(line.split()[1]) for line in answer] == jobs
    wait_until(lambda: all((simulator.root / f"in/{n}.done").exists() for n in range(3)), "the files")


def test_whoever_comes_too_late_is_told(make, simulator):
    monitor = make("        approve_within: 1s\n")
    job = hold(monitor, simulator, "a.zip")
    held = monitor.jobs("dead")[0]["body"]["held"]
    wait_until(lambda: time.time() * 1000 >= held["until_ms"], "the end of its time")
    late = says(monitor, str(job), status=1)
    assert f"Job {job} is not approved: it waited until " in late and "cn_monitor dead retry" in late
    assert (simulator.root / "in/a.zip").exists()
    assert monitor.run("dead", "retry", str(job)).returncode == 0  # it asks again
    again, = monitor.wait_for_jobs(1, "dead")
    assert again["id"] == job and again["body"]["held"]["until"]
    assert monitor.run("dead", "drop", str(job)).returncode == 0
    assert says(monitor) == "No job waits for approval.\n"


@pytest.mark.parametrize("words, says", [
    (["twelve"], "'twelve': expected the number of a job, or list"),
    (["12", "13"], "'13': no more arguments are expected"),
    (["12", "--all"], "--all goes without a job"),
    (["12", "--rule", "r"], "--rule goes with list, or with --all"),
])
def test_a_wrong_command_line_is_said(make, words, says):
    done = make().run("approve", *words)
    assert done.returncode == 2 and says in done.stderr
