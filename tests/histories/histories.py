#!/usr/bin/python3
"""Random histories: people write, move and delete on a simulated cluster, the stream breaks in every
way, the monitor is killed at every step of its work, rules change, requests fail and answers get
lost, most unknowns of the API are on one side or the other. What the monitor judged and did is then
compared with the truth:

- whatever is there was told of; with --strict, what the events tell, replayed in their order, is
  what is there, and nothing is told twice (unless a repair was by scan, which sees no removals);
- each event was judged, and led to each of its jobs once;
- no file was moved or renamed twice from one place;
- no file is left that a rule should have moved;
- each time in which nothing was heard is in a gap that is listed.

    CN_BUILD=build/release tests/histories/histories.py --count 1000 [--first SEED] [--at-once N]
    CN_BUILD=build/release tests/histories/histories.py --seed 4711 --keep   # one again, with its files

The last line counts: "N histories passed, N failed". Seeds of those that failed are named.
"""

import argparse
import collections
import multiprocessing
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from datetime import datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "e2e"))

from cluster import Simulator, ref  # noqa: E402
from monitor import BUILD, Monitor, wait_until  # noqa: E402
from told import Told  # noqa: E402
from users import OURS, Users  # noqa: E402

MORTAL = BUILD / "tests" / "histories" / "mortal_monitor"
KILLED = 99
SIMULATOR_DIED = "the simulator ended by itself"
PATIENCE_S = 90  # many at once

SIDES = {"diff_order": ["path", "mixed", "reverse"], "diff_page_limit": ["2", "1000"],
         "diff_replaced": ["delete-create", "modify"], "page_limit": ["2", "1000"],
         "rename_pair": ["together", "separate", "mixed", "reversed"],
         "parent_mtime": ["on", "off"], "id_size": ["short", "29"],
         "paging_end": ["empty", "null", "absent"], "overflow": ["close", "error", "end", "next-500"],
         "spine": ["watched", "root"], "mismatch_class": ["fs_tag_mismatch_error", "none"],
         "unauthorized_body": ["json", "empty"], "merge": ["yes", "no"],
         "message_events": ["1000", "3"], "nfs_create_noise": ["off", "on"],
         "while_down": ["refused", "closed", "502", "503", "html", "tls"],
         "rename_by_id": ["refused", "allowed"], "resolve_dead": ["404", "omitted"],
         "metadata_value": ["base64", "numbers"], "metadata_event": ["none", "extra-attrs"],
         "retry_after": ["yes", "no"], "link_events": ["canonical", "every"],
         "notify_settings": ["by-privilege", "403"], "snapshot_filter": ["optional", "needed"],
         "no_expiration": ["null", "empty"], "event_delay": ["0s", "0s", "20ms"],
         "watching_text": ["", "/ since now"]}
SETTINGS = {"GAP_REPAIR": ["auto", "auto", "auto", "snapshot", "scan"], "BASELINE_EVERY": ["1s", "15m"],
            "RENAME_WINDOW": ["100ms", "500ms"], "EVENTS": ["all", "needed"], "HEARTBEAT": ["0s", "0s", "1s"],
            "REPAIR_REQUESTS": ["1", "16"]}
POINTS = ["*", "log.commit.before", "log.commit.amid", "log.commit.after", "state.commit.before",
          "state.commit.after", "job.save.before", "job.save.after", "job.retry.before",
          "job.retry.after", "job.end.before", "job.end.after"]
BREAKS = ["drop", "end", "half_line", "garbage", "error", "overflow"]
FAULTS = [{"status": 503, "count": 3}, {"status": 429, "count": 2, "retry_after": 0},
          {"status": 500, "method": "GET", "count": 5}, {"answer": "lost", "method": "POST", "count": 2},
          {"answer": "lost", "method": "PATCH", "count": 1}, {"status": 502, "body": "html", "count": 2}]

RULES = """\
version: 1
watched_items:
  - name: new
    when: {{event: [created, renamed, moved_in, moved_out, removed{more}]}}
    actions: [{{log: {{file: {folder}/matches.jsonl}}}}]
  - name: quarantine
    when: {{event: [created, renamed, moved_in], extension: .bad, not: {{directory: {ours}}}}}
    actions: [{{quarantine: {{to: {ours}}}}}]
  - name: rename
    when: {{event: [created, renamed, moved_in], extension: .part}}
    actions: [{{rename: {{to: "{{stem}}.done", collision: suffix}}}}]
  - name: lock
    when: {{event: [created, renamed, moved_in, permissions], extension: .sec}}
    actions: [{{permissions: {{mode: "0600"}}}}]
"""


def seconds(text):
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


