"""File names are foreign: whatever they hold, they are matched, moved and handed on unharmed, and
no shell, terminal or log ever takes them for anything else than names."""

import json
import os
import re
import stat
import sys

import pytest

from monitor import wait_until

NAMES = [
    "it's.zip", 'say "hello".zip', "`touch x`.zip", "$(touch x).zip", "${HOME}.zip", "; touch x.zip",
    "| touch x &&.zip", "-rf.zip", "--help.zip", "a b  c.zip", " leading.zip", "two\nlines.zip",
    "carriage\rreturn.zip", "tab\there.zip", "back\\slash\\n.zip", "bell\a\x01\x1b[31mred\x1b[0m.zip",
    "del\x7f.zip", "csi\u009b31m.zip", "smile \U0001f600 \U0001f468\u200d\U0001f469\u200d\U0001f467.zip",
    "e\u0301 combining.zip", "\u00e9 composed.zip", "\u202egpj.zip", "line\u2028separator.zip",
    "{path} {{x}} {nonsense}.zip", "%s%n%d.zip", "*.zip", "[a-z]?.zip", "~.zip", "#x: y, [z].zip",
    "...zip", "C:\\evil\\con.zip", "<b>&amp;.zip", "b" * 251 + ".zip", "\u00fc" * 125 + "x.zip",
]

RECORDER = """\
import json, os, sys
seen = {"argv": [os.fsencode(word).hex() for word in sys.argv[2:]],
        "environment": {name: os.fsencode(value).hex() for name, value in os.environ.items()},
        "stdin": json.loads(sys.stdin.buffer.read())}
out = os.path.join(sys.argv[1], os.environ["CN_JOB"])
with open(out + ".new", "w") as file:
    json.dump(seen, file)
os.rename(out + ".new", out)
"""

RULES = """\
version: 1
watched_items:
  - name: hand-on
    when: {event: created, directory: /in, extension: .zip}
    actions:
      - exec: {command: [%(python)s, -IS, %(recorder)s, %(seen)s, "{path}", "{name}", "{stem}", "x{path}"]}
      - quarantine: {to: /quarantine, by_date: no}
      - log: {file: %(log)s}
      - log: {}
%(more)s"""


@pytest.fixture
def recorder(tmp_path):
    """recorder(more=""): rules that hand everything to a program; recorder.seen(): what it got."""
    class Recorder:
        folder, log = tmp_path / "seen", tmp_path / "matches.jsonl"

        def rules(self, more=""):
            self.folder.mkdir(exist_ok=True)
            script = tmp_path / "recorder.py"
            script.write_text(RECORDER)
            return RULES % {"python": sys.executable, "recorder": script, "seen": self.folder,
                            "log": self.log, "more": more}

        def seen(self):
            """By the path on standard input."""
            records = [json.loads(f.read_text()) for f in self.folder.iterdir()
                       if f.suffix != ".new"]
            return {record["stdin"]["path"]: record for record in records}

    return Recorder()


def exact_rule(number, path):
    """A rule for this path alone. JSON in ASCII is YAML, but for pairs of surrogates."""
    text = json.dumps(path, ensure_ascii=False)
    text = re.sub(r"[^\x20-\x7e]", lambda c: f"\\U{ord(c[0]):08x}", text)
    return (f"  - name: exactly-{number}\n    when: {{event: created, file: {text}}}\n"
            f"    actions: [{{log: {{}}}}]\n")


def unhex(text):
    return bytes.fromhex(text).decode()


def check_handed_on(record, path):
    name = path.rsplit("/", 1)[1]
    stem = name[:-len(".zip")]
    assert [unhex(word) for word in record["argv"]] == [path, name, stem, "x" + path]
    assert record["stdin"]["path"] == path
    assert unhex(record["environment"]["CN_PATH"]) == path
    assert unhex(record["environment"]["CN_NAME"]) == name
    assert unhex(record["environment"]["CN_FILE_ID"]) == record["stdin"]["file_id"]


