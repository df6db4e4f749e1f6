"""Gaps: what happened while nobody listened is found afterwards, judged once, and what cannot be
known is said. The monitor is cut off by the cluster (overflow, reboot) or killed; what changed is
compared with what its log has then."""

import os
import shutil
import time

import pytest

from cluster import ADMIN_TOKEN, NOBODY_TOKEN
from monitor import wait_until

RULES = """\
version: 1
watched_items:
  - name: new
    when: {event: [created, renamed, moved_in, moved_out, removed, written, permissions]}
    actions:
      - log: {file: matches.jsonl}
"""


class Scene:
    """A cluster, a monitor with a baseline, and what it has judged since."""

    def __init__(self, simulator, monitor):
        self.simulator, self.monitor = simulator, monitor
        self.root = simulator.root

    def repair(self):
        return self.monitor.status()["watches"][0]["repair"]

    def wait_baseline(self, other_than=None):
        """Until there is a snapshot to begin from; answers its number."""
        def there():
            baseline = self.repair().get("baseline")
            return baseline and baseline["snapshot"] != other_than and baseline["snapshot"]
        return wait_until(there, f"a baseline in:\n{self.monitor.log()[-3000:]}", pause_s=0.05)

    def gaps(self):
        return sorted(self.monitor.status()["store"]["gaps"], key=lambda gap: gap["id"])

    def wait_repaired(self, count=1, state="repaired"):
        """Until so many gaps are closed that way and all is judged; answers the last gap."""
        def repaired():
            gaps = self.gaps() if self.monitor.status() else []
            closed = [gap for gap in gaps if gap["repair"]["state"] == state]
            return closed[-1] if len(closed) >= count else None
        gap = wait_until(repaired, f"{count} {state} gaps in:\n{self.monitor.log()[-4000:]}",
                         pause_s=0.1)
        self.monitor.wait_idle()
        return gap

    def events(self, origin=None):
        """[(type, path)] of what was judged, sorted."""
        return sorted((event["type"], event["path"]) for event in self.monitor.tail()
                      if origin is None or event["origin"] == origin)

    def gap(self, change):
        """change() happens while the stream is down: the node reboots."""
        self.simulator.reboot(60)
        wait_until(lambda: self.monitor.status()["watches"][0]["state"] != "listening", "the gap")
        change()
        self.simulator.up()


@pytest.fixture
def make_scene(make_simulator, make_monitor):
    def make(simulator=None, start=True, monitor=None, **watch):
        simulator = simulator or make_simulator(switches={"keep_alive": "200ms"})
        monitor = monitor or make_monitor(
            simulator, RULES, sections={"WATCH": {"GAP_REPAIR": "auto", **watch}})
        scene = Scene(simulator, monitor)
        if start:
            monitor.start()
        return scene
    return make


def write(path, text="x"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_each_net_change_of_a_gap_is_judged_once(make_scene):
    scene = make_scene(start=False)
    root = scene.root
    for name in ("stays", "written", "goes", "renamed", "moved/inner", "mode", "old/deep/x", "old/y",
                 "tree/kept", "tree/written", "tree/goes", "tree/sub/deep"):
        write(root / name)
    scene.monitor.start()
    scene.wait_baseline()
    write(root / "live")                      # told by the stream, and in the difference, too
    wait_until(lambda: ("child_data_written", "/live") in scene.events("live"), "the live event")
    scene.monitor.wait_idle()
    before = scene.events()

    def change():
        write(root / "new")
        write(root / "empty", "")
        write(root / "made/a/b")
        write(root / "written", "longer")
        (root / "goes").unlink()
        (root / "renamed").rename(root / "called")
        (root / "moved/inner").rename(root / "made/inner")
        (root / "mode").chmod(0o600)
        shutil.rmtree(root / "old")
        write(root / "tree/written", "longer")
        (root / "tree/goes").unlink()
        write(root / "tree/sub/new")
        (root / "tree").rename(root / "wood")
        write(root / "brief")
        (root / "brief").unlink()

    scene.gap(change)
    gap = scene.wait_repaired()
    found = scene.events("repair")
    written = [("child_data_written", "child_size_changed")]
    expected = sorted(
        [("child_file_added", p) for p in ("/new", "/empty", "/made/a/b", "/wood/sub/new")]
        + [("child_dir_added", p) for p in ("/made", "/made/a")]
        + [(t, p) for t in written[0] for p in ("/new", "/made/a/b", "/written", "/wood/written",
                                               "/wood/sub/new")]
        + [("child_mtime_changed", p) for p in ("/written", "/wood/written")]
        + [("child_file_removed", p) for p in ("/goes", "/old/deep/x", "/old/y", "/tree/goes")]
        + [("child_dir_removed", p) for p in ("/old", "/old/deep")]
        + [("child_file_moved_from", p) for p in ("/renamed", "/moved/inner")]
        + [("child_file_moved_to", p) for p in ("/called", "/made/inner")]
        + [("child_dir_moved_from", "/tree"), ("child_dir_moved_to", "/wood")]
        + [("child_acl_changed", "/mode")])
    assert found == expected, (sorted(set(found) - set(expected)), sorted(set(expected) - set(found)))
    assert sorted(scene.events("live")) == sorted(before)
    assert gap["repair"]["method"] == "snapshot" and gap["repair"]["told_by_stream"] >= 1
    assert any("created and removed again" in text for text in gap["repair"]["unknown"])
    renamed = [e for e in scene.monitor.tail() if e["path"] == "/called"]
    assert renamed[0]["label"]["old_path"] == "/renamed", renamed
