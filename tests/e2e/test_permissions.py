"""The permissions module beyond modes of one file: access control lists, whole directories, symbolic modes."""

import json
import stat
import urllib.request

import pytest

from cluster import ref
from monitor import wait_until

ALL = """  - name: all
    when: {{event: any}}
    actions: [{{log: {{file: {all}}}}}]
"""


@pytest.fixture
def run(simulator, make_monitor, tmp_path):
    """run(action, when=...): a started monitor with that rule, and one that sees everything."""
    (simulator.root / "in").mkdir()

    def start(action, when="{event: created, directory: /in}", **options):
        rules = (f"version: 1\nwatched_items:\n  - name: the-rule\n    when: {when}\n    actions:\n      - {action}\n"
                 + ALL.format(all=tmp_path / "all.jsonl"))
        return make_monitor(simulator, rules, **options).start()
    return start


@pytest.fixture
def triggered(tmp_path):
    def read():
        file = tmp_path / "all.jsonl"
        return [json.loads(line) for line in file.open()] if file.exists() else []
    return read


def mode_of(path):
    return stat.S_IMODE(path.stat().st_mode)


def acl(simulator, path, body=None):
    return simulator.client().request("PUT" if body else "GET", f"/v1/files/{ref(path)}/info/acl", body).json


def the_job(monitor, state="done"):
    def find():
        return [job for job in monitor.jobs(state) if job["body"]["rule"] == "the-rule"]
    return wait_until(find, f"a job that is {state}: {monitor.log()[-2000:]}")[0]


def rights(acl):
    return {(a["type"], a["trustee"]): set(a["rights"]) for a in acl["acl"]["aces"]}


@pytest.mark.parametrize("mode, before, after", [
    ("go-rwx", 0o664, 0o600), ("u=rwX,g=rX,o=", 0o777, 0o750), ("a+X", 0o644, 0o644)])
def test_symbolic_modes(simulator, run, mode, before, after):
    outside = simulator.root.parent / "a.txt"
    outside.write_text("x")
    outside.chmod(before)
    monitor = run(f'permissions: "{mode}"')
    outside.rename(simulator.root / "in/a.txt")
    the_job(monitor)
    assert mode_of(simulator.root / "in/a.txt") == after


def test_a_preset_takes_rights_away_and_undo_gives_them_back(simulator, run, triggered):
    monitor = run("permissions: {acl: nobody}")
    (simulator.root / "in/a.txt").write_text("x")
    job = the_job(monitor)
    monitor.wait_idle()
    assert acl(simulator, "/in/a.txt")["acl"]["aces"] == []
    assert {e["event"] for e in triggered()} <= {"child_file_added", "child_data_written", "child_size_changed",
                                                 "child_mtime_changed"}
    assert "would set the former access control list again" in monitor.run("undo", str(job["id"]), "--dry-run").stdout
    result = monitor.run("undo", str(job["id"]))
    assert result.returncode == 0, result.stdout + result.stderr
    assert mode_of(simulator.root / "in/a.txt") == 0o644


def test_read_only_keeps_who_may_read(simulator, run):
    (simulator.root / "in/a.txt").write_text("x")
    acl(simulator, "/in/a.txt", {"control": ["PRESENT"], "posix_special_permissions": [], "aces": [
        {"type": "ALLOWED", "flags": [], "trustee": "500", "rights": ["READ", "MODIFY", "EXTEND"]},
        {"type": "DENIED", "flags": [], "trustee": "501", "rights": ["READ"]},
        {"type": "ALLOWED", "flags": [], "trustee": "513", "rights": ["MODIFY"]}]})
    monitor = run("permissions: {acl: read_only}", when="{event: written, directory: /in}")
    with (simulator.root / "in/a.txt").open("a") as file:
        file.write("y")
    the_job(monitor)
    assert rights(acl(simulator, "/in/a.txt")) == {("ALLOWED", "500"): {"READ"}, ("DENIED", "501"): {"READ"}}


def test_entries_and_the_clusters_own_form_are_the_same_and_set_once(simulator, run):
    monitor = run("""permissions:
          acl:
            - {allow: "uid:1000", rights: [READ, EXECUTE]}
            - {deny: everyone, rights: read}
      - permissions:
          acl: {control: [PRESENT], aces: [
            {type: ALLOWED, flags: [], trustee: "12884902888", rights: [EXECUTE, READ]},
            {type: DENIED, flags: [], trustee: "8589934592",
             rights: [READ, READ_EA, READ_ATTR, READ_ACL, EXECUTE, SYNCHRONIZE]}]}""")
    (simulator.root / "in/a.txt").write_text("x")
    job = the_job(monitor)
    assert "nothing to do" in job["body"]["log"][1]["why"]
    assert len([c for c in simulator.changes() if "acl" in c["route"]]) == 1


