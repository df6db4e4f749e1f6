"""cn_simulator's nodes: several addresses, reboots, addresses that move, silence, upgrades."""

import errno
import http.client
import socket
import ssl

import pytest

from cluster import ADMIN_TOKEN
from test_simulator import attributes, client  # noqa: F401 (client is a fixture)
from test_simulator_notify import wait_until

FAILURES = (OSError, http.client.HTTPException)


@pytest.fixture
def nodes(make_simulator):
    """A cluster of two nodes."""
    return make_simulator(addresses=2)


def version_at(simulator, address):
    """The version that is served there; None: nobody serves."""
    client = simulator.client(address=address)
    try:
        answer = client.get("/v1/version")
        return answer.json["revision_id"] if answer.status == 200 else None
    except FAILURES:
        return None
    finally:
        client.close()


# ---- several addresses ----

def test_every_address_serves_the_whole_cluster(nodes):
    first, second = nodes.all_addresses
    assert first != second
    (nodes.root / "f").touch()
    one, two = nodes.client(address=first), nodes.client(address=second)
    assert attributes(one, "/f") == attributes(two, "/f")
    with nodes.watch("/", address=first) as a, nodes.watch("/", address=second) as b:
        two.patch("/v1/files/%2Ff/info/attributes", {"mode": "0600"})
        for stream in (a, b):
            stream.wait_for(lambda e: e["type"] == "child_acl_changed")
    listed = one.get("/v1/cluster/nodes/").json
    assert [(n["id"], n["node_status"]) for n in listed] == [(1, "online"), (2, "online")]
    assert [a["address"] for a in nodes.addresses()] == nodes.all_addresses


def test_all_addresses_are_the_same_after_a_restart(nodes):
    before = nodes.all_addresses
    assert nodes.stop() == 0
    nodes.start()
    assert nodes.all_addresses == before
    assert all(version_at(nodes, address) for address in before)


def test_a_bad_address_is_a_run_time_error(make_simulator, tmp_path):
    with pytest.raises(AssertionError, match="listen 'nowhere'"):
        make_simulator(options=["--listen", "nowhere"])


# ---- reboot ----

def test_the_reboot_of_one_node_leaves_the_others(nodes):
    first, second = nodes.all_addresses
    with nodes.watch("/", address=first) as dying, nodes.watch("/", address=second) as living:
        assert nodes.reboot(60, address=first) == 1
        assert dying.wait_end().startswith("abrupt")
        assert version_at(nodes, first) is None
        (nodes.root / "f").touch()
        living.wait_for(lambda e: e["path"] == "f")
        assert [a["up"] for a in nodes.addresses()] == [False, True]
        listed = nodes.client(address=second).get("/v1/cluster/nodes/").json
        assert [n["node_status"] for n in listed] == ["offline", "online"]
        assert nodes.up(first) == 1
        wait_until(lambda: version_at(nodes, first), "the node to be back")
    assert [a["up"] for a in nodes.addresses()] == [True, True]


def test_an_unknown_address_is_refused(nodes, client):
    assert nodes.client().post("/sim/reboot", {"address": "127.0.0.9:1"}).status == 404
    assert nodes.client().post("/sim/move", {"address": 7}).status == 400


def test_connections_of_a_rebooting_node_are_reset(nodes):
    kept = nodes.client()
    assert kept.get("/v1/version").status == 200
    nodes.reboot(60, address=nodes.address)
    with pytest.raises(FAILURES):
        kept.connection.request("GET", "/v1/version")
        kept.connection.getresponse()
    with pytest.raises(ConnectionRefusedError):
        nodes.client().get("/v1/version")


