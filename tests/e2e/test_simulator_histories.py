"""Random histories of cn_simulator's tree, with snapshots on the way: every snapshot must stay what
the tree was, and every difference what follows from two of them."""

import contextlib
import os
import random
import shutil

import pytest

from cluster import ref
from test_simulator import client  # noqa: F401 (a fixture)
from test_simulator_snapshots import diff, take

STEPS = 14
CHANGES = 12


class History:
    """What people and clients do, at random, the same for the same seed."""

    def __init__(self, simulator, client, seed):
        self.simulator, self.client, self.random = simulator, client, random.Random(seed)
        self.root = simulator.root
        self.made = 0

    def everything(self, directories):
        found = [self.root] if directories else []
        for folder, below, files in os.walk(self.root):
            found += [self.root.__class__(folder) / n for n in (below if directories else files)]
        return found

    def a_directory(self):
        return self.random.choice(self.everything(True))

    def something(self, directories=False):
        found = [p for p in self.everything(directories) if p != self.root]
        return self.random.choice(found) if found else self.make()

    def new_name(self):
        self.made += 1
        return self.random.choice(["n", "a-", "a", "ü", "z z", "%2F"]) + str(self.made)

    def make(self):
        path = self.a_directory() / self.new_name()
        path.write_text("x" * self.random.randrange(3))
        return path

    def make_directory(self):
        path = self.a_directory() / self.new_name() / "deep"
        path.mkdir(parents=True)
        (path / "f").touch()

    def make_link(self):
        os.symlink("nowhere", self.a_directory() / self.new_name())

    def link(self):
        source = self.something()
        if not source.is_symlink():
            os.link(source, self.a_directory() / self.new_name())

    def write(self):
        path = self.something()
        if not path.is_symlink():
            with open(path, "a") as file:
                file.write("y" * self.random.randrange(1, 4))

    def change_mode(self):
        path = self.something(self.random.random() < 0.5)
        if not path.is_symlink():
            path.chmod(0o700 + self.random.randrange(64))

    def remove(self):
        self.something().unlink()

    def remove_tree(self):
        shutil.rmtree(self.something(directories=True), ignore_errors=True)

    def move(self):
        source = self.something(self.random.random() < 0.5)
        target = self.a_directory() / self.new_name()
        with contextlib.suppress(OSError):  # into itself
            source.rename(target)

    def move_over(self):
        source, target = self.something(), self.something()
        with contextlib.suppress(OSError):
            source.rename(target)

    def save_safely(self):
        path = self.something()
        temporary = path.with_name(".tmp")
        temporary.write_text("saved")
        temporary.rename(path)

    def there_and_back(self):
        path = self.something(self.random.random() < 0.5)
        away = self.root / "away"
        path.rename(away)
        away.rename(path)

    def tag(self):
        path = "/" + str(self.something().relative_to(self.root))
        value = self.random.choice(["MQ==", "Mg=="])
        self.client.put(f"/v1/files/{ref(path)}/user-metadata/generic/k", {"value": value})

    def move_by_client(self):
        path = "/" + str(self.something(self.random.random() < 0.5).relative_to(self.root))
        self.client.post(f"/v1/files/{ref('/')}/entries/",
                         {"name": self.new_name(), "action": "RENAME", "old_path": path})

    def step(self):
        changes = [self.make, self.make, self.make, self.make_directory, self.make_directory,
                   self.make_link, self.link, self.write, self.write, self.change_mode, self.remove,
                   self.remove_tree, self.move, self.move, self.move_over, self.save_safely,
                   self.there_and_back, self.tag, self.move_by_client]
        for _ in range(CHANGES):
            self.random.choice(changes)()


def tree_of(client, snapshot=None):
    """{path: attributes} of all there is, or was; a directory's path ends with a slash."""
    then = f"&snapshot={snapshot['id']}" if snapshot else ""
    found, left = {}, ["/"]
    where = client.get(f"/v1/files/%2F/info/attributes?{then[1:]}")
    found["/"] = where.json
    while left:
        target = f"/v1/files/{ref(left.pop())}/entries/?limit=7{then}"
        while target:
            page = client.get(target)
            assert page.status == 200, page
            for file in page.json["files"]:
                found[file["path"]] = file
                if file["type"] == "FS_FILE_TYPE_DIRECTORY":
                    left.append(file["path"])
            target = page.json["paging"]["next"]
    for file in found.values():
        del file["access_time"]
    return found


def parent_of(path):
    return path.rstrip("/").rpartition("/")[0] + "/"


def expected_difference(older, newer):
    common = {"/"}
    for path in sorted(set(older) & set(newer)):  # parents first
        if path.endswith("/") and parent_of(path) in common and older[path]["id"] == newer[path]["id"]:
            common.add(path)
    found, touched = set(), set()
    for path in set(older) | set(newer):
        if path == "/" or parent_of(path) not in common:
            continue
        old, new = older.get(path), newer.get(path)
        if old and new and old["id"] == new["id"]:
            if old != new:
                found.add(("MODIFY", path))
            continue
        touched.add(parent_of(path))
        found |= {("DELETE", path)} if old else set()
        found |= {("CREATE", path)} if new else set()
    found |= {("MODIFY", path) for path in touched}
    if older["/"] != newer["/"]:
        found.add(("MODIFY", "/"))
    order = {"DELETE": 0, "CREATE": 1, "MODIFY": 2}
    return sorted(found, key=lambda entry: (entry[1].encode(), order[entry[0]]))


@pytest.mark.parametrize("seed", range(8))
def test_snapshots_and_differences_tell_the_truth(simulator, client, seed):  # noqa: F811
    history = History(simulator, client, seed)
    taken, dropped = [], set()
    for step in range(STEPS):
        history.step()
        if seed % 2 and step in (4, 9):  # half of a step while nobody watches
            assert simulator.stop() == 0
            client.close()
            for _ in range(4):
                history.make(), history.write(), history.move(), history.save_safely()
            simulator.start()
        simulator.control("POST", "/sim/rescan")  # the tree is known exactly
        snapshot = take(client)
        taken.append((snapshot, tree_of(client)))
        if step % 3 == 2:
            gone = history.random.choice([s["id"] for s, _ in taken if s["id"] not in dropped][:-1])
            assert client.delete(f"/v3/snapshots/{gone}").status == 202
            dropped.add(gone)
    kept = [(s, tree) for s, tree in taken if s["id"] not in dropped]
    for snapshot, tree in kept:
        assert tree_of(client, snapshot) == tree
    for i, (older, old_tree) in enumerate(kept):
        for newer, new_tree in kept[i:]:
            assert diff(client, newer, older) == expected_difference(old_tree, new_tree), \
                (older["id"], newer["id"])
    for snapshot, _ in kept:
        client.delete(f"/v3/snapshots/{snapshot['id']}")
    assert simulator.status()["snapshot_records"] == 0
