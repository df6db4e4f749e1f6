"""What goes wrong between the monitor and the cluster: it recovers by itself, says what happened
and what comes next, asks at growing intervals, records a gap, and loses no job."""

import http.server
import re
import threading
import time

import pytest

from cluster import ADMIN_TOKEN, NOBODY_TOKEN, READER_TOKEN
from monitor import wait_until

RULES = """\
version: 1
watched_items:
  - name: tidy
    when: {event: created, extension: .upload}
    actions:
      - rename: {to: "{stem}.ready"}
"""
STREAM, ENTRIES = "/v1/files/{}/notify", "/v1/files/{}/entries/"


def stream_requests(simulator):
    """How often a stream was asked for so far."""
    return sum(count for route, count in simulator.status()["requests"].items()
               if route.endswith("/notify") and "settings" not in route)


def all_requests(simulator):
    return sum(count for route, count in simulator.status()["requests"].items()
               if "/sim/" not in route)


def gaps(monitor):
    return monitor.status()["store"]["gaps"]


def wait_gap(monitor, count=1):
    """The newest gap, once there are so many and it is closed; its window is a window."""
    def closed():
        found = sorted(gaps(monitor), key=lambda gap: gap["id"])
        return found[-1] if len(found) >= count and found[-1]["until"] else None
    gap = wait_until(closed, f"{count} closed gaps in:\n{monitor.log()[-2000:]}")
    assert gap["from"] <= gap["until"]
    return gap


def works(simulator, monitor, name):
    """An event now is judged and acted upon."""
    (simulator.root / f"{name}.upload").write_text("x")
    wait_until(lambda: (simulator.root / f"{name}.ready").exists(),
               f"{name}.ready; log:\n{monitor.log()[-2000:]}")


@pytest.fixture
def watching(simulator, make_monitor):
    """A monitor at work whose streams die of 1 s of silence and whose log a person reads."""
    simulator.switch(keep_alive="200ms")
    monitor = make_monitor(simulator, RULES, sections={"WATCH": {"SILENCE": "1s"},
                                                       "LOG": {"LEVEL": "info"}})
    return monitor.start()


# ---- the stream ----

@pytest.mark.parametrize("do, told", [
    ("drop", r"lost the stream: .*(reset|closed|ended|cut)"),
    ("end", r"lost the stream: the cluster ended the stream"),
    ("half_line", r"lost the stream: .*\(in the middle of a message\)"),
    ("stall", r"lost the stream: not a byte for 1\.0 s, not even a keep-alive"),
    ("garbage", r"lost the stream: "),
    ("error", r"lost the stream: "),
    ("overflow", r"lost the stream: "),
    ("reboot", r"lost the stream: "),
])
def test_a_stream_that_breaks_is_opened_again_with_a_gap(simulator, watching, do, told):
    works(simulator, watching, "before")
    before = stream_requests(simulator)
    simulator.streams(do)
    gap = wait_gap(watching)
    log = watching.log()
    lost = next((line for line in log.splitlines() if re.search(told, line)), None)
    assert lost, log
    assert gap["watch"] == "main" and gap["reason"] in lost
    assert re.search(r"watch/main: listening again after \d+\.\d s; changes in this time were not "
                     rf"heard \(gap {gap['id']}: ", log)
    assert stream_requests(simulator) - before <= 4
    watching.wait_listening()
    works(simulator, watching, "after")
    assert gap["reason"] in watching.run("status").stdout


def test_self_removed_is_a_gap_with_a_reason(simulator, make_monitor):
    (simulator.root / "home").mkdir()
    monitor = make_monitor(simulator, RULES, sections={"WATCH": {"PATH": "/home"}}).start()
    (simulator.root / "home").rmdir()
    wait_until(lambda: gaps(monitor), "the gap")
    monitor.wait_for_log("cannot listen")
    assert "/home" in monitor.log()
    assert "is there a directory /home?" in monitor.log()
    (simulator.root / "home").mkdir()
    gap = wait_gap(monitor)
    assert "removed" in gap["reason"]
    works(simulator, monitor, "home/after")


@pytest.mark.parametrize("fault, told", [
    ({"status": 401}, "401"),
    ({"status": 403}, "the role Data-Administrators"),
    ({"status": 429, "retry_after": 1}, "429"),
    ({"status": 429}, "429"),
    ({"status": 503}, "503"),
])
def test_a_burst_of_refusals_is_waited_out(simulator, watching, fault, told):
    before = all_requests(simulator)
    simulator.fault(path=STREAM, count=1, **fault)
    simulator.streams("drop")
    began = time.monotonic()
    wait_gap(watching)
    assert told in watching.log(), watching.log()
    assert "cannot listen, trying again" in watching.log()
    assert all_requests(simulator) - before <= 12
    if "retry_after" in fault:
        assert time.monotonic() - began >= 1
    works(simulator, watching, "after")


