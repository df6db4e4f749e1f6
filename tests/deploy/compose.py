"""The compose files, under a Docker engine that is started for them."""

import itertools
import json
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from images import DOCKERFILE, MONITOR, SIMULATOR, build, must_exist, podman, prepare_base, try_build
from tools import DEPLOY, NAME, PATIENCE_S, ROOT, RULE, Skip, need, run, wait_until


class Engine:
    """A Docker engine that touches neither another one nor the machine's firewall."""

    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="cn-docker-", dir="/var/tmp"))
        self.host = f"unix://{self.folder}/socket"
        self.env = {"DOCKER_HOST": self.host, "DOCKER_BUILDKIT": "1"}
        self.log = open(self.folder / "log", "w")
        # Debian's own client has BuildKit in it; another one that comes first in the path may not.
        self.docker = "/usr/bin/docker" if Path("/usr/bin/docker").exists() else "docker"
        self.process = subprocess.Popen(
            ["dockerd", "--data-root", self.folder / "data", "--exec-root", self.folder / "exec", "--pidfile",
             self.folder / "pid", "--host", self.host, "--iptables=false", "--ip6tables=false", "--bridge=none"],
            stdout=self.log, stderr=self.log, stdin=subprocess.DEVNULL, start_new_session=True)
        if not wait_until(lambda: self.process.poll() is not None or self.run("version")[0] == 0) \
                or self.process.poll() is not None:
            said = (self.folder / "log").read_text()[-500:]
            self.stop()
            raise Skip("no Docker engine starts here: " + said)

    def run(self, *words, **how):
        return run(self.docker, *words, env=self.env, **how)

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()
        for line in run("findmnt", "-rn", "-o", "TARGET")[1].splitlines():
            if line.startswith(str(self.folder)):
                run("umount", line)
        shutil.rmtree(self.folder, ignore_errors=True)


class Project:
    """One compose file as a user has it: with its folder, in a place of its own."""

    def __init__(self, engine, folder, file):
        self.engine = engine
        self.folder = folder
        self.words = ["docker-compose", "-p", NAME, "--project-directory", folder, "-f", folder / file,
                      "--profile", "try"]

    def run(self, *words, **how):
        return run(*self.words, *words, env=self.engine.env, **how)

    def ids(self, service):
        return re.findall(r"^[0-9a-f]{12,}$", self.run("ps", "-q", service)[1], re.M)

    def health(self, container):
        return self.engine.run("inspect", "--format", "{{.State.Health.Status}}", container)[1].strip()

    def are_healthy(self, *services):
        """All containers of those services are, and there is at least one of each."""
        return all(ids and all(self.health(c) == "healthy" for c in ids) for ids in map(self.ids, services))

    def inside(self, service, script):
        return self.run("exec", "-T", service, "sh", "-c", script)[1].strip()

    def drops(self, path):
        self.inside("simulator", f"mkdir -p $(dirname /cluster/{path}) && echo x >/cluster/{path}")

    def is_quarantined(self, path, patience_s=PATIENCE_S):
        return wait_until(lambda: path in self.inside("simulator", f"ls /cluster/quarantine/*/{path} 2>/dev/null"),
                          patience_s)

    def logs(self):
        return self.run("logs", "--no-color", "--tail", "30")[1][-6000:]

    def put_rules(self, extension):
        new = self.folder / "rules" / ".new"
        new.write_text(RULE % extension)
        new.rename(self.folder / "rules" / "watched_items.yml")

    def down(self):
        return self.run("down", "-v", "-t", "40")


STAND_IN = "localhost/cn_monitor_redis:test"
REDIS_DOCKERFILE = ROOT / "tests" / "deploy" / "redis.Dockerfile"


def get_images(count, engine):
    """The images for the compose files: those that the step `image` made, or with CN_FULL=1 made once more by docker."""
    if os.environ.get("CN_FULL"):
        return docker_builds(count, engine)
    prepare_base()
    must_exist(MONITOR, SIMULATOR)
    status, output = build(None, STAND_IN, REDIS_DOCKERFILE)
    if not count.check("podman builds a stand-in for redis:8", status == 0, output[-3000:]):
        return False
    archive = engine.folder / "images.tar"
    status, output = podman("save", "-q", "-m", "--format=docker-archive", "-o", archive, MONITOR, SIMULATOR, STAND_IN)
    if status == 0:
        status, output = engine.run("load", "-q", "-i", archive)
    archive.unlink(missing_ok=True)
    for tag, name in ((MONITOR, "cn_monitor"), (SIMULATOR, "cn_simulator"), (STAND_IN, "redis:8")):
        if status == 0:
            status, output = engine.run("tag", tag, name)
    return count.check("docker takes the images that podman built", status == 0, output[-3000:])


def docker_builds(count, engine):
    prepare_base("--docker", env=engine.env)
    for target in ("monitor", "simulator"):
        status, output = try_build(engine.docker, "build", "--network=host", "--target", target, "-t",
                                   f"cn_{target}", "-f", DOCKERFILE, ".", env=engine.env)
        if not count.check(f"docker builds the target {target}", status == 0, output[-3000:]):
            return False
    status, output = try_build(engine.docker, "build", "--network=host", "-t", "redis:8", "-f", REDIS_DOCKERFILE,
                               "tests/deploy", env=engine.env)
    return count.check("docker builds a stand-in for redis:8", status == 0, output[-3000:])


