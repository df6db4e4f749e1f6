"""EVENTS = needed: the cluster is asked for what the rules need, and new rules lose nothing."""

import threading

import pytest

from monitor import wait_until

PLACES = {"child_file_added", "child_dir_added", "child_file_removed", "child_dir_removed",
          "child_file_moved_from", "child_file_moved_to", "child_dir_moved_from",
          "child_dir_moved_to", "self_removed"}


def version(number, events):
    return f"""\
version: 1
watched_items:
  - name: v{number}
    when: {{all: [{{directory: /home}}, {{event: {events}}}]}}
    actions: [log]
"""


CREATED, PERMISSIONS = "created", "[created, child_acl_changed]"


class Writer:
    """Creates files and changes permissions by turns: /home/a0, /home/b0, /home/a1, ..."""

    def __init__(self, simulator):
        self.simulator, self.count = simulator, 0
        self.is_over = threading.Event()
        self.thread = threading.Thread(target=self._write)
        self.thread.start()

    def _write(self):
        while not self.is_over.is_set():
            self.simulator.says("child_file_added", f"/home/a{self.count}")
            self.simulator.says("child_acl_changed", f"/home/b{self.count}")
            self.count += 1

    def write_more(self, count=20):
        wanted = self.count + count
        wait_until(lambda: self.count >= wanted, "the writer")

    def stop(self):
        self.is_over.set()
        self.thread.join()
        return self.count


@pytest.fixture
def watching(simulator, make_monitor):
    return make_monitor(simulator, version(0, CREATED),
                        sections={"WATCH": {"EVENTS": "needed"}}).start()


def number(event):
    return int(event["path"][len("/home/a"):])


def rules(event):
    return event.get("label", {}).get("rules", [])


def test_rules_that_need_more_lose_nothing_while_files_change(simulator, watching):
    writer = Writer(simulator)

    def change(number, events):
        watching.write_rules(version(number, events))
        wait_until(lambda: (watching.ask("/v1/tail?last=1")["events"] or [{}])[-1]
                   .get("label", {}).get("rules") == [f"v{number}"], f"v{number} at work")
        writer.write_more()

    try:
        writer.write_more()
        watching.write_rules(version(1, PERMISSIONS))
        watching.wait_for_log("the new rules judge from record")
        at_work = writer.count + 1  # what is written from now on is the new rules'
        change(1, PERMISSIONS)
        streams = simulator.wait_streams(2)
        change(2, CREATED)
        change(3, PERMISSIONS)
    finally:
        count = writer.stop()
    wait_until(lambda: watching.tail()[-1]["path"] == f"/home/b{count - 1}", "all events")
    status, events = watching.wait_idle(), watching.tail()

    # All of them once, and judged by exactly one version, one after the other.
    created = [e for e in events if e["path"][6] == "a"]
    assert [number(e) for e in created] == list(range(count))
    assert all(len(rules(e)) == 1 for e in created)
    judged = [rules(e)[0] for e in events if rules(e)]
    assert judged == sorted(judged) and set(judged) == {"v0", "v1", "v2", "v3"}
    # All changes of permissions since the new rules are at work.
    permissions = [e for e in events if e["path"][6] == "b"]
    assert 0 < number(permissions[0]) <= at_work
    assert [number(e) for e in permissions] == list(range(number(permissions[0]), count))
    for version_number, is_wanted in ((1, True), (2, False), (3, True)):
        own = [e for e in permissions if rules(e) == [f"v{version_number}"]]
        assert bool(own) == is_wanted
    assert status["watches"][0]["reconnects"] == 0 and not status["store"]["gaps"], status
    assert set(status["watches"][0]["events"]) == PLACES | {"child_acl_changed"}
    assert len(streams) == 2
    assert "asked for child_file_added, " in watching.run("status").stdout
    watching.wait_for_log("watch main: the new rules wait until the stream tells what they need")
    watching.wait_for_log("listening for child_acl_changed too, which the new rules need")


def test_one_stream_asks_for_all_that_is_needed_after_a_restart(simulator, watching):
    assert set(watching.status()["watches"][0]["events"]) == PLACES
    watching.write_rules(version(1, PERMISSIONS))
    simulator.wait_streams(2)
    watching.stop()
    simulator.wait_streams(0)
    watching.start()
    assert len(simulator.wait_streams(1)) == 1
    assert set(watching.status()["watches"][0]["events"]) == PLACES | {"child_acl_changed"}
    watching.wait_for_log("for 10 of 24 types of events")


def test_rules_come_into_force_while_the_cluster_is_away(simulator, watching):
    simulator.fault(status=503, method="GET", path="/v1/files/%2F/notify", count=1000)
    watching.write_rules(version(1, PERMISSIONS))
    watching.wait_for_log("lost the stream")
    watching.wait_for_log("the new rules judge from record")
    simulator.no_faults()
    wait_until(lambda: watching.status()["watches"][0]["state"] == "listening", "the stream")
    assert len(simulator.wait_streams(1)) == 1
    assert "child_acl_changed" in watching.status()["watches"][0]["events"]


def test_rules_without_an_event_ask_for_everything(simulator, make_monitor):
    rules = "version: 1\nwatched_items:\n- {name: r, when: {extension: tmp}, actions: [log]}\n"
    monitor = make_monitor(simulator, rules, sections={"WATCH": {"EVENTS": "needed"}}).start()
    assert monitor.status()["watches"][0]["events"] == "all"
    assert "asked for" not in monitor.run("status").stdout


def test_other_types_are_not_sent(simulator, watching):
    simulator.says("child_atime_changed", "/home/read")
    simulator.says("child_file_added", "/home/new")
    watching.wait_idle()
    wait_until(lambda: watching.tail(), "the event")
    assert [e["path"] for e in watching.tail()] == ["/home/new"]


def test_with_redis_it_is_refused(simulator, make_monitor):
    monitor = make_monitor(simulator, sections={"WATCH": {"EVENTS": "needed"},
                                                "STORE": {"URL": "redis://127.0.0.1:1"}})
    done = monitor.run("check")
    assert done.returncode == 2, done
    assert "EVENTS = needed works with the embedded store only" in done.stderr, done
