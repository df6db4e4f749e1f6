"""The roles as processes of their own over Redis: events from the socket to judged, jobs through three
workers, and what of it the Redis server bears: processor, memory, network, round trips."""

import contextlib
import re
import shutil

from machine import Cost
from parties import PATIENCE_S, wait_judged, wait_until
from rule_files import MATCHING, PATH, rule_file

from crew import Crew
from redis_server import Redis

MANY, ACTS = 10_000, 3
JOB_RULE = """\
version: 1
watched_items:
  - name: job
    when: {event: created, directory: /jobs}
    actions: [{ACTION}]
"""


class Server(Redis):
    """A redis-server that tells what it did since last asked."""

    def look(self):
        info = dict(line.split(":", 1) for line in self.ask("INFO", "everything").splitlines() if ":" in line)
        calls = sum(int(re.search(r"calls=(\d+)", value)[1]) for name, value in info.items()
                    if name in ("cmdstat_evalsha", "cmdstat_eval", "cmdstat_xread"))
        return {"memory": int(info["used_memory"]), "in": int(info["total_net_input_bytes"]),
                "out": int(info["total_net_output_bytes"]), "calls": calls}

    def start_looking(self):
        self.cost, self.before = Cost(self.process.pid), self.look()
        return self

    def stop_looking(self):
        """{"cpu", "memory", "in", "out", "calls"} since start_looking."""
        now = self.look()
        return {"cpu": self.cost.stop().cpu_s, **{name: now[name] - self.before[name] for name in now}}


class PlainCrew(Crew):
    """Over plain HTTP, which is what the others are measured with."""

    def write_conf(self, sections, cluster=None):
        super().write_conf(sections, {"CLUSTER_ADDRESS": f"http://{self.simulator.address}",
                                      "TOKEN_FILE": self.token_file})


@contextlib.contextmanager
def crew(stage, rules):
    """(simulator, crew, server): a watch, a filter and three acts over a Redis server."""
    folder = stage.fresh("crew")
    server = Server(folder / "redis")
    with stage.simulator() as simulator:
        people = PlainCrew(folder, simulator, server, rules,
                           {"LOG": {"LEVEL": "warn"}, "STORE": {"MAX_SIZE": "64 GiB"},
                            "ACT": {"LEASE": "60s"}})
        server.start()
        try:
            for role in ["watch", "filter"] + ["act"] * ACTS:
                people.start(role)
            people.wait_at_work()
            yield simulator, people, server
        finally:
            people.stop()
            server.stop()
            shutil.rmtree(folder, ignore_errors=True)


def run(figures, stage, options):
    for _ in range(options.rounds):
        for size in (1, 100):
            figures.part = f"Roles as processes over Redis (watch, filter, {ACTS} acts; {MANY:,} rules; plain)"
            events(figures, stage, options, size)
        figures.part = f"Jobs through {ACTS} acts over Redis"
        jobs(figures, stage, "log", "log: {file: %s}" % (stage.folder / "jobs.jsonl"), 20_000, options)
        jobs(figures, stage, "permissions", "permissions: {mode: \"0640\"}", 2_000, options)


def events(figures, stage, options, size):
    count = max(1, int((200_000 if size == 1 else 1_000_000) * options.scale) // MATCHING) * MATCHING
    with crew(stage, rule_file(MANY)) as (simulator, people, server):
        costs = {member.role: Cost(member.process.pid) for member in people.members if member.role != "act"}
        server.start_looking()
        whole = Cost(*(cost.pids[0] for cost in costs.values()))
        simulator.generate(count, per_message=size, path=PATH)
        wait_judged(people, count, pause_s=0.1)  # each question goes to Redis, too
        whole.stop()
        spent = {role: cost.stop().cpu_s for role, cost in costs.items()}
        server_did = server.stop_looking()
    title = f"{size:,} events a message"
    per_million = 1e6 / count
    name = f"roles.{size}"
    figures.add(f"{name}.rate", count / whole.wall_s, "events/s", f"{title}: speed, socket to judged")
    for role, seconds in spent.items():
        figures.add(f"{name}.{role}", seconds * per_million, "CPU-s / M events", f"{title}: CPU of {role}")
    figures.add(f"{name}.server", server_did["cpu"] * per_million, "CPU-s / M events",
                f"{title}: CPU of redis-server")
    figures.add(f"{name}.calls", server_did["calls"] * per_million, "calls / M events", f"{title}: round trips")
    figures.add(f"{name}.memory", server_did["memory"] / count, "bytes/event", f"{title}: memory of redis-server")
    figures.add(f"{name}.network", (server_did["in"] + server_did["out"]) / count, "bytes/event",
                f"{title}: network of redis-server, both ways")


def jobs(figures, stage, kind, action, count, options):
    count = max(20, int(count * options.scale))
    with crew(stage, JOB_RULE.replace("ACTION", action)) as (simulator, people, server):
        folder = simulator.root / "jobs"
        folder.mkdir()
        acts = [member.process.pid for member in people.members if member.role == "act"]
        cost = Cost(*acts)
        server.start_looking()
        if kind == "permissions":  # that needs files which there are
            for n in range(count):
                (folder / f"file{n}").touch(0o644)
        else:
            simulator.generate(count, per_message=100, path="jobs/file{n}")
        wait_done(people, count)
        cost.stop()
        server_did = server.stop_looking()
    shown = {"log": "log to a file", "permissions": "permissions, on the stand-in cluster"}[kind]
    name = f"roles.jobs.{kind}"
    figures.add(f"{name}.rate", count / cost.wall_s, "jobs/s", f"{shown}: speed of all")
    figures.add(f"{name}.cpu", cost.cpu_s * 1000 / count, "CPU-s / 1,000 jobs", f"{shown}: CPU of the acts")
    figures.add(f"{name}.server", server_did["cpu"] * 1000 / count, "CPU-s / 1,000 jobs",
                f"{shown}: CPU of redis-server")
    figures.add(f"{name}.calls", server_did["calls"] / count, "calls/job", f"{shown}: round trips")
    figures.add(f"{name}.memory", server_did["memory"] / count, "bytes/job", f"{shown}: memory of redis-server")


def wait_done(people, count):
    def is_done():
        status = people.status()
        if not status or "jobs_done" not in status["store"]:
            return False
        assert not status["store"]["jobs_dead"], people.jobs("dead", 1)
        return status["store"]["jobs_done"] >= count
    wait_until(is_done, f"{count} jobs to be done", PATIENCE_S, 0.1)
