"""The image at work: a monitor and a stand-in cluster, hardened, in containers."""

import json
import os
import re
import tempfile
import time
from pathlib import Path

from images import HARDENED, MONITOR, SIMULATOR, TMPFS, must_exist, podman
from tools import NAME, RULE, Failure, must, run, wait_until


class Containers:
    """A stand-in cluster and a monitor, hardened, on a network of their own."""

    def __init__(self, folder):
        self.rules = folder / "rules"
        self.network = NAME
        self.simulator = f"{NAME}-simulator"
        self.monitor = f"{NAME}-monitor"
        self.volumes = [f"{NAME}-{name}" for name in ("cluster", "state", "store")]
        self.generation = 0

    def put_rules(self, extension):
        """As Kubernetes puts a ConfigMap: a new folder, and a link swapped to it."""
        self.generation += 1
        data = self.rules / f"..{self.generation}"
        data.mkdir(parents=True)
        (data / "watched_items.yml").write_text(RULE % extension)
        link = self.rules / "..new"
        link.symlink_to(data.name)
        link.rename(self.rules / "..data")
        file = self.rules / "watched_items.yml"
        if not file.is_symlink():
            file.symlink_to("..data/watched_items.yml")

    def start(self):
        cluster, state, store = self.volumes
        must("podman", "network", "create", self.network)
        must("podman", "run", "-d", "--name", self.simulator, "--hostname", "simulator", "--network",
             f"{self.network}:alias=simulator", *HARDENED, *TMPFS, "-v", f"{cluster}:/cluster", "-v",
             f"{state}:/var/lib/cn_simulator", SIMULATOR)
        if not wait_until(lambda: "serves /cluster" in podman("logs", self.simulator)[1]):
            raise Failure("cn_simulator did not start: " + podman("logs", self.simulator)[1])
        must("podman", "run", "-d", "--name", self.monitor, "--network", self.network, *HARDENED, *TMPFS,
             "-e", "CN_MONITOR_CLUSTER_ADDRESS=simulator:8000",
             "-e", "CN_MONITOR_CLUSTER_TOKEN_FILE=/run/cn_secrets/server/token.500",
             "-e", "CN_MONITOR_CLUSTER_CA_FILE=/run/cn_secrets/server/cert.pem",
             "-e", "CN_MONITOR_WATCH_ITEMS=/etc/cn_monitor/rules/watched_items.yml",
             "-v", f"{state}:/run/cn_secrets:ro", "-v", f"{store}:/var/lib/cn_monitor",
             "-v", f"{self.rules}:/etc/cn_monitor/rules:ro", MONITOR)

    def is_healthy(self):
        return podman("healthcheck", "run", self.monitor)[0] == 0

    def inside(self, name, script):
        return run("podman", "exec", name, "sh", "-c", script)[1].strip()

    def drops(self, path):
        self.inside(self.simulator, f"mkdir -p $(dirname /cluster/{path}) && echo x >/cluster/{path}")

    def is_quarantined(self, path):
        return bool(wait_until(lambda: self.inside(self.simulator, f"ls /cluster/quarantine/*/{path} 2>/dev/null")))

    def status(self):
        _, output = podman("exec", self.monitor, "cn_monitor", "status", "--json")
        try:
            return json.loads(output)
        except ValueError:
            return {}

    def log(self):
        return podman("logs", self.monitor)[1]

    def remove(self):
        podman("rm", "-f", "-t", "5", self.monitor, self.simulator)
        podman("network", "rm", "-f", self.network)
        podman("volume", "rm", "-f", *self.volumes)


def run_step(count):
    """The image, hardened, with a stand-in cluster: a file goes through, rules change, the end."""
    must_exist(MONITOR, SIMULATOR)
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        containers = Containers(Path(folder))
        try:
            containers.put_rules(".zip")
            containers.start()
            play(count, containers)
        finally:
            containers.remove()
        group_readable_token(count, Path(folder))


def play(count, it):
    if not count.check("hardened, it becomes healthy", wait_until(it.is_healthy), it.log()[-3000:]):
        return
    seen = it.inside(it.monitor, "id -u; grep -E '^(CapEff|CapBnd|NoNewPrivs|Seccomp):' /proc/1/status; "
                     "touch /etc/x /usr/x; ls /etc/x")
    count.check("its user is 10001", seen.splitlines()[0] == "10001", seen)
    count.check("it has no capability", len(re.findall(r"Cap\w+:\t0{16}", seen)) == 2, seen)
    count.check("it gains no privileges, and its system calls are filtered",
                "NoNewPrivs:\t1" in seen and "Seccomp:\t2" in seen, seen)
    count.check("its root file system is read-only", seen.count("Read-only file system") == 2, seen)
    it.drops("home/joe/a.zip")
    count.check("a file goes into quarantine", it.is_quarantined("home/joe/a.zip"), it.log()[-3000:])
    it.put_rules(".tar")
    count.check("changed rules are at work without a restart",
                wait_until(lambda: (it.status().get("rules") or {}).get("reloads", 0) >= 1), it.log()[-3000:])
    it.drops("home/joe/b.tar")
    count.check("a file that only they match goes into quarantine", it.is_quarantined("home/joe/b.tar"),
                it.log()[-3000:])
    podman("stop", "-t", "5", it.simulator)
    count.check("without a cluster it is not healthy", wait_until(lambda: not it.is_healthy()))
    count.check("and yet alive", podman("exec", it.monitor, "cn_monitor", "health", "--live")[0] == 0)
    podman("start", it.simulator)
    count.check("with the cluster back it is healthy again", wait_until(it.is_healthy), it.log()[-3000:])
    started = time.monotonic()
    podman("stop", "-t", "60", it.monitor)
    code = must("podman", "inspect", "--format", "{{.State.ExitCode}}", it.monitor)
    count.check(f"SIGTERM ends it with exit status 0, after {time.monotonic() - started:.1f} s", code == "0", code)
    podman("start", it.monitor)
    count.check("it starts again on the same store", wait_until(it.is_healthy), it.log()[-3000:])
    store = it.status().get("store") or {}
    count.check("and remembers the two jobs", store.get("jobs_done") == 2, str(store))


def group_readable_token(count, folder):
    """Kubernetes mounts a Secret as root's file, readable by the pod's group."""
    token = folder / "token"
    token.write_text("access-v1:only-for-this-test\n")
    (folder / "watched_items.yml").write_text(RULE % ".zip")
    for mode, wanted in ((0o440, 0), (0o444, 2)):
        os.chown(token, 0, 10001)
        token.chmod(mode)
        status, output = podman("run", "--rm", "--network=none", *HARDENED, "-v", f"{token}:/run/cn_secrets/token:ro",
                                "-v", f"{folder}/watched_items.yml:/etc/cn_monitor/watched_items.yml:ro",
                                "-e", "CN_MONITOR_CLUSTER_ADDRESS=cluster.example.com",
                                "-e", "CN_MONITOR_CLUSTER_TOKEN_FILE=/run/cn_secrets/token", MONITOR, "check")
        count.check(f"a token of root's with mode {mode:04o} is {'refused' if wanted else 'taken'}",
                    status == wanted, output)
