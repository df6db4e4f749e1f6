"""The syslog module with real sockets: a local one, UDP and TCP."""

import re
import socket

import pytest

from monitor import wait_until


@pytest.fixture
def run(simulator, make_monitor):
    (simulator.root / "in").mkdir()

    def start(options, **sections):
        rules = ("version: 1\nwatched_items:\n  - name: the-rule\n    when: {event: created, directory: /in}\n"
                 f"    actions:\n      - syslog: {{{options}}}\n")
        return make_monitor(simulator, rules, sections={"ACT": {"BACK_OFF": "50ms", **sections}}).start()
    return start


WHOLE = (r'<12>1 \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z \S+ cn_monitor \d+ event '
         r'\[cn_monitor@32473 event="child_file_added" path="/in/a \\"b\\\\c\\\]\.txt" file_id="\d+" rule="the-rule" '
         r'watch="main" cluster="default" origin="live" job="1"\] (.*)')
NAME = 'a "b\\c].txt'


def test_a_local_server(simulator, run, tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        server.bind(str(tmp_path / "log"))
        server.settimeout(20)
        run(f'server: {tmp_path}/log, facility: local3, severity: warning, text: "saw {{name}}\\nand more"')
        (simulator.root / "in/ä.txt").write_text("x")
        message = server.recv(65536).decode()
    assert re.fullmatch(r"<156>[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d cn_monitor\[\d+\]: saw ä\.txt", message), message


def test_over_udp_with_structured_data(simulator, run):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(20)
        run(f'server: "udp://127.0.0.1:{server.getsockname()[1]}", facility: user, severity: warning')
        (simulator.root / "in" / NAME).write_text("x")
        message = server.recv(65536).decode()
    assert re.fullmatch(WHOLE, message)[1] == "the-rule: child_file_added /in/" + NAME


def test_over_tcp_with_its_size_and_again_when_nobody_listens(simulator, run):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    monitor = run(f'server: "tcp://localhost:{port}", facility: user, severity: warning', ATTEMPTS=100)
    (simulator.root / "in" / NAME).write_text("x")
    wait_until(lambda: f"the syslog server localhost:{port}: no connection" in monitor.log(), "a failure")
    with socket.create_server(("127.0.0.1", port)) as server:
        server.settimeout(20)
        connection, _ = server.accept()
        with connection:
            got = b""
            while piece := connection.recv(65536):
                got += piece
    size, _, message = got.partition(b" ")
    assert int(size) == len(message) and re.fullmatch(WHOLE, message.decode())
    monitor.wait_for_jobs(1)


def test_a_server_that_is_not_there_is_a_dead_letter_in_the_end(simulator, run, tmp_path):
    monitor = run(f"server: {tmp_path}/nothing", ATTEMPTS=2)
    (simulator.root / "in/a.txt").write_text("x")
    dead, = monitor.wait_for_jobs(1, "dead")
    assert f"the syslog server {tmp_path}/nothing: cannot send: no such file or directory" in dead["outcome"]


def test_a_message_that_is_too_long_for_a_datagram_is_rejected(simulator, run):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        monitor = run(f'server: "udp://127.0.0.1:{server.getsockname()[1]}", text: "{"x" * 65000} {{path}}"')
        (simulator.root / "in" / ("y" * 200)).write_text("x")
        dead, = monitor.wait_for_jobs(1, "dead")
    assert "cannot send: message too long" in dead["outcome"]


def test_a_stop_does_not_wait_for_a_server_that_does_not_read(simulator, run):
    """A server that accepts and does not read: the monitor stops at once all the same."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server:
        monitor = run(f'server: "tcp://127.0.0.1:{server.getsockname()[1]}"')
        for n in range(20):
            (simulator.root / f"in/{n}.txt").write_text("x")
        wait_until(lambda: monitor.status()["act"]["running"] or monitor.jobs("done"), "jobs under way")
        assert monitor.stop() == 0
