"""cn_simulator's entries, data, tags, locks, ACLs and streams, over the real directory."""

import base64
import os
import stat

import pytest

from cluster import NOBODY_TOKEN, READER_TOKEN, ref
from test_simulator import attributes, client, make  # noqa: F401 (client is a fixture)


def files_of(client, directory, **query):
    target = f"/v1/files/{ref(directory)}/entries/"
    if query:
        target += "?" + "&".join(f"{k.replace('_', '-')}={v}" for k, v in query.items())
    answer = client.get(target)
    assert answer.status == 200, answer
    return answer.json


def rename(client, old_path, directory, name, **more):
    return client.post(f"/v1/files/{ref(directory)}/entries/",
                       {"name": name, "action": "RENAME", "old_path": old_path, **more})


# ---- listing ----

def test_pages_follow_each_other_to_the_end(simulator, client):
    names = {f"f{i}" for i in range(57)}
    for name in names:
        (simulator.root / name).touch()
    page = files_of(client, "/", limit=10)
    assert page["path"] == "/" and page["id"] == "2" and page["child_count"] == 57
    seen, pages = [f["name"] for f in page["files"]], 1
    while page["paging"]["next"]:
        assert page["paging"]["next"].startswith("/v1/files/%2F/entries/?")
        page = client.get(page["paging"]["next"]).json
        assert len(page["files"]) <= 10
        seen += [f["name"] for f in page["files"]]
        pages += 1
    assert set(seen) == names and len(seen) == 57 and pages == 6
    assert seen != sorted(seen)


@pytest.mark.parametrize("value, last", [("empty", {"next": ""}), ("null", {"next": None}),
                                         ("absent", {})])
def test_the_last_page_says_so_in_three_ways(simulator, client, value, last):
    simulator.switch(paging_end=value)
    assert files_of(client, "/")["paging"] == last


def test_the_server_may_use_a_smaller_limit(simulator, client):
    for i in range(5):
        (simulator.root / f"f{i}").touch()
    simulator.switch(page_limit=2)
    page = files_of(client, "/", limit=5000)
    assert len(page["files"]) == 2 and page["paging"]["next"]


def test_smb_patterns_filter_over_pages(simulator, client):
    for i in range(30):
        (simulator.root / f"photo{i}.{'JPG' if i % 3 == 0 else 'txt'}").touch()
    page = files_of(client, "/", smb_pattern="*.jpg", limit=4)
    seen = page["files"]
    while page["paging"]["next"]:
        page = client.get(page["paging"]["next"]).json
        seen += page["files"]
    assert len(seen) == 10 and all(f["name"].endswith(".JPG") for f in seen)
    assert len(files_of(client, "/", smb_pattern="photo%3F.jpg")["files"]) == 4


def test_entries_have_the_attributes_of_the_objects(simulator, client):
    (simulator.root / "home").mkdir()
    (simulator.root / "home" / "ünï \"q\"\n").write_text("x")
    (listed,) = files_of(client, "/home")["files"]
    assert listed["name"] == "ünï \"q\"\n" and listed["path"] == "/home/ünï \"q\"\n"
    assert listed == attributes(client, listed["id"])


def test_only_directories_have_entries(simulator, client):
    file = make(client, "/", "f")
    answer = client.get(f"/v1/files/{file['id']}/entries/")
    assert (answer.status, answer.error_class) == (400, "fs_not_a_directory_error")


# ---- making ----

def test_all_kinds_of_objects_can_be_made(simulator, client):
    file = make(client, "/", "f")
    assert file["type"] == "FS_FILE_TYPE_FILE" and file["size"] == file["blocks"] == "0"
    assert file["owner_details"] == {"id_type": "LOCAL_USER", "id_value": "admin"}
    directory = make(client, "/", "d", "CREATE_DIRECTORY")
    assert directory["path"] == "/d/" and (simulator.root / "d").is_dir()
    link = make(client, directory["id"], "l", "CREATE_SYMLINK", old_path="../f",
                symlink_target_type="FS_FILE_TYPE_FILE")
    assert os.readlink(simulator.root / "d" / "l") == "../f"
    assert link["type"] == "FS_FILE_TYPE_SYMLINK"
    assert link["symlink_target_type"] == "FS_FILE_TYPE_FILE"
    assert client.get(f"/v1/files/{link['id']}/data").body == b"../f"
    hard = make(client, "/d", "h", "CREATE_LINK", old_path="/f")
    assert hard["id"] == file["id"] and hard["num_links"] == 2 and hard["path"] == "/d/h"
    pipe = make(client, "/", "p", "CREATE_UNIX_FILE", unix_file_type="FS_FILE_TYPE_UNIX_PIPE")
    assert pipe["type"] == "FS_FILE_TYPE_UNIX_PIPE"
    assert stat.S_ISFIFO(os.stat(simulator.root / "p").st_mode)