class OtherServer(http.server.BaseHTTPRequestHandler):
    """Something that is no cluster, and welcomes everybody."""

    def do_GET(self):
        self.server.asked += 1
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<h1>It works!</h1>")

    def log_message(self, *_):
        pass


def test_a_server_that_is_no_cluster_is_told_and_not_hammered(simulator, make_monitor):
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), OtherServer) as other:
        other.asked = 0
        threading.Thread(target=other.serve_forever, daemon=True).start()
        monitor = make_monitor(simulator, RULES)
        monitor.write_conf({}, {"CLUSTER_ADDRESS": f"http://127.0.0.1:{other.server_port}",
                                "TOKEN_FILE": monitor.token_file})
        monitor.start(listening=False)
        monitor.wait_for_log("answered with 'text/html' where text/event-source was expected: is "
                             "this a cluster's REST API?")
        wait_until(lambda: other.asked >= 2, "a second attempt")
        assert other.asked <= 3
        monitor.stop()
        other.shutdown()


def test_the_cluster_gone_and_back_is_heard_again(simulator, watching):
    works(simulator, watching, "before")
    simulator.stop()
    wait_until(lambda: "cannot listen" in watching.log(), "the trouble")
    status = watching.run("status")
    assert status.returncode == 1
    assert "down" in status.stdout or "connecting" in status.stdout
    assert "to now" in status.stdout
    simulator.start()
    wait_gap(watching)
    assert "no connection (Connection refused)" in watching.log()
    works(simulator, watching, "after")
    assert watching.run("status").returncode == 0


def test_the_first_of_several_addresses_may_be_dead(simulator, make_monitor):
    monitor = make_monitor(simulator, RULES, cluster=None)
    monitor.write_conf({}, {"CLUSTER_ADDRESS": f"127.0.0.1:1, {simulator.address}",
                            "TOKEN_FILE": monitor.token_file,
                            "FINGERPRINT": simulator.fingerprint})
    monitor.start()
    works(simulator, monitor, "one")
    assert "lost the stream" not in monitor.log()
    simulator.streams("drop")
    wait_gap(monitor)
    works(simulator, monitor, "two")


# ---- the credential ----

def test_a_refused_token_is_replaced_in_its_file_and_found(simulator, watching):
    watching.write_token("access-v1:bm90IGFueSBtb3Jl")
    simulator.fault(path="/v1/", status=401, count=-1)
    simulator.streams("drop")
    watching.wait_for_log(f"the token was refused: write a valid one into {watching.token_file}, "
                          "it is read at each attempt")
    before = all_requests(simulator)
    watching.write_token(READER_TOKEN)
    watching.write_token(ADMIN_TOKEN)
    simulator.no_faults()
    wait_gap(watching)
    assert all_requests(simulator) - before <= 12
    works(simulator, watching, "after")
    assert "bm90IGFueSBtb3Jl" not in watching.log() and ADMIN_TOKEN not in watching.log()


def test_a_token_of_no_use_at_the_start_is_no_reason_to_end(simulator, make_monitor):
    monitor = make_monitor(simulator, RULES)
    monitor.write_token("access-v1:bm90IHlldCBhbnk")
    monitor.start(listening=False)
    monitor.wait_for_log("the token was refused")
    monitor.write_token(ADMIN_TOKEN)
    monitor.wait_listening()
    works(simulator, monitor, "after")
    assert gaps(monitor) == []


@pytest.mark.parametrize("status", ["403", "401"])
def test_a_missing_privilege_is_named_and_leads_to_no_loop(simulator, make_monitor, status):
    simulator.switch(missing_privilege=status)
    monitor = make_monitor(simulator, RULES)
    monitor.write_token(READER_TOKEN)
    monitor.start(listening=False)
    monitor.wait_for_log("a recursive watch needs the role Data-Administrators")
    assert "the token was refused" not in monitor.log()
    simulator.set_rights("reader", "Data-Administrators")
    monitor.wait_listening()
    assert all_requests(simulator) <= 16


@pytest.mark.parametrize("status", ["403", "401"])
def test_a_missing_privilege_of_a_user_who_logs_in_leads_to_no_loop_of_log_ins(
        simulator, make_monitor, status):
    simulator.switch(missing_privilege=status)
    monitor = make_monitor(simulator, RULES)
    password = monitor.folder / "password"
    password.touch(mode=0o600)
    password.write_text("reader\n")
    monitor.write_conf({}, {"CLUSTER_ADDRESS": simulator.address, "USERNAME": "reader",
                            "PASSWORD_FILE": password, "FINGERPRINT": simulator.fingerprint})
    monitor.start(listening=False)
    monitor.wait_for_log("a recursive watch needs the role Data-Administrators")
    wait_until(lambda: stream_requests(simulator) >= 3, "three attempts")
    assert log_ins(simulator) == 1


def log_ins(simulator):
    return sum(count for route, count in simulator.status()["requests"].items()
               if "session/login" in route)


