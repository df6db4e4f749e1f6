"""cn_simulator's snapshots: objects, reading what was, the tree diff, expiry and rights."""

import os
import re
import subprocess
import time
from datetime import datetime, timedelta, timezone

import pytest

from cluster import NOBODY_TOKEN, PATIENCE_S, READER_TOKEN, ref
from test_simulator import attributes, client, make  # noqa: F401 (client is a fixture)

HOUR = timedelta(hours=1)


def in_future(span):
    return (datetime.now(timezone.utc) + span).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def take(client, **body):
    answer = client.post("/v3/snapshots/", body)
    assert answer.status == 200, answer
    return answer.json


def snapshot_ids(client, filter="all"):
    answer = client.get(f"/v3/snapshots/?filter={filter}")
    assert answer.status == 200, answer
    return [s["id"] for s in answer.json["entries"]]


def diff(client, newer, older, limit=None):
    """[(op, path)], over all pages."""
    target = f"/v2/snapshots/{newer['id']}/changes-since/{older['id']}"
    page = client.get(target + (f"?limit={limit}" if limit else ""))
    assert page.status == 200, page
    found = []
    while True:
        found += [(e["op"], e["path"]) for e in page.json["entries"]]
        next_page = page.json["paging"].get("next")
        if not next_page:
            return found
        page = client.get(next_page)


def entries_then(client, snapshot, directory="/", **query):
    query = "".join(f"&{k}={v}" for k, v in query.items())
    page = client.get(f"/v1/files/{ref(directory)}/entries/?snapshot={snapshot['id']}{query}")
    assert page.status == 200, page
    found = list(page.json["files"])
    while page.json["paging"]["next"]:
        page = client.get(page.json["paging"]["next"])
        found += page.json["files"]
    return found


def attributes_then(client, snapshot, what):
    return client.get(f"/v1/files/{ref(what)}/info/attributes?snapshot={snapshot['id']}")


def shell(simulator, command):
    subprocess.run(command, shell=True, cwd=simulator.root, check=True)


# ---- objects ----

