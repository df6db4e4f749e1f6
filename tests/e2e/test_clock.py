"""The system's clock is stepped while the monitor runs: what waits is neither done too early nor hours late."""

import os
import shutil
import stat
import subprocess
import time
from pathlib import Path

import pytest

from monitor import wait_until

HOURS_MS = 3_600_000
RULES = """\
version: 1
watched_items:
  - {name: quiet, when: {event: [created, written], directory: /in}, settle: 3s, actions: [permissions: {mode: "0600"}]}
  - {name: now, when: {event: created, directory: /now}, actions: [permissions: {mode: "0600"}]}
  - {name: foreign, when: {event: permissions}, actions: [log]}
"""


@pytest.fixture
def stepped(simulator, make_monitor, tmp_path):
    compiler = shutil.which("cc") or shutil.which("gcc")
    library, step = tmp_path / "clock_step.so", tmp_path / "step"
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", library, Path(__file__).with_name("clock_step.c")], check=True)
    step.write_text("0")
    for name in ("in", "now"):
        (simulator.root / name).mkdir()
    monitor = make_monitor(simulator, RULES)
    monitor.start(environment={**os.environ, "LD_PRELOAD": str(library), "CLOCK_STEP": str(step)})

    def to(ms):
        new = step.with_suffix(".new")
        new.write_text(str(ms))
        new.rename(step)
        monitor.wait_for_log("the system's clock was stepped by")
    monitor.step = to
    return monitor


def is_done(path):
    return stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("step_ms", [2 * HOURS_MS, -2 * HOURS_MS])
def test_after_a_step_what_waits_is_done_in_its_time(simulator, stepped, step_ms):
    file = simulator.root / "in/big"
    file.write_text("x")
    began = time.monotonic()
    stepped.step(step_ms)
    while time.monotonic() - began < 5:  # it is being written: settle must not take it for quiet
        with open(file, "a") as out:
            out.write("more")
        time.sleep(0.3)
        assert not is_done(file)
    quiet = time.monotonic()
    wait_until(lambda: is_done(file), "the file to be quiet")
    assert 1.5 < time.monotonic() - quiet < 12
    asked = time.monotonic()
    (simulator.root / "now/a").write_text("x")
    wait_until(lambda: is_done(simulator.root / "now/a"), "what is to be done at once")
    assert time.monotonic() - asked < 5
    stepped.wait_idle()
    # What it did itself is still known for its own.
    wait_until(lambda: stepped.status()["filter"]["echoes"] >= 2, "the echoes")
    assert [job["body"]["rule"] for job in stepped.jobs()].count("foreign") == 0
    assert "cn_clock_ahead_ms" in stepped.fetch("/metrics")[1]


def test_a_clock_that_was_never_set_is_followed_at_once(simulator, make_monitor, stepped, tmp_path):
    (simulator.root / "now/a").write_text("x")
    stepped.wait_for_jobs(1)
    (tmp_path / "step").write_text(str(400 * 24 * HOURS_MS))
    (simulator.root / "now/b").write_text("x")
    wait_until(lambda: is_done(simulator.root / "now/b"), "it goes on")
    stepped.wait_idle()
