"""What scripts/test-kubernetes plays in its Kubernetes: each overlay as a site rolls it out."""

import itertools
import json
import os
import shutil
import time

from tools import DEPLOY, ROOT, Failure, must, run, wait_until

SPACE = "cn-monitor"
PATIENCE_S = 300
TOKEN = "access-v1:only-for-this-test"
# Nothing provisions volumes here: each claim finds a folder of the node that was made for it.
VOLUMES = {"redis": {"log-watch-0": 10001, "log-watch-1": 10001, "data-redis-0": 999},
           "embedded": {"store-cn-monitor-0": 10001}}
VOLUME = """\
apiVersion: v1
kind: PersistentVolume
metadata: {name: %(claim)s}
spec:
  capacity: {storage: 10Gi}
  accessModes: [ReadWriteOnce]
  claimRef: {namespace: cn-monitor, name: %(claim)s}
  hostPath: {path: %(folder)s}
---
"""


def load_images(work):
    for name, given, wanted in (("monitor", "localhost/cn_monitor:test", "cn_monitor:test"),
                                ("simulator", "localhost/cn_simulator:test", "cn_simulator:test"),
                                ("redis", "localhost/cn_redis:test", "redis:8")):
        must("docker", "load", "-q", "-i", work / f"{name}.tar")
        must("docker", "tag", given, wanted)


