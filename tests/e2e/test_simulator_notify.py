"""cn_simulator's notify stream: framing, what is told, switches, load, and what goes wrong."""

import http.client
import json
import os
import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from cluster import ADMIN_TOKEN, NOBODY_TOKEN, READER_TOKEN, ref
from monitor import wait_until
from test_simulator import attributes, client, make  # noqa: F401 (client is a fixture)


def wait_for_path(stream, path, type=None):
    return stream.wait_for(lambda e: e["path"] == path and type in (None, e["type"]))


# ---- framing ----

def test_the_stream_is_framed_as_the_vendor_s_client_checks_it(simulator):
    with simulator.watch("/") as stream:
        assert stream.answer.headers["Content-Type"] == "text/event-source"
        assert stream.answer.headers["Transfer-Encoding"] == "chunked"
        assert "Content-Length" not in stream.answer.headers
        assert stream.lines[0] == b": watching"
        (simulator.root / "f").touch()
        wait_for_path(stream, "f")
        assert all(line == b"" or line.startswith((b":", b"data: [")) for line in stream.lines)
        event = stream.events[0]
        assert set(event) == {"type", "spine", "path", "stream_name"}
        assert event["type"] == "child_file_added" and event["stream_name"] is None
        assert event["spine"] == ["2", simulator.client().get(
            "/v1/files/%2Ff/info/attributes").json["id"]]


def test_keep_alives_come_in_silence_only(simulator):
    simulator.switch(keep_alive="100ms", watching_text=" since 08:00")
    with simulator.watch("/", prefix="/api") as stream:
        assert stream.lines[0] == b": watching since 08:00"
        stream.wait(lambda: stream.lines.count(b": keepalive") >= 3)
        simulator.switch(keep_alive="none")
        count = stream.lines.count(b": keepalive")
        (simulator.root / "f").touch()
        wait_for_path(stream, "f")
        assert stream.lines.count(b": keepalive") <= count + 1


@pytest.mark.parametrize("query", ["filter=child_file_born", "recursive=perhaps",
                                   "filter=child_file_added,%ff"])
def test_bad_parameters_are_refused_before_the_stream(client, query):
    answer = client.get(f"/v1/files/2/notify?{query}")
    assert (answer.status, answer.error_class) == (400, "invalid_request_error")


def test_only_directories_can_be_watched(simulator, client):
    make(client, "/", "f")
    for what, status, error_class in [("/f", 400, "fs_not_a_directory_error"),
                                      ("/no", 404, "fs_no_such_entry_error"),
                                      ("/no/d", 404, "fs_no_such_path_error")]:
        stream = simulator.watch(what)
        assert stream.answer.status == status
        assert json.loads(stream.body)["error_class"] == error_class


# ---- who may watch ----

def test_recursive_needs_a_privilege_and_plain_the_right_to_read(simulator):
    assert simulator.watch("/", token=READER_TOKEN).answer.status == 403
    assert simulator.watch("/", token="wrong").answer.status == 401
    (simulator.root / "d").mkdir()
    with simulator.watch("/d", recursive=False, token=NOBODY_TOKEN) as stream:
        assert stream.answer.status == 200
    (simulator.root / "d").chmod(0o700)
    assert simulator.watch("/d", recursive=False, token=NOBODY_TOKEN).answer.status == 403
    simulator.switch(recursive_privilege="FILE_READ_ACCESS")
    with simulator.watch("/", token=READER_TOKEN) as stream:
        assert stream.answer.status == 200


@pytest.mark.parametrize("value, status, has_body", [
    ("400", 400, True), ("403", 403, True), ("409", 409, True), ("501", 501, True),
    ("empty", 400, False)])
def test_disabled_error_refuses_recursive_watches(simulator, value, status, has_body):
    simulator.switch(recursive_mode="DISABLED_ERROR", recursive_disabled=value)
    stream = simulator.watch("/")
    assert (stream.answer.status, bool(stream.body)) == (status, has_body)
    with simulator.watch("/", recursive=False) as plain:
        assert plain.answer.status == 200


