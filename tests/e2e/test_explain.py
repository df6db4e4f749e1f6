"""explain: each condition of a rule with what it saw, for an event by hand or a recorded one."""

import json
import subprocess

import pytest

from monitor import PROGRAM, wait_until

RULES = """\
version: 1
watched_items:
  - name: isolate
    when:
      event: [created, renamed]
      directory: /in
      extension: [.zip, .mp4]
    actions: [log]
  - name: drafts
    when: {old_extension: .tmp}
    actions: [log]
"""


@pytest.fixture
def items(tmp_path):
    path = tmp_path / "watched_items.yml"
    path.write_text(RULES)
    return path


def explain(*words):
    return subprocess.run([PROGRAM, "explain", *words], capture_output=True, text=True,
                          timeout=30, stdin=subprocess.DEVNULL)


def by_hand(items, *words, **event):
    return explain("--items", items, "--event", json.dumps(event), *words)


def test_an_event_by_hand_is_explained_condition_by_condition(items):
    done = by_hand(items, event="created", path="/in/a.jpg")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"""\
child_file_added /in/a.jpg
rules of {items}

isolate (line 3): false
  not evaluated by the monitor: it is for files of other names
  false    all
  true       event child_file_added is one of created renamed
  true       directory /in/a.jpg is below /in
  false      extension .jpg is not one of .zip .mp4

drafts (line 9): false
  not evaluated by the monitor: it is for other types of events
  false    old_extension: there is no old path, for the event is not a rename

rules true: 0 of 2
"""


def test_a_program_reads_the_same_as_json(items):
    done = by_hand(items, "--json", "--rule", "drafts", event="renamed", path="/in/a.zip",
                   old_path="/in/a.tmp")
    answer = json.loads(done.stdout)
    assert answer["event"]["moved"] == "renamed"
    assert answer["rules"] == [{
        "rule": "drafts", "verdict": "true", "mode": "enforce", "file": str(items),
        "line": 9, "candidate": True, "skipped": None, "stopped_by": None,
        "when": {"condition": "old_extension", "value": "true", "line": 10, "column": 27,
                 "finding": "old_extension .tmp is .tmp"}}]


@pytest.mark.parametrize("event, message", [
    ('{"event":"creatd","path":"/a"}', "--event: event 'creatd': did you mean 'created'?"),
    ('{"event":"renamed","path":"/a"}', "--event: a renamed file has an old path: expected a "
                                        "member \"old_path\":\"/home/a.tmp\""),
    ('{"path":"/a"}', "--event: the event has no 'event': expected one like "
                      '{"event":"created","path":"/home/a.jpg"}'),
    ("7", '--event: expected one event, like {"event":"created","path":"/home/a.jpg"}'),
])
def test_an_event_that_is_none_is_refused_with_a_wish(items, event, message):
    done = explain("--items", items, "--event", event)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"cn_monitor explain: {message}\n"


@pytest.mark.parametrize("words, message", [
    ([], "expected either --event JSON or --seq N"),
    (["--event", "{}", "--seq", "1"], "expected either --event JSON or --seq N"),
    (["--event", "{}", "--index", "1"],
     "--index goes with --seq: it says which event of that message"),
    (["--event", "{}", "--items", "a", "--watch", "b"],
     "--items and --watch both say which rules: expected one of them"),
])
def test_a_question_that_is_not_clear_is_refused(words, message):
    done = explain(*words)
    assert done.returncode == 2
    assert done.stderr.splitlines() == [f"cn_monitor explain: {message}",
                                        "See: cn_monitor explain --help"]


def test_a_rule_that_is_not_there_is_said_with_what_was_meant(items):
    done = by_hand(items, "--rule", "isolat", event="created", path="/a")
    assert done.returncode == 2
    assert done.stderr == (f"cn_monitor explain: there is no rule 'isolat' in {items}; "
                           "did you mean 'isolate'?\n")


def test_a_wrong_rule_file_is_told_as_check_tells_it(items):
    items.write_text("version: 1\nwatched_items:\n  - {name: a, whem: {event: any}}\n")
    done = by_hand(items, event="created", path="/a")
    assert done.returncode == 2 and f"{items}:3:" in done.stderr


def test_the_rules_of_the_watch_that_looks_there_are_asked(simulator, make_monitor):
    monitor = make_monitor(simulator, RULES)
    event = '{"event":"created","path":"in/a.zip"}'

    done = monitor.run("explain", "--event", event)
    assert f"rules of {monitor.items} (watch '" in done.stdout
    assert "rules true: 1 of 2\n" in done.stdout

    done = monitor.run("explain", "--event", event, "--watch", "nobody")
    assert done.returncode == 2 and "there is no watch 'nobody'" in done.stderr

    monitor.write_conf({"WATCH": {"PATH": "/elsewhere"}})
    done = monitor.run("explain", "--event", '{"event":"created","path":"/in/a.zip"}')
    assert done.returncode == 2 and "no watch looks at '/in/a.zip'" in done.stderr