def test_a_taken_name_is_409(client):
    make(client, "/", "f")
    for action in ("CREATE_FILE", "CREATE_DIRECTORY"):
        answer = client.post("/v1/files/2/entries/", {"name": "f", "action": action})
        assert (answer.status, answer.error_class) == (409, "fs_entry_exists_error")


@pytest.mark.parametrize("name, error_class", [
    ("", "fs_invalid_name_error"), (".", "fs_invalid_name_error"), ("..", "fs_invalid_name_error"),
    ("a/b", "fs_invalid_name_error"), ("x" * 256, "fs_name_size_error")])
def test_invalid_names_are_refused(client, name, error_class):
    answer = client.post("/v1/files/2/entries/", {"name": name, "action": "CREATE_FILE"})
    assert (answer.status, answer.error_class) == (400, error_class)


@pytest.mark.parametrize("name", ["-rf", "a\nb", "a\"b\\c", "e\u0301", "\U0001f600" * 60, " ",
                                  "%2F", "a+b&c=d?e#f", "\u202egpj.exe", "x" * 255])
def test_hard_names_are_served_unharmed(simulator, client, name):
    made = make(client, "/", name)
    assert made["name"] == name and (simulator.root / name).exists()
    assert attributes(client, "/" + name) == made


# ---- renaming and deleting ----

def test_rename_keeps_the_id_and_everything_else(simulator, client):
    file = make(client, "/", "f")
    make(client, "/", "d", "CREATE_DIRECTORY")
    client.put(f"/v1/files/{file['id']}/user-metadata/generic/k", {"value": "eA=="})
    moved = rename(client, "/f", "/d", "g")
    assert moved.status == 200
    assert moved.json["id"] == file["id"] and moved.json["path"] == "/d/g"
    assert (simulator.root / "d" / "g").exists() and not (simulator.root / "f").exists()
    assert client.get(f"/v1/files/{file['id']}/user-metadata/generic/k").json["value"] == "eA=="
    os.rename(simulator.root / "d" / "g", simulator.root / "back")
    assert attributes(client, file["id"])["path"] == "/back"


def test_rename_refuses_what_the_facts_say(simulator, client):
    for name in ("d", "d/e", "full", "full/x"):
        (simulator.root / name).mkdir()
    file, other = make(client, "/", "f"), make(client, "/", "g")

    def refused(answer):
        return answer.status, answer.error_class

    assert refused(rename(client, "/f", "/", "g")) == (409, "fs_entry_exists_error")
    assert refused(rename(client, "/no", "/", "h")) == (404, "fs_no_such_entry_error")
    assert refused(rename(client, "/no/f", "/", "h")) == (404, "fs_no_such_path_error")
    assert refused(rename(client, file["id"], "/", "h"))[0] == 404
    assert refused(rename(client, "/d", "/d/e", "h")) == (400, "fs_directory_cycle_error")
    assert refused(rename(client, "/d", "/", "full", clobber=True)) == (
        409, "fs_directory_not_empty_error")
    assert rename(client, "/f", "/", "d", clobber=True).status == 400
    assert refused(rename(client, "/f", file["id"], "h")) == (400, "fs_not_a_directory_error")
    clobbered = rename(client, "/f", "/", "g", clobber=True)
    assert clobbered.json["id"] == file["id"]
    assert client.get(f"/v1/files/{other['id']}/info/attributes").status == 404
    simulator.switch(rename_by_id="allowed")
    assert rename(client, file["id"], "/d", "h").json["path"] == "/d/h"


def test_delete_by_id_path_and_name(simulator, client):
    ids = [make(client, "/", name)["id"] for name in ("a", "b", "c")]
    assert client.delete(f"/v1/files/{ids[0]}").body == b""
    assert client.delete("/v1/files/%2Fb").status == 200
    assert client.delete("/v1/files/2/entries/c").status == 200
    assert list(simulator.root.iterdir()) == []
    for gone, error_class in [(ids[0], "fs_no_such_inode_error"), ("/b", "fs_no_such_entry_error")]:
        answer = client.delete(f"/v1/files/{ref(gone)}")
        assert (answer.status, answer.error_class) == (404, error_class)