class MortalMonitor(Monitor):
    def start(self, die_at=None):
        environment = {**os.environ, **({"CN_DIE_AT": die_at} if die_at else {})}
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen([MORTAL, "run", "-c", self.conf], stdout=log, stderr=log,
                                            stdin=subprocess.DEVNULL, env=environment)
        return self

    def is_alive(self):
        return self.process and self.process.poll() is None

    def tail(self):
        return [event for event in super().tail() if "type" in event]


class History:
    def __init__(self, seed, folder, is_strict):
        self.seed, self.folder, self.rng = seed, Path(folder), random.Random(seed)
        self.is_strict = is_strict
        self.story, self.outages, self.gaps = [], [], {}
        self.switches = {name: self.rng.choice(values) for name, values in SIDES.items()}
        self.settings = {name: self.rng.choice(values) for name, values in SETTINGS.items()}
        self.path = self.rng.choice(["/", "/", "/w"])
        self.settings["PATH"] = self.path
        self.simulator = Simulator(self.folder / "cluster", tls="auto",
                                   switches={"keep_alive": "200ms", **self.switches})
        self.root = self.simulator.root / self.path.strip("/")
        self.ours = os.path.join(self.path, OURS)
        (self.root / OURS).mkdir(parents=True)
        self.users = Users(self.simulator.root, self.rng, self.root)
        self.rules_number = 0

    def tell(self, text):
        self.story.append(f"{time.time() - self.began:7.3f} {text}")

    def rules(self):
        self.rules_number += 1
        more = ", written, permissions" if self.rules_number % 2 else ""
        return RULES.format(more=more, folder=self.folder, ours=self.ours)

    # ---- what happens ----

    def act(self, most):
        for _ in range(self.rng.randrange(most)):
            self.users.act()

    def look(self):
        status = self.monitor.status()
        if status:
            self.gaps.update({gap["id"]: gap for gap in status["store"]["gaps"]})
        return status

    def wait_listening(self):
        def is_listening():
            assert self.monitor.is_alive(), f"it ended with {self.monitor.process.returncode}"
            status = self.look()
            return status and status["watches"][0]["state"] == "listening"
        wait_until(is_listening, "the stream", PATIENCE_S, 0.05)

    def is_down(self, begin, end):
        """Nothing can have been heard between the two."""
        self.outages.append((begin, end))

    def peace(self):
        self.act(25)
        if self.rng.random() < .5:
            self.mark()

    def mark(self):
        """Everything so far was heard."""
        path = self.root / f"mark{len(self.story)}"
        path.write_text("")
        name = "/" + str(path.relative_to(self.simulator.root))
        self.wait_listening()
        wait_until(lambda: any(e.get("path") == name for e in self.monitor.tail()), "the mark",
                   PATIENCE_S, 0.1)

    def reload(self):
        self.act(10)
        self.monitor.write_rules(self.rules())
        self.act(10)

    def kill(self):
        """At a step of its work, or at any moment; perhaps once more as soon as it is up again."""
        if self.monitor.is_alive():
            self.monitor.kill()
        for _ in range(self.rng.randrange(1, 4)):
            die_at = f"{self.rng.choice(POINTS)} {self.rng.randrange(6)}"
            begin = time.time()
            if self.rng.random() < .5:
                self.act(20)
            self.is_down(begin, time.time())
            self.monitor.start(die_at)
            end = time.time() + self.rng.choice([.1, .3, 1, 2])
            while time.time() < end and self.monitor.is_alive():
                self.users.act()
                time.sleep(.01)  # a moment, for its own sake
                self.look() if self.rng.random() < .05 else None
            status = self.monitor.process.poll()
            assert status in (None, KILLED), f"it ended with {status}"
            self.tell(f"died at {die_at}" if status else f"killed, {die_at} was not reached")
            self.monitor.kill()
        begin = time.time()
        self.act(30)
        self.is_down(begin, time.time())
        self.monitor.start()

    def reboot(self):
        self.simulator.reboot(60)
        begin = time.time()
        self.act(40)
        if self.rng.random() < .3:
            self.monitor.kill()
            self.act(10)
            self.monitor.start()
        self.is_down(begin, time.time())
        self.simulator.up()

    def break_off(self):
        self.act(10)
        self.simulator.streams(self.rng.choice(BREAKS))
        self.act(20)

    def fault(self):
        self.simulator.fault(**self.rng.choice(FAULTS))
        self.act(20)

    def stop(self):
        status = self.monitor.stop()
        assert status in (0, -signal.SIGTERM), f"it ended with {status}"  # it had hardly begun
        begin = time.time()
        self.act(20)
        self.is_down(begin, time.time())
        self.monitor.start()

    def episode(self):
        what = self.rng.choice([self.peace, self.reload, self.kill, self.kill, self.kill, self.reboot,
                                self.reboot, self.break_off, self.fault, self.stop])
        self.tell(what.__name__)
        what()

    def happen(self):
        self.began = time.time()
        self.simulator.start()
        folder = self.folder / "monitor"
        folder.mkdir()
        commit = self.rng.choice(["batch", "batch", "always", "os"])
        self.monitor = MortalMonitor(folder, self.simulator, self.rules(),
                                     sections={"CLUSTER": {"TIMEOUT": "3s"},
                                               "WATCH": self.settings, "STORE": {
                                         "URL": f"embedded:{folder}/store", "COMMIT": commit}})
        self.monitor.start()
        self.wait_listening()
        if self.settings["GAP_REPAIR"] != "scan":
            wait_until(lambda: self.look()["watches"][0]["repair"].get("baseline"), "a baseline",
                       PATIENCE_S, 0.1)
        for _ in range(self.rng.randrange(2, 6)):
            self.episode()

    def come_to_rest(self):
        self.tell("rest")
        self.simulator.no_faults()
        self.simulator.up()
        if not self.monitor.is_alive():
            self.monitor.start()
        self.mark()
        # Halves of renames wait their time, directories that were moved in are looked for every second.
        for _ in range(2):
            wait_until(self.is_closed, "all gaps to be closed", PATIENCE_S, 0.1)
            self.mark()
            time.sleep(1.2)
            wait_until(self.is_closed, "all gaps to be closed", PATIENCE_S, 0.1)
            self.monitor.wait_idle(PATIENCE_S)

    def is_closed(self):
        status = self.look()
        return (status["watches"][0]["repair"]["state"] != "repairing"
                and all(gap["repair"]["state"] in ("repaired", "unrepaired")
                        for gap in status["store"]["gaps"]))

    # ---- what came of it ----

    def judge(self):
        events = self.monitor.tail()
        self.events = events
        self.judge_jobs(events)
        self.judge_gaps()
        self.judge_known(events)
        self.judge_files()
        # A scan sees no removals, and of what moves its top only.
        if self.is_strict and all(gap["repair"].get("method") == "snapshot" for gap in self.gaps.values()):
            self.judge_story(events)

    def there(self):
        found = set()
        for folder, names, files in os.walk(self.root):
            names[:] = [name for name in names if name != ".cn_monitor"]
            found |= {"/" + os.path.relpath(os.path.join(folder, name), self.simulator.root)
                      for name in names + files}
        return {path for path in found if path != self.ours and "/.cn_monitor" not in path}

    def judge_story(self, events):
        told = Told()
        for event in events:
            told.hear(event)
        known = {path for path in told.there if path.startswith(self.path) and path != self.ours
                 and "/.cn_monitor" not in path}
        assert known == self.there(), \
            f"told and not there: {known - self.there()}, there and not told: {self.there() - known}"
        assert not told.twice, f"told twice: {told.twice}"

    def judge_known(self, events):
        """Whatever is there was told of."""
        known = {event["file_id"] for event in events}
        client = self.simulator.client()
        for path in self.there():
            answer = client.get(f"/v1/files/{ref(path)}/info/attributes")
            assert answer.json["id"] in known, f"{path} was never told"
        client.close()

    def judge_jobs(self, events):
        jobs = [job for event in events for job in event.get("label", {}).get("jobs", [])]
        assert len(jobs) == len(set(jobs)), "events share a job"
        for event in events:
            label = event.get("label", {})
            is_new = event["type"] in ("child_file_added", "child_dir_added", "child_file_removed",
                                       "child_dir_removed", "child_file_moved_to", "child_dir_moved_to")
            if is_new and "echo_of" not in label and "/.cn_monitor" not in event["path"]:
                assert "new" in label.get("rules", []), f"not judged: {event}"
        assert self.monitor.jobs("dead") == [], self.monitor.jobs("dead")
        self.judge_moves(events)

    def judge_moves(self, events):
        """Each file was moved from where it was once."""
        ids = collections.defaultdict(set)  # that were told to be there: a name may come again
        for event in events:
            ids[event["path"]].add(event["file_id"])
        done = [change["body"] for change in self.simulator.changes("POST")
                if (change["body"] or {}).get("action") == "RENAME" and 200 <= change["status"] < 300]
        moves = collections.Counter(body["old_path"] for body in done)
        # Another file had taken the place in that moment: it was put back, and moved for its own sake.
        put_back = collections.Counter(body["name"] for body in done if body["name"].endswith((".bad", ".part"))
                                       and (body["old_path"].startswith(self.ours + "/")
                                            or body["old_path"].endswith(".done")))
        for path, count in moves.items():
            assert count <= max(1, len(ids[path])) + put_back[os.path.basename(path)], \
                f"moved {count} times: {path} {ids[path]}"

    def judge_gaps(self):
        for begin, end in self.outages:
            # What was sent before the end of the stream is read a little later.
            assert any(gap["until"] and seconds(gap["from"]) - .5 <= begin
                       and end <= seconds(gap["until"]) + .002 for gap in self.gaps.values()), \
                f"no gap from {begin - self.began:.3f} to {end - self.began:.3f}"

    def judge_files(self):
        left = [path for path in self.there() if path.endswith((".bad", ".part"))
                and not path.startswith(self.ours + "/")]
        # A scan takes what was moved and written in a gap for written only: docs/gaps.md.
        if left and any(gap["repair"].get("method") == "scan" for gap in self.gaps.values()):
            written = {os.path.basename(event["path"]) for event in self.events
                       if event["origin"] == "repair" and event["type"] == "child_data_written"}
            left = [path for path in left if os.path.basename(path) not in written]
        assert not left, f"rules should have moved {left}"

    # ---- life ----

    def end(self):
        if getattr(self, "monitor", None) and self.monitor.is_alive():
            self.monitor.kill()
        if self.simulator.process and self.simulator.process.poll() is None:
            self.simulator.kill()

    def report(self, failure):
        log = self.monitor.log()[-6000:] if getattr(self, "monitor", None) else ""
        if self.simulator.process and self.simulator.process.poll() is not None:
            failure += f"{SIMULATOR_DIED} with {self.simulator.process.returncode}:\n"
            failure += self.simulator.log()[-3000:]
        tail = "\n".join(f"{e.get('seq')} {e['origin']} {e['type']} {e['path']} {e.get('file_id')} {e.get('label', {})}"
                         for e in getattr(self, "events", []))
        return "\n".join([f"seed {self.seed} {self.switches} {self.settings}", *self.story,
                          f"outages {[(f'{b - self.began:.3f}', f'{e - self.began:.3f}') for b, e in self.outages]}",
                          f"gaps {list(self.gaps.values())}", tail, log, failure])