def test_a_recorded_event_is_explained_as_it_was_judged(simulator, make_monitor):
    folder = simulator.root / "in"
    folder.mkdir()
    monitor = make_monitor(simulator, RULES).start()
    (folder / "a.tmp").write_text("x")
    (folder / "a.tmp").rename(folder / "a.zip")

    renamed = wait_until(lambda: [e for e in monitor.tail()
                                  if e.get("label", {}).get("old_path")], "the rename")[0]
    done = monitor.run("explain", "--json", "--seq", str(renamed["seq"]),
                       "--index", str(renamed["index"]))
    answer = json.loads(done.stdout)  # one line, for one event
    assert answer["event"]["old_path"] == "/in/a.tmp"
    assert {r["rule"]: r["verdict"] for r in answer["rules"]} == {"isolate": "true",
                                                                  "drafts": "true"}

    assert answer["label"]["rules"] == ["isolate", "drafts"]
    assert (answer["same_rules"], answer["label"]["old_path"]) == (True, "/in/a.tmp")
    place = f"{renamed['seq']}.{renamed['index']}"
    assert f"  {place} " in monitor.run("tail", "--once").stdout
    shown = monitor.run("explain", "--seq", place, "--item", "drafts").stdout
    assert f"recorded as {place} at {renamed['time']}, judged by these same rules\n" in shown
    jobs = ", ".join(str(job) for job in renamed["label"]["jobs"])
    assert (f"what came of it then:  from /in/a.tmp  -> isolate  -> drafts  jobs {jobs}\n"
            in shown)
    assert "\nisolate" not in shown and "rules true: 1 of 1\n" in shown

    monitor.write_rules(RULES.replace(".tmp", ".part"))
    shown = monitor.run("explain", "--seq", place).stdout
    assert f", judged by other rules than these ({answer['judged_by']['digest'][:12]}, " in shown
    assert "rules true: 1 of 2\n" in shown

    done = monitor.run("explain", "--seq", "999999")
    assert done.returncode == 1
    assert done.stderr == ("cn_monitor explain: the monitor has no judged event 999999; "
                           "see: cn_monitor tail --json\n")


def test_a_rule_behind_one_that_stops_is_shown_as_not_asked(tmp_path):
    items = tmp_path / "watched_items.yml"
    (tmp_path / "more.yml").write_text(
        "watched_items:\n"
        "- {name: first, when: {event: created}, stop: yes, priority: 1, actions: [log]}\n")
    items.write_text("include: more.yml\n"
                     "watched_items:\n- {name: second, when: {event: any}, actions: [log]}\n")
    shown = by_hand(items, event="created", path="/a").stdout
    assert f"first (line 2 of {tmp_path}/more.yml): true" in shown
    assert "second (line 3): true" in shown
    assert "not asked by the monitor: rule 'first' says stop" in shown
    assert "rules true: 1 of 2" in shown
    shown = by_hand(items, "--rule", "second", event="created", path="/a").stdout
    assert "says stop" in shown and "first (" not in shown and "rules true: 0 of 1" in shown
    rules = json.loads(by_hand(items, "--json", event="created", path="/a").stdout)["rules"]
    assert [rule["stopped_by"] for rule in rules] == [None, "first"]


def test_a_rule_behind_one_that_may_stop_is_shown_as_perhaps_not_asked(items):
    items.write_text("watched_items:\n"
                     "- {name: first, when: {size: {over: 1}}, stop: yes, actions: [log]}\n"
                     "- {name: second, when: {event: any}, actions: [log]}\n")
    shown = by_hand(items, event="created", path="/a").stdout
    assert "perhaps not asked by the monitor: rule 'first' says stop, if it is true" in shown


def test_an_echo_is_explained_as_one(simulator, make_monitor):
    for name in ("in", "out"):
        (simulator.root / name).mkdir()
    monitor = make_monitor(simulator, RULES.replace(
        "[log]", '[{rename: {to: "/out/{name}"}}]', 1)).start()
    (simulator.root / "in" / "a.zip").write_text("x")
    echo = wait_until(lambda: [e for e in monitor.tail() if e["path"] == "/out/a.zip"
                               and e.get("label", {}).get("echo_of")], "the echo")[0]
    shown = monitor.run("explain", "--seq", f"{echo['seq']}.{echo['index']}").stdout
    assert f"  echo of job {echo['label']['echo_of']}\n" in shown
    assert "an echo is shown only to rules that say 'on_own: yes'\n" in shown


def test_check_runs_the_tests_of_the_rules(items):
    def check():
        return subprocess.run([PROGRAM, "check", "--items", items], capture_output=True, text=True,
                              timeout=30)

    items.write_text(RULES + "tests:\n- {event: created, path: /in/a.zip, expect: isolate}\n"
                     "- {event: created, path: /in/a.zi, expect: []}\n")
    done = check()
    assert done.returncode == 0 and "2 rules, no errors, 2 tests passed" in done.stdout
    items.write_text(RULES + "tests:\n- {event: created, path: /in/a.zi, expect: isolate}\n")
    done = check()
    assert done.returncode == 2
    assert f"{items}:13:3: this test fails: 'isolate' should be true" in done.stdout