def test_disabled_ignore_narrows_silently(simulator):
    simulator.switch(recursive_mode="DISABLED_IGNORE")
    (simulator.root / "d").mkdir()
    with simulator.watch("/") as stream:
        (simulator.root / "d" / "deep").touch()
        (simulator.root / "top").touch()
        wait_for_path(stream, "top")
        assert "d/deep" not in [e["path"] for e in stream.events]


# ---- what is told ----

def test_paths_and_spines_are_relative_to_the_watched_directory(simulator, client):
    (simulator.root / "home" / "joe").mkdir(parents=True)
    home, joe = attributes(client, "/home")["id"], attributes(client, "/home/joe")["id"]
    with simulator.watch("/home") as below, simulator.watch("/") as above:
        (simulator.root / "home" / "joe" / "f").touch()
        file = attributes(client, "/home/joe/f")["id"]
        assert wait_for_path(below, "joe/f")["spine"] == [home, joe, file]
        assert wait_for_path(above, "home/joe/f")["spine"] == ["2", home, joe, file]


@pytest.mark.parametrize("value", ["root", "absent", "null"])
def test_the_spine_of_a_watch_below_the_root_may_be_otherwise(simulator, client, value):
    (simulator.root / "home").mkdir()
    home = attributes(client, "/home")["id"]
    simulator.switch(spine=value)
    with simulator.watch("/home") as stream:
        (simulator.root / "home" / "f").touch()
        event = wait_for_path(stream, "f")
        if value == "root":
            assert event["spine"] == ["2", home, attributes(client, "/home/f")["id"]]
        else:
            assert ("spine" in event) == (value == "null") and event.get("spine") is None


def test_a_plain_watch_hears_the_direct_children_only(simulator):
    (simulator.root / "d").mkdir()
    with simulator.watch("/", recursive=False) as stream:
        (simulator.root / "d" / "deep").touch()
        os.chmod(simulator.root / "d", 0o700)
        (simulator.root / "d" / "deep").rename(simulator.root / "up")
        (simulator.root / "end").touch()
        wait_for_path(stream, "end")
        shown = [e for e in stream.shown() if "time" not in e[0]]
        assert shown == [("child_acl_changed", "d"), ("child_file_moved_to", "up"),
                         ("child_file_added", "end")]
        assert all(len(e["spine"]) == 2 for e in stream.events)


def test_a_filter_lets_only_its_types_through(simulator):
    with simulator.watch("/", filter="child_file_removed,child_dir_added,self_removed") as stream:
        (simulator.root / "f").write_text("x")
        (simulator.root / "d").mkdir()
        (simulator.root / "f").unlink()
        wait_for_path(stream, "f")
        assert stream.shown() == [("child_dir_added", "d"), ("child_file_removed", "f")]
    with simulator.watch("/", filter="") as stream:
        (simulator.root / "g").touch()
        wait_for_path(stream, "g", "child_file_added")


