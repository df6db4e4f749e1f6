"""What this machine's Redis does by itself: the scale for the store on Redis."""

MESSAGE = "x" * 1400  # about ten events


def run(figures, stage, options):
    figures.part = "redis-server of this machine, by redis-benchmark (appendonly, everysec; XADD of 1,400 bytes)"
    count = max(1000, int(100_000 * options.scale))
    for _ in range(options.rounds):
        for depth, clients in ((1, 1), (100, 1)):
            with stage.redis() as redis:
                rate = redis.benchmark(count // (20 if depth == 1 else 1), depth, clients,
                                       "XADD", "log", "*", "m", MESSAGE)
            what = "one at a time" if depth == 1 else f"{depth} at a time"
            figures.add(f"redis.xadd.{depth}", rate, "XADD/s", f"one connection, {what}")
