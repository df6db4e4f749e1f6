"""What jobs did is taken back: by hand, exactly, and never against somebody who was there since."""

import json
import os
import stat

import pytest

RULES = """\
version: 1
watched_items:
  - name: media
    when: {event: created, directory: /home, extension: .zip}
    actions:
      - quarantine: {to: /quarantine}
      - permissions: {mode: "0400"}
      - webhook: {url: "%s"}
  - name: told
    when: {event: created, directory: /told}
    actions:
      - webhook: {url: "%s"}
  - name: planned
    mode: dry_run
    when: {event: created, directory: /planned}
    actions:
      - rename: {to: "{stem}.done"}
"""


@pytest.fixture
def rules(simulator, hooks):
    for name in ("home", "told", "planned"):
        (simulator.root / name).mkdir()
    return RULES % (hooks.url, hooks.url)


@pytest.fixture
def monitor(simulator, make_monitor, rules):
    return make_monitor(simulator, rules).start()


def quarantined(simulator, path):
    return next(iter(simulator.root.glob(f"quarantine/*/{path}")), None)


def add(monitor, simulator, *paths):
    """New files; answers the numbers of their jobs, which are done, oldest first."""
    before = len(monitor.jobs())
    jobs = []
    for path in paths:
        (simulator.root / path).parent.mkdir(parents=True, exist_ok=True)
        (simulator.root / path).write_text("new")
        (simulator.root / path).chmod(0o644)
        jobs.append(monitor.wait_for_jobs(before + len(jobs) + 1)[0]["id"])
    monitor.wait_idle()
    return jobs


def says(monitor, *words, status=0):
    done = monitor.run("undo", *words)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout if status == 0 else done.stdout + done.stderr


