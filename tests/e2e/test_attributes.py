"""Rules that ask what the cluster knows of a file: real files, a real monitor."""

RULES = """\
version: 1
watched_items:
  - name: big
    when: {event: created, directory: /home, size: {over: 1 KiB}, type: file}
    settle: 200ms
    actions: [log]
  - name: open-to-all
    when: {event: permissions, mode: {any: "0002"}}
    actions: [log]
  - name: any-zip
    when: {event: created, extension: .zip}
    actions: [log]
"""


def done(monitor):
    """Rule and path of the jobs that are done."""
    return sorted((job["body"]["rule"], job["body"]["event"]["path"]) for job in monitor.jobs("done"))


def test_a_rule_asks_the_cluster_what_it_needs_to_know(simulator, make_monitor):
    home = simulator.root / "home"
    home.mkdir()
    monitor = make_monitor(simulator, RULES).start()
    (home / "small.dat").write_bytes(b"x" * 1024)
    (home / "big.dat").write_bytes(b"x" * 1025)
    (home / "directory").mkdir()
    (home / "a.zip").write_bytes(b"")
    monitor.wait_for_jobs(2)
    (home / "small.dat").chmod(0o666)
    (home / "big.dat").chmod(0o640)
    monitor.wait_for_jobs(3)
    monitor.wait_idle()
    assert done(monitor) == [("any-zip", "/home/a.zip"), ("big", "/home/big.dat"),
                             ("open-to-all", "/home/small.dat")]


def test_events_wait_while_the_cluster_cannot_say_and_the_stream_goes_on(simulator, make_monitor):
    home = simulator.root / "home"
    home.mkdir()
    monitor = make_monitor(simulator, RULES.replace("    settle: 200ms\n", "")).start()
    simulator.fault(status=503, count=1000, path="/v1/files/")
    (home / "big.dat").write_bytes(b"x" * 4096)
    monitor.wait_for_log("cannot be asked of the cluster")
    (home / "a.zip").write_bytes(b"")
    monitor.wait_for_jobs(1)  # it does not wait behind the other
    assert done(monitor) == [("any-zip", "/home/a.zip")]

    monitor.kill()
    simulator.no_faults()
    monitor.start()
    monitor.wait_for_jobs(2)
    monitor.wait_idle()
    assert done(monitor) == [("any-zip", "/home/a.zip"), ("big", "/home/big.dat")]
