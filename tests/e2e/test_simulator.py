"""cn_simulator as clients of the real API see it: transport, errors, log-in, every endpoint."""

import base64
import hashlib
import http.client
import json
import os
import re
import socket
import ssl
import subprocess

import pytest
import requests

from cluster import ADMIN_TOKEN, NOBODY_TOKEN, PROGRAM, READER_TOKEN, Simulator, ref


@pytest.fixture
def client(simulator):
    return simulator.client()


def attributes(client, what):
    answer = client.get(f"/v1/files/{ref(what)}/info/attributes")
    assert answer.status == 200, answer
    return answer.json


def make(client, directory, name, action="CREATE_FILE", **more):
    answer = client.post(f"/v1/files/{ref(directory)}/entries/",
                         {"name": name, "action": action, **more})
    assert answer.status == 200, answer
    return answer.json


# ---- transport ----

def test_requests_trusts_the_certificate_it_prints(simulator):
    answer = requests.get(f"{simulator.url}/v1/version", verify=simulator.cert, timeout=30)
    assert answer.status_code == 200
    assert answer.json()["revision_id"].startswith("Qumulo Core ")
    host, port = simulator.address.split(":")
    der = ssl.PEM_cert_to_DER_cert(ssl.get_server_certificate((host, int(port))))
    digest = hashlib.sha256(der).hexdigest().upper()
    assert ":".join(re.findall("..", digest)) == simulator.fingerprint


def test_strict_clients_trust_the_certificate_too(simulator):
    context = ssl.create_default_context(cafile=simulator.cert)
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    connection = http.client.HTTPSConnection(simulator.address, timeout=30, context=context)
    connection.request("GET", "/v1/version")
    assert connection.getresponse().status == 200
    connection.close()


def test_certificate_and_tokens_stay_the_same_after_a_restart(make_simulator):
    simulator = make_simulator(users=False)
    before = simulator.fingerprint, simulator.token
    node = simulator.client(simulator.token).get("/v1/node/state").json
    assert simulator.stop() == 0
    simulator.start()
    assert (simulator.fingerprint, simulator.token) == before
    assert simulator.client(simulator.token).get("/v1/node/state").json == node
    assert node["state"] == "ACTIVE"


def test_plain_http_without_tls(make_simulator):
    simulator = make_simulator(tls="off")
    assert simulator.url.startswith("http://")
    assert simulator.client().get("/v1/version").status == 200


def test_both_prefixes_are_the_same_resource(client):
    assert client.get("/api/v1/session/who-am-i").json == client.get("/v1/session/who-am-i").json
    assert client.get("/api/v1/files/2/info/attributes").json["id"] == "2"


@pytest.mark.parametrize("target", [
    "/", "/v1/nothing", "/v1/files/2/entries", "/v1/files/2/streams", "/v1/files/2/user-metadata",
    "/v1/auth/access-tokens", "/v1/users", "/v1/cluster/nodes", "/v1/files/2/info/attributes/"])
def test_a_wrong_path_or_slash_is_404(client, target):
    answer = client.get(target)
    assert (answer.status, answer.error_class) == (404, "http_not_found_error")


def test_a_wrong_method_is_405(client):
    assert client.post("/v1/version").status == 405
    assert client.put("/v1/files/2/info/attributes", {}).status == 405
    assert client.delete("/v1/files/2/entries/").status == 405


def test_a_request_line_above_16_kib_is_414(client):
    assert client.get("/v1/files/" + "a" * 17000 + "/info/attributes").status == 414
    assert client.get("/v1/files/" + ref("/" + "a" * 200) + "/info/attributes").status == 404


def test_error_bodies_have_the_documented_members(client):
    error = client.get("/v1/files/%2Fno/info/attributes").json
    assert set(error) == {"description", "module", "error_class", "stack", "user_visible", "inner"}
    assert error["error_class"] == "fs_no_such_entry_error"


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xef\xbb\xbf{}", b'{"name":"a"}',
                                  b'{"name":1,"action":"CREATE_FILE"}',
                                  b'{"name":"a\\u0000","action":"CREATE_FILE"}',
                                  b'{"name":"a","action":"EXPLODE"}'])
def test_a_bad_body_is_a_decode_error(client, body):
    answer = client.post("/v1/files/2/entries/", body,
                         headers={"Content-Type": "application/json"})
    assert (answer.status, answer.error_class) == (400, "decode_error")