@pytest.mark.parametrize("value, status", [("502", 502), ("503", 503), ("html", 503)])
def test_a_node_that_is_down_may_answer_with_an_error(nodes, value, status):
    nodes.switch(while_down=value)
    nodes.reboot(60, address=nodes.address)
    answer = nodes.client().get("/v1/version")
    assert answer.status == status
    assert answer.body.startswith(b"<html>") == (value == "html")
    nodes.up()
    wait_until(lambda: version_at(nodes, nodes.address), "the node to be back")


@pytest.mark.parametrize("value, is_refused", [("refused", True), ("tls", False), ("closed", False)])
def test_a_node_that_is_down_may_not_even_begin(nodes, value, is_refused):
    nodes.switch(while_down=value)
    nodes.reboot(60, address=nodes.address)
    with pytest.raises((ssl.SSLError, ConnectionError)) as told:
        nodes.client().get("/v1/version")
    assert isinstance(told.value, ConnectionRefusedError) == is_refused
    nodes.up()
    wait_until(lambda: version_at(nodes, nodes.address), "the node to be back")


def test_the_control_address_is_there_while_all_nodes_are_down(nodes):
    control = nodes.client(address=nodes.control_address)
    assert control.get("/v1/version").status == 404
    nodes.reboot(60)
    assert [a["up"] for a in nodes.addresses()] == [False, False]
    assert not any(version_at(nodes, address) for address in nodes.all_addresses)
    assert nodes.up() == 2 and nodes.up() == 0
    assert all(version_at(nodes, address) for address in nodes.all_addresses)
    assert all(a["up"] for a in control.get("/sim/addresses").json)


def test_the_simulator_ends_while_its_nodes_are_down(nodes):
    for value in ("refused", "503"):
        nodes.switch(while_down=value)
        nodes.reboot(60)
        assert nodes.stop() == 0
        nodes.start()


# ---- addresses that move, and silence ----

def test_an_address_that_moves_loses_its_connections_only(nodes):
    first, second = nodes.all_addresses
    kept = nodes.client(address=first)
    before = kept.get("/v1/network/floating-ip-allocation").json
    assert [(n["id"], n["floating_addresses"]) for n in before] == [(1, ["127.0.0.1"]),
                                                                    (2, ["127.0.0.1"])]
    with nodes.watch("/", address=first) as moved, nodes.watch("/", address=second) as other:
        assert nodes.move(first) == 1
        assert moved.wait_end().startswith("abrupt")
        with pytest.raises(FAILURES):
            kept.connection.request("GET", "/v1/version")
            kept.connection.getresponse()
        assert version_at(nodes, first)
        (nodes.root / "f").touch()
        other.wait_for(lambda e: e["path"] == "f")
    after = nodes.client().get("/v1/network/floating-ip-allocation").json
    assert [n["floating_addresses"] for n in after] == [[], ["127.0.0.1", "127.0.0.1"]]
    assert [a["node"] for a in nodes.addresses()] == [2, 2]


def test_silence_is_a_connection_that_is_up_and_says_nothing(nodes):
    nodes.switch(node_reboot="silence", keep_alive="50ms")
    kept = nodes.client()
    assert kept.get("/v1/version").status == 200
    with nodes.watch("/") as stream:
        stream.wait(lambda: b": keepalive" in stream.lines)
        assert nodes.move(nodes.address) == 1
        seen = len(stream.lines)
        kept.connection.sock.settimeout(0.5)
        kept.connection.request("GET", "/v1/version")
        with pytest.raises(socket.timeout):
            kept.connection.getresponse()
        (nodes.root / "f").touch()
        with nodes.watch("/") as again:
            (nodes.root / "g").touch()
            again.wait_for(lambda e: e["path"] == "g")
        assert stream.ended is None
        assert not any(e["path"] in "fg" for e in stream.events)
        assert len(stream.lines) <= seen + 4  # what was on its way when the silence began
    kept.close()


