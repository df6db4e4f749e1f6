"""scripts/size-site: a site's numbers become a set-up, and larger numbers a larger one."""

import importlib.machinery
import importlib.util
import json
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def load():
    path = str(ROOT / "scripts" / "size-site")
    loader = importlib.machinery.SourceFileLoader("size_site", path)
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("size_site", loader))
    loader.exec_module(module)
    return module


size_site = load()
# Round numbers, so that what comes out can be reckoned by hand.
MEASURED = {
    "machine": {"cpu": "x", "cores": 2}, "measured": "today",
    "embedded": {
        "watch_cpu_s_per_million": 0.2, "watch_tls_cpu_s_per_million": 0.25,
        "filter_cpu_s_per_million": 0.5, "wire_bytes_per_event": 100, "log_bytes_per_event": 200,
        "memory_mib": 50, "history_bytes_per_job": 1000,
        "log_jobs_per_s": 10_000, "log_job_cpu_ms": 0.1, "exec_jobs_per_s": 500, "exec_job_cpu_ms": 1,
        "web_jobs_per_s": 1000, "web_job_cpu_ms": 0.2, "cluster_jobs_per_s": 500, "cluster_job_cpu_ms": 0.5},
    "redis": {
        "watch_cpu_s_per_million": 0.4, "filter_cpu_s_per_million": 1, "server_cpu_s_per_million": 0.5,
        "memory_bytes_per_event": 25, "network_bytes_per_event": 50, "memory_bytes_per_job": 1000,
        "log_job_cpu_ms": 0.2, "log_job_server_ms": 0.1, "cluster_job_cpu_ms": 0.6,
        "cluster_job_server_ms": 0.5},
}


def site(**given):
    return size_site.Site(**{"clusters": 1, "events": 1000, **given})


def test_a_small_site_gets_one_machine_with_the_embedded_store():
    (plan, is_first), (_, other) = size_site.plans(site(peak=100_000), MEASURED)
    assert plan.store == "embedded" and plan.fits and is_first and not other
    # 100,000 events/s: 0.025 cores of watching with TLS, 0.05 of judging; 100 log jobs a second 0.01.
    assert plan.figures["cores"] == pytest.approx(0.025 + 0.05 + 0.01)
    assert plan.figures["log_bytes"] == pytest.approx(1000 * 200 * 7 * 86400)
    assert plan.figures["history_bytes"] == pytest.approx(1 * 1000 * 7 * 86400)


def test_a_site_that_must_stay_up_gets_redis_with_standbys_and_replicas():
    (_, embedded), (plan, is_first) = size_site.plans(site(stay_up=True), MEASURED)
    assert plan.store == "redis" and is_first and not embedded
    assert plan.figures["watch_processes"] == plan.figures["filter_processes"] == 2
    assert plan.figures["act_processes"] == 2 and plan.figures["redis_servers"] == 3


def test_many_clusters_are_shared_out_over_monitors_by_what_one_filter_carries():
    _, (plan, is_first) = size_site.plans(site(clusters=100, events=5000, peak=100_000), MEASURED)
    # A peak takes 0.1 of a filter: with 0.6 planned, six clusters share one.
    assert plan.figures["clusters_per_monitor"] == 6 and plan.figures["monitors"] == 17
    assert plan.figures["redis_servers"] == 17 and is_first and plan.fits


def test_a_kind_that_was_not_measured_over_redis_takes_as_much_more_as_a_line_does():
    costs = size_site.Costs(MEASURED, "redis")
    assert costs.job_ms("cluster") == 0.6 and costs.job_ms("web") == pytest.approx(0.2 + 0.1)
    assert costs.server(1_000_000, {"cluster": 100, "log": 100}) == pytest.approx(0.5 + 0.05 + 0.01)


def test_jobs_ask_for_as_many_acts_as_their_kinds_take():
    given = {"events": 1000, "matching": 10, "actions": {"quarantine": 1, "email": 2}, "stay_up": True}
    _, (plan, _) = size_site.plans(site(**given), MEASURED)
    # 100 changes at 500 a second and 200 mails at 1,000: 0.4 of an act, with 0.6 planned; two stay up.
    assert plan.figures["act_processes"] == 2
    _, (more, _) = size_site.plans(site(**{**given, "events": 6000}), MEASURED)
    assert more.figures["act_processes"] == 4


def test_a_peak_that_one_filter_cannot_carry_is_said():
    _, (plan, _) = size_site.plans(site(peak=2_000_000), MEASURED)
    assert not plan.fits and any("NOT ENOUGH" in reason for reason in plan.reasons)


@pytest.mark.parametrize("words, complaint", [
    (["--actions", "quarantin=1"], "'quarantin': expected some of log, exec"),
    (["--actions", "log=many"], "log=many: expected a number"),
    (["--retention", "7 weeks"], "'7 weeks': expected a duration"),
    (["--peak", "1"], "a peak that is not below the average"),
    (["--figures", "/nonexistent"], "/nonexistent"),
])
def test_what_cannot_be_right_is_refused_with_a_sentence(words, complaint):
    done = subprocess.run([ROOT / "scripts" / "size-site", "--clusters", "1", "--events", "100", *words],
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and complaint in done.stderr and "Traceback" not in done.stderr


def test_with_the_figures_of_the_repository_a_small_site_fits_one_machine():
    done = subprocess.run([ROOT / "scripts" / "size-site", "--clusters", "2", "--events", "1000", "--json"],
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    taken = [plan for plan in json.loads(done.stdout) if plan["take"]]
    assert [plan["store"] for plan in taken] == ["embedded"] and taken[0]["reasons"]
