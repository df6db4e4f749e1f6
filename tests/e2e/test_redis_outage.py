"""Redis is killed, is away, and fails over, each under load: every event is judged.

CN_FULL=1: as long as the promise says (a minute away)."""

import os
import time

import pytest

from crew import Flow, judged, wait_judged
from monitor import wait_until

FULL = bool(os.environ.get("CN_FULL"))
AWAY = "the store cannot be asked who is active"
RULES = """\
version: 1
watched_items:
  - name: note
    when: {event: created, directory: /home}
    actions: [log]
"""


@pytest.fixture
def at_work(simulator, make_crew):
    """at_work(redis): one process a role and a second act, under a flow of events."""
    flows = []

    def begin(redis, per_second=400):
        crew = make_crew(simulator, redis, RULES, sections={"LOG": {"LEVEL": "info"}})
        for role in ("watch", "filter", "act", "act"):
            crew.start(role)
        crew.wait_at_work()
        flow = Flow(simulator, per_second)
        flows.append(flow)
        flow.start()
        wait_until(lambda: crew.status()["filter"]["cursor"] > 20, "the flow to be judged")
        return crew, flow

    yield begin
    for flow in flows:
        flow.stop()


def wait_going_on(crew, patience_s=90):
    """Until what happens now is judged again."""
    def cursor():
        status = crew.status()
        return status and "trouble" not in status["store"] and status["filter"]["cursor"]
    at = wait_until(cursor, "the store to be reached", patience_s)
    wait_until(lambda: (cursor() or 0) > at + 50, "the flow to be judged again", patience_s)


def wait_all_judged(crew, paths, patience_s=120):
    """Each event was heard once, judged, and acted upon. A store that forgot its last second may
    have been told of a job twice, so there may be more jobs than events."""
    def missing():
        found = judged(crew)
        return [path for path in paths if not any(found.get(path, []))]
    wait_until(lambda: not missing(), f"{len(paths)} events to be judged", patience_s, 0.5)
    status = crew.wait_idle(patience_s)
    found = judged(crew)
    assert [path for path, records in found.items() if len(records) != 1] == []
    assert set(found) == set(paths)
    assert status["store"]["jobs_done"] >= len(paths) and status["store"]["jobs_dead"] == 0
    assert status["store"]["gap_count"] == 0
    return status


def test_redis_killed_and_started_again_loses_no_event(simulator, redis, at_work):
    """appendfsync everysec: what the server forgets is sent again from the watch's own log."""
    crew, flow = at_work(redis)
    for _ in range(3):
        redis.kill()
        redis.start()
        wait_going_on(crew)
    wait_all_judged(crew, flow.stop())


def test_redis_away_for_a_while_costs_nothing_but_delay(simulator, redis, at_work):
    away_s = 60 if FULL else 8
    crew, flow = at_work(redis)
    watch, judge = crew.members[0], crew.members[1]
    redis.stop()
    began = time.monotonic()
    heard = watch.status()["watches"][0]["messages"]

    # It says so, and goes on listening; to start it anew would help nobody.
    wait_until(lambda: watch.run("health").returncode == 1, "the trouble to be seen")
    assert "store" in watch.run("health").stderr
    assert watch.run("health", "--live").returncode == judge.run("health", "--live").returncode == 0
    wait_until(lambda: watch.status()["watches"][0]["messages"] > heard + 5, "the watch to hear on")
    shown = watch.run("status")
    assert shown.returncode == 1 and "listening" in shown.stdout
    judge.wait_for_log(AWAY)
    wait_until(lambda: time.monotonic() > began + away_s, "the time to pass", away_s + 30, 0.2)
    redis.start()
    wait_going_on(crew)
    wait_judged(crew, flow.stop(), 180)
    assert crew.status()["store"]["gap_count"] == 0
    wait_until(lambda: watch.run("health").returncode == 0, "the health to be back")
    # Told once when it began and once when it was over, by each.
    for member in (watch, judge):
        assert member.log().count(AWAY) == 1
        assert member.log().count("the store answers again") == 1


def test_the_replica_takes_over_and_every_event_is_judged(simulator, sentinels, at_work):
    crew, flow = at_work(sentinels)
    old = sentinels.master()
    old.kill()
    wait_until(lambda: sentinels.master() is not old, "the sentinels to promote the replica", 60)
    wait_going_on(crew)
    wait_all_judged(crew, flow.stop())
