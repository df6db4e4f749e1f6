"""The bench runs and reckons as it says: with tiny amounts, and nothing about speed."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from monitor import BUILD

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "tests" / "bench"))

from figures import Figures, number, percentile  # noqa: E402
from rule_files import MATCHING, rule_file  # noqa: E402


def bench(*words):
    return subprocess.run([ROOT / "scripts" / "bench", "--build", BUILD, "--scale", "0.001", "--rounds", "1",
                           *words], capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=200,
                          env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"})


@pytest.mark.parametrize("part, wanted", [
    ("rules", ["rules.1.decode+index.rate", "rules.100.decode+index.ns", "rules.100.index.ns", "rules.100.loop.ns",
               "rules.100.fnmatch.rate", "rules.10.vectorscan.compile", "rules.10.python.ns",
               "rules.100.decode+index.memory", "rules.ratio.loop.100", "rules.swap.100.swapping"]),
    ("ingest", ["ingest.plain.100.10000.cpu", "ingest.TLS.100.10.rate", "ingest.plain.5000.10.cpu",
                "ingest.plain.100.10000.heard", "curl.plain.cpu", "python.TLS.100.cpu", "python.plain.1.cpu",
                "python-redis.plain.100.cpu", "ingest.rules", "ingest.python.10"]),
    ("waiting", ["waiting.1.memory", "waiting.100.rate", "waiting.100.disk"]),
    ("latency", ["latency.disk.median", "latency.idle.p99", "latency.half.median", "latency.half.most"]),
    ("outage", ["outage.snapshot.rate", "outage.scan.cpu", "outage.snapshot.source"]),
    ("jobs", ["jobs.log.rate", "jobs.exec.cpu", "jobs.webhook.rate", "jobs.permissions.rate"]),
    ("redis", ["redis.xadd.1", "redis.xadd.100"]),
    ("roles", ["roles.1.rate", "roles.100.server", "roles.100.memory", "roles.100.calls", "roles.jobs.log.rate",
               "roles.jobs.permissions.calls"]),
    ("backtest", ["backtest.10", "backtest.compare", "backtest.bounds", "backtest.redis"]),
])
def test_each_part_of_the_bench_runs_and_gives_its_figures(part, wanted, tmp_path):
    figures_file, constants_file = tmp_path / "figures.json", tmp_path / "constants.json"
    done = bench(part, "--json", figures_file, "--write", constants_file)
    assert done.returncode == 0, done.stderr + done.stdout
    told = json.loads(figures_file.read_text())
    for name in wanted:
        figure = told["figures"][name]
        assert len(figure["samples"]) == 1 and figure["median"] >= 0, figure
        assert figure["title"].strip() in done.stdout
    assert told["machine"]["cores"] >= 1
    assert "machine" in json.loads(constants_file.read_text())


def test_a_part_that_is_not_known_is_refused_with_the_known_ones():
    done = bench("ingets")
    assert done.returncode == 2 and "'ingets': expected some of rules ingest" in done.stderr


def test_ratios_are_taken_round_by_round_and_bars_are_shown_and_not_asserted():
    figures = Figures()
    for ours, theirs in ((2, 1), (30, 10), (4, 1)):  # the second round was a slow one
        figures.add("ours", ours, "s", "ours", most=3)
        figures.add("theirs", theirs, "s", "theirs")
    figures.ratio("ratio", "ours", "theirs", "ours : theirs", most=2.5)
    assert figures.all["ratio"].samples == [2, 3, 4] and figures.all["ratio"].is_met is False
    assert figures.all["theirs"].is_met is None
    shown = "\n".join(figures.table())
    assert "bar <= 2.50: NOT MET" in shown


def test_percentiles_and_numbers_are_shown_as_people_write_them():
    assert percentile(range(1, 101), 0.99) == 99 and percentile([5], 0.5) == 5
    assert [number(n) for n in (0, 0.01234, 1.5, 45.6, 123456)] == ["0", "0.0123", "1.50", "45.6", "123,456"]


def test_of_the_rule_files_events_exactly_one_rule_matches_one_in_a_thousand(make_monitor, simulator):
    monitor = make_monitor(simulator, rule_file(300)).start()
    simulator.generate(3 * MATCHING, per_message=100, path="home/d{n%1000}/report{n}.docx")
    monitor.wait_for_jobs(3)
    assert monitor.wait_idle()["filter"]["matches"] == 3
    labels = [event["label"]["rules"] for event in monitor.tail() if "label" in event]
    assert labels == [["matching"]] * 3