def test_a_person_s_tools_yield_the_documented_events(simulator, client):
    root = simulator.root
    steps = [
        (lambda: (root / "a").mkdir(), [("child_dir_added", "a")]),
        (lambda: (root / "a" / "f").write_text("hello"), [
            ("child_file_added", "a/f"), ("child_data_written", "a/f"),
            ("child_size_changed", "a/f"), ("child_mtime_changed", "a/f")]),
        (lambda: os.chmod(root / "a" / "f", 0o600), [("child_acl_changed", "a/f")]),
        (lambda: os.utime(root / "a" / "f", (5, 5)), [
            ("child_mtime_changed", "a/f"), ("child_atime_changed", "a/f")]),
        (lambda: os.link(root / "a" / "f", root / "h"), [("child_file_added", "h")]),
        (lambda: os.unlink(root / "h"), [("child_file_removed", "h")]),
        (lambda: os.symlink("f", root / "s"), [("child_file_added", "s")]),
        (lambda: os.rename(root / "a" / "f", root / "g"), [
            ("child_file_moved_from", "a/f"), ("child_file_moved_to", "g")]),
        (lambda: os.rename(root / "g", root / "s"), [
            ("child_file_removed", "s"), ("child_file_moved_from", "g"),
            ("child_file_moved_to", "s")]),
        (lambda: os.rename(root / "a", root / "c"), [
            ("child_dir_moved_from", "a"), ("child_dir_moved_to", "c")]),
        (lambda: os.mkdir(root / "c" / "d"), [("child_dir_added", "c/d")]),
        (lambda: shutil.rmtree(root / "c"), [
            ("child_dir_removed", "c/d"), ("child_dir_removed", "c")]),
    ]
    with simulator.watch("/") as stream:
        for number, (step, wanted) in enumerate(steps):
            before = len(stream.events)
            step()
            (root / f"step{number}").mkdir()
            wait_for_path(stream, f"step{number}")
            seen = [e for e in stream.shown()[before:] if "step" not in e[1]]
            assert sorted(seen) == sorted(wanted), number
            assert [e for e in seen if "d" in e[0].split("_")[-1]] == [
                e for e in wanted if "d" in e[0].split("_")[-1]]


def test_changes_through_the_api_take_the_same_way(simulator, client):
    with simulator.watch("/") as stream:
        directory = make(client, "/", "d", "CREATE_DIRECTORY")
        file = make(client, directory["id"], "f")
        client.put(f"/v1/files/{file['id']}/data", b"hello")
        client.patch(f"/v1/files/{file['id']}/info/attributes", {
            "mode": "0600", "owner_details": {"id_type": "NFS_UID", "id_value": "7"},
            "extended_attributes": {"hidden": True}})
        client.post("/v1/files/2/entries/", {"name": "g", "action": "RENAME", "old_path": "/d/f"})
        client.put(f"/v1/files/{file['id']}/user-metadata/generic/k", {"value": "eA=="})
        client.delete(f"/v1/files/{file['id']}")
        wait_for_path(stream, "g", "child_file_removed")
        assert stream.shown() == [
            ("child_dir_added", "d"), ("child_file_added", "d/f"), ("child_data_written", "d/f"),
            ("child_size_changed", "d/f"), ("child_mtime_changed", "d/f"),
            ("child_acl_changed", "d/f"), ("child_owner_changed", "d/f"),
            ("child_extra_attrs_changed", "d/f"), ("child_file_moved_from", "d/f"),
            ("child_file_moved_to", "g"), ("child_file_removed", "g")]
        moved = [e["spine"] for e in stream.events if "_moved_" in e["type"]]
        assert moved == [["2", directory["id"], file["id"]], ["2", file["id"]]]
        (message,) = [m for m in stream.messages if any("_moved_" in e["type"] for e in m)]
        assert len([e for e in message if "_moved_" in e["type"]]) == 2


@pytest.mark.parametrize("value, order, messages", [
    ("together", ["from", "to"], 1), ("separate", ["from", "to"], 2),
    ("reversed", ["to", "from"], 1), ("mixed", ["from", "to"], 2)])
def test_the_halves_of_a_rename_follow_the_switch(simulator, value, order, messages):
    (simulator.root / "f").touch()
    simulator.switch(rename_pair=value)
    with simulator.watch("/") as stream:
        os.rename(simulator.root / "f", simulator.root / "g")
        wait_for_path(stream, "f")
        wait_for_path(stream, "g")
        halves = [e["type"].rsplit("_", 1)[1] for e in stream.events if "_moved_" in e["type"]]
        assert halves == order
        assert len([m for m in stream.messages if any("_moved_" in e["type"] for e in m)]) == messages


def test_attribute_events_of_one_object_are_merged_unless_switched_off(simulator, client):
    file = make(client, "/", "f")
    target = f"/v1/files/{file['id']}/data"

    def written(merge):
        simulator.switch(merge=merge, event_delay="0s")
        with simulator.watch("/") as stream:
            for i in range(5):
                client.put(target, b"x" * (i + 1))
            make(client, "/", f"end-{merge}")
            wait_for_path(stream, f"end-{merge}")
            return sum(e["type"] == "child_data_written" for e in stream.events)

    assert 1 <= written("yes") <= 5
    assert written("no") == 5


