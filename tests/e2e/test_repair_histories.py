"""Random histories with gaps: what the judged events tell, replayed in their order, must be what is
there in the end, and nothing is told twice. `make soak` tries many, CN_SEED=1,2,3 those; the ordinary
run leaves this file out (conftest.py)."""

import contextlib
import os
import random
import shutil

import pytest

from monitor import wait_until
from test_repair import make_scene, write  # noqa: F401 (the first is a fixture)

SEEDS = [int(seed) for seed in os.environ.get("CN_SEED", "").split(",") if seed]
if os.environ.get("CN_FULL"):
    SEEDS = SEEDS or list(range(1, 31))

SIDES = {"diff_order": ["path", "mixed", "reverse"], "diff_page_limit": ["2", "1000"],
         "diff_replaced": ["delete-create", "modify"], "page_limit": ["2", "1000"],
         "rename_pair": ["together", "separate", "mixed", "reversed"],
         "parent_mtime": ["on", "off"], "id_size": ["short", "29"],
         "paging_end": ["empty", "null", "absent"]}


class Users:
    """Who write, move and delete below root, each time something else."""

    def __init__(self, root, rng):
        self.root, self.rng, self.made = root, rng, 0

    def all(self):
        files, directories = [], []
        for folder, names, found in os.walk(self.root):
            directories += [os.path.join(folder, name) for name in names]
            files += [os.path.join(folder, name) for name in found]
        return files, directories

    def fresh(self, directories):
        self.made += 1
        return os.path.join(self.rng.choice([*directories, str(self.root)]), f"n{self.made}")

    def act(self):
        rng = self.rng
        files, directories = self.all()
        what = rng.choice(["create"] * 3 + ["mkdir"] + ["write", "move", "move tree"] * 2
                          + ["remove", "remove tree", "replace", "chmod"])
        with contextlib.suppress(OSError, IndexError):  # into itself, or there is nothing yet
            if what == "create":
                with open(self.fresh(directories), "w") as file:
                    file.write("x" * rng.randrange(3))
            elif what == "mkdir":
                os.mkdir(self.fresh(directories))
            elif what == "write":
                with open(rng.choice(files), "a") as file:
                    file.write("y")
            elif what == "move":
                os.rename(rng.choice(files), self.fresh(directories))
            elif what == "move tree":
                os.rename(rng.choice(directories), self.fresh(directories))
            elif what == "remove":
                os.unlink(rng.choice(files))
            elif what == "remove tree":
                shutil.rmtree(rng.choice(directories))
            elif what == "replace":
                os.rename(rng.choice(files), rng.choice(files))
            else:
                os.chmod(rng.choice(files), rng.choice([0o600, 0o640, 0o644]))


class Told:
    """What is there as far as events tell it: path -> file id."""

    def __init__(self):
        self.there, self.twice = {}, []
        self.gone = {}     # id -> the path it moved from, and what was below
        self.arrived = {}  # id -> the path it moved to, of which the first half comes later

    def take_out(self, path):
        below = {p: i for p, i in self.there.items() if p == path or p.startswith(path + "/")}
        for p in below:
            del self.there[p]
        return below

    def put(self, old, new, below):
        for path, id in below.items():
            self.there[new + path[len(old):]] = id

    def hear(self, event):
        kind, path, id = event["type"].split("_", 2)[2], event["path"], event["file_id"]
        if kind in ("added", "moved_to") and self.there.get(path) == id:
            self.twice.append(event)
        if kind == "added":
            self.there[path] = id
        elif kind == "removed":
            known = [p for p, i in self.there.items() if i == id]  # its directory moved in a gap
            if known:
                del self.there[path if path in known else known[0]]
            elif event["origin"] == "repair" and path not in self.there:
                self.twice.append(event)
        elif kind == "moved_from" and id in self.arrived:
            new = self.arrived.pop(id)
            below = {p: i for p, i in self.take_out(path).items() if p != path}
            self.put(path, new, below)
        elif kind == "moved_from":
            # Of a directory that came in the gap what is in it may be known before it is itself.
            is_it = self.there.get(path, id) == id
            self.gone[id] = (path, self.take_out(path) if is_it else {})
        elif kind == "moved_to" and id in self.gone:
            old, below = self.gone.pop(id)
            self.there[path] = id
            self.put(old, path, below)
        elif kind == "moved_to":
            self.arrived[id] = path
            self.there[path] = id


@pytest.mark.parametrize("seed", SEEDS)
def test_what_is_told_over_gaps_is_what_is_there(make_simulator, make_scene, seed):  # noqa: F811
    rng = random.Random(seed)
    switches = {name: rng.choice(values) for name, values in SIDES.items()}
    simulator = make_simulator(switches={"keep_alive": "200ms", **switches})
    scene = make_scene(simulator, BASELINE_EVERY=rng.choice(["1s", "15m"]))
    users = Users(scene.root, rng)
    scene.wait_baseline()

    def act(most):
        for _ in range(rng.randrange(most)):
            users.act()

    for number in (1, 2):
        act(25)
        if rng.random() < .5:  # all of it is heard before the gap, or some is not
            write(scene.root / f"mark{number}")
            wait_until(lambda: ("child_file_added", f"/mark{number}") in scene.events(), "the mark")
        scene.monitor.wait_listening()
        if rng.random() < .6:
            scene.gap(lambda: act(40))
        else:
            scene.monitor.kill()
            act(40)
            scene.monitor.start()
        if rng.random() < .5:
            act(10)
        if rng.random() < .7:
            scene.wait_repaired(number)
    scene.wait_repaired(2)
    write(scene.root / "end")
    wait_until(lambda: ("child_mtime_changed", "/end") in scene.events(), "the end")
    scene.monitor.wait_idle()
    told, events = Told(), scene.monitor.tail()
    for event in events:
        told.hear(event)
    files, directories = users.all()
    there = {"/" + os.path.relpath(path, scene.root) for path in files + directories}
    story = "\n".join(f"{e['origin']} {e['type']} {e['path']} {e['file_id']}" for e in events)
    assert set(told.there) == there, f"{seed} {switches}\n{story}"
    assert not told.twice, f"{seed} {switches}\n{told.twice}\n{story}"
