"""What rules would have done about what the log holds: how fast it is gone through."""

import json
import os
import shutil
import subprocess
import time

from monitor import PROGRAM
from parties import PATIENCE_S, wait_judged
from rule_files import MATCHING, PATH, rule_file

TEN_MILLION = 1e7
EVERY = """\
version: 1
watched_items:
  - name: every
    when: {event: created, directory: /home}
    actions: [log]
"""
ASKS = EVERY.replace("/home}", "/home, size: {over: 1 MiB}}")
KINDS = [
    ("10", "10 rules", rule_file(10), []),
    ("10000", "10,000 rules", rule_file(10_000), []),
    ("compare", "10,000 rules, compared with the 10 at work", rule_file(10_000), ["--compare"]),
    ("every", "one rule, true for every event", EVERY, []),
    ("bounds", "the same, and it depends on the size: two bounds", ASKS, []),
]


def run(figures, stage, options):
    count = max(1, int(1_000_000 * options.scale) // MATCHING) * MATCHING
    figures.part = f"Backtest: seconds for 10 million recorded events, reckoned from {count:,}"
    with stage.simulator() as simulator:
        embedded(figures, stage, simulator, count, options.rounds)
        with stage.redis() as redis:
            over_redis(figures, stage, simulator, redis, count, options.rounds)


def fill(stage, simulator, folder, count, sections=None):
    with stage.monitor(simulator, rule_file(10), sections, folder) as monitor:
        simulator.generate(count, per_message=100, path=PATH)
        simulator.wait_emitted(PATIENCE_S)
        wait_judged(monitor, count)
    return monitor.conf


def embedded(figures, stage, simulator, count, rounds):
    folder = stage.fresh("backtest")
    conf = fill(stage, simulator, folder, count)
    for _ in range(rounds):
        for name, title, rules, words in KINDS:
            one(figures, f"backtest.{name}", title, conf, rules, count, words)
    shutil.rmtree(folder)


def over_redis(figures, stage, simulator, redis, count, rounds):
    folder = stage.fresh("backtest")
    # The monitor's own socket is where the others look for it.
    sections = {"STORE": {"URL": f"unix:{redis.path}", "LOG": folder / "log"},
                "ADMIN": {"SOCKET": folder / "store" / "admin.sock"}}
    (folder / "store").mkdir()
    conf = fill(stage, simulator, folder, count, sections)
    for _ in range(rounds):
        name, title, rules, words = KINDS[0]
        one(figures, "backtest.redis", f"{title}, the log in Redis", conf, rules, count, words)
    shutil.rmtree(folder)


def one(figures, name, title, conf, rules, count, words):
    items = conf.parent / "tried.yml"
    items.write_text(rules)
    began = time.monotonic()
    process = subprocess.Popen([PROGRAM, "backtest", "-c", conf, "--items", items, "--json", *words],
                               stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)
    answer = json.loads(process.stdout.read())
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.monotonic() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0 and answer["events"] == count, answer
    wanted = count if rules in (EVERY, ASKS) else count // MATCHING
    assert answer["jobs"]["most"] == wanted, answer["jobs"]
    figures.add(name, seconds * TEN_MILLION / count, "s", title, most=60)
    figures.add(f"{name}.cpu", (usage.ru_utime + usage.ru_stime) * TEN_MILLION / count, "CPU-s",
                "  of that at work")
    figures.add(f"{name}.memory", usage.ru_maxrss / 1024, "MiB", "  memory, mapped pages of the log too")
