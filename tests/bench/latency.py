"""From an event's bytes on the socket to the start of its action, idle and under load.

A proxy stands between cluster and monitor: it takes the time when it hands on the bytes of an event
whose path has MARK in it. The action is `log` into a pipe: its line's arrival is the action's start,
and a little more."""

import contextlib
import os
import random
import re
import select
import socket
import threading
import time

from figures import percentile
from machine import disk_wait_ms
from parties import wait_judged
from rule_files import rule_file

SIZES = [1, 20]  # events in a message, from and to
MARK = re.compile(rb"/d7/marked/(\d+)\.x")
RULE = """\
  - name: marked
    when: {event: created, directory: /home/d7/marked}
    actions: [{log: {file: PIPE}}]
"""


class Proxy:
    """Hands bytes on and remembers when marked ones went to the monitor."""

    def __init__(self, address):
        host, port = address.rsplit(":", 1)
        self.target = (host, int(port))
        self.sent = {}
        self.server = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.server.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.server.accept()
                server = socket.create_connection(self.target)
                for one in (client, server):
                    one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                threading.Thread(target=self._up, args=(client, server), daemon=True).start()
                threading.Thread(target=self._down, args=(server, client), daemon=True).start()

    def _up(self, source, target):
        self._pump(source, target, lambda data: None)

    def _down(self, source, target):
        tail = b""

        def look(data):
            nonlocal tail
            now = time.monotonic()
            for found in MARK.finditer(tail + data):
                self.sent.setdefault(int(found[1]), now)
            tail = data[-40:]
        self._pump(source, target, look)

    @staticmethod
    def _pump(source, target, look):
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 18):
                look(data)
                target.sendall(data)
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_WR)

    def close(self):
        self.server.close()


class Pipe:
    """A named pipe, and when each marked line came out of it."""

    def __init__(self, path):
        os.mkfifo(path)
        self.descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK)
        self.came = {}
        self.news = threading.Condition()
        self.is_open = True
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self):
        rest = b""
        while self.is_open:
            if not select.select([self.descriptor], [], [], 0.2)[0]:
                continue
            data = os.read(self.descriptor, 1 << 16)
            now = time.monotonic()
            *lines, rest = (rest + data).split(b"\n")
            with self.news:
                for line in lines:
                    found = MARK.search(line)
                    if found:
                        self.came.setdefault(int(found[1]), now)
                self.news.notify_all()

    def wait(self, count, patience_s=60):
        with self.news:
            if not self.news.wait_for(lambda: len(self.came) >= count, patience_s):
                raise AssertionError(f"{len(self.came)} of {count} actions started")

    def close(self):
        self.is_open = False
        self.thread.join()
        os.close(self.descriptor)


@contextlib.contextmanager
def watched(stage, simulator):
    """(monitor, proxy, pipe): a monitor with a thousand rules that hears through the proxy."""
    folder = stage.fresh("pipe")
    proxy, pipe = Proxy(simulator.address), Pipe(folder / "marked")
    rules = rule_file(1000) + RULE.replace("PIPE", str(folder / "marked"))
    cluster = {"CLUSTER": {"CLUSTER_ADDRESS": f"http://{proxy.address}", "TOKEN": simulator.token}}
    try:
        with stage.monitor(simulator, rules, cluster) as monitor:
            yield monitor, proxy, pipe
    finally:
        pipe.close()
        proxy.close()


def run(figures, stage, options):
    figures.part = "From an event's arrival to the start of its action (embedded store, 1,000 rules)"
    count = max(20, int(400 * options.scale))
    for _ in range(options.rounds):
        waits = disk_wait_ms(stage.folder, count)
        add(figures, "disk", waits, "a write of 4 KiB with fdatasync (the scale: four are on the way)", {})
        with stage.simulator() as simulator, watched(stage, simulator) as (_, proxy, pipe):
            idle(figures, simulator, proxy, pipe, count)
        with stage.simulator() as simulator, watched(stage, simulator) as (monitor, proxy, pipe):
            half(figures, simulator, monitor, proxy, pipe, options)


def add(figures, name, waits, title, bars):
    for part, share in (("median", 0.5), ("p99", 0.99)):
        bar = {"most": bars[part]} if part in bars else {}
        figures.add(f"latency.{name}.{part}", percentile(waits, share), "ms", f"{title}: {part}", **bar)


def waits_of(proxy, pipe):
    return [(pipe.came[n] - proxy.sent[n]) * 1000 for n in pipe.came if n in proxy.sent]


def idle(figures, simulator, proxy, pipe, count):
    chance = random.Random(1)
    for n in range(count):
        simulator.says("child_file_added", f"/home/d7/marked/{n}.x")
        pipe.wait(n + 1)
        time.sleep(chance.uniform(0.002, 0.012))  # not in step with anything of the monitor's
    add(figures, "idle", waits_of(proxy, pipe), "idle, one event at a time", {"median": 2, "p99": 10})


def half(figures, simulator, monitor, proxy, pipe, options):
    """One event in a thousand is marked. The most that goes through is found first, with messages of
    the same sizes; cluster, proxy and monitor share the cores."""
    count = max(20_000, int(1_000_000 * options.scale))
    path = "home/d{n%1000}/MARKED/{n}.x"
    began = time.monotonic()
    simulator.generate(count, per_message=SIZES, path=path.replace("MARKED", "other"))
    wait_judged(monitor, count)
    most = count / (time.monotonic() - began)
    figures.add("latency.half.most", most, "events/s", "the most that cluster, proxy and monitor can do on these cores")
    more = max(20_000, int(4 * most / 2 * options.scale))
    simulator.generate(more, per_message=SIZES, rate=int(most / 2), path=path.replace("MARKED", "marked"))
    wait_judged(monitor, count + more)
    pipe.wait(more // 1000)
    add(figures, "half", waits_of(proxy, pipe), "at half of that", {})