def test_what_cannot_be_deleted_stays(simulator, client):
    (simulator.root / "d" / "e").mkdir(parents=True)
    answer = client.delete("/v1/files/%2Fd")
    assert (answer.status, answer.error_class) == (409, "fs_directory_not_empty_error")
    (simulator.root / "f").touch()
    os.link(simulator.root / "f", simulator.root / "g")
    file = attributes(client, "/f")
    answer = client.delete(f"/v1/files/{file['id']}")
    assert (answer.status, answer.error_class) == (400, "fs_entry_hardlink_ambiguity_error")
    assert client.delete("/v1/files/%2Fg").status == 200
    assert attributes(client, file["id"])["num_links"] == 1
    assert client.delete("/v1/files/2").status == 400


# ---- data ----

def test_data_in_whole_and_in_pieces(simulator, client):
    file = make(client, "/", "f")
    target = f"/v1/files/{file['id']}/data"
    written = client.put(target, b"0123456789")
    assert written.json["size"] == "10" and written.headers["ETag"]
    answer = client.get(target)
    assert answer.body == b"0123456789" and answer.headers["ETag"] == written.headers["ETag"]
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert client.get(f"{target}?offset=3&length=4").body == b"3456"
    assert client.get(f"{target}?offset=8&length=40").body == b"89"
    late = client.get(f"{target}?offset=100")
    assert (late.status, late.body) == (200, b"")
    client.patch(f"{target}?offset=12", b"xy")
    assert (simulator.root / "f").read_bytes() == b"0123456789\0\0xy"
    assert client.put(target, b"").json["size"] == "0"
    assert client.put(target, {"no": "octets"}).status == 400


def test_directories_have_no_data(client):
    answer = client.get("/v1/files/2/data")
    assert (answer.status, answer.error_class) == (400, "fs_not_a_file_error")


def test_copy_goes_on_until_the_answer_is_empty(simulator, client):
    whole = os.urandom((16 << 20) * 2 + 12345)
    (simulator.root / "from").write_bytes(whole)
    target = make(client, "/", "to")
    body, rounds, etag = {"source_path": "/from"}, 0, None
    while True:
        answer = client.post(f"/v1/files/{target['id']}/copy-chunk", body,
                             headers={"If-Match": etag} if etag else {})
        assert answer.status == 200
        rounds, etag = rounds + 1, answer.headers["ETag"]
        if not answer.body:
            break
        body = answer.json
        assert body["source_path"] == "/from"
    assert rounds == 3 and (simulator.root / "to").read_bytes() == whole


def test_copy_takes_a_part_and_minds_the_source_s_etag(simulator, client):
    source, target = make(client, "/", "a"), make(client, "/", "b")
    old = client.get(f"/v1/files/{source['id']}/data").headers["ETag"]
    client.put(f"/v1/files/{source['id']}/data", b"0123456789")
    client.put(f"/v1/files/{target['id']}/data", b"----------")
    copy = f"/v1/files/{target['id']}/copy-chunk"
    part = {"source_id": source["id"], "source_offset": "2", "target_offset": "4", "length": "3"}
    assert client.post(copy, part).body == b""
    assert (simulator.root / "b").read_bytes() == b"----234---"
    assert client.post(copy, {**part, "source_etag": old}).status == 412
    assert client.post(copy, {}).status == 400
    assert client.post(copy, {"source_id": source["id"], "source_path": "/a"}).status == 400
    assert client.post(copy, {"source_path": "/no"}).status == 404


def test_a_hole_reads_as_zeros(simulator, client):
    (simulator.root / "f").write_bytes(b"x" * 10000)
    answer = client.post("/v1/files/%2Ff/punch-hole", {"offset": "10", "size": "20"})
    assert (answer.status, answer.body) == (200, b"")
    assert (simulator.root / "f").read_bytes() == b"x" * 10 + b"\0" * 20 + b"x" * 9970


# ---- user metadata ----