def run(seed, keep, is_strict):
    """None, or what went wrong."""
    folder = tempfile.mkdtemp(prefix=f"cn-history-{seed}-")
    history, failure = None, None
    try:
        history = History(seed, folder, is_strict)
        history.happen()
        history.come_to_rest()
        history.judge()
    except Exception:  # whatever it was, it is this history's
        failure = traceback.format_exc()
    if history:
        failure = failure and history.report(failure)
        history.end()
    if keep:
        print(folder)
    else:
        shutil.rmtree(folder, ignore_errors=True)
    return failure


def run_one(arguments):
    failure = run(*arguments)
    if failure and SIMULATOR_DIED in failure:  # about the monitor that says nothing: once more
        print(f"=== seed {arguments[0]} is played once more:\n{failure[-5000:]}\n", flush=True)
        failure = run(*arguments)
    return arguments[0], failure


def main():
    parser = argparse.ArgumentParser(description="random histories against the truth")
    parser.add_argument("--count", type=int, default=1)
    parser.add_argument("--first", type=int, default=1, help="seed of the first")
    parser.add_argument("--seed", type=int, help="this one only")
    parser.add_argument("--at-once", type=int, default=min(24, 12 * (os.cpu_count() or 1)),
                        help="each needs a few of the 128 inotify instances that a user may have")
    parser.add_argument("--strict", action="store_true", help="replay the story, too")
    parser.add_argument("--keep", action="store_true", help="leave its files there")
    wanted = parser.parse_args()
    seeds = [wanted.seed] if wanted.seed is not None else range(wanted.first, wanted.first + wanted.count)
    begun, failed, done = time.monotonic(), [], 0
    with multiprocessing.Pool(min(wanted.at_once, len(seeds)), maxtasksperchild=50) as pool:
        for seed, failure in pool.imap_unordered(run_one, ((s, wanted.keep, wanted.strict) for s in seeds)):
            done += 1
            if failure:
                failed.append(seed)
                print(f"=== FAILED\n{failure}\n", flush=True)
            elif done % 1000 == 0:
                print(f"{done} after {time.monotonic() - begun:.0f} s", flush=True)
    if failed:
        print(f"failed: {' '.join(map(str, sorted(failed)))}")
    print(f"{done - len(failed)} histories passed, {len(failed)} failed "
          f"in {time.monotonic() - begun:.0f} s")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
