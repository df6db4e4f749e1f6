"""The copy module: pieces, places, permissions, what is left when it does not come to its end."""

import json
import os
import stat

import pytest

from monitor import wait_until

RULES = """version: 1
watched_items:
  - name: the-rule
    when: {{event: created, directory: /in}}
    actions:
      - {action}
      - log: {{file: {log}, text: "{{copy.to}} {{copy.bytes}}"}}
  - name: all
    when: {{event: any}}
    actions: [{{log: {{file: {all}}}}}]
"""


@pytest.fixture
def inbox(simulator):
    folder = simulator.root / "in"
    folder.mkdir()
    return folder


@pytest.fixture
def run(simulator, make_monitor, inbox, tmp_path):
    """run(action): a started monitor with that rule, and one that sees everything."""
    def start(action, sections=None):
        monitor = make_monitor(simulator, RULES.format(action=action, log=tmp_path / "done.jsonl",
                                                       all=tmp_path / "all.jsonl"), sections)
        return monitor.start()
    return start


@pytest.fixture
def triggered(tmp_path):
    """The paths that the rule for everything saw."""
    def read():
        file = tmp_path / "all.jsonl"
        return [json.loads(line)["path"] for line in file.open()] if file.exists() else []
    return read


def put(folder, name, data, mode=0o640):
    """In one event, with its bytes."""
    outside = folder.parent.parent / f"outside-{name}"
    outside.write_bytes(data)
    outside.chmod(mode)
    outside.rename(folder / name)


def done(monitor):
    return [job for job in monitor.jobs("done") if job["body"]["rule"] == "the-rule"]


def wait_done(monitor, count=1):
    wait_until(lambda: len(done(monitor)) == count, f"{count} copies: {monitor.log()[-3000:]}")
    return done(monitor)


def left_overs(simulator):
    return [p for p in simulator.root.rglob(".cn_copy_*")]


def pieces(simulator):
    return len([c for c in simulator.changes() if "copy-chunk" in c["route"]])


def test_a_copy_is_made_in_pieces_and_triggers_nothing(simulator, run, inbox, triggered, tmp_path):
    simulator.switch(copy_piece=1000)
    monitor = run('copy: "/backup{path}"')
    data = os.urandom(10_500)
    put(inbox, "a.bin", data)
    wait_done(monitor)
    monitor.wait_idle()
    copy = simulator.root / "backup/in/a.bin"
    assert copy.read_bytes() == data and (inbox / "a.bin").read_bytes() == data
    assert stat.S_IMODE(copy.stat().st_mode) == 0o640
    assert pieces(simulator) == 11
    assert set(triggered()) == {"/in/a.bin"}
    assert "/backup/in/a.bin 10500" in (tmp_path / "done.jsonl").read_text()
    assert left_overs(simulator) == []


def test_an_empty_file_and_names_that_nobody_expects(simulator, run, inbox):
    monitor = run('copy: {to: "{dir}/../in/Ü {name}"}')
    (inbox / "x.txt").write_text("")
    wait_until(lambda: monitor.jobs("dead"), "a dead letter")
    assert "'..' is no name for a file" in monitor.jobs("dead")[0]["outcome"]
    monitor.stop()
    monitor = run('copy: "/out/Ü {name}"')
    (inbox / "y ä.txt").write_text("")
    wait_done(monitor)
    assert (simulator.root / "out/Ü y ä.txt").read_bytes() == b""


@pytest.mark.parametrize("collision, state, names", [
    ("fail", "dead", {"a.bin": b"old"}),
    ("suffix", "done", {"a.bin": b"old", "a (2).bin": b"new"}),
    ("replace", "done", {"a.bin": b"new"})])
def test_a_name_that_is_taken(simulator, run, inbox, triggered, collision, state, names):
    (simulator.root / "out").mkdir()
    (simulator.root / "out/a.bin").write_bytes(b"old")
    monitor = run(f"copy: {{to: /out/, collision: {collision}}}")
    put(inbox, "a.bin", b"new")
    if state == "done":
        wait_done(monitor)
    else:
        wait_until(lambda: monitor.jobs("dead"), "a dead letter")
        assert "/out/a.bin exists, and collision is fail" in monitor.jobs("dead")[0]["outcome"]
    monitor.wait_idle()
    assert {f.name: f.read_bytes() for f in (simulator.root / "out").iterdir()} == names
    assert set(triggered()) == {"/in/a.bin"}


