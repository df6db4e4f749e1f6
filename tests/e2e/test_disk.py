"""The store on a real small disk: full, read-only, damaged."""

import os
import re
import shutil
import signal
import stat
import subprocess
from pathlib import Path

import pytest

from monitor import wait_until

RULES = """\
version: 1
watched_items:
  - {name: lock-up, when: {event: created, directory: /in}, actions: [permissions: {mode: "0600"}]}
"""


@pytest.fixture
def disk(tmp_path):
    """A file system of 24 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", folder], capture_output=True, text=True)
    if done.returncode:
        pytest.skip("a small disk needs root, who may mount: " + done.stderr.strip())
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


@pytest.fixture
def monitor(simulator, make_monitor, disk):
    (simulator.root / "in").mkdir()
    made = make_monitor(simulator, RULES, {"STORE": {"URL": f"embedded:{disk}/store"}})
    made.socket = disk / "store/admin.sock"
    return made


def fill(disk):
    with open(disk / "fill", "wb") as file:
        try:
            while True:
                file.write(bytes(1 << 16))
                file.flush()
        except OSError:
            pass
    assert os.statvfs(disk).f_bavail == 0


def test_a_full_disk_loses_nothing_and_goes_on_when_there_is_room(monitor, simulator, disk):
    monitor.start()
    (simulator.root / "in/before").write_text("x")
    monitor.wait_for_jobs(1)
    fill(disk)
    for number in range(30):
        (simulator.root / f"in/{number}").write_text("x")
    monitor.wait_for_log("No space left on device")
    (disk / "fill").unlink()
    assert len(monitor.wait_for_jobs(31)) == 31
    monitor.wait_idle()
    assert "the store works again" in monitor.log() or "the store takes records again; reading on" in monitor.log()
    assert len(simulator.changes()) == 31 and monitor.jobs("dead") == []
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in (simulator.root / "in").iterdir())
    assert monitor.status()["store"]["gap_count"] == 0


def test_a_disk_that_is_full_at_the_end_is_no_gap_of_what_was_stored(monitor, simulator, disk):
    monitor.start()
    fill(disk)
    (simulator.root / "in/a").write_text("x")
    monitor.wait_for_log("No space left on device")
    monitor.kill()
    (disk / "fill").unlink()
    monitor.start()
    wait_until(lambda: monitor.status()["store"]["gap_count"] == 1, "the gap")  # what was not stored is said
    (simulator.root / "in/b").write_text("x")
    wait_until(lambda: stat.S_IMODE((simulator.root / "in/b").stat().st_mode) == 0o600, "it works")


ALARM = """\
alarms:
  - {on: store, after: 0s, actions: [webhook: {url: "%s/x"}]}