@pytest.fixture
def logged_in(simulator, make_monitor):
    monitor = make_monitor(simulator, RULES)
    monitor.password = monitor.folder / "password"
    monitor.password.touch(mode=0o600)
    monitor.password.write_text("admin\n")
    monitor.write_conf({"ACT": {"BACK_OFF": "50ms", "BACK_OFF_MAX": "1s"}},
                       {"CLUSTER_ADDRESS": simulator.address, "USERNAME": "admin",
                        "PASSWORD_FILE": monitor.password, "FINGERPRINT": simulator.fingerprint})
    return monitor


def test_a_session_that_ended_is_renewed_once(simulator, logged_in):
    logged_in.start()
    works(simulator, logged_in, "before")
    before = log_ins(simulator)
    simulator.end_sessions()
    works(simulator, logged_in, "after")
    simulator.streams("drop")
    wait_gap(logged_in)
    works(simulator, logged_in, "later")
    assert log_ins(simulator) - before <= 2  # one for the watch, one for the actions
    assert not logged_in.jobs("dead")


def test_a_wrong_password_is_told_and_corrected_in_its_file(simulator, logged_in):
    logged_in.password.write_text("wrong-secret\n")
    logged_in.start(listening=False)
    logged_in.wait_for_log("log-in of user admin at cluster 'default'")
    assert "correct the password in its file" in logged_in.log()
    logged_in.password.write_text("admin\n")
    logged_in.wait_listening()
    works(simulator, logged_in, "after")
    assert "wrong-secret" not in logged_in.log()


# ---- actions ----

@pytest.mark.parametrize("fault, told", [
    ({"status": 401}, "waits for the cluster: HTTP 401"),
    ({"status": 429, "retry_after": 1}, "HTTP 429"),
    ({"status": 429}, "HTTP 429"),
    ({"status": 503}, "HTTP 503"),
])
def test_no_job_is_lost_in_a_burst_of_refusals(simulator, watching, fault, told):
    # 401 for everything: of a request alone it would speak of a privilege.
    simulator.fault(**({"path": "/v1/", "count": 8} if fault["status"] == 401
                       else {"path": "/v1/files/", "method": "GET", "count": 3}), **fault)
    works(simulator, watching, "one")
    works(simulator, watching, "two")
    watching.wait_idle()
    assert told in watching.log(), watching.log()
    assert not watching.jobs("dead")


@pytest.mark.parametrize("answer", ["lost", "dropped"])
def test_an_answer_that_was_lost_does_an_action_neither_twice_nor_never(simulator, watching,
                                                                        answer):
    simulator.fault(path=ENTRIES, method="POST", count=2, answer=answer)
    works(simulator, watching, "one")
    watching.wait_idle()
    assert [p.name for p in simulator.root.iterdir()] == ["one.ready"]
    assert not watching.jobs("dead")


def test_a_403_is_given_up_at_once_and_kept_as_a_dead_letter(simulator, watching):
    simulator.fault(path=ENTRIES, method="POST", status=403, count=1,
                    error_class="fs_access_denied_error")
    (simulator.root / "one.upload").write_text("x")
    (job,) = watching.wait_for_jobs(1, "dead")
    assert "HTTP 403" in job["outcome"]
    watching.wait_for_log(f"given up: kept as a dead letter (cn_monitor dead show {job['id']})")
    works(simulator, watching, "two")


def test_jobs_wait_while_the_cluster_is_away_and_are_done_when_it_is_back(simulator, watching):
    names = [f"f{n}" for n in range(20)]
    simulator.fault(path=ENTRIES, method="POST", status=503, count=-1)
    for name in names:
        (simulator.root / f"{name}.upload").write_text("x")
    wait_until(lambda: watching.status()["filter"]["matches"] == 20, "20 matches")
    simulator.kill()
    watching.wait_for_log("waits for the cluster")
    simulator.start()
    wait_until(lambda: all((simulator.root / f"{n}.ready").exists() for n in names),
               "all to be renamed")
    wait_gap(watching)
    watching.wait_idle()
    assert not watching.jobs("dead")


def test_a_token_that_dies_with_work_under_way_costs_no_job(simulator, watching):
    simulator.fault(path="/v1/", status=401, count=-1)
    for n in range(10):
        (simulator.root / f"f{n}.upload").write_text("x")
    watching.wait_for_log("waits for the cluster: HTTP 401")
    simulator.no_faults()
    wait_until(lambda: len(list(simulator.root.glob("*.ready"))) == 10, "all to be renamed")
    watching.wait_idle()
    assert not watching.jobs("dead")


def test_rights_taken_away_and_given_back_are_followed(simulator, make_monitor):
    monitor = make_monitor(simulator, RULES)
    monitor.write_token(NOBODY_TOKEN)
    monitor.start(listening=False)
    monitor.wait_for_log("cannot listen")
    simulator.set_rights("nobody", "Data-Administrators")
    monitor.wait_listening()
    works(simulator, monitor, "after")