def test_directories_are_refused(simulator, make_monitor, inbox):
    monitor = make_monitor(simulator, """version: 1
watched_items:
  - {name: r, when: {event: child_dir_added, directory: /in}, actions: [{copy: "/out/"}]}
""").start()
    (inbox / "folder").mkdir()
    wait_until(lambda: monitor.jobs("dead"), "a dead letter")
    assert "/in/folder is not an ordinary file, and only such are copied" in \
        monitor.jobs("dead")[0]["outcome"]


@pytest.mark.parametrize("lost", ["copy-chunk", "entries/", "info/attributes"])
def test_a_lost_answer_copies_once(simulator, run, inbox, triggered, lost):
    simulator.switch(copy_piece=1000)
    monitor = run('copy: "/backup{path}"', {"ACT": {"BACK_OFF": "50ms"}})
    (simulator.root / "backup/in").mkdir(parents=True)
    simulator.fault(path=f"/v1/files/{{}}/{lost}", answer="lost", count=3,
                    method="PATCH" if "attributes" in lost else "POST")
    data = os.urandom(3500)
    put(inbox, "a.bin", data)
    wait_done(monitor)
    monitor.wait_idle()
    assert [p.name for p in (simulator.root / "backup/in").iterdir()] == ["a.bin"]
    assert (simulator.root / "backup/in/a.bin").read_bytes() == data
    assert {p for p in triggered() if p.startswith("/backup/in/")} == set()


def test_after_a_kill_it_goes_on_where_it_was(simulator, run, inbox, triggered):
    simulator.switch(copy_piece=500)
    monitor = run('copy: "/backup{path}"')
    simulator.fault(path="/v1/files/{}/copy-chunk", delay_ms=100, count=-1)
    data = os.urandom(20_000)
    put(inbox, "a.bin", data)
    wait_until(lambda: pieces(simulator) > 10,
               "some pieces")
    monitor.kill()
    simulator.no_faults()
    before = pieces(simulator)
    assert len(left_overs(simulator)) == 1
    assert stat.S_IMODE(left_overs(simulator)[0].stat().st_mode) == 0o600
    monitor.start()
    wait_done(monitor)
    monitor.wait_idle()
    assert (simulator.root / "backup/in/a.bin").read_bytes() == data
    assert left_overs(simulator) == []
    assert before < pieces(simulator) <= 42, "it began anew"
    assert set(p for p in triggered() if ".cn_copy" in p or "/backup" in p) == set()


@pytest.mark.parametrize("what", ["gone", "changed", "moved"])
def test_a_source_that_does_not_stay(simulator, run, inbox, what):
    simulator.switch(copy_piece=500)
    monitor = run('copy: "/backup{path}"', {"ACT": {"BACK_OFF": "50ms"}})
    simulator.fault(path="/v1/files/{}/copy-chunk", delay_ms=50, count=-1)
    put(inbox, "a.bin", b"1" * 10_000)
    wait_until(lambda: left_overs(simulator) and left_overs(simulator)[0].stat().st_size > 1000,
               "the copy to grow")
    if what == "gone":
        (inbox / "a.bin").unlink()
    elif what == "changed":
        (inbox / "a.bin").write_bytes(b"2" * 9_000)
    else:
        (inbox / "a.bin").rename(simulator.root / "a.bin")
    simulator.no_faults()
    wait_done(monitor)
    monitor.wait_idle()
    copy = simulator.root / "backup/in/a.bin"
    assert left_overs(simulator) == []
    if what == "changed":
        assert copy.read_bytes() == b"2" * 9_000
    else: # where it is now, the rule does not want it
        assert not copy.exists()
        assert done(monitor)[0]["body"]["log"][-1]["outcome"] == what


def test_undo_removes_the_copy_unless_somebody_used_it(simulator, run, inbox):
    monitor = run('copy: "/backup{path}"')
    put(inbox, "a.bin", b"a")
    put(inbox, "b.bin", b"b")
    ids = {job["body"]["event"]["path"]: job["id"] for job in wait_done(monitor, 2)}
    monitor.wait_idle()
    shown = monitor.run("undo", str(ids["/in/a.bin"]), "--dry-run").stdout
    assert "would delete the copy /backup/in/a.bin" in shown
    assert monitor.run("undo", str(ids["/in/a.bin"])).returncode == 0
    assert not (simulator.root / "backup/in/a.bin").exists()
    (simulator.root / "backup/in/b.bin").write_bytes(b"mine")
    result = monitor.run("undo", str(ids["/in/b.bin"]))
    assert result.returncode != 0 and "/backup/in/b.bin was changed at" in \
        result.stdout + result.stderr
    assert (simulator.root / "backup/in/b.bin").read_bytes() == b"mine"
