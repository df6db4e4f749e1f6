"""The monitor as processes of their own over a Redis server: one a role, as many as the test wants.

    crew = Crew(tmp_path, simulator, redis, rules)
    watch, filter = crew.start("watch"), crew.start("filter")    # each a Member
    acts = [crew.start("act") for _ in range(3)]
    crew.wait_at_work()                  # somebody listens, somebody judges
    watch.freeze(); watch.thaw()         # SIGSTOP, SIGCONT
    crew.any().tail()                    # any process answers for all
    crew.stop()
"""

import collections
import signal
import subprocess
import threading

from monitor import PATIENCE_S, Monitor, wait_until


class Member(Monitor):
    """One process: files of the crew, its own log, socket and log directory."""

    def __init__(self, crew, role, number):
        self.crew, self.role = crew, role
        self.folder, self.conf, self.items = crew.folder, crew.conf, crew.items
        self.token_file = crew.token_file
        self.name = f"{role}{number}"
        self.log_path = crew.folder / f"{self.name}.log"
        self.socket = crew.folder / f"{self.name}.sock"
        self.command = role
        self.environment = {"CN_MONITOR_ADMIN_SOCKET": str(self.socket),
                            "CN_MONITOR_STORE_LOG": str(crew.folder / f"{self.name}.store")}
        self.process = None
        self.is_frozen = False

    def start(self, listening=False, environment=None):
        super().start(listening=False, environment=environment)
        self.wait_up()
        if listening:
            self.wait_listening()
        return self

    def wait_up(self):
        def is_up():
            assert self.process.poll() is None, \
                f"{self.name} ended with {self.process.returncode}:\n{self.log()}"
            return self.ask("/livez")
        wait_until(is_up, f"{self.name} to answer")

    def state(self, role=None):
        """absent, standby, starting, active, stopping; None while it does not answer."""
        answer = self.ask("/livez")
        return answer and answer["roles"].get(role or self.role, {"state": "absent"})["state"]

    def wait_state(self, state, role=None, patience_s=PATIENCE_S):
        wait_until(lambda: self.state(role) == state, f"{self.name} to be {state}", patience_s)
        return self

    def is_alive(self):
        return self.process and self.process.poll() is None

    def freeze(self):
        self.process.send_signal(signal.SIGSTOP)
        self.is_frozen = True

    def thaw(self):
        self.process.send_signal(signal.SIGCONT)
        self.is_frozen = False

    def kill(self):
        super().kill()
        self.is_frozen = False


class Crew(Monitor):
    """Their common files. Each question goes to a process that lives."""

    def __init__(self, folder, simulator, redis, rules="version: 1\nwatched_items: []\n",
                 sections=None):
        self.members = []
        store = {"URL": redis.url, "TIMEOUT": "2s"}
        if hasattr(redis, "addresses"):
            store["SENTINELS"] = redis.addresses
        sections = {**(sections or {})}
        sections["STORE"] = {**store, **sections.get("STORE", {})}
        sections["ACT"] = {"LEASE": "4s", **sections.get("ACT", {})}
        super().__init__(folder, simulator, rules, sections)

    def start(self, role, **options):
        number = 1 + sum(member.role == role for member in self.members)
        member = Member(self, role, number)
        self.members.append(member)
        return member.start(**options)

    def any(self):
        return next(m for m in self.members if m.is_alive() and not m.is_frozen)

    def ask(self, path, method="GET"):
        return self.any().ask(path, method)

    def run(self, *words, **options):
        return self.any().run(*words, **options)

    def at_work(self, role):
        """The processes that are active in a role."""
        return [m for m in self.members if m.is_alive() and not m.is_frozen
                and m.state(role) == "active"]

    def wait_at_work(self, patience_s=PATIENCE_S):
        def is_at_work():
            status = self.status()
            return status and all(w["state"] == "listening" for w in status["watches"]) \
                and not status["filter"]["trouble"]
        wait_until(is_at_work, "somebody to listen and somebody to judge", patience_s, 0.1)

    def log(self):
        return "".join(f"--- {m.name}\n{m.log()}" for m in self.members)

    def wait_idle(self, patience_s=PATIENCE_S, streams=None):
        """Until nothing is left to do. Only what the watch has handed on is known here: tests that
        need more wait for the events themselves."""
        def is_idle():
            status = self.status()
            if not status or "trouble" in status["store"]:
                return None
            store = status["store"]
            return (status["filter"]["cursor"] == store["last_seq"] and not store["jobs_waiting"]
                    and not store["jobs_taken"] and status)
        return wait_until(is_idle, "the monitor to be idle", patience_s, 0.1)

    def stop(self):
        """SIGTERM to all at once; answers their exit statuses."""
        for member in self.members:
            if member.is_alive():
                if member.is_frozen:
                    member.thaw()
                member.process.send_signal(signal.SIGTERM)
        statuses = []
        for member in self.members:
            if member.process:
                try:
                    statuses.append(member.process.wait(40))
                except subprocess.TimeoutExpired:
                    member.process.kill()
                    member.process.wait()
                    raise AssertionError(f"{member.name} did not stop within 40 s of SIGTERM:\n"
                                         + member.log())
        return statuses


def judged(monitor):
    """The jobs that each event led to, by path."""
    found = collections.defaultdict(list)
    for event in monitor.tail():
        found[event["path"]].append(event.get("label", {}).get("jobs", []))
    return found


def wait_judged(monitor, paths, patience_s=60):
    """Until each path was judged, and each exactly once: one record, one job."""
    paths = set(paths)
    wait_until(lambda: paths <= set(judged(monitor)), f"{len(paths)} events", patience_s, 0.2)
    monitor.wait_idle(patience_s)
    found = judged(monitor)
    assert {path: jobs for path, jobs in found.items() if len(jobs) != 1 or len(jobs[0]) != 1} == {}
    assert set(found) == paths
    jobs = [jobs[0][0] for jobs in found.values()]
    assert len(set(jobs)) == len(jobs) == monitor.status()["store"]["jobs_done"]


class Flow(threading.Thread):
    """Events at a rate, until it is told to stop; paths: of all that were said."""

    def __init__(self, simulator, per_second, path="/home/f{n}"):
        super().__init__(daemon=True)
        self.simulator, self.pause_s, self.path = simulator, 20 / per_second, path
        self.paths, self.is_over = [], threading.Event()

    def run(self):
        while not self.is_over.wait(self.pause_s):
            batch = [self.path.format(n=len(self.paths) + i) for i in range(20)]
            self.simulator.emit(events=[{"type": "child_file_added", "path": path,
                                         "stream_name": None} for path in batch])
            self.paths += batch

    def stop(self):
        self.is_over.set()
        self.join()
        return self.paths