def compose_step(count):
    """The compose files under a Docker engine: one command, all healthy, files go through."""
    need(dockerd="docker.io", docker_compose="docker-compose", findmnt="util-linux")
    engine = Engine()
    try:
        if not get_images(count, engine):
            return
        for file, scenario in (("compose.embedded.yaml", embedded), ("compose.yaml", over_redis)):
            with tempfile.TemporaryDirectory(prefix="cn-compose-", dir="/var/tmp") as place:
                folder = Path(place) / "compose"
                shutil.copytree(DEPLOY / "compose", folder, ignore=shutil.ignore_patterns(".env", "secrets"))
                Path(place).chmod(0o755)
                project = Project(engine, folder, file)
                try:
                    scenario(count, project, file)
                finally:
                    project.down()
    finally:
        engine.stop()


def comes_up(count, project, file, *services):
    status, output = project.run("up", "-d", "--no-build")
    if not count.check(f"{file}: one command brings it up", status == 0, output[-3000:] + project.logs()):
        return False
    return count.check(f"{file}: {', '.join(services)} become healthy",
                       wait_until(lambda: project.are_healthy(*services)), project.logs())


def goes_down(count, project, file, *services):
    """Each process ends by itself when it is told to."""
    containers = [c for service in services for c in project.ids(service)]
    project.run("stop", "-t", "60", *services)
    codes = [project.engine.run("inspect", "--format", "{{.State.ExitCode}}", c)[1].strip() for c in containers]
    count.check(f"{file}: SIGTERM ends {', '.join(services)} with exit status 0", containers and set(codes) == {"0"},
                str(codes) + project.logs())
    status, output = project.down()
    count.check(f"{file}: and down again", status == 0, output)


def is_hardened(count, project, file, *services):
    for service in services:
        facts = json.loads(project.engine.run("inspect", project.ids(service)[0])[1])[0]["HostConfig"]
        count.check(f"{file}: {service} runs hardened", facts["ReadonlyRootfs"] and facts["CapDrop"] == ["ALL"]
                    and facts["Memory"] and "no-new-privileges:true" in facts["SecurityOpt"], str(facts))


def embedded(count, project, file):
    if not comes_up(count, project, file, "monitor"):
        return
    project.drops("home/joe/a.zip")
    count.check(f"{file}: a file goes into quarantine", project.is_quarantined("home/joe/a.zip"), project.logs())
    is_hardened(count, project, file, "monitor")
    goes_down(count, project, file, "monitor")


def over_redis(count, project, file):
    roles = ("watch", "filter", "act")
    if not comes_up(count, project, file, "redis", *roles):
        return
    count.check(f"{file}: two act", len(project.ids("act")) == 2)
    is_hardened(count, project, file, "redis", *roles)
    password = project.inside("redis", "cat /run/redis/password")
    seen = project.inside("redis", "cat /proc/[0-9]*/cmdline | tr '\\0' ' '; redis-cli ping; export REDISCLI_AUTH; "
                          "REDISCLI_AUTH=$(cat /run/redis/password); redis-cli config get appendonly; "
                          "redis-cli config get maxmemory-policy")
    count.check(f"{file}: Redis asks for a password that no command line shows", len(password) == 32
                and "redis-server" in seen and "NOAUTH" in seen and password not in seen, seen)
    count.check(f"{file}: it writes its file and throws nothing away",
                re.search(r"appendonly\s+yes\s+maxmemory-policy\s+noeviction", seen), seen)
    project.drops("home/joe/a.zip")
    count.check(f"{file}: a file goes into quarantine", project.is_quarantined("home/joe/a.zip"), project.logs())
    changed_rules(count, project, file)
    lost_redis(count, project, file)
    goes_down(count, project, file, *roles)


def changed_rules(count, project, file):
    """Each process reads the rules when it sees the new file; what was judged before is not judged again."""
    project.put_rules(".tar")
    numbers = itertools.count()

    def takes_effect():
        path = f"home/joe/b{next(numbers)}.tar"
        project.drops(path)
        return project.is_quarantined(path, 5)

    count.check(f"{file}: changed rules are at work without a restart", wait_until(takes_effect), project.logs())


def lost_redis(count, project, file):
    """What happens while Redis is away is judged when it is back."""
    before = project.ids("watch") + project.ids("filter") + project.ids("act")
    project.run("kill", "-s", "KILL", "redis")
    project.drops("home/joe/c.tar")
    project.run("start", "redis")
    count.check(f"{file}: a file that came while Redis was away goes into quarantine",
                project.is_quarantined("home/joe/c.tar"), project.logs())
    after = project.ids("watch") + project.ids("filter") + project.ids("act")
    restarts = [project.engine.run("inspect", "--format", "{{.RestartCount}}", c)[1].strip() for c in after]
    count.check(f"{file}: and nobody had to start again", before == after and set(restarts) == {"0"}, str(restarts))