def test_an_access_control_list_of_somebody_who_is_not_there_is_rejected(simulator, run):
    monitor = run("permissions: {acl: [{allow: nobody-has-this-name, rights: read}]}")
    (simulator.root / "in/a.txt").write_text("x")
    assert "permissions: " in the_job(monitor, "dead")["outcome"]


def test_a_lost_answer_sets_the_list_and_asks_again(simulator, run, triggered):
    monitor = run("permissions: {acl: owner_only}", sections={"ACT": {"BACK_OFF": "50ms"}})
    simulator.fault(method="PUT", path="/v1/files/{}/info/acl", answer="lost")
    (simulator.root / "in/a.txt").write_text("x")
    the_job(monitor)
    monitor.wait_idle()
    assert len(acl(simulator, "/in/a.txt")["acl"]["aces"]) == 1
    assert "child_acl_changed" not in {e["event"] for e in triggered()}


def grow(folder, depth, width):
    folder.mkdir()
    for n in range(width):
        (folder / f"{n}.txt").write_text("x")
        if depth:
            grow(folder / f"d{n}", depth - 1, width)


def test_a_whole_directory(simulator, run, triggered):
    grow(simulator.root / "tree", 3, 4)
    (simulator.root / "tree/link").symlink_to("/etc/passwd")
    simulator.switch(page_limit=3)
    monitor = run('permissions: {mode: "u=rwX,g=rX,o=", recursive: yes}',
                  when="{event: child_dir_moved_to, directory: /in}")
    (simulator.root / "tree").rename(simulator.root / "in/tree")
    job = the_job(monitor)
    monitor.wait_idle()
    tree = simulator.root / "in/tree"
    files = [p for p in tree.rglob("*") if not p.is_symlink()]
    assert len(files) == 4 + 3 * 0 + 4 * 4 + 4 * 16 + 4 * 64 + 4 + 16 + 64
    assert {mode_of(p) for p in files if p.is_file()} == {0o640}
    assert {mode_of(p) for p in [tree, *files] if p.is_dir()} == {0o750}
    assert f"{len(files) + 1} of {len(files) + 1} changed" in job["outcome"]
    assert "child_acl_changed" not in {e["event"] for e in triggered()}
    shown = monitor.run("undo", str(job["id"]), "--dry-run")
    assert "permissions cannot be taken back" in shown.stdout + shown.stderr


def test_what_cannot_be_changed_is_counted_and_the_rest_is_done(simulator, run):
    grow(simulator.root / "tree", 1, 3)
    simulator.client().request("PATCH", f"/v1/files/{ref('/tree/d1/1.txt')}/file-lock", {"legal_hold": True})
    monitor = run("permissions: {mode: \"0700\", recursive: yes}",
                  when="{event: child_dir_moved_to, directory: /in}")
    (simulator.root / "tree").rename(simulator.root / "in/tree")
    outcome = the_job(monitor, "dead")["outcome"]
    assert "1 of 16 could not be changed, the first: /in/tree/d1/1.txt: " in outcome
    modes = {str(p.relative_to(simulator.root)): mode_of(p) for p in (simulator.root / "in/tree").rglob("*")}
    assert {path for path, mode in modes.items() if mode != 0o700} == {"in/tree/d1/1.txt"}


def test_trouble_in_the_middle_is_gone_through_again(simulator, run):
    grow(simulator.root / "tree", 1, 5)
    monitor = run("permissions: {mode: \"0700\", recursive: yes}", sections={"ACT": {"BACK_OFF": "50ms"}},
                  when="{event: child_dir_moved_to, directory: /in}")
    simulator.fault(method="PATCH", path="/v1/files/{}/info/attributes", status=503, skip=10, count=2)
    (simulator.root / "tree").rename(simulator.root / "in/tree")
    job = the_job(monitor)
    assert {mode_of(p) for p in (simulator.root / "in/tree").rglob("*")} == {0o700}
    assert job["body"]["log"][-1]["attempts"] > 1