def test_tags_are_added_replaced_listed_and_removed(simulator, client):
    file = make(client, "/", "f")
    base = f"/v1/files/{file['id']}/user-metadata/"
    value = base64.b64encode("grün".encode()).decode()
    assert client.post(f"{base}generic/{ref('a/b ü')}", {"value": value}).status == 200
    again = client.post(f"{base}generic/{ref('a/b ü')}", {"value": value})
    assert (again.status, again.error_class) == (409, "fs_user_metadata_key_already_exists")
    assert client.put(f"{base}generic/k", {"value": [104, 105]}).status == 200
    assert client.put(f"{base}s3/z", {"value": "eA=="}).status == 200
    assert client.get(f"{base}generic/k").json == {"value": "aGk="}
    listed = client.get(base).json
    assert {(e["type"], e["key"]) for e in listed["entries"]} == {
        ("GENERIC", "a/b ü"), ("GENERIC", "k"), ("S3", "z")}
    assert len(client.get(f"{base}generic/").json["entries"]) == 2
    page = client.get(f"{base}?limit=2").json
    assert len(page["entries"]) == 2
    assert len(client.get(page["paging"]["next"]).json["entries"]) == 1
    assert attributes(client, file["id"])["user_metadata_revision"] == "3"
    simulator.switch(metadata_value="numbers")
    assert client.get(f"{base}generic/k").json == {"value": [104, 105]}
    assert client.delete(f"{base}generic/k").status == 200
    for method in ("GET", "DELETE"):
        answer = client.request(method, f"{base}generic/k")
        assert (answer.status, answer.error_class) == (404, "fs_user_metadata_key_not_found")


@pytest.mark.parametrize("value, error_class", [
    ("", "fs_user_metadata_empty_insertion_error"), ("no base64!", "decode_error"),
    (5, "decode_error"),
    pytest.param("A" * (600 << 10), "fs_user_metadata_too_large", id="too-large")])
def test_bad_tags_are_refused(client, value, error_class):
    answer = client.put("/v1/files/2/user-metadata/generic/k", {"value": value})
    assert (answer.status, answer.error_class) == (400, error_class)


# ---- lock ----

def test_a_lock_holds_off_every_change(simulator, client):
    file = make(client, "/", "f")
    target = f"/v1/files/{file['id']}"
    locked = client.patch(f"{target}/file-lock", {"legal_hold": True})
    assert locked.json["lock"] == {"retention_period": None, "legal_hold": True}
    for method, where, body in [("PUT", f"{target}/data", b"x"), ("DELETE", target, None),
                                ("PATCH", f"{target}/info/attributes", {"mode": "0600"}),
                                ("PUT", f"{target}/info/acl", {"aces": []})]:
        answer = client.request(method, where, body)
        assert (answer.status, answer.error_class) == (403, "fs_read_only_error"), where
    assert rename(client, "/f", "/", "g").status == 403
    simulator.switch(locked_rename="allowed")
    assert rename(client, "/f", "/", "g").status == 200
    lifted = client.patch(f"{target}/file-lock", {"legal_hold": False})
    assert lifted.json["lock"]["legal_hold"] is False
    assert client.delete(target).status == 200


def test_retention_grows_only(client):
    file = make(client, "/", "f")
    target = f"/v1/files/{file['id']}/file-lock"
    year = "2090-01-01T00:00:00Z"
    assert client.patch(target, {"retention_period": year}).json["lock"]["retention_period"] == year
    assert client.patch(target, {"retention_period": "2089-01-01T00:00:00Z"}).status == 400
    assert client.patch(target, {"retention_period": "2001-01-01T00:00:00Z"}).status == 400
    assert client.patch(target, {"retention_period": "2091-01-01T00:00:00Z"}).status == 200
    shown = client.get(f"/v1/files/{file['id']}/info/attributes?retrieve-file-lock=true").json
    assert shown["lock"]["retention_period"] == "2091-01-01T00:00:00Z"
    answer = client.patch("/v1/files/2/file-lock", {"legal_hold": True})
    assert (answer.status, answer.error_class) == (400, "fs_not_a_file_error")


# ---- ACL ----

ACE = {"type": "ALLOWED", "flags": [], "trustee": "500", "rights": ["READ", "MODIFY"]}