class Site:
    """One overlay in a namespace of its own, with a stand-in cluster beside it."""

    def __init__(self, work, overlay):
        self.overlay = overlay
        self.work = work / overlay
        self.site = self.work / "tests" / "deploy" / "kubernetes" / overlay
        self.started = time.monotonic()
        self.killed, self.at_first = [], {}
        shutil.copytree(DEPLOY / "kubernetes", self.work / "deploy" / "kubernetes")
        shutil.copytree(ROOT / "tests" / "deploy" / "kubernetes", self.site.parent)

    def say(self, text):
        print(f"    {time.monotonic() - self.started:5.1f} s  {text}", flush=True)

    def kubectl(self, *words, **how):
        return run("kubectl", "-n", SPACE, *words, **how)

    def must(self, *words, **how):
        return must("kubectl", "-n", SPACE, *words, **how)

    def apply(self, text):
        must("kubectl", "apply", "-f", "-", text=text)

    def start(self):
        must("kubectl", "create", "namespace", SPACE)
        volumes = ""
        for claim, uid in VOLUMES[self.overlay].items():
            folder = self.work / "volumes" / claim
            folder.mkdir(parents=True)
            os.chown(folder, uid, uid)
            volumes += VOLUME % {"claim": claim, "folder": folder}
        self.apply(volumes)
        self.must("apply", "-f", self.site.parent / "parts")
        self.rolled_out("deployment/simulator")
        (self.work / "ca.pem").write_text(self.in_simulator("cat /var/lib/cn_simulator/server/cert.pem") + "\n")
        (self.work / "token").write_text(self.in_simulator("cat /var/lib/cn_simulator/server/token.500") + "\n")
        (self.work / "redis-password").write_text("only-for-this-test\n")
        self.must("create", "secret", "generic", "cn-monitor", *(f"--from-file={self.work / name}" for name in
                                                                ("ca.pem", "token", "redis-password")))
        self.roll_out()

    def roll_out(self):
        must("kubectl", "apply", "-k", self.site)

    def rolled_out(self, workload):
        status, output = self.kubectl("rollout", "status", workload, f"--timeout={PATIENCE_S}s", timeout=PATIENCE_S + 30)
        if status:
            raise Failure(f"{workload} was not rolled out: {output[-500:]}\n{self.state()}")
        if "Waiting for" in output:
            self.say(f"{workload} is rolled out")

    def state(self):
        """What a person would look at."""
        text = self.kubectl("get", "pods", "-o", "wide")[1]
        for pod in self.pods():
            text += f"--- {pod}\n" + self.kubectl("logs", "--tail=25", pod)[1][-5000:]
        return text + self.kubectl("get", "events", "--sort-by=.lastTimestamp")[1][-4000:]

    def pods(self, role=None):
        """Names of the pods that are not about to go."""
        selector = ["-l", f"app.kubernetes.io/component={role}"] if role else []
        found = json.loads(self.must("get", "pods", "-o", "json", *selector))["items"]
        return sorted(p["metadata"]["name"] for p in found if "deletionTimestamp" not in p["metadata"])

    def restarts(self):
        found = json.loads(self.must("get", "pods", "-o", "json"))["items"]
        return {p["metadata"]["name"]: sum(c["restartCount"] for c in p["status"].get("containerStatuses", []))
                for p in found}

    def inside(self, pod, *words):
        return self.kubectl("exec", pod, "--", *words)

    def in_simulator(self, script):
        return self.must("exec", "deployment/simulator", "--", "sh", "-c", script)

    def drops(self, folder, names):
        """Files appear on the cluster, one after the other."""
        self.in_simulator(f"mkdir -p /cluster/home/{folder}; cd /cluster/home/{folder}; "
                          f"for i in {names}; do echo $i >$i.zip; done")

    def quarantined(self, folder, ending="zip"):
        found = self.kubectl("exec", "deployment/simulator", "--", "sh", "-c",
                             f"ls /cluster/quarantine/*/home/{folder} 2>/dev/null | grep -c '\\.{ending}$'")[1]
        number = found.strip().splitlines()
        return int(number[0]) if number and number[0].isdigit() else 0

    def kill(self, pod):
        """kill -9 of the container's process, from the node: no pod is told, no lease dropped."""
        must("docker", "kill", "-s", "KILL", *self.containers(pod))
        self.killed.append(pod)

    def freeze(self, pod, how):
        """how: pause or unpause."""
        must("docker", how, *self.containers(pod))

    def containers(self, pod):
        return must("docker", "ps", "-q", "--filter", f"label=io.kubernetes.pod.name={pod}",
                    "--filter", "label=io.kubernetes.docker.type=container").split()

    def end_of(self, pod):
        """How the last run of a pod's container ended."""
        state = self.kubectl("get", "pod", pod, "-o", "jsonpath={.status.containerStatuses[0].lastState}")[1]
        return f"\n--- {pod}: {state}\n" + self.kubectl("logs", "--previous", "--tail=15", pod)[1][-4000:]

    def status(self, pod):
        _, output = self.inside(pod, "cn_monitor", "status", "--json")
        try:
            return json.loads(output)
        except ValueError:
            return {}

    def active(self, role):
        """The pod of a role that is at work while the other stands by; None when it is not yet clear."""
        states = {pod: self.role_state(pod, role) for pod in self.pods(role)}
        at_work = [pod for pod, state in states.items() if state == "active"]
        return at_work[0] if len(at_work) == 1 else None

    def role_state(self, pod, role):
        _, output = self.inside(pod, "cn_monitor", "health", "--json")
        try:
            answer = json.loads(output)
            return answer["roles"][role]["state"] if answer["ok"] else None
        except (ValueError, KeyError):
            return None

    def end(self):
        run("kubectl", "delete", "-k", self.site, "--timeout=120s", timeout=180)
        run("kubectl", "delete", "namespace", SPACE, "--timeout=180s", timeout=240)
        run("kubectl", "delete", "persistentvolumes", "--all", "--timeout=60s", timeout=120)


def play(count, work, overlay):
    site = Site(work, overlay)
    try:
        site.start()
        SCENARIOS[overlay](count, site)
    finally:
        site.end()


def all_judged(count, site, what, folder, expected):
    seen = wait_until(lambda: site.quarantined(folder) >= expected, PATIENCE_S, 1)
    number = site.quarantined(folder)
    site.say(f"{what}: {number} of {expected} files are in quarantine")
    count.check(what, seen and number == expected, f"{number} of {expected}\n" + ("" if seen else site.state()))


