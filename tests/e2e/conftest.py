"""Fixtures of the end-to-end tests. Every process that a test started is gone after it."""

import pytest

from cluster import Simulator


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
            simulator.stop()


@pytest.fixture
def simulator(make_simulator):
    """A cluster with an empty root, TLS, and three users (see Simulator)."""
    return make_simulator()
