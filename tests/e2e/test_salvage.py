"""A damaged store: what can be read of it goes on, and nothing begins from zero."""

import json
import os
import random
import shutil
import stat

import pytest

from monitor import wait_until

RULES = """\
version: 1
watched_items:
  - {name: lock-up, when: {event: created, directory: /in}, actions: [permissions: {mode: "0600"}]}
  - {name: fails, when: {event: created, directory: /bad}, actions: [exec: /bin/false]}
"""
PAGE = 4096


@pytest.fixture
def monitor(simulator, make_monitor):
    (simulator.root / "in").mkdir()
    (simulator.root / "bad").mkdir()
    made = make_monitor(simulator, RULES, {"WATCH": {"GAP_REPAIR": "scan"}, "LOG": {"LEVEL": "info"}, "ACT": {"ATTEMPTS": "1"}})
    made.start()
    for number in range(40):
        (simulator.root / f"in/{number}").write_text("x")
    for number in range(3):
        (simulator.root / f"bad/{number}").write_text("x")
    simulator.generate(20_000, per_message=10, path="elsewhere/{n}.txt")
    made.wait_for_jobs(40)
    made.wait_for_jobs(3, "dead")
    wait_until(lambda: made.status()["filter"]["events"] >= 20_000, "all of it to be judged")
    made.wait_idle()
    yield made


def env_file(monitor, env):
    return monitor.folder / "store" / env / "data.mdb"


def salvage(monitor):
    done = monitor.run("salvage", "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def modes(simulator):
    return {stat.S_IMODE(path.stat().st_mode) for path in (simulator.root / "in").iterdir()}


def goes_on(monitor, simulator, last_seq):
    """It starts, numbers go on, and a new file is acted on, once."""
    before = len(simulator.changes(route="/v1/files/{}/info/attributes"))
    monitor.start()
    (simulator.root / "in/new").write_text("x")
    wait_until(lambda: modes(simulator) == {0o600}, "the new file to be acted on")
    monitor.wait_idle()
    status = monitor.status()
    assert status["store"]["last_seq"] > last_seq and status["filter"]["cursor"] > last_seq
    assert len(simulator.changes(route="/v1/files/{}/info/attributes")) == before + 1
    return status


@pytest.mark.parametrize("how", ["truncated", "overwritten", "gone"])
def test_what_is_left_of_a_damaged_log_is_saved_and_the_rest_is_a_gap(monitor, simulator, how):
    before = monitor.status()["store"]
    monitor.stop()
    file = env_file(monitor, "log")
    size = file.stat().st_size
    assert size > 40 * PAGE
    if how == "truncated":
        os.truncate(file, size // 2 // PAGE * PAGE)
    elif how == "overwritten":
        with open(file, "r+b") as data:
            data.seek(size // 2 // PAGE * PAGE)
            data.write(b"\xa5" * 4 * PAGE)
    else:
        os.truncate(file, 0)
    damaged = file.read_bytes()
    if how != "overwritten":  # that is found only when it is read
        refused = monitor.run("run")
        assert refused.returncode == 1 and "cn_monitor salvage" in refused.stderr
    told = salvage(monitor)
    assert open(os.path.join(told["damaged_files"], "log/data.mdb"), "rb").read() == damaged
    assert not told["counts"]["records"]["whole"]
    assert told["counts"]["records"]["saved"] < before["last_seq"]
    if how == "overwritten":
        assert told["counts"]["records"]["saved"] > before["last_seq"] // 2
    assert told["counts"]["jobs that were done"] == {"saved": 40, "whole": True}
    assert told["counts"]["dead letters"] == {"saved": 3, "whole": True}
    assert told["gap_since"]
    status = goes_on(monitor, simulator, before["last_seq"])
    assert status["store"]["gap_count"] >= 1 and len(monitor.jobs("dead")) == 3
    wait_until(lambda: monitor.status()["store"]["gaps"][0]["repair"]["state"] == "repaired", "the repair")


def test_what_is_left_of_a_damaged_state_is_saved(monitor, simulator):
    before = monitor.status()["store"]
    monitor.stop()
    file = env_file(monitor, "state")
    os.truncate(file, file.stat().st_size // 2 // PAGE * PAGE)
    told = salvage(monitor)
    assert told["counts"]["records"]["whole"] and told["gap_since"] is None
    goes_on(monitor, simulator, before["last_seq"])


def test_without_its_state_only_the_last_minutes_are_judged_again(monitor, simulator):
    before = monitor.status()["store"]
    monitor.stop()
    os.truncate(env_file(monitor, "state"), 0)
    done = monitor.run("salvage")
    assert "those of the last 10 minutes that are stored are judged again" in done.stdout
    goes_on(monitor, simulator, before["last_seq"])  # files that are as they should be are left alone
    assert modes(simulator) == {0o600}


def test_a_store_in_use_and_one_that_is_whole(monitor, simulator):
    done = monitor.run("salvage")
    assert done.returncode == 1 and "is in use by another cn_monitor" in done.stderr and "nothing was changed" in done.stderr
    before = monitor.status()["store"]
    monitor.stop()
    told = salvage(monitor)
    assert all(count["whole"] for count in told["counts"].values()) and told["gap_since"] is None
    status = goes_on(monitor, simulator, before["last_seq"])
    assert len([job for job in monitor.jobs() if job["body"]["rule"] == "lock-up"]) == 41
    assert status["store"]["gap_count"] == before["gap_count"] + 1  # while it was not running


def test_whatever_is_damaged_salvage_ends_in_order(monitor, simulator, tmp_path):
    """Pages, words and pieces anywhere, many times."""
    monitor.stop()
    store, kept = monitor.folder / "store", tmp_path / "kept"
    shutil.copytree(store, kept)
    whole = salvage(monitor)["counts"]["records"]["saved"]
    for seed in range(int(os.environ.get("CN_SEEDS", "60"))):
        chance = random.Random(seed)
        shutil.rmtree(store)
        shutil.copytree(kept, store)
        for _ in range(chance.choice([1, 1, 3, 20])):
            damage(env_file(monitor, chance.choice(["log", "state"])), chance)
        done = monitor.run("salvage", "--json")
        assert done.returncode == 0, f"seed {seed}: {done.returncode} {done.stderr}"
        told = json.loads(done.stdout)
        assert told["counts"]["records"]["saved"] <= whole, seed
        if seed % 20 == 0:
            goes_on(monitor, simulator, 0)
            monitor.stop()
            (simulator.root / "in/new").unlink()


def damage(file, chance):
    size = file.stat().st_size
    how = chance.randrange(4) if size >= PAGE else 0
    if how == 0:
        os.truncate(file, chance.randrange(size + 1))
        return
    with open(file, "r+b") as data:
        if how == 1:
            data.seek(chance.randrange(size // PAGE) * PAGE)
            data.write(chance.randbytes(PAGE))
        elif how == 2:
            data.seek(chance.randrange(size))
            data.write(chance.randbytes(chance.randrange(1, 64)))
        else:  # a header of a page, where its type and its bounds are
            data.seek(chance.randrange(size // PAGE) * PAGE)
            data.write(chance.randbytes(16))
