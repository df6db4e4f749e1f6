"""Fixtures of the end-to-end tests. Every process that a test started is gone after it."""

import pytest

from cluster import Simulator
from crew import Crew
from hook_server import HookServer
from mail_server import MailServer
from monitor import Monitor
from redis_server import Redis, Sentinels


@pytest.fixture
def make_simulator(tmp_path):
    """make_simulator(switches={...}, ...): started; as many as the test wants."""
    made = []

    def make(folder=None, **options):
        simulator = Simulator(folder or tmp_path / f"cluster{len(made) or ''}", **options)
        made.append(simulator)
        return simulator.start()

    yield make
    for simulator in made:
        if simulator.process and simulator.process.poll() is None:
            assert simulator.stop() == 0, simulator.log()


@pytest.fixture
def simulator(make_simulator):
    """A cluster with an empty root, TLS, and three users (see Simulator)."""
    return make_simulator()


@pytest.fixture
def make_monitor(tmp_path):
    """make_monitor(simulator, rules, sections={...}): not started; as many as the test wants."""
    made = []

    def make(simulator, *arguments, folder=None, **options):
        folder = folder or tmp_path / f"monitor{len(made) or ''}"
        folder.mkdir(exist_ok=True)
        monitor = Monitor(folder, simulator, *arguments, **options)
        made.append(monitor)
        return monitor

    yield make
    for monitor in made:
        if monitor.process and monitor.process.poll() is None:
            monitor.stop()


@pytest.fixture
def mails():
    """A real SMTP server that takes everything (mail_server.py)."""
    server = MailServer()
    yield server
    server.stop()


@pytest.fixture
def hooks():
    """A web hook receiver (hook_server.py)."""
    server = HookServer()
    yield server
    server.stop()


@pytest.fixture
def redis(tmp_path):
    """A real redis-server (redis_server.py)."""
    server = Redis(tmp_path / "redis")
    yield server.start()
    server.stop()


@pytest.fixture
def sentinels(tmp_path):
    """A master, its replica and three sentinels (redis_server.py)."""
    servers = Sentinels(tmp_path)
    yield servers.start()
    servers.stop()


@pytest.fixture
def make_crew(tmp_path):
    """make_crew(simulator, redis, rules, ...): processes that share a Redis (crew.py)."""
    made = []

    def make(simulator, redis, *arguments, **options):
        folder = tmp_path / f"crew{len(made) or ''}"
        folder.mkdir()
        crew = Crew(folder, simulator, redis, *arguments, **options)
        made.append(crew)
        return crew

    yield make
    for crew in made:
        crew.stop()