def test_an_acl_is_made_up_from_the_mode_until_it_is_set(simulator, client):
    file = make(client, "/", "f")
    target = f"/v1/files/{file['id']}/info/acl"
    first = client.get(target)
    assert first.json["generated"] is True and len(first.json["acl"]["aces"]) == 3
    assert first.json["acl"]["aces"][0]["trustee"] == "500"
    changed = client.put(target, {"aces": [ACE]}, headers={"If-Match": first.headers["ETag"]})
    assert changed.status == 200 and changed.json["generated"] is False
    assert changed.json["acl"]["aces"] == [{**ACE, "trustee_details": {
        "id_type": "LOCAL_USER", "id_value": "admin"}}]
    assert attributes(client, file["id"])["mode"] == "0600"
    assert stat.S_IMODE(os.stat(simulator.root / "f").st_mode) == 0o600
    client.patch(f"/v1/files/{file['id']}/info/attributes", {"mode": "0644"})
    assert client.get(target).json["generated"] is True


def test_the_second_version_is_flat_and_names_identities(client):
    file = make(client, "/", "f")
    flat = client.get(f"/v2/files/{file['id']}/info/acl").json
    assert set(flat) == {"control", "posix_special_permissions", "aces"}
    assert flat["aces"][0]["trustee"]["name"] == "admin"
    answer = client.put(f"/v2/files/{file['id']}/info/acl", {"aces": [
        {**ACE, "trustee": {"name": "reader"}}, {**ACE, "trustee": {"uid": 1234}}]})
    assert answer.status == 200
    trustees = [a["trustee"] for a in client.get(
        f"/v1/files/{file['id']}/info/acl").json["acl"]["aces"]]
    assert trustees == ["1000", str((3 << 32) + 1234)]


@pytest.mark.parametrize("body, error_class", [
    ({}, "decode_error"), ({"aces": [{k: v for k, v in ACE.items() if k != "flags"}]}, "decode_error"),
    ({"aces": [{**ACE, "rights": ["FLY"]}]}, "decode_error"),
    ({"aces": [{**ACE, "type": "MAYBE"}]}, "decode_error"),
    ({"aces": [ACE] * 201}, "fs_too_many_aces_error")])
def test_bad_acls_are_refused(client, body, error_class):
    answer = client.put("/v1/files/2/info/acl", body)
    assert (answer.status, answer.error_class) == (400, error_class)


def test_an_acl_decides_before_the_mode(simulator, client):
    file = make(client, "/", "f")
    client.patch(f"/v1/files/{file['id']}/info/attributes", {"mode": "0666"})
    nobody = simulator.client(NOBODY_TOKEN)
    assert nobody.get(f"/v1/files/{file['id']}/data").status == 200
    everyone = str(2 << 32)
    client.put(f"/v1/files/{file['id']}/info/acl", {"aces": [
        {**ACE, "type": "DENIED", "trustee": "1001", "rights": ["READ"]},
        {**ACE, "trustee": everyone, "rights": ["READ", "READ_ATTR"]}]})
    assert nobody.get(f"/v1/files/{file['id']}/data").status == 403
    assert nobody.get(f"/v1/files/{file['id']}/info/attributes").status == 200


# ---- streams ----

def test_streams_from_creation_to_deletion(simulator, client):
    file = make(client, "/", "f")
    base = f"/v1/files/{file['id']}/streams/"
    assert client.get(base).json == []
    made = client.post(base, {"stream_name": "Zone.Identifier"}).json
    assert made["name"] == "Zone.Identifier" and made["size"] == "0"
    taken = client.post(base, {"stream_name": "Zone.Identifier"})
    assert taken.status == 409
    one = f"{base}{made['id']}"
    with simulator.watch("/") as stream:
        assert client.put(f"{one}/data", b"[ZoneTransfer]").status == 200
        event = stream.wait_for(lambda e: e["type"] == "child_stream_data_written")
        assert event["stream_name"] == "Zone.Identifier" and event["path"] == "f"
        client.patch(f"{one}/data?offset=14", b"!")
        assert client.get(f"{one}/data?offset=13").body == b"]!"
        assert client.patch(f"{one}/attributes", {"size": "4"}).json["size"] == "4"
        assert client.post(f"{one}/rename", {"stream_name": "z"}).json["name"] == "z"
        stream.wait_for(lambda e: e["type"] == "child_stream_moved_to" and e["stream_name"] == "z")
        assert [s["name"] for s in client.get(base).json] == ["z"]
        (simulator.root / "plain").write_bytes(b"12345678")
        assert client.post(f"{one}/copy-chunk", {"source_path": "/plain"}).status == 200
        assert client.get(f"{one}/data").body == b"12345678"
        copied = client.post("/v1/files/%2Fplain/copy-chunk", {
            "source_id": file["id"], "source_stream_id": made["id"], "source_offset": "4"})
        assert copied.status == 200 and (simulator.root / "plain").read_bytes() == b"56785678"
        assert client.delete(one).status == 200
        stream.wait_for(lambda e: e["type"] == "child_stream_removed")
    assert client.get(f"{one}/attributes").status == 404
    assert (simulator.root / "f").read_bytes() == b""