def new_rules(count, site):
    """The ConfigMap is edited as a person does it: the file, then `kubectl apply -k`."""
    before = site.restarts()
    file = site.site / "watched_items.yml"
    file.write_text(file.read_text().replace("[.zip]", "[.zip, .tar]"))
    site.roll_out()
    edited = time.monotonic()
    numbers = itertools.count()

    def takes_effect():
        name = f"r{next(numbers)}.tar"
        site.in_simulator(f"mkdir -p /cluster/home/rules; echo x >/cluster/home/rules/{name}")
        return wait_until(lambda: site.kubectl("exec", "deployment/simulator", "--", "sh", "-c",
                                               f"ls /cluster/quarantine/*/home/rules/{name}")[0] == 0, 5, 0.5)

    seen = wait_until(takes_effect, PATIENCE_S)
    site.say(f"the edited ConfigMap was at work after {time.monotonic() - edited:.0f} s")
    count.check("an edited ConfigMap changes the rules", seen, "" if seen else site.state())
    after = site.restarts()
    count.check("without a restart, and without new pods", before == after, f"{before}\n{after}")


def no_foreign_environment(count, site, pods):
    for pod in pods:
        _, output = site.inside(pod, "env")
        foreign = [line for line in output.splitlines() if "_SERVICE_" in line or line.startswith("REDIS_")]
        foreign = [line for line in foreign if not line.startswith("KUBERNETES_")]
        count.check(f"{pod}: no environment comes from the names of Services", "PATH=" in output and not foreign,
                    str(foreign))


def is_confined(count, site, pod):
    _, seen = site.inside(pod, "sh", "-c", "exec 2>&1; id -u; grep -E '^(CapEff|CapBnd|NoNewPrivs|Seccomp):' "
                          "/proc/1/status; touch /etc/x /usr/x; true")
    count.check(f"{pod}: confined", seen.startswith("10001") and seen.count("0000000000000000") == 2
                and "NoNewPrivs:\t1" in seen and "Seccomp:\t2" in seen
                and seen.count("Read-only file system") == 2, seen)


def embedded(count, site):
    """One pod with its store on a volume."""
    site.rolled_out("statefulset/cn-monitor")
    is_confined(count, site, "cn-monitor-0")
    no_foreign_environment(count, site, ["cn-monitor-0"])
    site.drops("first", "$(seq 1 50)")
    all_judged(count, site, "50 files", "first", 50)
    new_rules(count, site)
    uid = site.must("get", "pod", "cn-monitor-0", "-o", "jsonpath={.metadata.uid}")
    site.must("delete", "pod", "cn-monitor-0", "--wait=true", "--timeout=120s")
    wait_until(lambda: site.kubectl("get", "pod", "cn-monitor-0", "-o", "jsonpath={.metadata.uid}")[1] not in ("", uid)
               and site.kubectl("get", "pod", "cn-monitor-0")[0] == 0, PATIENCE_S, 1)
    site.rolled_out("statefulset/cn-monitor")
    site.drops("second", "$(seq 1 50)")
    all_judged(count, site, "a deleted pod comes back on its volume: 50 more", "second", 50)
    store = site.status("cn-monitor-0").get("store", {})
    count.check("its history is that of before", store.get("jobs_done", 0) >= 101, str(store))
    count.check("the time without it is a gap", store.get("gap_count", 0) >= 1, str(store))


def all_ready(site):
    for workload in ("statefulset/redis", "statefulset/watch", "deployment/filter", "deployment/act"):
        site.rolled_out(workload)


def redis(count, site):
    """The roles as separate workloads over Redis."""
    all_ready(site)
    site.at_first = site.restarts()
    pods = {role: site.pods(role) for role in ("watch", "filter", "act")}
    count.check("two pods of each role", all(len(names) == 2 for names in pods.values()), str(pods))
    for names in pods.values():
        is_confined(count, site, names[0])
    no_foreign_environment(count, site, [pods["watch"][0], pods["act"][0], "redis-0"])
    count.check("one watch is active, the other stands by", wait_until(lambda: site.active("watch"), PATIENCE_S),
                site.state())
    site.drops("first", "$(seq 1 100)")
    all_judged(count, site, "100 files", "first", 100)
    new_rules(count, site)
    scaled(count, site)
    killed(count, site)
    frozen(count, site)
    settled(count, site)


