"""doctor says what will work with this credential, what will not, and what is missing."""

import pytest

from cluster import ADMIN_TOKEN, NOBODY_TOKEN, READER_TOKEN

RULES = """\
version: 1
watched_items:
  - name: isolate
    when: {event: created, extension: [.zip]}
    actions:
      - quarantine: {to: /quarantine}
  - name: note
    when: {event: created}
    actions:
      - log
"""


@pytest.fixture
def ask_doctor(simulator, make_monitor):
    def ask(token, **options):
        monitor = make_monitor(simulator, RULES, **options)
        monitor.write_token(token)
        return monitor.run("doctor")
    return ask


def test_with_all_privileges_everything_will_work(ask_doctor):
    done = ask_doctor(ADMIN_TOKEN)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "watch main: will work" in done.stdout
    assert "rule isolate: quarantine will work" in done.stdout
    assert "failure" not in done.stdout


def test_with_file_read_access_only_it_names_the_role_and_the_privilege(ask_doctor):
    done = ask_doctor(READER_TOKEN)
    assert done.returncode == 1
    assert "watch main: will not work" in done.stdout
    assert "Data-Administrators" in done.stdout
    assert "rule isolate: quarantine will not work" in done.stdout
    assert "PRIVILEGE_FILE_FULL_ACCESS is missing" in done.stdout
    assert "rule note: log needs nothing of the cluster" in done.stdout


def test_without_any_privilege_it_says_so_too(ask_doctor):
    done = ask_doctor(NOBODY_TOKEN)
    assert done.returncode == 1
    assert "neither PRIVILEGE_FILE_READ_ACCESS nor PRIVILEGE_FILE_FULL_ACCESS" in done.stdout
    assert "watch main: will not work" in done.stdout


@pytest.mark.parametrize("switch", ["403", "401"])
def test_a_missing_privilege_is_told_whichever_status_it_has(simulator, ask_doctor, switch):
    simulator.switch(missing_privilege=switch)
    done = ask_doctor(READER_TOKEN)
    assert "watch main: will not work" in done.stdout
    assert "Data-Administrators" in done.stdout


def test_a_dead_token_is_a_failure_with_a_cure(ask_doctor):
    done = ask_doctor("access-v1:bm9uc2Vuc2U")
    assert done.returncode == 1
    assert "the credential was refused" in done.stdout
    assert "make a new access token" in done.stdout
    assert "bm9uc2Vuc2U" not in done.stdout + done.stderr


def test_a_silently_narrowed_watch_is_found(simulator, ask_doctor):
    simulator.switch(recursive_mode="DISABLED_IGNORE")
    done = ask_doctor(ADMIN_TOKEN)
    assert done.returncode == 1
    assert "DISABLED_IGNORE" in done.stdout and "silently" in done.stdout


def test_a_missing_directory_is_named(ask_doctor):
    done = ask_doctor(ADMIN_TOKEN, sections={"WATCH": {"PATH": "/not/here"}})
    assert done.returncode == 1
    assert "/not/here does not exist on the cluster" in done.stdout


def test_nothing_is_changed_on_the_cluster(simulator, ask_doctor):
    ask_doctor(ADMIN_TOKEN)
    assert simulator.changes() == []
    assert list(simulator.root.iterdir()) == []


def test_an_unreachable_cluster_is_a_failure_that_says_where_it_looked(simulator, ask_doctor):
    simulator.stop()
    done = ask_doctor(ADMIN_TOKEN)
    assert done.returncode == 1
    assert "does not answer" in done.stdout