def test_noise_of_other_protocols_can_be_switched_on(simulator):
    simulator.switch(parent_mtime="on", nfs_create_noise="on", smb_archive_noise="on")
    (simulator.root / "d").mkdir()
    with simulator.watch("/") as stream:
        (simulator.root / "d" / "f").write_text("x")
        wait_for_path(stream, "d", "child_mtime_changed")
        wait_for_path(stream, "d/f", "child_acl_changed")
        wait_for_path(stream, "d/f", "child_extra_attrs_changed")


def test_events_can_be_delayed(simulator):
    simulator.switch(event_delay="300ms")
    with simulator.watch("/") as stream:
        start = time.monotonic()
        (simulator.root / "f").touch()
        wait_for_path(stream, "f")
        assert time.monotonic() - start >= 0.25


def test_a_delayed_event_is_not_told_to_a_stream_that_was_opened_after_it_happened(simulator):
    simulator.switch(event_delay="300ms")
    with simulator.watch("/") as old:
        (simulator.root / "before").touch()
        with simulator.watch("/") as new:
            (simulator.root / "after").touch()
            wait_for_path(old, "before")
            wait_for_path(new, "after")
            assert "before" not in [event["path"] for event in new.events]


@pytest.mark.parametrize("value, bytes_wanted", [
    ("replaced", b'"a\xef\xbf\xbdz"'), ("raw", b'"a\xffz"'), ("surrogates", b'"a\\udcffz"')])
def test_names_that_are_not_utf8_follow_the_switch(simulator, client, value, bytes_wanted):
    simulator.switch(bad_names=value)
    with simulator.watch("/") as stream:
        with open(os.fsencode(simulator.root) + b"/a\xffz", "w"):
            pass
        stream.wait(lambda: any(b"child_file_added" in line for line in stream.lines))
        assert any(bytes_wanted in line for line in stream.lines)
    (listed,) = client.get("/v1/files/2/entries/").json["files"]
    assert listed["name"] == "a\ufffdz"
    assert client.delete(f"/v1/files/{listed['id']}").status == 200


def test_a_watched_directory_that_goes_ends_its_stream(simulator):
    (simulator.root / "d" / "e").mkdir(parents=True)
    with simulator.watch("/d") as stream:
        identity = stream.answer and simulator.client().get("/v1/files/%2Fd/info/attributes").json
        shutil.rmtree(simulator.root / "d")
        assert stream.wait_end() == "clean"
        assert stream.shown() == [("child_dir_removed", "e"), ("self_removed", "")]
        assert stream.events[-1] == {"type": "self_removed", "spine": [identity["id"]], "path": "",
                                     "stream_name": None}


@pytest.mark.parametrize("value", ["nothing", "self_removed"])
def test_a_watched_directory_that_moves_follows_the_switch(simulator, value):
    (simulator.root / "d").mkdir()
    simulator.switch(watched_moved=value)
    with simulator.watch("/d") as stream:
        os.rename(simulator.root / "d", simulator.root / "moved")
        if value == "self_removed":
            assert stream.wait_end() == "clean" and stream.shown() == [("self_removed", "")]
        else:
            (simulator.root / "moved" / "f").touch()
            wait_for_path(stream, "f")


def test_directories_made_and_filled_at_once_lose_nothing(simulator):
    with simulator.watch("/") as stream:
        subprocess.run("for i in $(seq 40); do mkdir -p d$i/e/f; for j in 1 2 3 4 5; do "
                       ": > d$i/e/f/$j; done; done; : > end", shell=True, cwd=simulator.root,
                       check=True)
        wait_for_path(stream, "end")
        added = [e["path"] for e in stream.events if e["type"] == "child_file_added"]
        assert sorted(added) == sorted([f"d{i}/e/f/{j}" for i in range(1, 41)
                                        for j in range(1, 6)] + ["end"])