def test_bodies_may_be_chunked(simulator, client):
    file = make(client, "/", "big")
    pieces = [os.urandom(128 << 10) for _ in range(20)]
    connection = simulator.connect()
    connection.request("PUT", f"/v1/files/{file['id']}/data", iter(pieces), {
        "Authorization": f"Bearer {ADMIN_TOKEN}", "Content-Type": "application/octet-stream"},
        encode_chunked=False)
    assert connection.getresponse().status == 200
    assert (simulator.root / "big").read_bytes() == b"".join(pieces)
    connection.close()


# ---- the command line ----

def run_program(*words):
    return subprocess.run([PROGRAM, *words], capture_output=True, text=True, timeout=30)


def test_the_command_line_explains_itself(tmp_path):
    done = run_program("--help")
    assert done.returncode == 0 and "--root DIR" in done.stdout and "spine=watched" in done.stdout
    assert run_program("--version").stdout.startswith("cn_simulator ")
    for words, says in [
            ([], "--root is missing"), (["--rot", "x"], "--rot is not an option"),
            (["--root"], "--root wants a value"),
            (["--root", tmp_path / "no"], "No such file or directory"),
            (["--root", tmp_path, "--switch", "spin=root"], "did you mean spine?"),
            (["--root", tmp_path, "--switch", "spine=tail"], "watched|root|absent|null"),
            (["--root", tmp_path, "--user", "joe"], "NAME:PASSWORD"),
            (["--root", tmp_path, "--user", "joe:x:FILE_READ_ACESS"], "did you mean"),
            (["--root", tmp_path, "--token", "joe@abcdef"], "no --user of that name"),
            (["--root", tmp_path, "more"], "'more' was not expected")]:
        done = run_program(*words)
        assert done.returncode == 2 and says in done.stderr, done


def test_run_time_errors_have_status_1(tmp_path):
    root = tmp_path / "root"
    root.mkdir()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = run_program("--root", root, "--listen", f"127.0.0.1:{taken.getsockname()[1]}")
    assert done.returncode == 1 and "Address already in use" in done.stderr
    done = run_program("--root", root, "--tls", "/no/cert.pem,/no/key.pem")
    assert done.returncode == 1 and "/no/cert.pem" in done.stderr


# ---- log-in, tokens, privileges ----

def test_log_in_gives_a_session(simulator):
    client = simulator.client(None)
    answer = client.post("/v1/session/login", {"username": "admin", "password": "admin"})
    assert answer.status == 200
    client.token = answer.json["bearer_token"]
    assert client.token.startswith("session-v1:")
    me = client.get("/v1/session/who-am-i").json
    assert me["name"] == "admin" and me["id"] == "500" and "access_token_id" not in me
    assert "PRIVILEGE_FILE_FULL_ACCESS" in me["privileges"]
    assert client.get("/v1/session/roles").json == ["Administrators"]
    simulator.end_sessions()
    assert client.get("/v1/session/who-am-i").status == 401


@pytest.mark.parametrize("value, status, body", [("401", 401, True), ("400", 400, True),
                                                 ("empty", 401, False)])
def test_a_wrong_password_follows_the_switch(simulator, value, status, body):
    simulator.switch(bad_password=value)
    answer = simulator.client(None).post("/v1/session/login",
                                         {"username": "admin", "password": "no"})
    assert (answer.status, bool(answer.body)) == (status, body)


@pytest.mark.parametrize("token", [None, "", "access-v1:unknown", "rubbish"])
def test_no_token_or_a_wrong_one_is_401(simulator, token):
    assert simulator.client(token).get("/v1/session/who-am-i").status == 401
    simulator.switch(unauthorized_body="empty")
    answer = simulator.client(token).get("/v1/session/who-am-i")
    assert (answer.status, answer.body) == (401, b"")


