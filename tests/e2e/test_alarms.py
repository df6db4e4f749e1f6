"""The monitor's own troubles go out through its actions: once each, with an all-clear."""

import pytest

from hook_server import HookServer
from mail_server import MailServer
from monitor import wait_until

RULES = """\
version: 1
actions:
  tell: {webhook: {url: "%s/x"}}
alarms:
  - on: [stream, rules]
    after: 0s
    actions: [tell]
  - on: dead_letter
    after: 0s
    actions: [{log: {}}]
watched_items:
  - {name: broken, when: {event: created, extension: .bad}, actions: [exec: /bin/false]}
  - {name: sleeping, when: {event: created, extension: .zzz}, actions: [log]}
"""


@pytest.fixture
def hooks():
    server = HookServer()
    yield server
    server.stop()


def said(hooks):
    return [message["data"]["text"] for _, _, message in list(hooks.received)]


def test_a_stream_that_is_lost_is_told_once_and_so_is_its_return(simulator, make_monitor, hooks):
    monitor = make_monitor(simulator, RULES % hooks.url).start()
    simulator.stop()
    wait_until(lambda: said(hooks), "the alarm")
    assert said(hooks)[0].startswith("trouble: watch main is not heard: ")
    monitor.wait_for_jobs(1)
    assert "alarms: trouble: watch main is not heard" in monitor.log()
    monitor.kill()
    monitor.start(listening=False)          # it remembers what it told
    simulator.start()
    monitor.wait_listening()
    wait_until(lambda: len(said(hooks)) == 2, "the all-clear", 40)
    assert said(hooks)[1].startswith("over: watch main is not heard: ")
    monitor.wait_idle()
    assert len(said(hooks)) == 2
    assert [job["body"]["rule"] for job in monitor.jobs()] == ["alarm", "alarm"]
    assert "alarms: over: watch main is not heard" in monitor.log()


@pytest.fixture
def mails():
    server = MailServer()
    yield server
    server.stop()


def test_a_mail_says_what_is_wrong_even_if_nobody_said_how(simulator, make_monitor, mails):
    make_monitor(simulator, "version: 1\nalarms:\n  - {on: stream, after: 0s, actions: [email: ops@example.com]}\n"
                 "watched_items:\n  - {name: r, when: {event: created}, actions: [log]}\n",
                 {"EMAIL": {"SERVER": mails.address, "SECURITY": "plain", "FROM": "a@example.com"}}).start()
    simulator.stop()
    wait_until(lambda: mails.received, "the mail")
    mail = mails.received[0]
    assert mail["Subject"].startswith("[cn_monitor] trouble: watch main is not heard") and mail["To"] == "ops@example.com"
    assert "trouble:  stream" in mail.get_content()


def test_dead_letters_and_bad_rules_are_told(simulator, make_monitor, hooks):
    monitor = make_monitor(simulator, RULES % hooks.url).start()
    (simulator.root / "a.bad").write_text("x")
    wait_until(lambda: "trouble: 1 job was given up and waits for a decision (cn_monitor dead)" in monitor.log(), "the alarm")
    assert said(hooks) == []
    monitor.write_rules("version: 1\nwatched_items: [nonsense]\n")
    wait_until(lambda: said(hooks), "the other alarm")
    assert said(hooks)[0].startswith("trouble: the changed rules have errors")
