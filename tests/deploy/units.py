"""The systemd units: as text, and at work under a systemd in a container."""

import re
import tempfile
from pathlib import Path

from images import BUILDER, build, podman, prepare_base
from tools import DEPLOY, NAME, ROOT, RULE, Failure, Skip, need, run, wait_until

UNDER_SYSTEMD = "localhost/cn_monitor_systemd:test"
UNITS = ("cn_monitor.service", "cn_monitor@.service")
ROLES = ("watch", "filter", "act")
TOKEN = "access-v1:only-for-this-test"
CONF = """\
[CLUSTER]
CLUSTER_ADDRESS = 127.0.0.1:8000
TOKEN_FILE = /etc/cn_monitor/token
CA_FILE = /etc/cn_monitor/ca.pem
"""
OVER_REDIS = CONF + """
[STORE]
URL = redis://127.0.0.1:6379
PASSWORD_FILE = /etc/cn_monitor/redis-password
"""
# Shorter than in the unit, so that a test may wait for it; long enough for a slow machine.
IMPATIENT = "[Service]\nWatchdogSec=10s\nRestartSec=100ms\nTimeoutAbortSec=5s\n"


def unit_step(count):
    """The systemd units: no complaint, and little exposure."""
    need(systemd_analyze="systemd")
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "cn_monitor").symlink_to("/bin/true")
        for name in UNITS:
            path = Path(folder) / name.replace("@", "@watch")
            path.write_text((DEPLOY / "systemd" / f"{name}.in").read_text().replace("@bindir@", folder))
            # It says what it does not understand with exit status 0: silence is what counts.
            status, output = run("systemd-analyze", "verify", path)
            count.check(f"{name}: systemd-analyze verify says nothing", status == 0 and not output.strip(), output)
            _, output = run("systemd-analyze", "security", "--offline=true", "--no-pager", path)
            found = re.search(r"exposure level for \S+: ([\d.]+)", output)
            exposure = float(found.group(1)) if found else 10.0
            count.check(f"{name}: its exposure of {exposure} is below 3.0", exposure < 3.0, output[-500:])


class Machine:
    """A container that systemd runs."""

    def __init__(self):
        self.name = f"{NAME}-systemd"
        # What systemd has on a machine of its own: SYS_ADMIN for the unit's mounts, SYS_PTRACE to see a
        # process in the unit's own /proc.
        status, output = podman("run", "-d", "--name", self.name, "--systemd=always",
                                "--cap-add=SYS_ADMIN,SYS_PTRACE", "--network=none", "--pull=never", UNDER_SYSTEMD)
        state = ""
        if status == 0:
            wait_until(lambda: self.does("systemctl is-system-running")[1].strip() in ("running", "degraded"))
            state = self.does("systemctl is-system-running")[1].strip()
        if state not in ("running", "degraded"):
            said = output[-300:] + podman("logs", self.name)[1][-300:]
            self.remove()
            raise Skip(f"no systemd comes up in a container here ({state}): {said}")

    def does(self, script, text=None):
        return run("podman", "exec", "-i", self.name, "sh", "-c", script, text=text)

    def write(self, path, text, mode="644"):
        self.does(f"mkdir -p $(dirname {path}); cat >{path}.new && chmod {mode} {path}.new && mv {path}.new {path}", text)

    def property(self, name, unit="cn_monitor"):
        return self.does(f"systemctl show -P {name} {unit}")[1].strip()

    def journal(self, unit="cn_monitor*"):
        return self.does(f"journalctl -u '{unit}' --no-pager | tail -n 30")[1]

    def drops(self, path):
        self.does(f"mkdir -p $(dirname /srv/cluster/{path}) && echo x >/srv/cluster/{path}")

    def is_quarantined(self, path):
        return wait_until(lambda: self.does(f"ls /srv/cluster/quarantine/*/{path}")[0] == 0)

    def user_of(self, unit):
        pid = self.property("MainPID", unit)
        return self.does(f"awk '/^Uid/ {{ print $2 }}' /proc/{pid}/status")[1].strip()

    def remove(self):
        podman("rm", "-f", "-t", "5", self.name)


def systemd_step(count):
    """The units under a real systemd: ready, confined, reloaded, watched, stopped."""
    prepare_base()
    status, output = build("build", BUILDER)
    if status:
        raise Failure("the image to build with cannot be made: " + output[-3000:])
    status, output = build(None, UNDER_SYSTEMD, ROOT / "tests" / "deploy" / "systemd.Dockerfile")
    if not count.check("cn_monitor installs on a Debian with systemd", status == 0, output[-3000:]):
        return
    machine = Machine()
    try:
        machine.does("systemd-run --unit=simulator cn_simulator --root /srv/cluster --state /var/lib/sim "
                     f"--token {TOKEN}")
        wait_until(lambda: machine.does("cp /var/lib/sim/server/cert.pem /etc/cn_monitor/ca.pem")[0] == 0)
        machine.write("/etc/cn_monitor/token", TOKEN + "\n", "600")
        in_one_process(count, machine)
        in_roles(count, machine)
    finally:
        machine.remove()