"""


def said(hooks):
    return [message["data"]["text"] for _, _, message in list(hooks.received)]


def test_that_nothing_can_be_stored_is_told_past_the_store_and_so_is_its_end(monitor, simulator, disk, hooks):
    monitor.write_rules(RULES + ALARM % hooks.url)
    monitor.start()
    fill(disk)
    (simulator.root / "in/a").write_text("x")
    wait_until(lambda: said(hooks), "the alarm")
    assert said(hooks)[0].startswith("trouble: nothing can be stored, so that the stream of watch main is not read: ")
    assert "No space left on device" in said(hooks)[0]
    done = monitor.run("status")
    assert done.returncode == 1 and "the stream is not read, since nothing can be stored: " in done.stdout
    status, text = monitor.fetch("/readyz")
    assert status == 503 and "No space left on device" in text
    (disk / "fill").unlink()
    monitor.wait_for_jobs(1)
    wait_until(lambda: len(said(hooks)) == 2, "the all-clear", 40)
    assert said(hooks)[1].startswith("over: nothing can be stored")
    assert monitor.run("status").returncode == 0
    assert [job["body"]["rule"] for job in monitor.jobs()] == ["lock-up"]  # the alarm is in no history


def test_an_alarm_past_the_store_is_tried_again_until_it_gets_through(monitor, simulator, disk, hooks):
    monitor.write_rules(RULES + ALARM % hooks.url)
    monitor.start()
    hooks.answers[:] = [503, 503]
    fill(disk)
    (simulator.root / "in/a").write_text("x")
    wait_until(lambda: hooks.received, "the third attempt")
    assert hooks.answers == []
    (disk / "fill").unlink()
    monitor.wait_for_jobs(1)


@pytest.fixture
def failing_disk(tmp_path):
    """A file system that turns read-only at once when its trigger is written to, as one whose device fails does."""
    image, folder = tmp_path / "image", tmp_path / "failing"
    folder.mkdir()
    with open(image, "wb") as file:
        file.truncate(48 << 20)
    done = subprocess.run(f"mkfs.ext4 -q {image} && mount -o loop,errors=remount-ro {image} {folder}", shell=True,
                          capture_output=True, text=True)
    if done.returncode:
        pytest.skip("a disk that fails needs root and a loop device: " + done.stderr.strip())
    device = subprocess.run(["findmnt", "-no", "SOURCE", folder], capture_output=True, text=True, check=True).stdout.strip()
    trigger = Path("/sys/fs/ext4") / Path(device).name / "trigger_fs_error"
    if not trigger.exists():
        subprocess.run(["umount", folder], check=True)
        pytest.skip("this kernel cannot be told to take a disk for failed")
    yield folder, image, trigger
    subprocess.run(["umount", "-l", folder])


def test_a_disk_that_turns_read_only_stops_the_reading_and_a_mended_one_goes_on(simulator, make_monitor, failing_disk, tmp_path):
    folder, image, trigger = failing_disk
    (simulator.root / "in").mkdir()
    monitor = make_monitor(simulator, RULES, {"STORE": {"URL": f"embedded:{folder}/store"}, "ADMIN": {"SOCKET": tmp_path / "admin.sock"},
                                              "WATCH": {"GAP_REPAIR": "scan"}})
    monitor.socket = tmp_path / "admin.sock"
    monitor.start()
    (simulator.root / "in/before").write_text("x")
    monitor.wait_for_jobs(1)
    trigger.write_text("for the test")
    for number in range(10):
        (simulator.root / f"in/{number}").write_text("x")
    monitor.wait_for_log("the store takes no more, so the stream is not read: ")
    assert "Read-only file system" in monitor.log()
    assert monitor.run("status").returncode == 1
    monitor.stop()
    subprocess.run(f"umount {folder} && (e2fsck -fy {image} || true) && mount -o loop {image} {folder}", shell=True, check=True,
                   capture_output=True)
    monitor.start()
    assert len(monitor.wait_for_jobs(11)) == 11  # the gap is told, and repaired
    assert "what was heard last could not be stored before the end; the next start records a gap" in monitor.log()
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in (simulator.root / "in").iterdir())


def shrink(monitor, disk, size):
    monitor.write_conf({"STORE": {"URL": f"embedded:{disk}/store", "MAX_SIZE": size}})
    return monitor.run("reload")


def test_a_limit_that_shrinks_below_what_is_stored_loses_nothing_and_grows_again(monitor, simulator, disk):
    monitor.start()
    for number in range(20):
        (simulator.root / f"in/{number}").write_text("x")
    assert len(monitor.wait_for_jobs(20)) == 20
    simulator.generate(60_000, per_message=100, path="elsewhere/{n}.txt")  # 8 MiB of log
    wait_until(lambda: monitor.status()["filter"]["events"] >= 60_000, "all of it to be judged")
    before = monitor.status()["store"]
    done = shrink(monitor, disk, "1 MiB")
    assert done.returncode == 0 and "[STORE] MAX_SIZE is 1048576 bytes now, it was 4294967296; what is stored stays" in done.stdout
    assert len(monitor.jobs()) == 20  # and so does the history
    for number in range(20, 40):
        (simulator.root / f"in/{number}").write_text("x")
    assert len(monitor.wait_for_jobs(40)) == 40
    after = monitor.status()["store"]
    assert after["gap_count"] == 0 and after["last_seq"] > before["last_seq"] and after["log_bytes"] < before["log_bytes"]
    done = shrink(monitor, disk, "8 MiB")
    assert "[STORE] MAX_SIZE is 8388608 bytes now, it was 1048576" in done.stdout
    monitor.write_conf({"STORE": {"URL": f"embedded:{disk}/store", "MAX_SIZE": "1 TiB", "RETENTION": "2h"}})
    done = monitor.run("reload")
    assert "[STORE] RETENTION is 7200 s now" in done.stdout  # one does not keep the other
    assert "[STORE] MAX_SIZE needs a restart: a store that was opened for less cannot grow to 1099511627776 bytes" in done.stdout


def test_a_reload_names_what_needs_a_restart_and_refuses_what_is_wrong(monitor, simulator, disk):
    monitor.start()
    sections = {"STORE": {"URL": f"embedded:{disk}/store", "RETENTION": "2h"}, "WATCH": {"SILENCE": "30s"}, "LOG": {"LEVEL": "info"}}
    monitor.write_conf(sections)
    done = monitor.run("reload")
    assert "[STORE] RETENTION is 7200 s now, it was 604800 s" in done.stdout and "[LOG] LEVEL is info now, it was debug" in done.stdout
    assert "not at work before a restart: [WATCH main] SILENCE" in done.stdout
    monitor.write_conf({**sections, "STORE": {"URL": f"embedded:{disk}/store", "MAX_SIZE": "12 potatoes"}})
    monitor.process.send_signal(signal.SIGHUP)
    monitor.wait_for_log("what was read has errors; the old rules stay at work")
    assert "potatoes" in monitor.log()
    (simulator.root / "in/still").write_text("x")
    assert len(monitor.wait_for_jobs(1)) == 1


def test_salvage_without_room_changes_nothing(monitor, simulator, disk):
    monitor.start()
    simulator.generate(60_000, per_message=100, path="elsewhere/{n}.txt")  # 8 MiB of log
    wait_until(lambda: monitor.status()["filter"]["events"] >= 60_000, "all of it to be judged")
    monitor.stop()
    fill(disk)
    os.truncate(disk / "fill", (disk / "fill").stat().st_size - (1 << 20))
    done = monitor.run("salvage")
    assert done.returncode == 1 and re.search("(No space left on device|the disk is full, or fails .*); nothing was changed", done.stderr), done.stderr
    (disk / "fill").unlink()
    assert not (disk / "store/salvaged").exists()
    monitor.start()
    (simulator.root / "in/a").write_text("x")
    monitor.wait_for_jobs(1)


def refused(monitor):
    done = monitor.run("run")
    assert done.returncode == 1, done.stderr
    return done.stderr


def test_a_read_only_disk_is_told(monitor, disk):
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    assert "cannot start: " in refused(monitor) and "Read-only file system" in refused(monitor)


@pytest.mark.parametrize("env", ["log", "state"])
@pytest.mark.parametrize("how, said", [
    (lambda file: os.truncate(file, 8192), "is damaged: .*/data.mdb has 8192 bytes and should have"),
    (lambda file: os.truncate(file, 0), "is damaged: .*/data.mdb is empty; restore it, or let cn_monitor salvage save the rest"),
    (lambda file: file.write_bytes(b"\xff" * 65536), "is damaged .*not an LMDB file")])
def test_a_damaged_store_is_told_and_left_as_it_is(monitor, simulator, disk, env, how, said):
    monitor.start()
    (simulator.root / "in/a").write_text("x")
    monitor.wait_for_jobs(1)
    monitor.stop()
    shutil.copytree(disk / "store", disk / "kept")
    file = Path(disk / "store" / env / "data.mdb")
    how(file)
    damaged = file.read_bytes()
    assert re.search(said, refused(monitor)), refused(monitor)
    assert file.read_bytes() == damaged
    shutil.rmtree(disk / "store")
    (disk / "kept").rename(disk / "store")  # restored, it goes on where it was
    monitor.start()
    assert len(monitor.jobs()) == 1