# ---- synthetic events ----

def test_written_out_events_reach_the_watches_above_their_path(simulator, client):
    (simulator.root / "home").mkdir()
    with simulator.watch("/") as root, simulator.watch("/home", filter="child_file_added") as home:
        simulator.says("child_file_added", "/home/joe/a.txt")
        assert wait_for_path(root, "home/joe/a.txt")["spine"][0] == "2"
        assert len(wait_for_path(home, "joe/a.txt")["spine"]) == 3
        simulator.says("child_acl_changed", "/home/x", spine=["2", "5", "6"])
        assert wait_for_path(root, "home/x")["spine"] == ["2", "5", "6"]
        simulator.says("child_file_added", "/etc/passwd")
        simulator.emit(messages=[[{"type": "new_kind", "path": "p"}], []], to="/home")
        wait_for_path(home, "p")
        assert [e["path"] for e in home.events] == ["joe/a.txt", "p"]
        simulator.emit(raw="data:[]\r\n\r\n: odd\n", to="/")
        root.wait(lambda: b": odd" in root.lines)


def test_nothing_is_emitted_without_a_stream(simulator, client):
    answer = client.post("/sim/emit", {"events": []})
    assert answer.status == 409 and "No notify stream" in answer.json["description"]
    assert client.post("/sim/emit", {"what": 1}).status == 400


def test_200_000_events_in_pieces_cut_anywhere_arrive_in_order(simulator):
    with simulator.watch("/") as stream:
        simulator.generate(200_000, cut="random", per_message=[1, 5000], escapes="mixed",
                           path="home/{nasty}/ü\U0001f600{n}", huge_bytes=16 << 20, huge_at=50_000)
        status = simulator.wait_emitted()
        stream.wait(lambda: len(stream.events) == 200_000, 60)
        assert [e["path"].rsplit("\U0001f600", 1)[1] for e in stream.events] == [
            str(n) for n in range(200_000)]
        assert max(map(len, stream.lines)) >= 16 << 20
        assert len(stream.messages) > 20 and status["events_sent"] == 200_000


def test_a_rate_is_kept(simulator):
    with simulator.watch("/") as stream:
        start = time.monotonic()
        simulator.generate(500, rate=1000, per_message=1)
        stream.wait(lambda: len(stream.events) == 500)
        assert time.monotonic() - start > 0.4


def test_a_client_that_does_not_read_costs_no_memory(simulator):
    connection = simulator.connect()
    connection.request("GET", "/v1/files/2/notify?recursive=true",
                       headers={"Authorization": f"Bearer {ADMIN_TOKEN}"})
    assert connection.getresponse().status == 200
    simulator.generate(50_000_000)
    with open(f"/proc/{simulator.process.pid}/status") as status:
        resident = next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))
    assert resident < 64 << 10
    assert simulator.status()["emits_under_way"] == 1
    connection.close()


# ---- what goes wrong ----

@pytest.mark.parametrize("value, ends", [("close", "abrupt"), ("error", "abrupt"),
                                         ("end", "clean"), ("next-500", "abrupt")])
def test_overflow_ends_the_stream_as_switched(simulator, value, ends):
    simulator.switch(overflow=value, queue_limit=100)
    with simulator.watch("/") as stream:
        simulator.streams("stall")
        for i in range(150):
            (simulator.root / f"f{i}").touch()
        wait_until(lambda: simulator.status()["overflows"], "the overflow")
        simulator.streams("resume")
        assert stream.wait_end().startswith(ends)
        assert 100 <= len(stream.events) < 150 + 10
        error = [line for line in stream.lines if b"fs_watcher_missed_events_error" in line]
        assert bool(error) == (value == "error")
    again = simulator.watch("/")
    assert again.answer.status == (500 if value == "next-500" else 200)
    again.close()
    with simulator.watch("/") as stream:
        assert stream.answer.status == 200