def scaled(count, site):
    """More act while there is work."""
    site.drops("scaled", "$(seq 1 150)")
    site.must("scale", "deployment/act", "--replicas=3")
    site.drops("scaled", "$(seq 151 300)")
    site.rolled_out("deployment/act")
    count.check("act is scaled to 3", len(site.pods("act")) == 3, str(site.pods("act")))
    all_judged(count, site, "300 files while act is scaled to 3", "scaled", 300)


def killed(count, site):
    """kill -9, of each in turn; files come all the while, except when nobody can hear them."""
    for role in ("act", "filter", "redis"):
        site.drops(role, "$(seq 1 50)")
        pod = {"act": lambda: site.pods("act")[0], "filter": lambda: site.active("filter"),
               "redis": lambda: "redis-0"}[role]()
        site.kill(pod)
        site.say(f"{pod} was killed")
        site.drops(role, "$(seq 51 100)")
        all_judged(count, site, f"100 files while a pod of {role} is killed", role, 100)
        all_ready(site)
    site.must("delete", "pod", "redis-0", "--wait=false")
    site.killed.remove("redis-0")  # a new pod counts anew
    site.at_first.pop("redis-0")
    site.say("redis-0 was deleted")
    site.drops("redis2", "$(seq 1 50)")
    all_judged(count, site, "50 files while the pod of Redis is replaced", "redis2", 50)
    all_ready(site)
    before = site.active("watch")
    site.kill(before)
    started = time.monotonic()
    # Whoever is first: the other one, or the same one when Kubernetes is quick to start it again.
    heard = wait_until(lambda: site.active("watch"), PATIENCE_S, 0.5)
    site.say(f"{before} was killed; {heard} listens {time.monotonic() - started:.1f} s later")
    site.drops("watch", "$(seq 1 50)")
    all_judged(count, site, "50 files after a pod of watch was killed", "watch", 50)
    all_ready(site)


def frozen(count, site):
    """A watch that stops without ending, as on a node that hangs, and wakes up again."""
    before = wait_until(lambda: site.active("watch"), PATIENCE_S, 0.5)
    site.freeze(before, "pause")
    started = time.monotonic()
    taken = wait_until(lambda: site.active("watch") not in (None, before), PATIENCE_S, 0.5)
    site.say(f"{before} was frozen; {site.active('watch')} listens {time.monotonic() - started:.1f} s later")
    count.check("the other watch takes over from one that is frozen", taken, site.state())
    site.drops("frozen", "$(seq 1 50)")
    all_judged(count, site, "50 files while it is frozen", "frozen", 50)
    site.freeze(before, "unpause")
    stands_by = wait_until(lambda: site.role_state(before, "watch") == "standby", PATIENCE_S, 0.5)
    count.check("awake again it stands by", stands_by, site.state())
    site.drops("awake", "$(seq 1 50)")
    all_judged(count, site, "50 files after that", "awake", 50)


def settled(count, site):
    """In the end: every pod ready, nothing waits, nothing was given up, and the gap is on record."""
    all_ready(site)
    pod = site.pods("act")[0]

    def is_idle():
        status = site.status(pod)
        store = status.get("store", {})
        return (store.get("jobs_waiting") == 0 and status.get("filter", {}).get("cursor") == store.get("last_seq")
                and status)

    status = wait_until(is_idle, PATIENCE_S, 1)
    store = (status or {}).get("store", {})
    site.say(f"in the end: {json.dumps(store)[:600]}")
    count.check("everything is judged and done", status, site.state())
    count.check("nothing was given up", store.get("jobs_dead") == 0, str(store))
    count.check("the time in which nobody listened is a gap", store.get("gap_count", 0) >= 1, str(store))
    restarts = site.restarts()
    site.say("restarts: " + ", ".join(f"{pod} {number}" for pod, number in sorted(restarts.items())))
    # Who comes up before Redis does is started again by Kubernetes: what was before all were ready does not count.
    unexplained = {pod: number for pod, number in restarts.items()
                   if number - site.at_first.get(pod, 0) != site.killed.count(pod)}
    count.check("only what was killed was started again", not unexplained,
                str(unexplained) + "".join(site.end_of(pod) for pod in unexplained))


SCENARIOS = {"redis": redis, "embedded": embedded}