def test_access_tokens_from_creation_to_deletion(simulator, client):
    everybody = client.get("/v1/auth/access-tokens/").json
    assert len(everybody["entries"]) == 3 and everybody["paging"] == {"next": ""}
    made = client.post("/v1/auth/access-tokens/", {"user": {"name": "reader"}}).json
    assert made["bearer_token"].startswith("access-v1:") and made["id"].isdigit()
    third = client.post("/v1/auth/access-tokens/", {"user": {"auth_id": "1000"}})
    assert third.status == 400
    answer = client.post("/v1/auth/access-tokens/", {"user": {"name": "ghost"}})
    assert (answer.status, answer.error_class) == (400, "cred_invalid_local_user_error")
    holder = simulator.client(made["bearer_token"])
    assert holder.get("/v1/session/who-am-i").json["access_token_id"] == made["id"]
    one = f"/v1/auth/access-tokens/{made['id']}"
    meta = client.get(one).json
    assert meta["user"]["name"] == "reader" and meta["creator"]["name"] == "admin"
    assert meta["expiration_time"] is None and meta["enabled"] is True
    assert client.patch(one, {"enabled": False}).json["enabled"] is False
    assert holder.get("/v1/session/who-am-i").status == 401
    client.patch(one, {"enabled": True, "expiration_time": "2100-01-01T00:00:00Z"})
    assert holder.get("/v1/session/who-am-i").status == 200
    client.patch(one, {"expiration_time": "2020-01-01T00:00:00Z"})
    assert holder.get("/v1/session/who-am-i").status == 401
    answer = client.delete(one)
    assert (answer.status, answer.body) == (200, b"")
    assert client.get(one).status == 404


def test_the_list_of_access_tokens_has_pages(client):
    first = client.get("/v1/auth/access-tokens/?limit=2").json
    assert len(first["entries"]) == 2
    rest = client.get(first["paging"]["next"]).json
    assert len(rest["entries"]) == 1 and not rest["paging"]["next"]


@pytest.mark.parametrize("target", [
    "/v1/cluster/settings", "/v1/node/state", "/v1/cluster/nodes/", "/v1/file-system",
    "/v1/file-system/settings/notify", "/v1/file-system/settings/atime", "/v1/smb/files/",
    "/v1/file-system/settings/permissions", "/v1/auth/access-tokens/", "/v1/users/",
    "/v1/auth/roles/", "/v3/upgrade/status", "/v1/shutdown/reboot/status",
    "/v1/network/floating-ip-allocation", "/v1/files/2/notify?recursive=true"])
def test_a_missing_privilege_is_403_or_by_switch_401(simulator, target):
    reader = simulator.client(READER_TOKEN)
    answer = reader.get(target)
    assert (answer.status, answer.error_class) == (403, "http_unauthorized_error")
    simulator.switch(missing_privilege="401")
    assert reader.get(target).status == 401
    if "notify?" not in target:
        assert simulator.client().get(target).status == 200


def test_every_user_may_ask_who_he_is(simulator):
    reader = simulator.client(READER_TOKEN)
    assert reader.get("/v1/session/who-am-i").json["privileges"] == ["PRIVILEGE_FILE_READ_ACCESS"]
    assert simulator.client(NOBODY_TOKEN).get("/v1/session/who-am-i").json["privileges"] == []
    names = [p["name"] for p in reader.get("/v1/auth/privileges/").json]
    assert "PRIVILEGE_FS_FILE_LOCK_WRITE" in names
    assert "PRIVILEGE_CLUSTER_READ" in simulator.set_rights("reader", "Observers")
    assert reader.get("/v1/cluster/settings").json == {"cluster_name": "simulator"}


def test_rights_follow_privileges_owner_and_mode(simulator, client):
    admin_file = make(client, "/", "secret")
    client.patch(f"/v1/files/{admin_file['id']}/info/attributes", {"mode": "0600"})
    target = f"/v1/files/{admin_file['id']}"
    nobody, reader = simulator.client(NOBODY_TOKEN), simulator.client(READER_TOKEN)
    assert reader.get(f"{target}/data").status == 200
    answer = nobody.get(f"{target}/data")
    assert (answer.status, answer.error_class) == (403, "fs_access_denied_error")
    assert nobody.get(f"{target}/info/attributes").status == 200
    assert reader.put(f"{target}/data", b"x").status == 403
    answer = reader.patch(f"{target}/info/attributes", {"mode": "0777"})
    assert (answer.status, answer.error_class) == (403, "fs_access_perm_not_owner_error")
    for method, body, where in [("DELETE", None, target), ("POST", {
            "name": "f", "action": "CREATE_FILE"}, "/v1/files/2/entries/")]:
        assert nobody.request(method, where, body).status == 403
    made = client.post("/v1/files/2/entries/", {"name": "open", "action": "CREATE_DIRECTORY"}).json
    client.patch(f"/v1/files/{made['id']}/info/attributes", {"mode": "0777"})
    own = make(nobody, "/open", "mine")
    assert own["owner_details"] == {"id_type": "LOCAL_USER", "id_value": "nobody"}
    assert nobody.patch(f"/v1/files/{own['id']}/info/attributes", {"mode": "0640"}).status == 200
    assert nobody.patch(f"/v1/files/{own['id']}/info/attributes", {"owner": "500"}).status == 403
    assert nobody.patch(f"/v1/files/{own['id']}/file-lock", {"legal_hold": True}).status == 403
    client.patch(f"/v1/files/{made['id']}/info/attributes", {"mode": "0700"})
    assert nobody.get(f"/v1/files/{own['id']}/info/attributes").status == 403