def test_a_snapshot_has_the_documented_members(client):
    before = datetime.now(timezone.utc) - timedelta(seconds=1)
    first = take(client)
    assert set(first) == {"id", "name", "timestamp", "source_file_id", "policy_id", "expiration",
                          "in_delete"}
    assert first["name"] == f"{first['id']}_OnDemand" and first["source_file_id"] == "2"
    assert first["policy_id"] is None and first["expiration"] is None and not first["in_delete"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", first["timestamp"])
    assert first["timestamp"] >= before.strftime("%Y-%m-%dT%H:%M:%S")
    until = in_future(HOUR)
    second = take(client, name_suffix="cn_monitor_x", expiration=until)
    assert second["id"] > first["id"] and second["name"] == f"{second['id']}_cn_monitor_x"
    assert second["expiration"][:19] == until[:19]
    assert snapshot_ids(client) == [first["id"], second["id"]]
    assert client.get(f"/v3/snapshots/{second['id']}").json == second


def test_status_has_more_members(simulator, client):
    (simulator.root / "home").mkdir()
    snapshot = take(client, source_file_id=attributes(client, "/home")["id"])
    one = client.get(f"/v3/snapshots/status/{snapshot['id']}").json
    assert one == {**snapshot, "source_file_path": "/home/", "policy_name": "", "owners": [],
                   "lock_key": None}
    assert client.get("/v3/snapshots/status/?filter=all").json == {"entries": [one]}


def test_name_and_expiration_can_be_changed_if_unchanged(client):
    snapshot = take(client)
    target = f"/v3/snapshots/{snapshot['id']}"
    etag = client.get(target).headers["ETag"]
    changed = client.patch(target, {"expiration": in_future(HOUR)}, headers={"If-Match": etag})
    assert changed.status == 200 and changed.json["expiration"]
    refused = client.patch(target, {"name": "x"}, headers={"If-Match": etag})
    assert refused.status == 412 and refused.error_class == "fs_tag_mismatch_error"
    assert client.delete(target, headers={"If-Match": etag}).status == 412
    assert client.put(target, {"name": "x"}).error_class == "decode_error"
    put = client.put(target, {"name": "x", "expiration": ""})
    assert put.json["name"] == "x" and put.json["expiration"] is None


@pytest.mark.parametrize("body, status, error_class", [
    ({"expiration": "tomorrow"}, 400, "decode_error"),
    ({"expiration": 5}, 400, "decode_error"),
    ({"expiration": "2001-01-01T00:00:00Z"}, 400, "invalid_request_error"),
    ({"name_suffix": ""}, 400, "invalid_request_error"),
    ({"source_file_id": "99999"}, 404, "fs_no_such_inode_error")])
def test_a_bad_order_takes_none(client, body, status, error_class):
    answer = client.post("/v3/snapshots/", body)
    assert (answer.status, answer.error_class) == (status, error_class)
    assert snapshot_ids(client) == []


def test_only_directories_have_snapshots(simulator, client):
    (simulator.root / "f").touch()
    answer = client.post("/v3/snapshots/", {"source_file_id": attributes(client, "/f")["id"]})
    assert (answer.status, answer.error_class) == (400, "fs_not_a_directory_error")


def test_a_deleted_snapshot_is_gone(client):
    snapshot = take(client)
    target = f"/v3/snapshots/{snapshot['id']}"
    deleted = client.delete(target)
    assert deleted.status == 202 and deleted.body == b""
    for answer in (client.get(target), client.delete(target),
                   attributes_then(client, snapshot, "/")):
        assert (answer.status, answer.error_class) == (404, "snapshot_not_found_error")
    assert take(client)["id"] > snapshot["id"]


def test_deletion_may_take_its_time(simulator, client):
    simulator.switch(snapshot_delete="1h")
    kept, snapshot = take(client), take(client)
    target = f"/v3/snapshots/{snapshot['id']}"
    assert client.delete(target).status == 202
    assert client.get(target).json["in_delete"] is True
    assert snapshot_ids(client) == [kept["id"], snapshot["id"]]
    assert snapshot_ids(client, "exclude_in_delete") == [kept["id"]]
    assert snapshot_ids(client, "only_in_delete") == [snapshot["id"]]
    assert attributes_then(client, snapshot, "/").error_class == "snapshot_not_found_error"
    assert client.patch(target, {"expiration": in_future(HOUR)}).status == 404


def test_an_expired_snapshot_is_gone(client):
    lasting = take(client, expiration=in_future(HOUR))
    snapshot = take(client, expiration=in_future(timedelta(seconds=3)))
    end = time.monotonic() + PATIENCE_S
    while client.get(f"/v3/snapshots/{snapshot['id']}").status == 200:
        assert time.monotonic() < end
    assert snapshot_ids(client) == [lasting["id"]]
    answer = client.get(f"/v2/snapshots/{snapshot['id']}/changes-since/{lasting['id']}")
    assert (answer.status, answer.error_class) == (404, "snapshot_not_found_error")


def test_there_is_a_limit(simulator, client):
    simulator.switch(snapshot_limit=2)
    first, second = take(client), take(client)
    assert client.post("/v3/snapshots/", {}).status == 400
    client.delete(f"/v3/snapshots/{first['id']}")
    third = take(client)
    assert snapshot_ids(client) == [second["id"], third["id"]]


def test_too_much_change_costs_the_oldest_snapshot(simulator, client):
    first = take(client)
    simulator.switch(snapshot_records=100)
    for i in range(60):
        (simulator.root / f"f{i}").touch()
    second = take(client)
    shell(simulator, "rm f*")
    third = take(client)
    assert simulator.status()["snapshot_records"] <= 100
    assert snapshot_ids(client) == [third["id"]], (first, second)


@pytest.mark.parametrize("switch, target, status", [
    ({}, "/v3/snapshots/", 200), ({"snapshot_filter": "needed"}, "/v3/snapshots/", 400),
    ({"snapshot_filter": "needed"}, "/v3/snapshots/?filter=all", 200),
    ({}, "/v3/snapshots/?filter=some", 400)])
def test_the_filter_of_the_list(simulator, client, switch, target, status):
    if switch:
        simulator.switch(**switch)
    assert client.get(target).status == status


def test_no_expiration_is_null_or_empty(simulator, client):
    assert take(client)["expiration"] is None
    simulator.switch(no_expiration="empty")
    assert take(client)["expiration"] == ""


def test_each_call_asks_for_its_privilege(simulator, client):
    snapshot = take(client)
    other = simulator.client(NOBODY_TOKEN)
    calls = {
        "SNAPSHOT_READ": [("GET", "/v3/snapshots/?filter=all"),
                          ("GET", f"/v3/snapshots/{snapshot['id']}"),
                          ("GET", "/v3/snapshots/status/?filter=all")],
        "SNAPSHOT_WRITE": [("POST", "/v3/snapshots/"),
                           ("PATCH", f"/v3/snapshots/{snapshot['id']}")],
        "SNAPSHOT_DIFFERENCE_READ": [
            ("GET", f"/v2/snapshots/{snapshot['id']}/changes-since/{snapshot['id']}")],
    }
    for allowed in [*calls, "none"]:
        simulator.set_rights("nobody", allowed if allowed == "none" else f"PRIVILEGE_{allowed}")
        for privilege, requests in calls.items():
            for method, target in requests:
                answer = other.request(method, target, {} if method != "GET" else None)
                if privilege == allowed:
                    assert answer.status == 200, (allowed, method, target, answer)
                else:
                    assert (answer.status, answer.error_class) == (403, "http_unauthorized_error")
    simulator.switch(missing_privilege="401")
    assert other.get("/v3/snapshots/?filter=all").status == 401


# ---- reading what was ----

def test_attributes_and_entries_are_those_of_then(simulator, client):
    shell(simulator, "mkdir -p home/ann; echo old > home/ann/a; touch home/b; ln -s x home/l")
    before = attributes(client, "/home/ann/a")
    listed = {f["name"]: f for f in entries_then(client, take(client), "/home")}
    snapshot = take(client)
    shell(simulator, "echo newer > home/ann/a; mv home/ann home/bob; rm home/b; chmod 700 home")
    now = attributes(client, "/home/bob/a")
    for what in ("/home/ann/a", before["id"]):
        answer = attributes_then(client, snapshot, what)
        assert answer.json == before and answer.headers["ETag"]
    assert now["id"] == before["id"] and now != before
    assert {f["name"]: f for f in entries_then(client, snapshot, "/home", limit=1)} == listed
    assert sorted(listed) == ["ann", "b", "l"]
    assert attributes_then(client, snapshot, "/home/ann/").json["child_count"] == 1


def test_what_was_not_there_then_is_404(simulator, client):
    (simulator.root / "home").mkdir()
    snapshot = take(client)
    whole = take(client, source_file_id=attributes(client, "/home")["id"])
    make(client, "/home", "new")
    new = attributes(client, "/home/new")["id"]
    for where, what, error_class in [
            (snapshot, "/home/new", "fs_no_such_entry_error"),
            (snapshot, "/home/no/way", "fs_no_such_path_error"),
            (snapshot, new, "fs_no_such_file_version_error"),
            (snapshot, "99999", "fs_no_such_file_version_error"),
            (whole, "/", "fs_file_not_covered_by_snapshot_error"),
            (whole, "2", "fs_file_not_covered_by_snapshot_error"),
            ({"id": 77}, "/", "snapshot_not_found_error")]:
        answer = attributes_then(client, where, what)
        assert (answer.status, answer.error_class) == (404, error_class), (where, what)
    assert attributes_then(client, {"id": "x"}, "/").status == 400
    assert attributes_then(client, whole, "/home").status == 200


def test_tags_acl_and_streams_are_those_of_then(simulator, client):
    make(client, "/", "f")
    target = f"/v1/files/{ref('/f')}"
    client.put(f"{target}/user-metadata/generic/k", {"value": "MQ=="})
    client.put(f"{target}/user-metadata/generic/l", {"value": "MQ=="})
    stream = client.post(f"{target}/streams/", {"stream_name": "s"}).json
    acl = client.get(f"{target}/info/acl").json
    snapshot = take(client)["id"]
    client.put(f"{target}/user-metadata/generic/k", {"value": "Mg=="})
    client.delete(f"{target}/streams/{stream['id']}")
    client.patch(f"{target}/info/attributes", {"mode": "0777"})
    client.delete(target)
    target = f"/v1/files/{ref('/f')}"
    then = f"?snapshot={snapshot}"
    assert client.get(f"{target}/user-metadata/generic/k{then}").json == {"value": "MQ=="}
    page = client.get(f"{target}/user-metadata/{then}&limit=1")
    assert [e["key"] for e in page.json["entries"]] == ["k"]
    page = client.get(page.json["paging"]["next"])
    assert [e["key"] for e in page.json["entries"]] == ["l"] and not page.json["paging"]["next"]
    assert client.get(f"{target}/streams/{then}").json == [stream]
    assert client.get(f"{target}/streams/{stream['id']}/attributes{then}").json == stream
    assert client.get(f"{target}/info/acl{then}").json == acl


def test_resolve_tells_the_path_of_then(simulator, client):
    shell(simulator, "mkdir d; touch d/f g")
    ids = [attributes(client, p)["id"] for p in ("/d/f", "/g", "/d")]
    snapshot = take(client)["id"]
    shell(simulator, "mv d e; mv e/f h; rm g")
    then = client.post(f"/v1/files/resolve?snapshot={snapshot}", ids)
    assert then.json == [{"id": i, "path": p} for i, p in zip(ids, ["/d/f", "/g", "/d/"])]
    late = make(client, "/", "late")["id"]
    answer = client.post(f"/v1/files/resolve?snapshot={snapshot}", [ids[0], late])
    assert (answer.status, answer.error_class) == (404, "fs_no_such_file_version_error")
    simulator.switch(resolve_dead="omitted")
    answer = client.post(f"/v1/files/resolve?snapshot={snapshot}", [ids[0], late])
    assert answer.json == [{"id": ids[0], "path": "/d/f"}]


def test_data_can_be_read_and_copied_until_it_changes(simulator, client):
    shell(simulator, "echo content > f; echo other > g; ln -s f l")
    snapshot = take(client)["id"]
    shell(simulator, "mv f moved; chmod 600 moved; echo changed > g; touch t; rm l")
    data = client.get(f"/v1/files/{ref('/f')}/data?snapshot={snapshot}&offset=2&length=3")
    assert data.status == 200 and data.body == b"nte"
    copied = client.post(f"/v1/files/{ref('/t')}/copy-chunk",
                         {"source_path": "/f", "source_snapshot": snapshot})
    assert copied.status == 200 and (simulator.root / "t").read_bytes() == b"content\n"
    for path in ("/g", "/l"):
        answer = client.get(f"/v1/files/{ref(path)}/data?snapshot={snapshot}")
        assert answer.status == 501, answer
    answer = client.post(f"/v1/files/{ref('/t')}/copy-chunk",
                         {"source_path": "/f", "source_snapshot": 99})
    assert (answer.status, answer.error_class) == (404, "snapshot_not_found_error")


def test_a_snapshot_cannot_be_changed_or_watched(simulator, client):
    make(client, "/", "f")
    then = f"?snapshot={take(client)['id']}"
    target = f"/v1/files/{ref('/f')}"
    for method, where, body in [("PATCH", f"{target}/info/attributes", {"mode": "0600"}),
                                ("DELETE", target, None),
                                ("PUT", f"{target}/data", b"x"),
                                ("PUT", f"{target}/user-metadata/generic/k", {"value": "MQ=="}),
                                ("GET", f"/v1/files/{ref('/')}/notify", None)]:
        answer = client.request(method, where + then, body)
        assert (answer.status, answer.error_class) == (400, "invalid_request_error"), where
    assert attributes(client, "/f")["mode"] == "0644"


def test_rights_are_those_of_then(simulator, client):
    shell(simulator, "mkdir open; echo x > open/f; chmod 755 open; chmod 644 open/f")
    snapshot = take(client)["id"]
    shell(simulator, "chmod 700 open")
    other = simulator.client(NOBODY_TOKEN)
    target = f"/v1/files/{ref('/open/f')}/info/attributes"
    assert other.get(target).status == 403
    assert other.get(f"{target}?snapshot={snapshot}").status == 200
    later = take(client)["id"]
    shell(simulator, "chmod 755 open")
    assert other.get(target).status == 200
    assert other.get(f"{target}?snapshot={later}").status == 403
    assert simulator.client(READER_TOKEN).get(f"{target}?snapshot={later}").status == 200


def test_names_of_all_kinds_are_found_in_a_snapshot(simulator, client):
    names = ["ünï \"q\"\n", "a b", "%41", "\U0001F600", "-x", "x" * 255]
    (simulator.root / "d").mkdir()
    for name in names:
        (simulator.root / "d" / name).touch()
    snapshot = take(client)
    shell(simulator, "rm -r d")
    assert sorted(f["name"] for f in entries_then(client, snapshot, "/d")) == sorted(names)
    for name in names:
        assert attributes_then(client, snapshot, f"/d/{name}").json["name"] == name


# ---- the tree diff ----

def test_no_change_is_an_empty_difference(simulator, client):
    shell(simulator, "mkdir d; echo x > d/f")
    older = take(client)
    shell(simulator, "cat d/f > /dev/null; ls -lR > /dev/null")
    newer = take(client)
    answer = client.get(f"/v2/snapshots/{newer['id']}/changes-since/{older['id']}")
    assert answer.json == {"entries": [], "paging": {"next": ""}}
    assert diff(client, older, older) == []


def test_the_difference_is_as_coarse_as_documented(simulator, client):
    shell(simulator, "mkdir -p a/x gone/deep moved m; echo 1 > a/f; touch gone/deep/f moved/f r m/t")
    older = take(client)
    shell(simulator, "echo 2 >> a/f; echo 3 >> a/f; chmod 700 a/x; mkdir -p new/deep;"
                     "touch new/deep/f tmp; rm tmp; rm -r gone; mv moved a/there; touch a/there/g;"
                     "mv r s; mv m/t a/t")
    newer = take(client)
    assert diff(client, newer, older) == [
        ("MODIFY", "/"), ("MODIFY", "/a/"), ("MODIFY", "/a/f"), ("CREATE", "/a/t"),
        ("CREATE", "/a/there/"), ("MODIFY", "/a/x/"), ("DELETE", "/gone/"), ("MODIFY", "/m/"),
        ("DELETE", "/m/t"), ("DELETE", "/moved/"), ("CREATE", "/new/"), ("DELETE", "/r"), ("CREATE", "/s")]
    assert sorted(f["name"] for f in entries_then(client, newer, "/new")) == ["deep"]
    assert [f["name"] for f in entries_then(client, older, "/gone/deep")] == ["f"]
    old = attributes_then(client, older, "/moved").json["id"]
    assert attributes_then(client, newer, old).json["path"] == "/a/there/"
    gone = attributes_then(client, older, "/gone").json["id"]
    assert attributes_then(client, newer, gone).error_class == "fs_no_such_file_version_error"


def test_changes_through_the_api_are_in_the_difference(simulator, client):
    for name in ("tagged", "locked", "acl", "moved", "untouched"):
        make(client, "/", name)
    older = take(client)
    client.put(f"/v1/files/{ref('/tagged')}/user-metadata/generic/k", {"value": "MQ=="})
    client.patch(f"/v1/files/{ref('/locked')}/file-lock", {"legal_hold": True})
    acl = client.get(f"/v1/files/{ref('/acl')}/info/acl").json["acl"]
    acl["aces"] = acl["aces"][:1]
    assert client.put(f"/v1/files/{ref('/acl')}/info/acl", acl).status == 200
    client.post(f"/v1/files/{ref('/')}/entries/",
                {"name": "there", "action": "RENAME", "old_path": "/moved"})
    assert diff(client, take(client), older) == [
        ("MODIFY", "/"), ("MODIFY", "/acl"), ("MODIFY", "/locked"), ("DELETE", "/moved"),
        ("MODIFY", "/tagged"), ("CREATE", "/there")]


def test_pages_of_a_difference_follow_each_other(simulator, client):
    older = take(client)
    for i in range(23):
        (simulator.root / f"f{i:02}").touch()
    newer = take(client)
    expected = [("MODIFY", "/")] + [("CREATE", f"/f{i:02}") for i in range(23)]
    assert diff(client, newer, older) == expected
    assert diff(client, newer, older, limit=5) == expected
    shell(simulator, "rm f0*")
    assert diff(client, newer, older, limit=1) == expected
    simulator.switch(diff_page_limit=1)
    target = f"/v2/snapshots/{newer['id']}/changes-since/{older['id']}"
    page = client.get(f"{target}?limit=500").json
    assert len(page["entries"]) == 1 and page["paging"]["next"].startswith(f"{target}?")
    assert diff(client, newer, older) == expected
    assert client.get(f"{target}?after=x").status == 400


@pytest.mark.parametrize("order", ["reverse", "mixed"])
def test_the_order_of_a_difference_may_be_another(simulator, client, order):
    older = take(client)
    shell(simulator, "touch a b c d e f g h")
    newer = take(client)
    sorted_one = diff(client, newer, older)
    simulator.switch(diff_order=order)
    other = diff(client, newer, older, limit=2)
    assert other != sorted_one and sorted(other) == sorted(sorted_one)
    if order == "reverse":
        assert other == sorted_one[::-1]


def test_a_name_that_changed_hands_follows_the_switch(simulator, client):
    shell(simulator, "echo 1 > f; touch g; mkdir d")
    older = take(client)
    shell(simulator, "echo 2 > t; mv t f; rm g; mkdir g; rmdir d; mkdir d")
    newer = take(client)
    assert diff(client, newer, older) == [
        ("MODIFY", "/"), ("DELETE", "/d/"), ("CREATE", "/d/"), ("DELETE", "/f"), ("CREATE", "/f"),
        ("DELETE", "/g"), ("CREATE", "/g/")]
    simulator.switch(diff_replaced="modify")
    assert diff(client, newer, older) == [
        ("MODIFY", "/"), ("MODIFY", "/d/"), ("MODIFY", "/f"), ("DELETE", "/g"), ("CREATE", "/g/")]


def test_a_difference_of_a_directory_has_paths_from_the_root(simulator, client):
    shell(simulator, "mkdir -p home/ann; touch home/f")
    source = attributes(client, "/home")["id"]
    older = take(client, source_file_id=source)
    shell(simulator, "touch home/ann/x elsewhere; mv home/f f")
    newer = take(client, source_file_id=source)
    assert diff(client, newer, older) == [
        ("MODIFY", "/home/"), ("MODIFY", "/home/ann/"), ("CREATE", "/home/ann/x"),
        ("DELETE", "/home/f")]


def test_snapshots_that_do_not_go_together_are_refused(simulator, client):
    (simulator.root / "d").mkdir()
    older, newer = take(client), take(client)
    other = take(client, source_file_id=attributes(client, "/d")["id"])
    for pair, status, error_class in [
            ((older, newer), 400, "invalid_request_error"),
            ((other, older), 400, "invalid_request_error"),
            (({"id": 99}, older), 404, "snapshot_not_found_error"),
            ((newer, {"id": 99}), 404, "snapshot_not_found_error")]:
        answer = client.get(f"/v2/snapshots/{pair[0]['id']}/changes-since/{pair[1]['id']}")
        assert (answer.status, answer.error_class) == (status, error_class)


def test_the_difference_of_a_file_s_data(simulator, client):
    shell(simulator, "printf 12345 > f; printf 1 > g; mkdir d; ln -s f l")
    older = take(client)
    shell(simulator, "printf 1234567 > f; chmod 600 g")
    newer = take(client)
    target = f"/v2/snapshots/{newer['id']}/changes-since/{older['id']}/files/"
    assert client.get(target + ref("/f")).json["entries"] == [
        {"type": "FILE_REGION_DATA", "offset": "0", "size": "7"}]
    assert client.get(target + ref("/g")).json["entries"] == []
    assert client.get(target + ref("/d")).error_class == "fs_not_a_file_error"
    assert client.get(target + ref("/l")).error_class == "fs_file_is_symlink_error"


def test_what_a_stream_told_before_a_snapshot_is_in_it(simulator, client):
    """A change is in the snapshot, or its event comes after it: gap repair builds on it."""
    with simulator.watch("/") as stream:
        older = take(client)
        for i in range(50):
            (simulator.root / f"f{i}").touch()
            if i % 10 == 0:
                newer = take(client)
                seen = {path for op, path in diff(client, newer, older) if op == "CREATE"}
                assert f"/f{i}" in seen
        stream.wait_for(lambda e: e["path"] == "f49")
        told = {f"/{e['path']}" for e in stream.events}
        assert {f"/f{i}" for i in range(50)} <= told


def test_a_snapshot_says_nothing_on_a_stream(simulator, client):
    (simulator.root / "f").touch()
    with simulator.watch("/") as stream:
        snapshot = take(client)
        client.delete(f"/v3/snapshots/{snapshot['id']}")
        (simulator.root / "g").touch()
        stream.wait_for(lambda e: e["path"] == "g")
        assert stream.shown() == [("child_file_added", "g")]


@pytest.mark.parametrize("value, paths", [("canonical", ["a"]), ("every", ["a", "b"])])
def test_events_of_a_file_with_two_names_follow_the_switch(simulator, client, value, paths):
    simulator.switch(link_events=value)
    (simulator.root / "a").touch()
    os.link(simulator.root / "a", simulator.root / "b")
    attributes(client, "/b")
    with simulator.watch("/") as stream:
        os.chmod(simulator.root / "a", 0o600)
        (simulator.root / "z").touch()
        stream.wait_for(lambda e: e["path"] == "z")
        told = [e["path"] for e in stream.events if e["type"] == "child_acl_changed"]
        assert sorted(told) == paths


def test_ids_of_29_digits_are_found_in_snapshots(make_simulator):
    simulator = make_simulator(switches={"id_size": "29"})
    client = simulator.client()
    (simulator.root / "d").mkdir()
    made = make(client, "/d", "f")["id"]
    snapshot = take(client, source_file_id=attributes(client, "/d")["id"])
    shell(simulator, "mv d/f d/g")
    assert len(snapshot["source_file_id"]) == 29
    assert attributes_then(client, snapshot, made).json["path"] == "/d/f"


# ---- over a restart ----

def test_snapshots_outlive_an_orderly_end(simulator, client):
    shell(simulator, "mkdir -p home/ann; echo 1 > home/ann/f; touch gone")
    client.put(f"/v1/files/{ref('/gone')}/user-metadata/generic/k", {"value": "MQ=="})
    until = in_future(HOUR)
    older = take(client, name_suffix="baseline", expiration=until)
    expiring = take(client, expiration=in_future(timedelta(seconds=3)))
    shell(simulator, "touch seen")
    status = client.get(f"/v3/snapshots/status/{older['id']}").json
    before = attributes_then(client, older, "/home/ann/f").json
    assert simulator.stop() == 0
    shell(simulator, "echo 22 > home/ann/f; rm gone; mv home/ann there")
    simulator.start()
    client.close()
    assert client.get(f"/v3/snapshots/{older['id']}").json == older
    assert client.get(f"/v3/snapshots/status/{older['id']}").json == status
    newer = take(client)
    assert newer["id"] > expiring["id"]
    assert diff(client, newer, older) == [
        ("MODIFY", "/"), ("DELETE", "/gone"), ("MODIFY", "/home/"), ("DELETE", "/home/ann/"),
        ("CREATE", "/seen"), ("CREATE", "/there/")]
    assert attributes_then(client, older, "/home/ann/f").json == before
    assert attributes_then(client, newer, before["id"]).json["path"] == "/there/f"
    tag = client.get(f"/v1/files/{ref('/gone')}/user-metadata/generic/k?snapshot={older['id']}")
    assert tag.json == {"value": "MQ=="}
    end = time.monotonic() + PATIENCE_S
    while snapshot_ids(client) != [older["id"], newer["id"]]:
        assert time.monotonic() < end, snapshot_ids(client)


def test_after_a_kill_there_are_no_snapshots_and_no_number_comes_twice(simulator, client):
    snapshot = take(client)
    simulator.kill()
    simulator.start()
    client.close()
    assert snapshot_ids(client) == []
    assert attributes_then(client, snapshot, "/").error_class == "snapshot_not_found_error"
    assert take(client)["id"] > snapshot["id"]