# ---- resolve, handles ----

def test_ids_resolve_to_paths(simulator, client):
    (simulator.root / "home").mkdir()
    file, directory = make(client, "/home", "f"), attributes(client, "/home")
    ids = [file["id"], directory["id"], "2"]
    assert client.post("/v1/files/resolve", ids).json == [
        {"id": file["id"], "path": "/home/f"}, {"id": directory["id"], "path": "/home/"},
        {"id": "2", "path": "/"}]
    answer = client.post("/v1/files/resolve", ["2", "987654321"])
    assert (answer.status, answer.error_class) == (404, "fs_no_such_inode_error")
    simulator.switch(resolve_dead="omitted")
    assert client.post("/v1/files/resolve", ["2", "987654321"]).json == [{"id": "2", "path": "/"}]


def handles(client, query=""):
    """All open handles, page by page."""
    found, target = [], f"/v1/smb/files/?limit=1000{query}"
    while target:
        page = client.get(target).json
        found += page["file_handles"]
        target = page["paging"]["next"]
    return found


def test_open_handles_are_listed_with_what_they_may(simulator, client):
    assert client.get("/v1/smb/files/?file_number=5&resolve_paths=true").json == {
        "file_handles": [], "paging": {"next": ""}}
    for name in "abc":
        (simulator.root / name).write_text(name)
    simulator.opens("/a")
    simulator.opens("/b", access="read", count=1500)
    assert len(handles(client)) == 1501
    id = client.get("/v1/files/%2Fa/info/attributes").json["id"]
    handle, = handles(client, f"&file_number={id}&resolve_paths=true")
    info = handle["handle_info"]
    assert (handle["file_number"], info["path"]) == (id, "/a")
    assert "MS_ACCESS_FILE_WRITE_DATA" in info["access_mask"]
    assert not any("WRITE_DATA" in mask for h in handles(client)[1:]
                   for mask in h["handle_info"]["access_mask"])
    assert client.post("/v1/smb/files/close", [info]).status == 200
    assert handles(client, f"&file_number={id}") == []
    (simulator.root / "b").unlink()
    assert handles(client) == []  # who is gone has nothing open
    assert simulator.client(READER_TOKEN).get("/v1/smb/files/").status == 403


def test_who_has_a_file_open_alone_forbids_to_rename_and_delete_it(simulator, client):
    (simulator.root / "a").write_text("a")
    simulator.opens("/a", exclusive=True)
    rename = {"action": "RENAME", "name": "b", "old_path": "/a"}
    for answer in (client.post("/v1/files/2/entries/", rename), client.delete("/v1/files/%2Fa")):
        assert (answer.status, answer.error_class) == (409, "fs_sharing_violation_error")
    assert simulator.closes("/a") == 1
    assert client.post("/v1/files/2/entries/", rename).status == 200


def test_changes_of_tags_and_locks_are_events_only_where_the_switch_says_so(simulator, client):
    (simulator.root / "a").write_text("a")
    (simulator.root / "b").write_text("b")
    with simulator.watch("/") as stream:
        put = lambda name: client.put(f"/v1/files/%2F{name}/user-metadata/generic/k",
                                      {"value": "aGVsbG8="})
        assert put("a").status == 200
        simulator.switch(metadata_event="extra-attrs")
        assert put("b").status == 200
        assert client.patch("/v1/files/%2Fb/file-lock", {"legal_hold": True}).status == 200
        stream.wait(lambda: len(stream.events) == 2)
        assert stream.shown() == [("child_extra_attrs_changed", "b")] * 2


def test_snapshots_are_not_there(client):
    answer = client.get("/v1/files/2/info/attributes?snapshot=5")
    assert (answer.status, answer.error_class) == (404, "snapshot_not_found_error")