def test_strange_names_are_matched_moved_and_handed_on_unharmed(simulator, make_monitor, recorder,
                                                               tmp_path):
    paths = ["/in/" + name for name in NAMES]
    monitor = make_monitor(simulator, recorder.rules("".join(
        exact_rule(n, path) for n, path in enumerate(paths))))
    (simulator.root / "in").mkdir()
    before = set(os.listdir(os.getcwd()))
    monitor.start()
    for path in paths:
        (simulator.root / path[1:]).write_bytes(path.encode())
    monitor.wait_for_jobs(2 * len(paths))
    seen = recorder.seen()
    assert sorted(seen) == sorted(paths)
    for path in paths:
        check_handed_on(seen[path], path)
        assert (simulator.root / "quarantine" / path[1:]).read_bytes() == path.encode()
    assert os.listdir(simulator.root / "in") == []
    assert set(os.listdir(os.getcwd())) == before and not (tmp_path / "x").exists()

    # Each exact rule fired once, on its own file.
    exact = {j["body"]["rule"]: j["body"]["event"]["path"] for j in monitor.jobs()
             if j["body"]["rule"].startswith("exactly-")}
    assert exact == {f"exactly-{n}": path for n, path in enumerate(paths)}

    # A line of JSON each, whatever the names hold.
    lines = recorder.log.read_bytes().split(b"\n")
    assert lines.pop() == b""
    assert sorted(json.loads(line)["path"] for line in lines) == sorted(paths)
    check_lines_stay_lines(monitor)