def mode_of(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_each_step_is_taken_back_and_no_rule_sees_it(monitor, simulator, hooks):
    job, = add(monitor, simulator, "home/joe {1}/a.zip")
    there = quarantined(simulator, "home/joe {1}/a.zip")
    assert mode_of(there) == 0o400
    plan = says(monitor, str(job), "--dry-run")
    assert "would set mode 0644 again, move it back to /home/joe {1}/a.zip (but for webhook" in plan
    assert there.exists() and len(monitor.jobs()) == 1

    told = says(monitor, str(job))
    assert told.startswith(f"job {job}: taken back by job ") and "(but for webhook," in told
    back = simulator.root / "home/joe {1}/a.zip"
    assert back.read_text() == "new" and mode_of(back) == 0o644 and not there.exists()
    monitor.wait_idle()
    assert len(monitor.jobs()) == 2 and len(hooks.received) == 1  # it is an echo: no third job
    history = monitor.run("history").stdout
    assert f"undo of job {job}, media: /quarantine/" in history


def test_to_undo_an_undo_does_it_again(monitor, simulator):
    job, = add(monitor, simulator, "home/a.zip")
    says(monitor, str(job))
    undo = monitor.jobs()[0]["id"]
    assert f"job {undo} has taken it back" in says(monitor, str(job), status=1)
    says(monitor, str(undo))
    there = quarantined(simulator, "home/a.zip")
    assert mode_of(there) == 0o400 and not (simulator.root / "home/a.zip").exists()
    says(monitor, str(monitor.jobs()[0]["id"]))
    assert (simulator.root / "home/a.zip").exists()


def test_what_somebody_changed_since_is_left_alone(monitor, simulator):
    written, moved, taken, gone = add(monitor, simulator, *(f"home/{n}.zip" for n in "wmtg"))
    with quarantined(simulator, "home/w.zip").open("a") as file:
        os.fchmod(file.fileno(), 0o600)
        file.write("more")
    quarantined(simulator, "home/m.zip").rename(simulator.root / "home/elsewhere.zip")
    (simulator.root / "home/t.zip").write_text("another file of that name")
    monitor.wait_for_jobs(5)
    quarantined(simulator, "home/g.zip").unlink()
    monitor.wait_idle()

    assert f"after job {written} (--force takes back what that job did all the same)" \
        in says(monitor, str(written), status=1)
    assert f"job {moved} left it at /quarantine/" in says(monitor, str(moved), status=1)
    assert "the file is gone" in says(monitor, str(gone), status=1)
    assert (simulator.root / "home/elsewhere.zip").read_text() == "new"

    says(monitor, str(written), "--force")
    assert (simulator.root / "home/w.zip").read_text() == "newmore"
    says(monitor, str(moved), "--force")
    assert (simulator.root / "home/m.zip").read_text() == "new"


def test_the_old_place_is_never_overwritten(monitor, simulator):
    job, = add(monitor, simulator, "home/a.zip")
    monitor.write_rules("version: 1\nwatched_items: []\n")
    assert monitor.run("reload").returncode == 0
    (simulator.root / "home/a.zip").write_text("another file of that name")
    answer = says(monitor, str(job), status=1)
    assert f"job {job}: not taken back: " in answer and "/home/a.zip exists" in answer
    assert "cn_monitor dead show " in answer
    assert (simulator.root / "home/a.zip").read_text() == "another file of that name"
    assert quarantined(simulator, "home/a.zip").read_text() == "new"


def test_all_of_a_rule_within_a_time(monitor, simulator):
    jobs = add(monitor, simulator, *(f"home/{n}/x.zip" for n in range(5)))
    add(monitor, simulator, "told/a")
    assert says(monitor, "--rule", "media", "--since", "1h", "--dry-run").splitlines()[-1] == \
        "5 of 5 jobs would be taken back."
    assert says(monitor, "--rule", "media", "--since", "1h", "--path", "/home/3").splitlines()[-1] == \
        "1 of 1 jobs are taken back."
    answer = says(monitor, "--rule", "media", "--since", "1h", status=1).splitlines()
    assert answer[-1] == "4 of 5 jobs are taken back."
    assert [int(line.split()[1][:-1]) for line in answer[:4]] == sorted(set(jobs) - {jobs[3]}, reverse=True)
    assert all((simulator.root / f"home/{n}/x.zip").read_text() == "new" for n in range(5))
    assert says(monitor, "--rule", "nobody", "--since", "1h") == "No job of rule nobody ended in that time.\n"


def test_what_cannot_be_taken_back_says_why(monitor, simulator):
    told, planned = add(monitor, simulator, "told/a", "planned/b.txt")
    assert f"job {told}: not taken back: webhook cannot be taken back" in says(monitor, str(told), status=1)
    assert f"job {planned}: not taken back: it was a dry run and did nothing" \
        in says(monitor, str(planned), status=1)
    assert "there is no such job in the history" in says(monitor, "4711", status=1)
    cannot = json.loads(monitor.run("undo", str(told), "--json").stdout)["cannot"]
    assert [entry["job"] for entry in cannot] == [told]


@pytest.mark.parametrize("words, says", [
    ([], "expected the number of a job (cn_monitor history shows them), or --rule NAME and --since AGE"),
    (["--rule", "media"], "or --rule NAME and --since AGE"),
    (["twelve"], "'twelve': expected the number of a job"),
    (["12", "13"], "'13': no more arguments are expected"),
    (["12", "--rule", "media"], "--rule, --path and --since go without a job"),
])
def test_a_wrong_command_line_is_said(monitor, words, says):
    done = monitor.run("undo", *words)
    assert done.returncode == 2 and says in done.stderr


def test_a_lost_answer_takes_nothing_back_twice(monitor, simulator):
    job, = add(monitor, simulator, "home/a.zip")
    simulator.fault(method="POST", path="/v1/files/", answer="lost", count=1)
    simulator.fault(method="PATCH", path="/v1/files/", answer="lost", count=1)
    says(monitor, str(job))
    assert (simulator.root / "home/a.zip").read_text() == "new"


def test_over_redis_it_is_the_same(simulator, make_crew, rules, redis):
    crew = make_crew(simulator, redis, rules)
    crew.start("run")
    crew.wait_at_work()
    job, = add(crew, simulator, "home/a.zip")
    assert f"job {job}: taken back by job " in crew.run("undo", str(job)).stdout
    assert (simulator.root / "home/a.zip").read_text() == "new"
    crew.wait_idle()
    assert len(crew.jobs()) == 2


def test_tags_and_a_legal_hold_are_taken_back(simulator, make_monitor):
    (simulator.root / "in").mkdir()
    monitor = make_monitor(simulator, """\
version: 1
watched_items:
  - name: r
    when: {event: created, directory: /in}
    actions:
      - tag: {key: "a {{1}}", value: "x {{y}}"}
      - tag: {key: b, value: new}
      - lock: {legal_hold: yes, confirm: true}
""").start()
    cluster = simulator.client()
    (simulator.root / "in/f").write_text("x")
    job = monitor.wait_for_jobs(1)[0]["id"]
    monitor.wait_idle()
    told = says(monitor, str(job), "--dry-run")
    assert "would lift the legal hold, remove the tag b, remove the tag a {1}" in told
    assert f"job {job}: taken back by job " in says(monitor, str(job))
    entries = cluster.get("/v1/files/%2Fin%2Ff/user-metadata/").json["entries"]
    lock = cluster.get("/v1/files/%2Fin%2Ff/info/attributes?retrieve-file-lock=true").json["lock"]
    assert entries == [] and not lock["legal_hold"]
    again = monitor.jobs()[0]["id"]
    says(monitor, str(again))
    entries = cluster.get("/v1/files/%2Fin%2Ff/user-metadata/").json["entries"]
    assert sorted(e["key"] for e in entries) == ["a {1}", "b"]
