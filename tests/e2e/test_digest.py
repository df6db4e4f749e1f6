"""Mails that tell of many events at once, with a real SMTP server."""

import csv
import io

import pytest

from monitor import wait_until


@pytest.fixture
def run(simulator, make_monitor, mails):
    (simulator.root / "in").mkdir()

    def start(options, more="", sections=None, **store):
        rules = (f"version: 1\nwatched_items:\n  - name: the-rule\n    when: {{event: created, directory: /in}}\n"
                 f"    actions:\n      - email: {{to: ops@example.com, {options}}}\n{more}")
        monitor = make_monitor(simulator, rules, sections={
            "EMAIL": {"SERVER": mails.address, "SECURITY": "plain", "FROM": "storage@example.com"},
            "ACT": {"BACK_OFF": "50ms"}, **(sections or {})}, **store)
        return monitor.start()
    return start


def parts(mail):
    """{type: text} of a mail's parts."""
    return {part.get_content_type(): part.get_content().replace("\r\n", "\n") for part in mail.walk()
            if not part.is_multipart()}


def test_the_first_at_once_and_the_rest_in_one_mail(simulator, run, mails):
    monitor = run('digest: 2s, subject: "{name}", body: "{path}"')
    names = ["one.txt"] + [f"bö<b>se & {n}.txt" for n in range(30)]
    (simulator.root / "in" / names[0]).write_text("x")
    mails.wait_for(1)
    for name in names[1:]:
        (simulator.root / "in" / name).write_text("x")
    single, digest = mails.wait_for(2)
    monitor.wait_idle()
    assert single["Subject"] == "one.txt" and single.get_content_type() == "text/plain"
    assert digest["Subject"].startswith("[cn_monitor] the-rule: 30 events from ")
    assert digest["Auto-Submitted"] == "auto-generated" and digest["Message-ID"] != single["Message-ID"]
    told = parts(digest)
    assert "      30  child_file_added" in told["text/plain"] and "and 10 more" in told["text/plain"]
    assert told["text/plain"].count("/in/bö<b>se & ") == 20
    assert told["text/html"].count("/in/bö&lt;b&gt;se &amp; ") == 20 and "<b>" not in told["text/html"]
    listed = list(csv.DictReader(io.StringIO(told["text/csv"])))
    assert sorted(row["path"] for row in listed) == sorted("/in/" + name for name in names[1:])
    attachment, = digest.iter_attachments()
    assert attachment.get_filename() == "events.csv"
    outcomes = [job["outcome"] for job in monitor.jobs("done")]
    assert len([o for o in outcomes if "goes with the digest of " in o]) == 30
    assert len(mails.received) == 2


def test_what_goes_together_is_chosen(simulator, run, mails):
    for folder in "ab":
        (simulator.root / "in" / folder).mkdir()
    run('digest: 2s, by: "{dir}"')
    for n in range(3):
        for folder in "ab":
            (simulator.root / "in" / folder / f"{n}.txt").write_text("x")
    mails.wait_for(4)
    told = sorted(parts(mail)["text/plain"] for mail in mails.received if "events" in mail["Subject"])
    assert len(told) == 2
    for folder, text in zip("ab", told):
        assert text.count(f"/in/{folder}/") == 2 and text.count("/in/") == 2


def test_a_kill_loses_none_and_tells_none_twice(simulator, run, mails):
    monitor = run("digest: 3s")
    (simulator.root / "in/0.txt").write_text("x")
    mails.wait_for(1)
    for n in range(1, 11):
        (simulator.root / "in" / f"{n}.txt").write_text("x")
    wait_until(lambda: len(monitor.jobs("done")) >= 5, "some to be gathered")
    monitor.kill()
    monitor.start()

    def told():  # in one mail, or in two if the window ended meanwhile
        return sorted(line.split()[-1] for mail in mails.received[1:]
                      for line in parts(mail)["text/plain"].splitlines() if "/in/" in line)
    wait_until(lambda: len(told()) >= 10, "all to be told")
    monitor.wait_idle()
    assert told() == sorted(f"/in/{n}.txt" for n in range(1, 11))


def test_a_digest_that_is_refused_is_a_dead_letter_that_tells_it_once_mended(simulator, run, mails):
    monitor = run("digest: 1s")
    (simulator.root / "in/0.txt").write_text("x")
    mails.wait_for(1)
    mails.answers = ["550 no such user"]
    for n in range(1, 4):
        (simulator.root / "in" / f"{n}.txt").write_text("x")
    dead, = monitor.wait_for_jobs(1, "dead")
    assert "550" in dead["outcome"]
    assert monitor.run("dead", "retry", str(dead["id"])).returncode == 0
    digest = mails.wait_for(2)[1]
    assert "3 events" in digest["Subject"]


@pytest.mark.parametrize("preset", ["generic", "slack", "teams"])
def test_a_web_hook_tells_a_storm_in_one_message(simulator, make_monitor, hooks, preset):
    (simulator.root / "in").mkdir()
    monitor = make_monitor(simulator, f"""version: 1
watched_items:
  - name: r
    when: {{event: created, directory: /in}}
    actions: [{{webhook: {{url: "{hooks.url}/x", preset: {preset}, digest: 1s}}}}]
""").start()
    (simulator.root / "in/0 <b>").write_text("x")
    wait_until(lambda: len(hooks.received) == 1, "the first message")
    for n in range(1, 21):
        (simulator.root / f"in/{n} <b>").write_text("x")
    wait_until(lambda: len(hooks.received) == 2, "the second message")
    monitor.wait_idle()
    body = hooks.received[1][2]
    if preset == "generic":
        assert body["type"] == "cn_monitor.digest" and body["data"]["count"] == 20
        assert len(body["data"]["entries"]) == 20 and body["data"]["kinds"] == {"child_file_added": 20}
        return
    text = body["text"] if preset == "slack" else body["attachments"][0]["content"]["body"][0]["inlines"][0]["text"]
    lines = text.splitlines()
    assert lines[0].startswith("r: 20 events from ") and lines[-1] == "and 15 more" and len(lines) == 7
    assert ("&lt;b&gt;" if preset == "slack" else "<b>") in lines[1]


def test_a_dry_run_gathers_nothing(simulator, run, mails):
    monitor = run("digest: 1s", sections={"ACT": {"DRY_RUN": "yes"}})
    for n in range(3):
        (simulator.root / "in" / f"{n}.txt").write_text("x")
    jobs = monitor.wait_for_jobs(3)
    assert "or with others in a digest" in jobs[0]["outcome"]
    assert mails.received == []
