"""Jobs a second, by kind of action: a line in a file, a program, a web hook, a change on the cluster."""

import asyncio
import contextlib
import subprocess
import sys
from pathlib import Path

from machine import Cost
from parties import PATIENCE_S, wait_until

RULE = """\
version: 1
watched_items:
  - name: job
    when: {event: created, directory: /jobs}
    actions: [{ACTION}]
"""
HERE = Path(__file__).resolve()


def run(figures, stage, options):
    figures.part = "Jobs: matched, queued durably, done, in the history (embedded store)"
    many, few = max(20, int(20_000 * options.scale)), max(20, int(2_000 * options.scale))
    for _ in range(options.rounds):
        with hook() as url:
            kinds = {"log": ("log: {file: %s}" % (stage.folder / "jobs.jsonl"), many),
                     "exec": ("exec: {command: [/bin/true]}", few),
                     "webhook": ("webhook: {url: \"%s\"}" % url, few),
                     "permissions": ("permissions: {mode: \"0640\"}", few)}
            for kind, (action, count) in kinds.items():
                one(figures, stage, kind, action, count)


def one(figures, stage, kind, action, count):
    with stage.simulator() as simulator, \
            stage.monitor(simulator, RULE.replace("ACTION", action)) as monitor:
        folder = simulator.root / "jobs"
        folder.mkdir()
        cost = Cost(monitor.process.pid)
        if kind == "permissions":  # that needs files which there are
            for n in range(count):
                (folder / f"file{n}").touch(0o644)
        else:
            simulator.generate(count, per_message=100, path="jobs/file{n}")
        wait_done(monitor, count)
        cost.stop()
        state_bytes = monitor.status()["store"]["state_bytes"]
    shown = {"log": "log to a file", "exec": "exec /bin/true", "webhook": "webhook on this machine",
             "permissions": "permissions, on the stand-in cluster"}[kind]
    figures.add(f"jobs.{kind}.rate", count / cost.wall_s, "jobs/s", f"{shown}: speed")
    figures.add(f"jobs.{kind}.cpu", cost.cpu_s * 1000 / count, "CPU-s / 1,000 jobs", f"{shown}: CPU")
    figures.add(f"jobs.{kind}.disk", state_bytes / count, "bytes/job", f"{shown}: in the history")


def wait_done(monitor, count):
    def is_done():
        store = monitor.status()["store"]
        assert not store["jobs_dead"], monitor.jobs("dead", 1)
        return store["jobs_done"] >= count
    wait_until(is_done, f"{count} jobs to be done", PATIENCE_S)


@contextlib.contextmanager
def hook():
    """The URL of a receiver that takes everything, in a process of its own."""
    process = subprocess.Popen([sys.executable, HERE, "receive"], stdout=subprocess.PIPE, text=True,
                               stdin=subprocess.DEVNULL)
    try:
        yield process.stdout.readline().strip()
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


class Receiver(asyncio.Protocol):
    """As little HTTP as a web hook needs, so that the receiver is not what is measured."""

    def connection_made(self, transport):
        self.transport, self.got = transport, b""

    def data_received(self, data):
        self.got += data
        while (end := self.got.find(b"\r\n\r\n")) >= 0:
            head = self.got[:end].lower()
            at = head.find(b"content-length:")
            size = int(head[at + 15:].split(b"\r\n")[0]) if at >= 0 else 0
            if b"expect: 100" in head and len(self.got) == end + 4:
                self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            if len(self.got) < end + 4 + size:
                return
            self.got = self.got[end + 4 + size:]
            self.transport.write(b"HTTP/1.1 204 No Content\r\n\r\n")


async def receive():
    server = await asyncio.get_running_loop().create_server(Receiver, "127.0.0.1", 0)
    print("http://127.0.0.1:%d/" % server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(receive())
