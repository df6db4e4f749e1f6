#!/usr/bin/env python3
"""all_stop.py: stops the line when a file changes that must not change while it runs.

cn_monitor starts it for the action

    - exec:
        command: [/etc/cn_monitor/all_stop.py, "{path}"]
        environment: ["STOP_FILE=/run/production/STOP"]
        timeout: 30s

What it does: it adds a line to the stop file, which whatever drives the line looks at, and tells
syslog. It touches nothing else and never removes the file: a person does that, once it is clear
what happened. Where your line is stopped in another way (a PLC, a scheduler, a service), put that
into stop_the_line() below; the rest may stay as it is.

What cn_monitor hands over (no shell is involved, so names may hold anything):

    standard input   the event as one JSON object: path, event, rule, watch, time, job, ...
    environment      the same as CN_PATH, CN_EVENT, CN_RULE, CN_WATCH, CN_TIME, CN_JOB, ...
    arguments        what `command` says, here the path

What the exit status tells cn_monitor:

    0      done
    75     not now, try again later (it does so, with growing pauses)
    other  it will never work: into the dead letters, with the last line of standard error

After a crash of cn_monitor or of this host it may be started twice for the same job, so it must do
no harm the second time: it knows the job by its number.
"""

import json
import os
import sys
import syslog

DONE, FAILED, TRY_AGAIN = 0, 1, 75
STANDARD_STOP_FILE = "/run/cn_monitor/ALL_STOP"


def read_event():
    """The event, from standard input; from the environment when started by hand without one."""
    text = "" if sys.stdin.isatty() else sys.stdin.buffer.read(16 << 20).decode("utf-8", "replace")
    if text.strip():
        return json.loads(text)
    return {
        "path": os.environ.get("CN_PATH") or (sys.argv[1] if len(sys.argv) > 1 else ""),
        "event": os.environ.get("CN_EVENT", "by hand"),
        "rule": os.environ.get("CN_RULE", ""),
        "time": os.environ.get("CN_TIME", ""),
        "job": os.environ.get("CN_JOB", ""),
        "watch": os.environ.get("CN_WATCH", ""),
    }


def line_about(event):
    """One line for people; quoted as JSON, so that a name with a newline cannot forge another."""
    return "{} STOP {} {} rule={} watch={} job={}\n".format(
        event.get("time") or "-",
        event.get("event") or "-",
        json.dumps(event.get("path", ""), ensure_ascii=False),
        json.dumps(event.get("rule", ""), ensure_ascii=False),
        json.dumps(event.get("watch", ""), ensure_ascii=False),
        event.get("job", "-"),
    )


def is_noted(stop_file, line):
    try:
        with open(stop_file, encoding="utf-8", errors="replace") as file:
            return line in file
    except FileNotFoundError:
        return False


def stop_the_line(event, line):
    """Put here what stops your line. The stop file stays useful as a record of why."""
    stop_file = os.environ.get("STOP_FILE", STANDARD_STOP_FILE)
    if is_noted(stop_file, line):
        return "{} knew about job {} already".format(stop_file, event.get("job"))
    # One write of one line: several of us at the same time do not garble each other's. On the disk
    # before we say that it is done.
    file = os.open(stop_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
    try:
        os.write(file, line.encode("utf-8", "replace"))
        os.fsync(file)
    finally:
        os.close(file)
    return "stopped by {}: see {}".format(json.dumps(event.get("path", "")), stop_file)


def main():
    try:
        event = read_event()
        if not isinstance(event, dict) or not event.get("path"):
            raise ValueError("no path in it")
    except ValueError as error:  # not JSON, or not an event: trying again would not help
        print("all_stop: standard input holds no event: {}".format(error), file=sys.stderr)
        return FAILED
    try:
        said = stop_the_line(event, line_about(event))
    except OSError as error:  # a full disk, a missing directory: that may be put right
        print("all_stop: {}".format(error), file=sys.stderr)
        return TRY_AGAIN
    syslog.openlog("all_stop", 0, syslog.LOG_DAEMON)
    syslog.syslog(syslog.LOG_CRIT, said.replace("\n", " "))
    print(said)  # cn_monitor keeps it with the job; later steps may use it as {exec.output}
    return DONE


if __name__ == "__main__":
    sys.exit(main())
