"""A real redis-server for a test, on a free port of the loopback address, with files of its own.

    redis = Redis(tmp_path).start()          # appendonly yes, appendfsync everysec
    redis.url                                # redis://127.0.0.1:PORT/0
    redis.kill(); redis.start()              # as after a power cut, on the same port, with its files
    redis.ask("INFO", "replication")
    redis.stop()

    replicated = Sentinels(tmp_path).start() # a master, a replica, three sentinels
    replicated.master().kill()               # the replica is promoted
"""

import socket
import subprocess
import threading
import time
from pathlib import Path

PATIENCE_S = 30


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class RedisError(Exception):
    pass


def read_reply(file):
    """One reply of the protocol (RESP2)."""
    line = file.readline()
    if not line.endswith(b"\r\n"):
        raise ConnectionError("the server hung up")
    kind, rest = line[:1], line[1:-2]
    if kind == b"+":
        return rest.decode()
    if kind == b"-":
        raise RedisError(rest.decode())
    if kind == b":":
        return int(rest)
    if kind == b"$":
        size = int(rest)
        if size < 0:
            return None
        data = file.read(size + 2)
        if len(data) < size + 2:
            raise ConnectionError("the server hung up")
        return data[:-2].decode(errors="replace")
    return [read_reply(file) for _ in range(int(rest))]


class Redis:
    def __init__(self, folder, *options, config=None):
        """config: of a sentinel."""
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.options, self.config = options, config
        self.process = None
        self.log_path = self.folder / "redis.log"

    @property
    def url(self):
        return f"redis://127.0.0.1:{self.port}/0"

    def command(self):
        place = ["--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.folder),
                 "--daemonize", "no", "--logfile", str(self.log_path)]
        if self.config:
            return ["redis-server", str(self.config), "--sentinel", *place, *self.options]
        return ["redis-server", *place, "--save", "", "--appendonly", "yes", "--appendfsync",
                "everysec", "--maxmemory-policy", "noeviction", *self.options]

    def start(self):
        self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        end = time.monotonic() + PATIENCE_S
        while not self.answers():
            assert self.process.poll() is None and time.monotonic() < end, \
                "redis-server does not answer:\n" + self.log_path.read_text()
            time.sleep(0.02)
        return self

    def answers(self):
        try:
            return self.ask("PING") == "PONG"
        except (OSError, RedisError):  # not yet listening, or still reading its files
            return False

    def ask(self, *words):
        """One command on a connection of its own."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as connection:
            words = [str(word).encode() for word in words]
            connection.sendall(b"*%d\r\n" % len(words)
                               + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in words))
            with connection.makefile("rb") as file:
                return read_reply(file)

    def info(self, name):
        """One value of INFO."""
        for line in self.ask("INFO").splitlines():
            if line.startswith(name + ":"):
                return line.split(":", 1)[1]
        return None

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(PATIENCE_S)
            except subprocess.TimeoutExpired:
                self.kill()


class Sentinels:
    """A master, a replica of it, and three sentinels that know the master as "mymaster"."""

    NAME = "mymaster"

    def __init__(self, folder):
        folder = Path(folder)
        first = Redis(folder / "redis1")
        second = Redis(folder / "redis2", "--replicaof", "127.0.0.1", str(first.port))
        self.servers = [first, second]
        self.sentinels = []
        for number in range(3):
            place = folder / f"sentinel{number}"
            place.mkdir(parents=True)
            config = place / "sentinel.conf"
            config.write_text(f"sentinel monitor {self.NAME} 127.0.0.1 {first.port} 2\n"
                              f"sentinel down-after-milliseconds {self.NAME} 1000\n"
                              f"sentinel failover-timeout {self.NAME} 5000\n")
            self.sentinels.append(Redis(place, config=config))

    @property
    def url(self):
        return f"redis://{self.NAME}/0"

    @property
    def addresses(self):
        return ", ".join(f"127.0.0.1:{sentinel.port}" for sentinel in self.sentinels)

    def start(self):
        for server in self.servers:
            server.start()
        self.wait(lambda: self.servers[1].info("master_link_status") == "up", "the replica")
        for sentinel in self.sentinels:
            sentinel.start()
        self.wait(self.is_known, "the sentinels to know each other and the replica")
        return self

    def is_known(self):
        for sentinel in self.sentinels:
            answer = sentinel.ask("SENTINEL", "MASTER", self.NAME)
            values = dict(zip(answer[::2], answer[1::2]))
            if values["num-other-sentinels"] != "2" or values["num-slaves"] != "1":
                return False
        return True

    def wait(self, condition, what):
        end = time.monotonic() + PATIENCE_S * 2
        while not condition():
            assert time.monotonic() < end, f"waited in vain for {what}"
            time.sleep(0.05)

    def master(self):
        """The server that the sentinels call the master."""
        _, port = self.sentinels[0].ask("SENTINEL", "GET-MASTER-ADDR-BY-NAME", self.NAME)
        return next(server for server in self.servers if server.port == int(port))

    def stop(self):
        for server in self.sentinels + self.servers:
            server.stop()


class Pause(threading.Thread):
    """Stops a server and starts it again after so many seconds, while the test goes on."""

    def __init__(self, redis, seconds):
        super().__init__(daemon=True)
        self.redis, self.seconds = redis, seconds

    def run(self):
        self.redis.stop()
        time.sleep(self.seconds)
        self.redis.start()