def in_one_process(count, machine):
    machine.write("/etc/cn_monitor/cn_monitor.conf", CONF)
    machine.write("/etc/cn_monitor/watched_items.yml", RULE % ".zip")
    status, output = machine.does("systemctl start cn_monitor")
    if not count.check("it starts, and says when it is ready", status == 0, output + machine.journal()):
        return
    listening = wait_until(lambda: "1 of 1 watch listening" in machine.property("StatusText"))
    count.check("its line of status says that it listens, with the token of its credential", listening,
                machine.property("StatusText") + machine.journal())
    uid = machine.user_of("cn_monitor")
    count.check(f"its user was made for it: {uid}", uid.isdigit() and 61184 <= int(uid) <= 65519, uid)
    status, output = machine.does("cn_monitor status")
    count.check("root may ask it how it is", status == 0, output)
    machine.drops("home/joe/a.zip")
    count.check("a file goes into quarantine", machine.is_quarantined("home/joe/a.zip"), machine.journal())
    reloads(count, machine)
    watchdog(count, machine)
    status, output = machine.does("systemctl stop cn_monitor")
    count.check("it stops with exit status 0", status == 0 and machine.property("Result") == "success"
                and machine.property("ExecMainStatus") == "0", machine.journal())
    machine.write("/etc/cn_monitor/cn_monitor.conf", CONF + "NONSENSE = 1\n")
    status, _ = machine.does("systemctl start cn_monitor")
    count.check("a wrong file makes it fail at once, not again and again", status != 0
                and machine.property("ActiveState") == "failed" and machine.property("NRestarts") == "0",
                machine.property("ActiveState") + machine.journal())


def reloads(count, machine):
    machine.write("/etc/cn_monitor/watched_items.yml", RULE % ".tar")
    status, output = machine.does("systemctl reload cn_monitor")
    count.check("a reload with rules in order succeeds", status == 0, output)
    machine.write("/etc/cn_monitor/watched_items.yml", "version: 1\nwatched_itms: []\n")
    status, output = machine.does("systemctl reload cn_monitor")
    count.check("a reload with wrong rules fails, and it stays up",
                status != 0 and machine.property("ActiveState") == "active"
                and "Nothing was changed: the old rules stay at work." in machine.journal(), machine.journal())
    told = wait_until(lambda: "old ones stay at work" in machine.property("StatusText"))
    count.check("and its line of status says so", told, machine.property("StatusText"))
    machine.write("/etc/cn_monitor/watched_items.yml", RULE % ".zip")


def watchdog(count, machine):
    machine.write("/etc/systemd/system/cn_monitor.service.d/test.conf", IMPATIENT)
    machine.does("systemctl daemon-reload; systemctl restart cn_monitor")
    first = machine.property("WatchdogTimestampMonotonic")
    fed = wait_until(lambda: machine.property("WatchdogTimestampMonotonic") != first)
    count.check("it feeds its watchdog", fed and machine.property("NRestarts") == "0", machine.journal())
    machine.does("kill -STOP $(systemctl show -P MainPID cn_monitor)")
    again = wait_until(lambda: machine.property("NRestarts") != "0" and machine.property("ActiveState") == "active")
    count.check("one that is stuck is started again by its watchdog", again
                and "atchdog timeout" in machine.does("journalctl -u cn_monitor --no-pager")[1], machine.journal())


def in_roles(count, machine):
    """Each role a unit of its own, over a Redis that asks for a password."""
    machine.does("systemctl reset-failed cn_monitor")
    machine.write("/etc/cn_monitor/redis-password", "only-for-this-test\n", "600")
    machine.does("echo 'requirepass only-for-this-test' >>/etc/redis/redis.conf; "
                 "echo 'appendonly yes' >>/etc/redis/redis.conf; systemctl start redis-server")
    machine.write("/etc/cn_monitor/cn_monitor.conf", OVER_REDIS)
    machine.write("/etc/cn_monitor/watched_items.yml", RULE % ".zip")
    units = [f"cn_monitor@{role}" for role in ROLES]
    status, output = machine.does(f"systemctl start {' '.join(units)}")
    if not count.check("each role starts as a unit of its own, and says when it is ready", status == 0,
                       output + machine.journal()):
        return
    uids = {machine.user_of(unit) for unit in units}
    count.check(f"they share a user who was made for them: {', '.join(uids)}", len(uids) == 1
                and 61184 <= int(min(uids) or 0) <= 65519, str(uids))
    healthy = wait_until(lambda: machine.does("cn_monitor health")[0] == 0)
    count.check("root may ask them how they are", healthy, machine.does("cn_monitor health")[1] + machine.journal())
    machine.drops("home/joe/b.zip")
    count.check("a file goes through all of them into quarantine", machine.is_quarantined("home/joe/b.zip"),
                machine.journal())
    machine.write("/etc/cn_monitor/watched_items.yml", "version: 1\nwatched_itms: []\n")
    status, _ = machine.does("systemctl reload cn_monitor@filter")
    count.check("a reload with wrong rules fails", status != 0, machine.journal())
    machine.write("/etc/cn_monitor/watched_items.yml", RULE % ".tar")
    status, output = machine.does("systemctl reload cn_monitor@filter")
    count.check("a reload with rules in order succeeds", status == 0, output + machine.journal())
    machine.does("systemctl kill -s KILL cn_monitor@filter")
    machine.drops("home/joe/c.tar")
    count.check("one that was killed starts again and goes on", machine.is_quarantined("home/joe/c.tar"),
                machine.journal())
    machine.does("systemctl restart cn_monitor@watch")
    count.check("one that starts again leaves the others their sockets",
                machine.does("cn_monitor health --socket /run/cn_monitor/act.sock")[0] == 0,
                machine.does("ls -la /run/cn_monitor/")[1])
    status, output = machine.does(f"systemctl stop {' '.join(units)}")
    results = {machine.property("Result", unit) + machine.property("ExecMainStatus", unit) for unit in units}
    count.check("they stop with exit status 0", status == 0 and results == {"success0"}, str(results) + machine.journal())