# ---- settings ----

def test_notify_settings_have_an_etag(client):
    target = "/v1/file-system/settings/notify"
    answer = client.get(target)
    assert answer.json == {"recursive_mode": "ENABLED"}
    etag = answer.headers["ETag"]
    changed = client.put(target, {"recursive_mode": "DISABLED_IGNORE"}, headers={"If-Match": etag})
    assert changed.json == {"recursive_mode": "DISABLED_IGNORE"}
    late = client.put(target, {"recursive_mode": "ENABLED"}, headers={"If-Match": etag})
    assert (late.status, late.error_class) == (412, "fs_tag_mismatch_error")
    assert client.put(target, {"recursive_mode": "PERHAPS"}).status == 400


def test_reads_set_the_access_time_when_it_is_enabled(simulator, client):
    (simulator.root / "f").write_text("x")
    os.utime(simulator.root / "f", (1_000_000_000, 1_000_000_000))
    before = attributes(client, "/f")["access_time"]
    assert before == "2001-09-09T01:46:40Z"
    client.get("/v1/files/%2Ff/data")
    assert attributes(client, "/f")["access_time"] == before
    answer = client.patch("/v1/file-system/settings/atime", {"enabled": True})
    assert answer.json == {"enabled": True, "granularity": "HOUR"}
    with simulator.watch("/") as stream:
        client.get("/v1/files/%2Ff/data")
        stream.wait_for(lambda e: e["type"] == "child_atime_changed" and e["path"] == "f")
    assert attributes(client, "/f")["access_time"] != before


# ---- attributes ----

def test_attributes_of_a_person_s_file(simulator, client):
    (simulator.root / "home").mkdir()
    (simulator.root / "home" / "a b.txt").write_text("hello")
    os.chmod(simulator.root / "home" / "a b.txt", 0o640)
    by_path = attributes(client, "/home/a b.txt")
    assert by_path == attributes(client, by_path["id"])
    assert by_path["id"] == by_path["file_number"] and by_path["id"].isdigit()
    assert by_path["path"] == "/home/a b.txt" and by_path["name"] == "a b.txt"
    assert by_path["type"] == "FS_FILE_TYPE_FILE" and by_path["size"] == "5"
    assert by_path["mode"] == "0640" and by_path["num_links"] == 1
    assert (by_path["blocks"], by_path["datablocks"], by_path["metablocks"]) == ("1", "1", "0")
    assert by_path["owner"] == str((3 << 32) + os.getuid())
    assert by_path["owner_details"] == {"id_type": "NFS_UID", "id_value": str(os.getuid())}
    assert by_path["directory_entry_hash_policy"] is None
    assert len(by_path["extended_attributes"]) == 9
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z", by_path["change_time"])
    assert "lock" not in by_path
    directory = attributes(client, "/home/")
    assert directory["path"] == "/home/" and directory["child_count"] == 1
    assert (directory["size"], directory["data_revision"]) == ("0", None)
    root = attributes(client, "/")
    assert (root["path"], root["name"], root["id"]) == ("/", "", "2")


@pytest.mark.parametrize("what, error_class", [
    ("/no", "fs_no_such_entry_error"), ("/no/such", "fs_no_such_path_error"),
    ("999999999", "fs_no_such_inode_error"), ("home", "fs_no_such_entry_error")])
