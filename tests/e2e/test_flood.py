"""A flood: as fast as the socket takes it, in pieces cut anywhere, every event judged once."""

import re
import time

import pytest

from monitor import wait_until

COUNT = 200_000
HUGE = 16 << 20
# Every kind of thing that a cut can fall into: UTF-8 of 2, 3 and 4 bytes, escapes of all sorts.
PATH = 'home/übung {n%7}/"a\\b"\n\u0001\u20ac\U0001f600/{n%100}/file{n}'
TYPES = ["child_file_added", "child_data_written", "child_size_changed", "child_acl_changed",
         "child_file_removed"]
RULES = """\
version: 1
watched_items:
  - name: hundredth
    when: {directory: "/home", path: "/home/*/*/0/*"}
    actions: [{log: {file: FILE}}]
  - name: never
    when: {event: removed, directory: /elsewhere}
    actions: [log]
"""


def expected(n):
    path = PATH.replace("{n%7}", str(n % 7)).replace("{n%100}", str(n % 100))
    return TYPES[n % len(TYPES)], "/" + path.replace("{n}", str(n))


def own_memory_kib(monitor):
    """Without what the kernel may take back at any time: the store's files in the page cache."""
    with open(f"/proc/{monitor.process.pid}/status") as status:
        return int(re.search(r"RssAnon:\s+(\d+) kB", status.read())[1])


class Peak:
    """The most memory seen; looked at while waiting."""

    def __init__(self, monitor):
        self.monitor, self.kib = monitor, 0

    def look(self):
        self.kib = max(self.kib, own_memory_kib(self.monitor))


@pytest.fixture(params=["http", "tls"])
def flooded(request, make_simulator, make_monitor, tmp_path):
    simulator = make_simulator(tls="off" if request.param == "http" else "auto")
    cluster = None
    if request.param == "http":
        cluster = {"CLUSTER_ADDRESS": f"http://{simulator.address}", "TOKEN": simulator.token}
    rules = RULES.replace("FILE", str(tmp_path / "matches.jsonl"))
    return simulator, make_monitor(simulator, rules, cluster=cluster).start()


def wait_judged(monitor, count, peak):
    def is_judged():
        peak.look()
        return monitor.status()["filter"]["events"] >= count
    wait_until(is_judged, f"{count} events to be judged", 120)


def test_every_event_of_a_flood_is_judged_once_and_in_order(flooded):
    simulator, monitor = flooded
    peak = Peak(monitor)
    start = time.monotonic()
    simulator.generate(COUNT, cut="random", per_message=[1, 5000], path=PATH, types=TYPES,
                       escapes="mixed", huge_bytes=HUGE, huge_at=COUNT // 4)
    wait_judged(monitor, COUNT, peak)
    rate = COUNT / (time.monotonic() - start)
    print(f"{rate:.0f} events/s from the emitter to judged; at most {peak.kib} KiB of memory")
    status = monitor.wait_idle()

    assert status["filter"]["events"] == COUNT
    assert status["filter"]["matches"] == status["store"]["jobs_done"] == COUNT // 100
    assert status["store"]["gap_count"] == 0 and status["store"]["jobs_dead"] == 0
    (watch,) = status["watches"]
    assert watch["reconnects"] == 0 and simulator.status()["emits_under_way"] == 0
    # The line of 16 MiB is buffered twice at most, and everything else is small beside it.
    assert peak.kib < 128 << 10

    events = monitor.tail()
    assert [(e["type"], e["path"]) for e in events] == [expected(n) for n in range(COUNT)]
    labels = {n: e["label"] for n, e in enumerate(events) if "label" in e}
    assert list(labels) == list(range(0, COUNT, 100))
    assert all(label["rules"] == ["hundredth"] for label in labels.values())
    # Jobs are numbered as the filter puts them: so it judged in this order, and each one once.
    assert [label["jobs"] for label in labels.values()] == [[n + 1] for n in range(COUNT // 100)]


def test_a_message_may_be_cut_at_every_byte(flooded):
    simulator, monitor = flooded
    simulator.generate(200, cut=1, per_message=[1, 5], path=PATH, types=TYPES, escapes="mixed")
    wait_judged(monitor, 200, Peak(monitor))
    assert [(e["type"], e["path"]) for e in monitor.tail()] == [expected(n) for n in range(200)]
    assert monitor.status()["watches"][0]["reconnects"] == 0