def test_a_generator_too_fast_for_its_client_overflows(simulator):
    simulator.switch(queue_limit=1000)
    with simulator.watch("/") as stream:
        simulator.streams("stall")
        simulator.generate(1_000_000, rate=1_000_000, overflow=True)
        wait_until(lambda: simulator.status()["overflows"], "the overflow")
        assert simulator.status()["overflows"] == 1
        simulator.streams("drop")
        assert stream.wait_end().startswith("abrupt")


@pytest.mark.parametrize("do, ends", [("drop", "abrupt"), ("end", "clean"),
                                      ("half_line", "abrupt"), ("reboot", "abrupt")])
def test_streams_end_on_demand(simulator, do, ends):
    with simulator.watch("/") as stream:
        assert simulator.streams(do) == 1
        assert stream.wait_end().startswith(ends)
        if do == "half_line":
            assert stream.rest.startswith(b"data: [{") and b"\n" not in stream.rest
        assert simulator.wait_streams(0) == []


def test_streams_say_wrong_things_on_demand(simulator):
    with simulator.watch("/") as stream:
        simulator.streams("garbage")
        simulator.streams("garbage", text="data: 17")
        simulator.streams("error", text="fs_access_error")
        simulator.streams("comment", text="hello")
        stream.wait(lambda: b": hello" in stream.lines)
        assert stream.lines[2].startswith(b"data: }{") and b"data: 17" in stream.lines
        assert any(b'"error_class":"fs_access_error"' in line for line in stream.lines)
        assert not stream.ended
        assert simulator.streams("drop", path="/elsewhere") == 0


def test_a_stalled_stream_is_silent_but_open(simulator):
    simulator.switch(keep_alive="50ms", node_reboot="silence")
    with simulator.watch("/") as stream:
        stream.wait(lambda: b": keepalive" in stream.lines)
        simulator.streams("reboot")
        (simulator.root / "f").touch()
        before = simulator.status()["streams"][0]["sent_bytes"]
        simulator.switch(keep_alive="1s")
        assert simulator.status()["streams"][0]["sent_bytes"] == before
        assert not stream.ended and not stream.events
        simulator.streams("resume")
        wait_for_path(stream, "f")


def test_a_client_that_leaves_is_noticed(simulator):
    stream = simulator.watch("/")
    simulator.wait_streams(1)
    stream.close()
    assert simulator.wait_streams(0) == []


def test_a_dead_token_cuts_its_stream_only_if_switched(simulator):
    session = simulator.client(None).post("/v1/session/login", {
        "username": "admin", "password": "admin"}).json["bearer_token"]
    with simulator.watch("/", token=session) as stream:
        simulator.end_sessions()
        (simulator.root / "f").touch()
        wait_for_path(stream, "f")
        simulator.switch(expired_stream="closed")
        assert stream.wait_end().startswith("abrupt")


@pytest.mark.parametrize("status", [401, 403, 429, 500, 502, 503, 504])
@pytest.mark.parametrize("body", ["json", "html", "none"])
def test_the_next_requests_fail_as_asked(simulator, client, status, body):
    simulator.fault(status=status, count=2, path="/v1/files/", method="GET", body=body,
                    retry_after=7 if status == 429 else None)
    assert client.get("/v1/version").status == 200
    for _ in range(2):
        answer = client.get("/v1/files/2/info/attributes")
        assert answer.status == status
        assert answer.headers["Retry-After"] == ("7" if status == 429 else None)
        assert {"json": answer.body[:1] == b"{", "html": b"<html>" in answer.body,
                "none": answer.body == b""}[body]
    assert client.get("/v1/files/2/info/attributes").status == 200
    assert simulator.watch("/").answer.status == 200
    assert simulator.status()["fault_hits"] == 2


def test_a_fault_can_wait_for_its_turn_and_stay(simulator, client):
    simulator.fault(status=503, count=-1, skip=1, path="/v1/files/{}/info/attributes")
    statuses = [client.get("/v1/files/2/info/attributes").status for _ in range(4)]
    assert statuses == [200, 503, 503, 503]
    assert client.get("/v1/files/2/entries/").status == 200
    assert simulator.no_faults() == 1
    assert client.get("/v1/files/2/info/attributes").status == 200