def test_tcp_itself_tells_of_silence(make_simulator):
    nodes = make_simulator(tls="off", switches={"node_reboot": "silence"})
    connection = nodes.connect()
    connection.request("GET", "/v1/version")
    assert connection.getresponse().read()
    for option, value in [(socket.TCP_KEEPIDLE, 1), (socket.TCP_KEEPINTVL, 1),
                          (socket.TCP_KEEPCNT, 1)]:
        connection.sock.setsockopt(socket.IPPROTO_TCP, option, value)
    connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    nodes.move(nodes.address)
    if "still acknowledges" in nodes.log():
        pytest.skip("this host lets only root filter packets")
    with pytest.raises(OSError) as told:
        connection.sock.recv(1)
    assert told.value.errno == errno.ETIMEDOUT
    connection.close()


def test_silence_ends_with_a_reset(nodes):
    nodes.switch(node_reboot="silence", silence_lasts="300ms")
    kept = nodes.client()
    assert kept.get("/v1/version").status == 200
    nodes.move(nodes.address)
    kept.connection.request("GET", "/v1/version")
    stream = nodes.watch("/", address=nodes.all_addresses[1])
    nodes.move(nodes.all_addresses[1])
    with pytest.raises(FAILURES):
        kept.connection.getresponse()
    assert stream.wait_end().startswith("abrupt")
    wait_until(lambda: sum(a["connections"] for a in nodes.addresses()) <= 1,
               "the connections to be gone")
    nodes.wait_streams(0)


def test_a_request_under_way_is_lost_with_its_node(nodes):
    nodes.fault(delay_ms=60000, method="GET", path="/v1/version")
    waiting = nodes.connect()
    waiting.request("GET", "/v1/version", headers={"Authorization": f"Bearer {ADMIN_TOKEN}"})
    wait_until(lambda: nodes.status()["fault_hits"] == 1, "the request to be there")
    nodes.move(nodes.address)
    with pytest.raises(FAILURES):
        waiting.getresponse()


# ---- upgrades ----

def test_an_upgrade_takes_all_nodes_away_and_brings_another_version(nodes):
    before = version_at(nodes, nodes.address)
    with nodes.watch("/") as a, nodes.watch("/", address=nodes.all_addresses[1]) as b:
        assert nodes.upgrade(0.3, revision_id="Qumulo Core 8.0.1") == 2
        for stream in (a, b):
            assert stream.wait_end().startswith("abrupt")
    for address in nodes.all_addresses:
        wait_until(lambda: version_at(nodes, address) == "Qumulo Core 8.0.1", "the new version")
    assert before == "Qumulo Core 7.2.1"
    assert nodes.client().get("/v3/upgrade/status").json["state"] == "UPGRADE_STATE_IDLE"


def test_a_rolling_upgrade_takes_one_node_after_the_other(nodes):
    first, second = nodes.all_addresses
    with nodes.watch("/", address=second) as stream:
        assert nodes.upgrade(60, rolling=True, revision_id="Qumulo Core 8.0.1") == 2
        other = nodes.client(address=second)
        status = other.get("/v3/upgrade/status").json
        assert (status["state"], status["progress"]) == ("UPGRADE_STATE_REBOOTING", 0)
        reboot = other.get("/v1/shutdown/reboot/status").json
        assert reboot["state"] == "REBOOT_IN_PROGRESS" and reboot["rolling"]
        assert other.post("/sim/upgrade", {}).status == 409
        assert stream.ended is None
        nodes.up(first)
        assert stream.wait_end().startswith("abrupt")
        assert [a["up"] for a in nodes.addresses()] == [True, False]
        assert version_at(nodes, first) == "Qumulo Core 7.2.1"
    nodes.up(second)
    wait_until(lambda: version_at(nodes, second) == "Qumulo Core 8.0.1", "the new version")
    assert version_at(nodes, first) == "Qumulo Core 8.0.1"
    reboot = nodes.client().get("/v1/shutdown/reboot/status").json
    assert (reboot["state"], reboot["total_node_count"]) == ("REBOOT_IDLE", 2)
