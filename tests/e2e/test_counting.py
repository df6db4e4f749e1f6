"""Rules that count: what their actions are told, and what status shows."""

import json

from monitor import wait_until

RULES = """\
version: 1
watched_items:
  - name: many
    when: {{event: created, directory: /home}}
    threshold: {{count: 3, within: 1h, distinct: file}}
    actions:
      - log: {{file: {file}, text: "{{threshold.count}}: {{threshold.files}}"}}
  - name: bounded
    when: {{event: created, directory: /bounded}}
    limit: {{count: 2, within: 1h}}
    actions: [{{log: {{file: {file}}}}}]
"""


def lines(file):
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_a_threshold_tells_its_action_of_all_files(simulator, make_monitor, tmp_path):
    file = tmp_path / "matches.jsonl"
    monitor = make_monitor(simulator, RULES.format(file=file)).start()
    for name in "abab":
        simulator.says("child_file_added", f"/home/{name}")
    wait_until(lambda: monitor.status()["filter"]["events"] == 4, "the events to be judged")
    monitor.kill()
    monitor.start()
    simulator.says("child_file_added", "/home/c")
    monitor.wait_for_jobs(1)
    (line,) = lines(file)
    paths = ["/home/a", "/home/b", "/home/c"]
    assert line["count"] == 3 and line["path"] == "/home/c"
    assert [f["path"] for f in line["files"]] == paths
    assert line["text"] == "3: " + "\n".join(paths)


def test_a_rule_past_its_limit_is_a_dry_run_and_status_says_so(simulator, make_monitor, tmp_path):
    file = tmp_path / "matches.jsonl"
    monitor = make_monitor(simulator, RULES.format(file=file)).start()
    for n in range(5):
        simulator.says("child_file_added", f"/bounded/{n}")
    monitor.wait_for_jobs(5)
    assert [line["path"] for line in lines(file)] == ["/bounded/0", "/bounded/1"]
    said = "only a dry run, until the rule is changed: bounded (since 2"
    assert said in monitor.run("status").stdout
    assert monitor.log().count("has reached its limit of 2 jobs") == 1

    changed = RULES.format(file=file) + "# looked at\n"
    monitor.write_rules(changed)  # no rule means anything else now
    assert monitor.run("reload").returncode == 0
    assert said in monitor.run("status").stdout
    assert "limit: {count: 2," in changed
    monitor.write_rules(changed.replace("limit: {count: 2,", "limit: {count: 3,"))
    assert monitor.run("reload").returncode == 0
    simulator.says("child_file_added", "/bounded/5")
    monitor.wait_for_jobs(6)
    assert [line["path"] for line in lines(file)][-1] == "/bounded/5"
    assert "only a dry run" not in monitor.run("status").stdout
