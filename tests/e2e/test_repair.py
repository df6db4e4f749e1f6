"""Gaps: what happened while nobody listened is found afterwards, judged once, and what cannot be
known is said. The monitor is cut off by the cluster (overflow, reboot) or killed; what changed is
compared with what its log has then."""

import os
import shutil
import signal
import time

import pytest

from cluster import ref
from monitor import wait_until

FULL = bool(os.environ.get("CN_FULL"))

RULES = """\
version: 1
watched_items:
  - name: new
    when: {event: [created, renamed, moved_in, moved_out, removed, written, permissions]}
    actions:
      - log: {}
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
                      if "type" in event and origin in (None, event["origin"]))

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


OTHER_SIDES = {"diff_order": "mixed", "diff_page_limit": "3", "diff_replaced": "modify",
               "id_size": "29", "paging_end": "absent", "spine": "root", "page_limit": "2",
               "no_expiration": "empty", "snapshot_filter": "needed", "rename_pair": "reversed"}


@pytest.mark.parametrize("switches", [pytest.param({}, id="usual"),
                                      pytest.param(OTHER_SIDES, id="other sides")])
def test_each_net_change_of_a_gap_is_judged_once(make_simulator, make_scene, switches):
    simulator = make_simulator(switches={"keep_alive": "200ms", **switches})
    scene = make_scene(simulator, start=False)
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
        + [("child_file_removed", p) for p in ("/goes", "/old/deep/x", "/old/y", "/wood/goes")]
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


def own_snapshots(simulator):
    entries = simulator.client().get("/v3/snapshots/?filter=all").json["entries"]
    return [s for s in entries if "_cn_monitor_" in s["name"]]


def test_after_a_kill_the_gap_is_repaired_and_nothing_is_left_over(make_scene):
    scene = make_scene()
    write(scene.root / "early")
    first = scene.wait_baseline()
    wait_until(lambda: ("child_data_written", "/early") in scene.events(), "the event")
    scene.monitor.kill()
    write(scene.root / "meanwhile")
    (scene.root / "early").unlink()
    # What a monitor left behind that died between taking one and writing that down.
    suffix = own_snapshots(scene.simulator)[0]["name"].split("_", 1)[1]
    client = scene.simulator.client()
    client.post("/v3/snapshots/", {"name_suffix": suffix})
    client.post("/v3/snapshots/", {"name_suffix": "cn_monitor_of_somebody_else"})
    scene.monitor.start()
    gap = scene.wait_repaired()
    assert "cn_monitor was not running" in gap["reason"]
    assert scene.events("repair") == [("child_data_written", "/meanwhile"),
                                      ("child_file_added", "/meanwhile"),
                                      ("child_file_removed", "/early"),
                                      ("child_size_changed", "/meanwhile")]
    baseline = scene.wait_baseline(other_than=first)
    wait_until(lambda: sorted(s["id"] for s in own_snapshots(scene.simulator)
                              if s["name"].endswith(suffix)) == [baseline],
               f"one snapshot in {own_snapshots(scene.simulator)}")
    assert any(s["name"].endswith("of_somebody_else") for s in own_snapshots(scene.simulator))
    assert all(s["expiration"] for s in own_snapshots(scene.simulator) if suffix in s["name"])


LIMITED = ["PRIVILEGE_FILE_FULL_ACCESS", "PRIVILEGE_FILE_FULL_ACCESS,PRIVILEGE_SNAPSHOT_READ,"
           "PRIVILEGE_SNAPSHOT_WRITE"]
SCANNED = [("child_data_written", "/new"), ("child_data_written", "/written"),
           ("child_file_added", "/new"), ("child_mtime_changed", "/written"),
           ("child_size_changed", "/new")]


def change_and_hide(scene):
    write(scene.root / "new")
    write(scene.root / "written", "longer")
    (scene.root / "goes").unlink()


@pytest.mark.parametrize("rights", LIMITED, ids=["no snapshots", "no difference"])
def test_without_rights_to_snapshots_times_are_compared_and_it_is_said(make_simulator, make_scene,
                                                                      rights):
    token = "access-v1:bGltaXRlZA"
    simulator = make_simulator(
        switches={"keep_alive": "200ms", "missing_privilege": "401" if "WRITE" in rights else "403"},
        options=["--user", f"limited:limited:{rights}", "--token", f"limited@{token}"])
    scene = make_scene(simulator, start=False)
    for name in ("written", "goes", "sub/stays"):
        write(scene.root / name)
    for path in ("/written", "/goes", "/sub", "/sub/stays"):     # long before the gap
        old = {f"{kind}_time": "2024-05-01T08:09:10Z" for kind in ("creation", "change")}
        assert simulator.client().patch(f"/v1/files/{ref(path)}/info/attributes", old).status == 200
    scene.monitor.write_token(token)
    scene.monitor.start()
    if "WRITE" in rights:
        scene.wait_baseline()
    else:
        scene.monitor.wait_for_log("no snapshot can be taken, so gaps are repaired by scan")
        wait_until(lambda: "PRIVILEGE_SNAPSHOT_WRITE" in scene.repair()["why"], "the reason")
        assert "gaps will be repaired by scan, which does not see removals: the user has no " \
            "PRIVILEGE_SNAPSHOT_READ" in scene.monitor.run("doctor").stdout
    scene.gap(lambda: change_and_hide(scene))
    gap = scene.wait_repaired()["repair"]
    assert gap["method"] == "scan" and gap["why"]
    assert any("removed" in text for text in gap["unknown"])
    assert scene.events("repair") == SCANNED
    assert "repaired by scan" in scene.monitor.run("status").stdout


@pytest.mark.parametrize("trouble", [pytest.param("limit"),
                                     pytest.param("deleted"), "snapshot only"])
def test_where_no_difference_can_be_had_it_is_said(make_scene, trouble):
    scene = make_scene(start=False, **({"GAP_REPAIR": "snapshot"} if "only" in trouble else {}))
    write(scene.root / "stays")
    scene.monitor.start()
    baseline = scene.wait_baseline()
    if trouble == "limit":
        scene.simulator.switch(snapshot_limit="1")
    else:
        scene.simulator.client().delete(f"/v3/snapshots/{baseline}")
    scene.gap(lambda: write(scene.root / "new"))
    gap = scene.wait_repaired(state="unrepaired" if "only" in trouble else "repaired")["repair"]
    why = "no snapshot can be taken" if trouble == "limit" else "has expired or was deleted"
    assert why in gap["why"]
    if "only" in trouble:
        assert gap["unknown"] == ["whatever happened in this time"]
        assert "cannot be repaired" in scene.monitor.log()
    else:
        assert gap["method"] == "scan"
        assert ("child_file_added", "/new") in scene.events("repair")


def delayed_files(scene, count):
    """count new files in a gap, of which a repair is told the first thirty only."""
    def change():
        path = "/v1/files/{}/info/attributes"
        scene.simulator.fault(path=path, delay_ms=1, count=31)
        scene.simulator.fault(path=path, delay_ms=60000, count=-1)
        for i in range(count):
            write(scene.root / f"f{i:02}", "")
    return change


def test_a_repair_that_is_killed_goes_on_and_tells_nothing_twice(make_simulator, make_scene):
    simulator = make_simulator(switches={"keep_alive": "200ms", "diff_page_limit": "10"})
    scene = make_scene(simulator, start=False, REPAIR_REQUESTS="2")
    scene.monitor.start()
    scene.wait_baseline()

    scene.gap(delayed_files(scene, 60))
    wait_until(lambda: scene.repair().get("under_way", {}).get("differences", 0) >= 20,
               f"some differences; {scene.monitor.log()[-2000:]}")
    scene.monitor.kill()
    write(scene.root / "later", "")            # a second gap, while the first is being repaired
    scene.monitor.start()
    wait_until(lambda: "was interrupted and goes on" in scene.monitor.log(), "it to go on")
    simulator.no_faults()
    scene.wait_repaired(2)
    first, second = scene.gaps()
    assert first["repair"]["interruptions"] == 1
    assert scene.events("repair") == [("child_file_added", f"/f{i:02}") for i in range(60)] \
        + [("child_file_added", "/later")]
    assert second["repair"]["snapshots"][0] == first["repair"]["snapshots"][1]


def test_what_came_before_a_gap_and_went_in_it_is_told(make_scene):
    scene = make_scene()
    scene.wait_baseline()
    for name in ("goes", "moves", "stays", "in/goes", "dir/sub/carried"):
        write(scene.root / name, "")
    wait_until(lambda: ("child_file_added", "/dir/sub/carried") in scene.events(), "the events")

    def change():
        (scene.root / "goes").unlink()
        (scene.root / "moves").rename(scene.root / "moved")
        (scene.root / "dir").rename(scene.root / "directory")
        shutil.rmtree(scene.root / "in")

    scene.gap(change)
    scene.wait_repaired()
    assert scene.events("repair") == [
        ("child_dir_moved_from", "/dir"), ("child_dir_moved_to", "/directory"),
        ("child_dir_removed", "/in"), ("child_file_moved_from", "/moves"),
        ("child_file_moved_to", "/moved"), ("child_file_removed", "/goes"),
        ("child_file_removed", "/in/goes")]


TIDY = """\
version: 1
watched_items:
  - name: tidy
    when: {event: created, extension: .upload}
    actions:
      - rename: {to: "{stem}.ready"}
  - name: ready
    when: {event: any, extension: .ready}
    actions:
      - log: {}