def check_lines_stay_lines(monitor):
    """What people see: no name starts a line of its own or reaches the terminal as a command."""
    log = monitor.log_path.read_bytes().decode()
    shown = monitor.run("tail", "-n", "1000", "--once")
    assert shown.returncode == 0, shown.stderr
    for text in log, shown.stdout:
        assert "two" in text and "csi" in text
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029]", text)
    for line in log.splitlines():
        assert re.match(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d", line), line
    for line in shown.stdout.splitlines():
        assert re.match(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d", line), line


# ---- 20,000 characters ----

def make_deep_file(root, directories, name, content):
    """No system call takes such a path at once."""
    at = os.open(root, os.O_DIRECTORY)
    for directory in directories:
        try:
            os.mkdir(directory, dir_fd=at)
        except FileExistsError:
            pass
        below = os.open(directory, os.O_DIRECTORY, dir_fd=at)
        os.close(at)
        at = below
    new = os.open(name, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644, dir_fd=at)
    os.write(new, content)
    os.close(new)
    return at


def open_deep(root, directories):
    at = os.open(root, os.O_DIRECTORY)
    for directory in directories:
        below = os.open(directory, os.O_DIRECTORY, dir_fd=at)
        os.close(at)
        at = below
    return at


def read_at(directory, name):
    file = os.open(name, os.O_RDONLY, dir_fd=directory)
    try:
        return os.read(file, 1000)
    finally:
        os.close(file)


def test_a_path_of_20000_characters_is_handed_on_changed_and_quarantined(simulator, make_monitor,
                                                                         recorder):
    directories = ["in"] + [f"{n:03} $(x) 'ü' " + "d" * 237 for n in range(79)]
    name = "the file;" + "e" * 200 + ".zip"
    path = "/" + "/".join([*directories, name])
    assert 19_900 < len(path) < 20_100
    deep = "/".join(directories[:40])
    monitor = make_monitor(simulator, recorder.rules(f"""\
  - name: lock-up
    when: {{event: created, directory: ["/{deep}", "/quarantine/{deep}"], extension: .zip}}
    actions: [permissions: {{mode: "0600"}}]
""")).start()
    directory = make_deep_file(simulator.root, directories, name, b"deep")
    try:
        monitor.wait_for_jobs(2)
        check_handed_on(recorder.seen()[path], path)
        assert os.listdir(directory) == []
    finally:
        os.close(directory)
    there = open_deep(simulator.root, ["quarantine", *directories])
    try:
        assert read_at(there, name) == b"deep"
        assert stat.S_IMODE(os.stat(name, dir_fd=there).st_mode) == 0o600
    finally:
        os.close(there)
    shown = monitor.run("tail", "-n", "1000", "--once")
    assert path in shown.stdout


# ---- names that are not UTF-8 ----

BAD = b"bad \xff\xfe \xed\xa0\x80.zip"


@pytest.mark.parametrize("shown_as", ["replaced", "raw", "surrogates"])
def test_a_name_that_is_not_utf8_is_judged_and_acted_upon_by_id(make_simulator, make_monitor,
                                                                recorder, shown_as):
    simulator = make_simulator(switches={"bad_names": shown_as})
    folder = simulator.root / "in"
    folder.mkdir()
    monitor = make_monitor(simulator, recorder.rules("""\
  - name: lock-up
    when: {event: created, directory: /in, name: "bad*.zip"}
    actions: [permissions: {mode: "0600"}]
"""), sections={"ACT": {"ATTEMPTS": 3}}).start()
    bad = os.path.join(os.fsencode(folder), BAD)
    with open(bad, "wb") as file:
        file.write(b"still here")
    (folder / "good.zip").write_bytes(b"good")
    monitor.wait_for_jobs(2)  # locked up, and the good one
    dead, = monitor.wait_for_jobs(1, "dead")

    # By id, so it works; the name is shown as far as it can be.
    assert stat.S_IMODE(os.stat(bad).st_mode) == 0o600
    record = next(r for path, r in recorder.seen().items() if "bad" in path)
    assert record["stdin"]["path"].startswith("/in/bad ")
    assert record["stdin"]["path"].endswith(".zip")
    assert record["stdin"]["file_id"] in {j["file_id"] for j in monitor.jobs("done")}

    # The cluster takes the source of a move by its path only: said, not tried for ever.
    assert "quarantine" in dead["outcome"] and "UTF-8" in dead["outcome"]
    assert open(bad, "rb").read() == b"still here"

    # Whoever comes after is served.
    assert (simulator.root / "quarantine/in/good.zip").read_bytes() == b"good"
    assert "bad" in monitor.run("tail", "--once").stdout
    assert "/in/bad " in json.dumps(monitor.tail())
    assert monitor.stop() == 0


def test_a_directory_whose_name_is_not_utf8_harms_nothing_below_it(simulator, make_monitor,
                                                                   recorder):
    folder = os.path.join(os.fsencode(simulator.root), b"in", b"d\xff")
    os.makedirs(folder)
    monitor = make_monitor(simulator, recorder.rules("""\
  - name: lock-up
    when: {event: created, directory: /in, name: "a.zip"}
    actions: [permissions: {mode: "0600"}]
"""), sections={"ACT": {"ATTEMPTS": 3}}).start()
    with open(folder + b"/a.zip", "wb"):
        pass
    assert monitor.wait_for_jobs(1)[0]["body"]["rule"] == "lock-up"
    assert "UTF-8" in monitor.wait_for_jobs(1, "dead")[0]["outcome"]
    assert stat.S_IMODE(os.stat(folder + b"/a.zip").st_mode) == 0o600


# ---- ids of 29 digits ----

def test_ids_of_29_digits_are_taken_as_they_are(make_simulator, make_monitor, recorder):
    simulator = make_simulator(switches={"id_size": 29})
    (simulator.root / "in").mkdir()
    monitor = make_monitor(simulator, recorder.rules("""\
  - name: lock-up
    when: {event: [created, permissions], directory: /, extension: .zip}
    actions: [permissions: {mode: "0600"}]
""")).start()
    (simulator.root / "in/a.zip").write_bytes(b"a")
    monitor.wait_for_jobs(2)
    moved = simulator.root / "quarantine/in/a.zip"
    assert stat.S_IMODE(moved.stat().st_mode) == 0o600
    record = recorder.seen()["/in/a.zip"]
    assert re.fullmatch(r"\d{29}", record["stdin"]["file_id"])
    check_handed_on(record, "/in/a.zip")
    monitor.wait_idle()
    assert len(monitor.jobs()) == 2  # nobody fired on what we did ourselves


def test_an_event_that_cannot_be_read_leaves_the_others_their_labels(simulator, make_monitor):
    monitor = make_monitor(simulator, """\
version: 1
watched_items:
  - name: note
    when: {event: created, extension: .zip}
    actions: [log]
""").start()
    simulator.emit(raw='data: [{"type":"child_file_added","path":"a.txt","spine":["2","90"]},'
                       '{"type":7},17,'
                       '{"type":"child_file_added","path":"b.zip","spine":["2","91"]}]\n\n')
    monitor.wait_for_jobs(1)
    labels = {e.get("path"): e.get("label", {}).get("rules") for e in monitor.tail()}
    assert labels["/b.zip"] == ["note"] and labels["/a.txt"] is None