def test_what_does_not_exist_is_404(client, what, error_class):
    answer = client.get(f"/v1/files/{ref(what)}/info/attributes")
    assert (answer.status, answer.error_class) == (404, error_class)


def test_slashes_of_a_path_must_be_encoded(simulator, client):
    (simulator.root / "home" / "joe").mkdir(parents=True)
    assert client.get("/v1/files/home/joe/info/attributes").status == 404
    assert client.get("/v1/files//home/joe/info/attributes").status == 404
    assert client.get("/v1/files/%2fhome%2Fjoe/info/attributes").status == 200


def test_patch_of_attributes_changes_the_real_file(simulator, client):
    (simulator.root / "f").write_text("hello")
    answer = client.patch("/v1/files/%2Ff/info/attributes", {
        "mode": "0600", "size": "2", "modification_time": "2001-02-03T04:05:06.789Z",
        "extended_attributes": {"hidden": True}})
    assert answer.status == 200
    assert answer.json["mode"] == "0600" and answer.json["size"] == "2"
    assert answer.json["modification_time"] == "2001-02-03T04:05:06.789Z"
    assert answer.json["extended_attributes"]["hidden"] is True
    info = os.stat(simulator.root / "f")
    assert info.st_mode & 0o7777 == 0o600 and info.st_size == 2
    assert info.st_mtime_ns == 981173106789000000


def test_owner_by_auth_id_or_details(simulator, client):
    (simulator.root / "f").write_text("")
    target = "/v1/files/%2Ff/info/attributes"
    one = client.patch(target, {"owner_details": {"id_type": "NFS_UID", "id_value": "1234"},
                                "group": str((4 << 32) + 55)}).json
    assert one["owner"] == str((3 << 32) + 1234)
    assert one["group_details"] == {"id_type": "NFS_GID", "id_value": "55"}
    two = client.patch(target, {"owner": "500"}).json
    assert two["owner_details"] == {"id_type": "LOCAL_USER", "id_value": "admin"}
    answer = client.patch(target, {"owner_details": {"id_type": "LOCAL_USER", "id_value": "x"}})
    assert (answer.status, answer.error_class) == (400, "cred_invalid_local_user_error")


@pytest.mark.parametrize("body", [{"mode": "9"}, {"mode": 420}, {"size": "x"}, {"owner": "me"},
                                  {"access_time": "today"}, {"extended_attributes": {"hidden": 1}}])
def test_bad_attributes_are_400_and_change_nothing(client, body):
    file = make(client, "/", "f")
    assert client.patch(f"/v1/files/{file['id']}/info/attributes", body).status == 400
    assert attributes(client, "/f") == file


def test_if_match_guards_every_change(simulator, client):
    file = make(client, "/", "f")
    target = f"/v1/files/{file['id']}"
    etag = client.get(f"{target}/info/attributes").headers["ETag"]
    assert re.fullmatch(r'"\d+"', etag)
    changed = client.patch(f"{target}/info/attributes", {"mode": "0600"},
                           headers={"If-Match": etag})
    assert changed.status == 200 and changed.headers["ETag"] != etag
    for method, where, body in [("PATCH", "info/attributes", {"mode": "0644"}),
                                ("PUT", "data", b"x"), ("PATCH", "data", b"x"),
                                ("PUT", "info/acl", {"aces": []}),
                                ("PUT", "user-metadata/generic/k", {"value": "eA=="}),
                                ("PATCH", "file-lock", {"legal_hold": False})]:
        answer = client.request(method, f"{target}/{where}", body, {"If-Match": etag})
        assert (answer.status, answer.error_class) == (412, "fs_tag_mismatch_error"), where
    simulator.switch(mismatch_class="none")
    answer = client.put(f"{target}/data", b"x", headers={"If-Match": etag})
    assert (answer.status, answer.error_class) == (412, "")


def test_ids_of_29_digits(make_simulator):
    simulator = make_simulator(switches={"id_size": "29"})
    client = simulator.client()
    file = make(client, "/", "f")
    assert len(file["id"]) == 29 and attributes(client, file["id"])["path"] == "/f"
    with simulator.watch("/") as stream:
        client.delete(f"/v1/files/{file['id']}")
        gone = stream.wait_for(lambda e: e["type"] == "child_file_removed")
        assert gone["spine"] == ["2", file["id"]]
