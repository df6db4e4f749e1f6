"""What the tests of deploy/ share: running programs, waiting for conditions, counting checks."""

import os
import shutil
import subprocess
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
WORK = ROOT / "build" / "deploy"
NAME = f"cn-test-{os.getpid()}"
PATIENCE_S = 180    # only a failure takes so long; CI's machines are slow at times

RULE = """\
version: 1
watched_items:
  - name: test
    when: {event: [created, renamed], directory: /home, extension: [%s]}
    actions:
      - quarantine: {to: /quarantine}
"""


class Failure(Exception):
    """A check did not hold; the text says how."""


class Skip(Exception):
    """This machine has not what the check needs; the text says what."""


class Count:
    def __init__(self):
        self.passed = self.failed = 0
        self.failures = []
        self.skipped = []

    def check(self, what, is_so, detail=""):
        """Counts one check; says it in a line."""
        if is_so:
            self.passed += 1
        else:
            self.failed += 1
            self.failures.append(what)
        print(f"{'ok' if is_so else 'FAILED'}: {what}{'' if is_so or not detail else f': {detail}'}", flush=True)
        return bool(is_so)

    def skip(self, what):
        self.skipped.append(what)
        print(f"skipped: {what}", flush=True)

    def summary(self):
        skipped = f", {len(self.skipped)} skipped" if self.skipped else ""
        return f"{self.passed} passed, {self.failed} failed{skipped}"


def run(*args, env=None, text=None, timeout=900):
    """Runs args; answers (exit status, output)."""
    try:
        done = subprocess.run([str(a) for a in args], cwd=ROOT, env={**os.environ, **(env or {})},
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, input=text or "",
                              text=True, errors="replace", timeout=timeout)
    except subprocess.TimeoutExpired as late:
        return 124, f"no end within {timeout} s; so far: {late.stdout}"
    except FileNotFoundError as missing:
        return 127, str(missing)
    return done.returncode, done.stdout


def must(*args, **how):
    """Runs args, which have to work; answers the output."""
    status, output = run(*args, **how)
    if status:
        raise Failure(f"{' '.join(str(a) for a in args[:4])} ...: exit status {status}: {output[-3000:]}")
    return output.strip()


def wait_until(condition, patience_s=PATIENCE_S, pause_s=0.2):
    """Answers the first true value of condition(), or the last one when patience ends."""
    end = time.monotonic() + patience_s
    while True:
        value = condition()
        if value or time.monotonic() > end:
            return value
        time.sleep(pause_s)


def need(**packages_of):
    """Installs the Debian package of each command that is missing."""
    missing = sorted({package for command, package in packages_of.items()
                      if not shutil.which(command.replace("_", "-"))})
    if not missing:
        return
    print("Installing what is missing: " + " ".join(missing), flush=True)
    env = {"DEBIAN_FRONTEND": "noninteractive"}
    for _ in range(3):  # the archive may be away for a moment
        run("apt-get", "update", "-qq")
        status, output = run("apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing, env=env)
        if not status:
            return
    raise Skip(f"apt-get cannot install {' '.join(missing)}: {output.strip()[-300:]}")
