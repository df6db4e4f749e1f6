"""The monitor under test: started as a user starts it, asked as a user asks it.

    monitor = Monitor(tmp_path, simulator, rules)
    monitor.start()
    ...
    monitor.wait_for_jobs(1)

Nothing here sleeps for luck: everything waits for a condition with a deadline (wait_until)."""

import http.client
import json
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

PATIENCE_S = 30
BUILD = Path(os.environ.get("CN_BUILD", Path(__file__).resolve().parents[2] / "build"))
PROGRAM = BUILD / "src" / "cn_monitor"


def wait_until(condition, what, patience_s=PATIENCE_S, pause_s=0.02):
    """Answers the first true value of condition(); fails when patience ends."""
    end = time.monotonic() + patience_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"waited {patience_s} s in vain for {what}"
                                 + (f"; last: {value!r}" if value is not None else ""))
        time.sleep(pause_s)


class UnixConnection(http.client.HTTPConnection):
    """HTTP over the monitor's admin socket."""

    def __init__(self, path):
        super().__init__("localhost")
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(30)
        self.sock.connect(self.path)


class Monitor:
    """One cn_monitor with its own folder: cn_monitor.conf, watched_items.yml, token, store, log."""

    def __init__(self, folder, simulator, rules="version: 1\nwatched_items: []\n", sections=None,
                 cluster=None):
        self.folder = Path(folder)
        self.simulator = simulator
        self.conf = self.folder / "cn_monitor.conf"
        self.items = self.folder / "watched_items.yml"
        self.token_file = self.folder / "token"
        self.log_path = self.folder / "monitor.log"
        self.socket = self.folder / "store" / "admin.sock"
        self.command, self.environment = "run", {}
        self.process = None
        self.write_token(simulator.token)
        self.write_rules(rules)
        self.write_conf(sections or {}, cluster)

    # ---- files ----

    def write_token(self, token):
        self.token_file.touch(mode=0o600)
        self.token_file.write_text(token + "\n")

    def write_rules(self, text):
        """Replaces the rules as an editor does: a new file renamed over the old one."""
        new = self.folder / ".watched_items.new"
        new.write_text(text)
        new.rename(self.items)

    def write_conf(self, sections, cluster=None):
        """sections: {"EMAIL": {"SERVER": ...}}; those given are merged over the usual ones."""
        whole = {
            "CLUSTER": cluster or {"CLUSTER_ADDRESS": self.simulator.address,
                                   "TOKEN_FILE": self.token_file,
                                   "FINGERPRINT": self.simulator.fingerprint},
            # test_repair.py turns it on: others count requests and events.
            "WATCH": {"PATH": "/", "ITEMS": self.items, "GAP_REPAIR": "off"},
            "STORE": {"URL": f"embedded:{self.folder}/store"},
            "ACT": {"BACK_OFF": "50ms", "BACK_OFF_MAX": "1s"},
            "LOG": {"LEVEL": "debug"},
        }
        for name, keys in sections.items():
            whole.setdefault(name, {}).update(keys)
        self.conf.write_text("".join(
            f"[{name}]\n" + "".join(f"{k} = {v}\n" for k, v in keys.items()) + "\n"
            for name, keys in whole.items()))
        self.conf.chmod(0o600)

    # ---- life ----

    def start(self, listening=True, environment=None):
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [PROGRAM, self.command, "-c", self.conf], stdout=log, stderr=log,
                stdin=subprocess.DEVNULL,
                env={**os.environ, **self.environment, **(environment or {})})
        if listening:
            self.wait_listening()
        return self

    def wait_listening(self, patience_s=PATIENCE_S):
        def is_listening():
            if self.process.poll() is not None:
                raise AssertionError(f"the monitor ended with {self.process.returncode}:\n"
                                     + self.log())
            status = self.status()
            return status and all(w["state"] == "listening" for w in status["watches"])
        wait_until(is_listening, "the monitor to listen", patience_s)

    def kill(self):
        """kill -9, as the power cord does it."""
        self.process.kill()
        self.process.wait()

    def stop(self):
        """SIGTERM; answers the exit status."""
        if not self.process or self.process.poll() is not None:
            return self.process.returncode if self.process else None
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError("the monitor did not stop within 30 s of SIGTERM:\n" + self.log())

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    # ---- asking ----

    def run(self, *words, timeout=60, config=True, environment=None):
        """A sub-command as a user types it; answers the finished process with its output."""
        return subprocess.run([PROGRAM, *words, *(["-c", self.conf] if config else [])],
                              capture_output=True, text=True, timeout=timeout,
                              stdin=subprocess.DEVNULL,
                              env={**os.environ, **self.environment, **(environment or {})})

    def fetch(self, path, method="GET"):
        """(HTTP status, text) from the admin socket; None while nobody answers."""
        connection = UnixConnection(self.socket)
        try:
            connection.request(method, path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        except OSError:
            return None
        finally:
            connection.close()

    def ask(self, path, method="GET"):
        """Asks the admin socket as the sub-commands do; None while nobody answers."""
        answer = self.fetch(path, method)
        assert not answer or answer[0] == 200, answer
        return answer and json.loads(answer[1])

    def status(self):
        return self.ask("/v1/status")

    def tail(self):
        """All judged events that are still in the log, oldest first, with their labels."""
        events, after = [], 0
        while True:
            answer = self.ask(f"/v1/tail?after={after}")
            events += answer["events"]
            if answer["next"] >= answer["cursor"] or answer["next"] == after:
                return events
            after = answer["next"]

    def jobs(self, state="done", limit=1000):
        """Jobs in that state (waiting, taken, done, dead), newest first."""
        return self.ask(f"/v1/jobs?state={state}&limit={limit}")["jobs"]

    def wait_idle(self, patience_s=PATIENCE_S):
        """Until everything received is judged and no job is left; answers the status."""
        def is_idle():
            status = self.status()
            return (status and status["filter"]["cursor"] == status["store"]["last_seq"]
                    and not status["store"]["jobs_waiting"] and not status["store"]["jobs_taken"]
                    and status)
        return wait_until(is_idle, "the monitor to be idle", patience_s, 0.1)

    def wait_for_jobs(self, count, state="done", patience_s=PATIENCE_S):
        """Until at least count jobs are in that state; answers them."""
        def enough():
            jobs = self.jobs(state)
            return jobs if len(jobs) >= count else None
        return wait_until(enough, f"{count} {state} jobs", patience_s, 0.05)

    def wait_for_log(self, text, patience_s=PATIENCE_S):
        wait_until(lambda: text in self.log(), f"{text!r} in the log:\n{self.log()[-3000:]}",
                   patience_s)