"""


def test_what_we_did_ourselves_in_a_gap_is_an_echo(make_simulator, make_monitor, make_scene):
    simulator = make_simulator(switches={"keep_alive": "200ms"})
    monitor = make_monitor(simulator, TIDY, sections={
        "WATCH": {"GAP_REPAIR": "snapshot", "SILENCE": "1s"},
        "ACT": {"ECHO_EXPIRY": "100ms", "BACK_OFF": "3s", "BACK_OFF_MAX": "3s"}})
    scene = make_scene(simulator, monitor=monitor)
    scene.wait_baseline()
    simulator.fault(method="POST", path="/v1/files/{}/entries/", status=503, count=1)
    simulator.fault(path="/v1/files/{}/notify", status=503, count=-1)
    write(scene.root / "a.upload")
    wait_until(lambda: monitor.status()["act"]["retried"] == 1, "the first attempt to fail")
    simulator.streams("stall")                       # nothing is heard, but requests are answered
    wait_until(lambda: (scene.root / "a.ready").exists(), "the action")
    write(scene.root / "b.ready")                    # somebody else's, in the same gap
    simulator.no_faults()
    scene.wait_repaired()
    labels = {(e["type"], e["path"]): e.get("label", {}) for e in monitor.tail()
              if e["origin"] == "repair"}
    assert "echo_of" in labels["child_file_moved_to", "/a.ready"], labels
    assert {path for _, path in labels} == {"/a.upload", "/a.ready", "/b.ready"}
    monitor.wait_idle()
    ready = [job["body"] for job in monitor.jobs() if job["body"]["rule"] == "ready"]
    assert {body["event"]["path"] for body in ready} == {"/b.ready"}


def test_a_standby_on_another_host_goes_on_with_a_repair(make_simulator, make_scene, redis,
                                                         make_crew):
    simulator = make_simulator(switches={"keep_alive": "200ms", "diff_page_limit": "10"})
    crew = make_crew(simulator, redis, RULES, sections={
        "WATCH": {"GAP_REPAIR": "snapshot", "REPAIR_REQUESTS": "2"}})
    scene = make_scene(simulator, start=False, monitor=crew)
    first = crew.start("watch").wait_state("active")
    second = crew.start("watch").wait_state("standby")
    crew.start("filter")
    crew.start("act")
    crew.wait_at_work()
    scene.wait_baseline()
    scene.gap(delayed_files(scene, 60))
    wait_until(lambda: scene.repair().get("under_way", {}).get("differences", 0) >= 20,
               f"some differences; {crew.log()[-2000:]}", patience_s=60)
    first.kill()
    second.wait_state("active", patience_s=60)
    wait_until(lambda: "was interrupted and goes on" in second.log(), "it to go on")
    simulator.no_faults()
    scene.wait_repaired(2)
    assert scene.events("repair") == [("child_file_added", f"/f{i:02}") for i in range(60)]
    assert scene.gaps()[0]["repair"]["interruptions"] == 1


def test_repairs_and_scans_wait_for_the_filter(make_simulator, make_scene, redis, make_crew):
    """What they find never fills the log."""
    simulator = make_simulator(switches={"keep_alive": "200ms"})
    crew = make_crew(simulator, redis, RULES, sections={"WATCH": {"GAP_REPAIR": "scan"}})
    scene = make_scene(simulator, start=False, monitor=crew)
    crew.start("watch").wait_listening()
    simulator.generate(2500, per_message=1, path="live{n}", types=["child_file_added"])
    wait_until(lambda: crew.status()["store"]["last_seq"] >= 2500, "the records", patience_s=60)
    scene.gap(lambda: write(scene.root / "new"))
    wait_until(lambda: scene.repair()["why"] == "it waits until the filter has caught up",
               f"it to wait: {crew.log()[-2000:]}")
    assert scene.repair()["state"] == "repairing"
    assert scene.repair()["under_way"]["differences"] == 0
    crew.start("filter").wait_state("active")
    crew.start("act").wait_state("active")
    scene.wait_repaired()
    assert ("child_file_added", "/new") in scene.events("repair")


def test_many_files_are_found_in_time(make_simulator, make_scene):
    """A hundred thousand with CN_FULL=1, a tenth of them in the ordinary run."""
    half = 50_000 if FULL else 5_000
    simulator = make_simulator(switches={"keep_alive": "200ms"})
    scene = make_scene(simulator, start=False)
    scene.monitor.write_rules("version: 1\nwatched_items: []\n")
    for i in range(half):
        path = scene.root / f"old/{i % 100}/{i}"
        if i < 100:
            path.parent.mkdir(parents=True)
        path.touch()
    scene.monitor.start()
    scene.wait_baseline()

    def change():
        for i in range(half):
            path = scene.root / f"new/{i % 100}/{i}"
            if i < 100:
                path.parent.mkdir(parents=True)
            path.touch()
        shutil.rmtree(scene.root / "old")

    scene.gap(change)
    began = time.monotonic()
    wait_until(lambda: scene.gaps()[0]["repair"]["state"] == "repaired", "the repair", 300, 1)
    repair = scene.gaps()[0]["repair"]
    print(f"{time.monotonic() - began:.1f} s, {repair['requests']} requests")
    assert repair["differences"] == 2 * half + 2 * 101
    assert repair["requests"] < half + 2 * 101 + 500


@pytest.mark.parametrize("recursive", ["yes", "no"])
def test_of_a_watch_below_the_root_only_that_is_told_which_is_in_it(make_scene, recursive):
    scene = make_scene(start=False, PATH="/home", RECURSIVE=recursive)
    for name in ("home/out", "home/sub/deep", "home/dirout/x", "else/in", "else/dirin/y", "else/x"):
        write(scene.root / name, "")
    scene.monitor.start()
    scene.wait_baseline()

    def change():
        (scene.root / "home/out").rename(scene.root / "else/out")
        (scene.root / "home/dirout").rename(scene.root / "else/dirout")
        (scene.root / "else/in").rename(scene.root / "home/in")
        (scene.root / "else/dirin").rename(scene.root / "home/dirin")
        write(scene.root / "home/sub/new", "")
        write(scene.root / "home/made/new", "")
        (scene.root / "home/sub/deep").unlink()
        (scene.root / "else/x").unlink()

    scene.gap(change)
    scene.wait_repaired()
    deep = [("child_file_added", "/home/made/new"), ("child_file_added", "/home/sub/new"),
            ("child_file_removed", "/home/sub/deep")] if recursive == "yes" else []
    assert scene.events("repair") == sorted(deep + [
        ("child_dir_added", "/home/made"),
        ("child_dir_moved_from", "/home/dirout"), ("child_dir_moved_to", "/home/dirin"),
        ("child_file_moved_from", "/home/out"), ("child_file_moved_to", "/home/in")])


@pytest.mark.parametrize("how", ["close", "error", "end", "next-500", "silence", "garbage"])
def test_however_the_stream_ends_what_followed_is_found(make_simulator, make_scene, how):
    overflow = how if how in ("close", "error", "end", "next-500") else "close"
    simulator = make_simulator(switches={"keep_alive": "200ms", "overflow": overflow})
    scene = make_scene(simulator, SILENCE="2s")
    scene.wait_baseline()
    scene.simulator.streams({"silence": "stall", "garbage": "garbage"}.get(how, "overflow"))
    write(scene.root / "new", "")
    scene.wait_repaired()
    assert [e for e in scene.events() if e[1] == "/new"] == [("child_file_added", "/new")]


def test_what_is_inside_of_a_directory_that_is_moved_in_is_judged(make_scene):
    scene = make_scene(start=False, PATH="/home")
    for name in ("home/here", "else/dir/a", "else/dir/sub/b"):
        write(scene.root / name)
    scene.monitor.start()
    scene.wait_baseline()
    (scene.root / "else/dir").rename(scene.root / "home/dir")
    write(scene.root / "home/dir/live", "")          # told by the stream
    wait_until(lambda: ("child_file_added", "/home/dir/sub/b") in scene.events("expanded"),
               f"what is inside; {scene.monitor.log()[-2000:]}")
    scene.monitor.wait_for_log("/home/dir was moved in: 3 of what is inside told")
    assert scene.events("expanded") == [
        ("child_data_written", "/home/dir/a"), ("child_data_written", "/home/dir/sub/b"),
        ("child_dir_added", "/home/dir/sub"), ("child_file_added", "/home/dir/a"),
        ("child_file_added", "/home/dir/sub/b"), ("child_size_changed", "/home/dir/a"),
        ("child_size_changed", "/home/dir/sub/b")]
    assert [e for e in scene.events() if e[1] == "/home/dir/live"] == [
        ("child_file_added", "/home/dir/live")]
    scene.monitor.kill()
    scene.monitor.start()
    scene.wait_repaired()
    assert len(scene.events("expanded")) == 7 and scene.events("repair") == [], scene.events("repair")


def test_a_directory_that_is_moved_in_and_on_is_looked_through_where_it_is(make_scene):
    scene = make_scene(start=False, PATH="/home")
    for name in ("home/here", "else/dir/a"):
        write(scene.root / name, "")
    scene.monitor.start()
    scene.wait_baseline()
    scene.monitor.process.send_signal(signal.SIGSTOP)
    (scene.root / "else/dir").rename(scene.root / "home/one")
    (scene.root / "home/one").rename(scene.root / "home/two")
    scene.monitor.process.send_signal(signal.SIGCONT)
    wait_until(lambda: scene.events("expanded"), f"what is inside; {scene.monitor.log()[-2000:]}")
    assert scene.events("expanded") == [("child_file_added", "/home/two/a")]
    moves = [(e["path"], e.get("label", {}).get("old_path")) for e in scene.monitor.tail()
             if e["type"] == "child_dir_moved_to"]
    assert sorted(moves) == [("/home/one", None), ("/home/two", "/home/one")]
