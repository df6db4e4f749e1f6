"""What a process costs, and on which machine: from /proc, so that nothing has to be installed."""

import os
import platform
import re
import time
from pathlib import Path

TICK_S = 1 / os.sysconf("SC_CLK_TCK")
MIB = 1 << 20


def describe():
    """The machine in words that help to compare figures of two days."""
    cpu = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())
    memory = re.search(r"MemTotal:\s*(\d+) kB", Path("/proc/meminfo").read_text())
    return {"cpu": cpu[1] if cpu else platform.machine(), "cores": os.cpu_count(),
            "memory_mib": int(memory[1]) // 1024, "kernel": platform.release(),
            "system": system(), "load_before": os.getloadavg()[0],
            "date": time.strftime("%Y-%m-%d %H:%M", time.gmtime()) + " UTC"}


def system():
    try:
        return re.search(r'PRETTY_NAME="(.+)"', Path("/etc/os-release").read_text())[1]
    except (OSError, TypeError):
        return platform.system()


def cpu_seconds(pid):
    """User and system time of the process so far, that of threads which have ended included."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * TICK_S


def thread_seconds(pid):
    """The same by thread name; to the nanosecond where the kernel tells."""
    seconds = {}
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            name = (task / "comm").read_text().strip()
            spent = int((task / "schedstat").read_text().split()[0]) / 1e9
        except (OSError, IndexError):
            continue  # it ended just now, or the kernel does not count
        seconds[name] = seconds.get(name, 0) + spent
    return seconds


def own_memory_mib(pid):
    """Without what the kernel may take back at any time: the store's files in the page cache."""
    found = re.search(r"RssAnon:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) / 1024 if found else 0  # 0: it has ended


class Cost:
    """What processes spent between start() and stop(): .cpu_s in all, .threads by name, .wall_s."""

    def __init__(self, *pids):
        self.pids = pids
        self.peak_mib = 0
        self.start()

    def start(self):
        self.before = [(cpu_seconds(pid), thread_seconds(pid)) for pid in self.pids]
        self.began = time.monotonic()
        return self

    def look(self):
        """Remembers the most memory seen; called while waiting."""
        self.peak_mib = max(self.peak_mib, sum(own_memory_mib(pid) for pid in self.pids))

    def stop(self):
        self.wall_s = time.monotonic() - self.began
        self.cpu_s, self.threads = 0, {}
        for pid, (cpu, threads) in zip(self.pids, self.before):
            alive = 0
            for name, seconds in thread_seconds(pid).items():
                spent = seconds - threads.get(name, 0)
                self.threads[name] = self.threads.get(name, 0) + spent
                alive += spent
            ticks = cpu_seconds(pid) - cpu
            # Ticks are coarse; but they know of threads that have ended.
            self.cpu_s += alive if abs(ticks - alive) < 0.05 else ticks
        self.look()
        return self


def disk_wait_ms(folder, count):
    """How long a small write and fdatasync take in that folder, each one: what durable costs here."""
    waits = []
    path = Path(folder) / "disk-wait"
    descriptor = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
    try:
        os.pwrite(descriptor, bytes(MIB), 0)
        os.fdatasync(descriptor)
        for n in range(count):
            began = time.perf_counter()
            os.pwrite(descriptor, b"x" * 4096, (n % 256) * 4096)
            os.fdatasync(descriptor)
            waits.append((time.perf_counter() - began) * 1000)
    finally:
        os.close(descriptor)
        path.unlink()
    return waits
