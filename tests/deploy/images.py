"""The images: made by podman and buildah, and what is in them."""

import json
import re

from tools import DEPLOY, ROOT, Failure, Skip, must, run

DOCKERFILE = DEPLOY / "container" / "Dockerfile"
MONITOR = "localhost/cn_monitor:test"
SIMULATOR = "localhost/cn_simulator:test"
BUILDER = "localhost/cn_monitor_build:test"
HARDENED = ["--read-only", "--cap-drop=all", "--security-opt=no-new-privileges", "--memory=512m",
            "--pids-limit=128", "--pull=never"]
TMPFS = ["--tmpfs=/tmp:size=16m,mode=1777"]
# What apt says when the archive, not the Dockerfile, is at fault.
NO_ARCHIVE = re.compile(r"Temporary failure resolving|Failed to fetch|Could not connect to|Connection timed out"
                        r"|Hash Sum mismatch|503 +Service Unavailable")


def podman(*args, **how):
    return run("podman", *args, **how)


def prepare_base(*options, env=None):
    """The base image; also installs podman and tells it about this machine."""
    for _ in range(2):
        status, output = run(ROOT / "scripts" / "local-base-image", *options, "trixie", env=env)
        if not status:
            print(output.strip().splitlines()[-1], flush=True)
            return
    raise Skip("no base image can be made or run here: " + output.strip()[-500:])


def try_build(*words, env=None):
    """One build; again when the archive could not be reached. Answers (exit status, output)."""
    for _ in range(3):
        status, output = run("nice", *words, env=env, timeout=1500)
        if not status or not NO_ARCHIVE.search(output):
            return status, output
    raise Skip(f"Debian's archive cannot be reached from a build: {NO_ARCHIVE.search(output).group(0)}")


def build(target, tag, dockerfile=DOCKERFILE, tool="podman"):
    extra = ["--layers"] if tool == "buildah" else []
    where = [f"--target={target}"] if target else []
    return try_build(tool, "build", *extra, "--format=docker", "--pull=never", *where, "-t", tag, "-f", dockerfile, ".")


def must_exist(*tags):
    for tag in tags:
        if podman("image", "exists", tag)[0]:
            raise Skip(f"{tag} is not there, the step `image` makes it")


def without_noise(output):
    """podman misses systemd for its timers, and says so each time."""
    return "\n".join(line for line in output.splitlines() if "unable to get systemd" not in line).strip()


def image_step(count):
    """The images: podman builds them, buildah as well; they hold what they should."""
    prepare_base()
    for target, tag in (("build", BUILDER), ("simulator", SIMULATOR), ("monitor", MONITOR)):
        status, output = build(target, tag)
        if not count.check(f"podman builds the target {target}", status == 0, output[-3000:]):
            raise Failure("without images there is nothing to run")
    status, output = build("monitor", "localhost/cn_monitor:buildah", tool="buildah")
    count.check("buildah builds it", status == 0, output[-3000:])
    podman("rmi", "localhost/cn_monitor:buildah")
    facts = json.loads(must("podman", "image", "inspect", MONITOR))[0]
    size_mb = facts["Size"] / 1e6
    base_mb = json.loads(must("podman", "image", "inspect", "debian:trixie-slim"))[0]["Size"] / 1e6
    count.check(f"the image has {size_mb:.0f} MB, {size_mb - base_mb:.0f} MB above its base", size_mb - base_mb < 60)
    count.check("it runs as a user who is not root", facts["User"] == "10001:10001", facts["User"])
    count.check("it has a health check", "health" in str(facts.get("HealthCheck") or facts.get("Healthcheck")))
    count.check("it is labelled", facts["Labels"].get("org.opencontainers.image.title") == "cn_monitor")
    status, output = podman("run", "--rm", "--network=none", *HARDENED, "--entrypoint=sh", MONITOR, "-c",
                            "command -v gcc meson pkg-config; find / -xdev -name '*.h' -path '*/include/*' 2>/dev/null")
    count.check("no compiler and no header is in it", not without_noise(output), output)
    status, output = podman("run", "--rm", "--network=none", *HARDENED, MONITOR, "--version")
    count.check("it runs: " + without_noise(output), status == 0)
    version = str(facts["Labels"].get("org.opencontainers.image.version"))
    count.check("its label has that version", without_noise(output).split()[-1] == version, version)
