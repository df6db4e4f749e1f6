"""Who takes part in a bench: the stand-in cluster, the monitor, the others that it is compared with.
All run as processes of their own, and all are gone when their `with` ends."""

import contextlib
import csv
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "e2e"))

from cluster import Simulator  # noqa: E402  (the tests' own ways to start the two programs)
from monitor import Monitor, wait_until  # noqa: E402
from machine import cpu_seconds  # noqa: E402

PATIENCE_S = 300


class Stage:
    """A folder, and what runs in it. On the disk: durable writes must cost what they cost."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.count = 0

    def fresh(self, name):
        self.count += 1
        folder = self.folder / f"{name}{self.count}"
        folder.mkdir(parents=True)
        return folder

    @contextlib.contextmanager
    def simulator(self, tls=False, switches=None):
        folder = self.fresh("cluster")
        simulator = Simulator(folder, tls="auto" if tls else "off", switches=switches).start()
        try:
            yield simulator
        finally:
            simulator.stop()
            shutil.rmtree(folder, ignore_errors=True)

    @contextlib.contextmanager
    def monitor(self, simulator, rules, sections=None, keep=None):
        """keep: a folder to use that stays afterwards."""
        folder = keep or self.fresh("monitor")
        cluster = None
        if simulator.scheme == "http":
            cluster = {"CLUSTER_ADDRESS": f"http://{simulator.address}", "TOKEN": simulator.token}
        usual = {"LOG": {"LEVEL": "warn"}, "STORE": {"MAX_SIZE": "64 GiB"}}
        monitor = Monitor(folder, simulator, rules, {**usual, **(sections or {})}, cluster)
        try:
            yield monitor.start()
        finally:
            monitor.stop()
            if not keep:
                shutil.rmtree(folder, ignore_errors=True)

    @contextlib.contextmanager
    def redis(self, fsync="everysec"):
        """A server of its own, durable as docs/redis.md wants it; answers its socket's path."""
        folder = self.fresh("redis")
        path = folder / "redis.sock"
        process = subprocess.Popen(
            ["redis-server", "--port", "0", "--unixsocket", path, "--dir", folder, "--save", "",
             "--appendonly", "yes", "--appendfsync", fsync, "--maxmemory-policy", "noeviction"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            wait_until(path.exists, "redis-server to listen")
            yield RedisServer(path, process)
        finally:
            process.terminate()
            process.wait()
            shutil.rmtree(folder, ignore_errors=True)


class RedisServer:
    def __init__(self, path, process):
        self.path, self.process = path, process

    def ask(self, *words):
        done = subprocess.run(["redis-cli", "-s", self.path, *map(str, words)], check=True,
                              capture_output=True, text=True)
        return done.stdout.strip()

    def benchmark(self, count, depth, clients, *command):
        """Requests a second, as redis-benchmark tells them."""
        done = subprocess.run(["redis-benchmark", "-s", self.path, "-n", str(count), "-P", str(depth),
                               "-c", str(clients), "--csv", *command],
                              check=True, capture_output=True, text=True)
        return float(list(csv.reader(done.stdout.splitlines()))[-1][1])


def wait_judged(monitor, count, cost=None, pause_s=0.02):
    def is_judged():
        if cost:
            cost.look()
        status = monitor.status()
        return status and status["filter"]["events"] >= count
    wait_until(is_judged, f"{count} events to be judged", PATIENCE_S, pause_s)


class Reader:
    """Another program that reads the stream until its end: curl, or the Python loop."""

    def __init__(self, words, output):
        self.words, self.output = words, output

    def run(self, simulator, count, **generator):
        """Answers (CPU seconds, wall seconds) for so many events."""
        simulator.wait_streams(0)  # a reader before this one may not be forgotten yet
        with open(self.output, "wb") as output:
            process = subprocess.Popen(self.words, stdout=output, stdin=subprocess.DEVNULL,
                                       stderr=subprocess.DEVNULL)
        simulator.wait_streams(1)
        before_s, began = cpu_seconds(process.pid), time.monotonic()
        simulator.generate(count, **generator)
        simulator.wait_emitted(PATIENCE_S)
        simulator.streams("end")
        _, status, usage = os.wait4(process.pid, 0)
        wall_s = time.monotonic() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode not in (0, 18):  # 18: curl's word for the end of an endless body
            raise AssertionError(f"{self.words[0]} ended with {process.returncode}")
        return usage.ru_utime + usage.ru_stime - before_s, wall_s


def notify_url(simulator):
    return f"{simulator.url}/v1/files/%2F/notify?recursive=true"


def curl(stage, simulator):
    words = ["curl", "-s", "-N", "-H", f"Authorization: Bearer {simulator.token}",
             *(["--cacert", simulator.cert] if simulator.cert else []), notify_url(simulator)]
    return Reader(words, stage.folder / "curl.out")


def python_loop(stage, simulator, redis=None):
    words = ["/usr/bin/python3", HERE / "python_loop.py", notify_url(simulator), simulator.token,
             *(["--cafile", simulator.cert] if simulator.cert else []),
             *(["--redis", f"unix:{redis.path}"] if redis else [])]
    return Reader(words, stage.folder / "python.out")


def seen_by_python(stage):
    return json.loads((stage.folder / "python.out").read_text())