def test_replies_can_be_late(simulator, client):
    simulator.fault(delay_ms=300, path="/v1/version")
    start = time.monotonic()
    assert client.get("/v1/version").status == 200
    assert time.monotonic() - start >= 0.3


def test_an_answer_can_get_lost_after_the_deed(simulator, client):
    for answer, done in [("dropped", False), ("lost", True)]:
        simulator.fault(answer=answer, method="POST", path="/v1/files/{}/entries/")
        with pytest.raises((OSError, http.client.HTTPException)):
            make(client, "/", "f")
        assert (simulator.root / "f").exists() is done
    changes = simulator.changes("POST")
    assert [c["status"] for c in changes] == [0, 0]


def test_too_many_requests_a_second_are_429(simulator, client):
    simulator.switch(rate_limit=20)
    answers = [client.get("/v1/version") for _ in range(60)]
    refused = [a for a in answers if a.status == 429]
    assert refused and all(a.headers["Retry-After"] == "1" for a in refused)
    simulator.switch(retry_after="no")
    answers = [client.get("/v1/version") for _ in range(60)]
    assert all(a.headers["Retry-After"] is None for a in answers)


def test_a_node_that_reboots_serves_nobody_for_a_while(simulator, client):
    assert client.get("/v1/version").status == 200
    with simulator.watch("/") as stream:
        assert simulator.reboot(0.5) == 1
        assert stream.wait_end().startswith("abrupt")
    for late in (client, simulator.client()):
        with pytest.raises((OSError, http.client.HTTPException)):
            late.get("/v1/version")

    def is_back():
        try:
            return simulator.client().get("/v1/version").status == 200
        except (OSError, http.client.HTTPException):
            return False

    wait_until(is_back, "the node to be back")


def test_the_guide_has_every_switch_with_its_default(client):
    guide = (Path(__file__).resolve().parents[2] / "docs" / "simulator.md").read_text()
    rows = dict(re.findall(r"^\| `([a-z0-9-]+)` \|(?:[^|]*\|){2} ([^|]*?) ?\|", guide, re.M))
    assert rows == client.get("/sim/switches").json


def test_switches_change_all_or_none(simulator, client):
    before = client.get("/sim/switches").json
    answer = client.put("/sim/switches", {"spine": "root", "merge": "perhaps"})
    assert answer.status == 400 and "expected one of yes|no" in answer.json["description"]
    assert client.get("/sim/switches").json == before
    assert simulator.switch(spine="root")["spine"] == "root"


def test_the_journal_tells_what_a_client_did(simulator, client):
    file = make(client, "/", "a b")
    client.patch(f"/v1/files/{ref('/a b')}/info/attributes", {"mode": "0600"})
    client.get("/v1/nothing")
    status = simulator.status()
    assert status["requests"] == {"POST /v1/files/{}/entries/": 1, "GET (unknown)": 1,
                                  "PATCH /v1/files/{}/info/attributes": 1}
    assert status["answers"] == {"200": 2, "404": 1}
    (change,) = simulator.changes("PATCH")
    assert change["arguments"] == ["/a b"] and change["body"] == {"mode": "0600"}
    assert change["user"] == "admin" and change["status"] == 200
    assert status["objects"] == 2 and file["id"]
    simulator.forget()
    assert simulator.status()["requests"] == {}


@pytest.mark.parametrize("tls", ["off", "auto"])
def test_what_is_asked_for_over_a_kept_connection_is_told_at_once(make_simulator, tls):
    simulator = make_simulator(tls=tls)
    client = simulator.client(None)
    with simulator.watch("/") as stream:
        for number in range(50):
            path = f"/f{number}"
            client.post("/sim/emit", {"events": [{"type": "child_file_added", "path": path,
                                                  "stream_name": None}]})
            stream.wait(lambda: len(stream.events) == number + 1, patience_s=5)
