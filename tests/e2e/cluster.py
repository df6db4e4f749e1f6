"""The stand-in cluster of the tests: cn_simulator over a directory of its own.

    simulator = Simulator(tmp_path).start()           # TLS, a free port, an admin's access token
    (simulator.root / "home").mkdir()                 # the real directory that it serves
    simulator.address, .fingerprint, .cert, .token    # what cn_monitor.conf needs
    simulator.says("child_file_added", "/home/joe/a.txt")     # an event that did not happen
    simulator.generate(200_000, cut="random", per_message=[1, 5000], path="home/f{n}.txt")
    simulator.fault(status=503, count=3, path="/v1/files/")   # the next three of these fail
    simulator.reboot(3)                               # nobody is served for three seconds
    simulator.up()                                    # ...or until now
    simulator.move()                                  # the address goes to another node
    simulator.upgrade(3, rolling=True, revision_id="Qumulo Core 8.0.1")
    simulator.streams("drop")                         # drop end stall resume half_line garbage
                                                      # error overflow reboot comment
    simulator.switch(spine="root", keep_alive="1s")   # U8, U6; see cn_simulator --help
    simulator.status()                                # counters and the last changes asked for
    simulator.stop()

    simulator = Simulator(tmp_path, addresses=2)      # two nodes; reboot(3, address=...) one of them
    client = simulator.client()                       # a REST client: client.get("/v1/version")
    with simulator.watch("/", recursive=True) as stream:      # a notify stream, line by line
        stream.wait_for(lambda e: e["type"] == "child_file_added")

As a fixture (conftest.py): `simulator` is started and stopped for the test."""

import contextlib
import http.client
import json
import os
import re
import signal
import ssl
import subprocess
import threading
import time
import urllib.parse
from pathlib import Path

PATIENCE_S = 30
BUILD = Path(os.environ.get("CN_BUILD", Path(__file__).resolve().parents[2] / "build"))
PROGRAM = BUILD / "simulator" / "cn_simulator"
ADMIN_TOKEN = "access-v1:c2ltdWxhdG9yIGFkbWluIHRva2Vu"
READER_TOKEN = "access-v1:c2ltdWxhdG9yIHJlYWRlciB0b2tlbg"
NOBODY_TOKEN = "access-v1:c2ltdWxhdG9yIG5vYm9keSB0b2tlbg"


def ref(path_or_id):
    """A path or id as one segment of a URL."""
    return urllib.parse.quote(str(path_or_id), safe="")


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def error_class(self):
        return self.json["error_class"] if self.body else None

    def __repr__(self):
        return f"<{self.status} {self.body[:300]!r}>"


class Client:
    """A plain REST client with one kept connection."""

    def __init__(self, simulator, token, address=None):
        self.simulator, self.token, self.address = simulator, token, address
        self.connection = None

    def request(self, method, target, body=None, headers=None):
        """body: bytes are sent as they are, anything else as JSON."""
        headers = dict(headers or {})
        if self.token:
            headers.setdefault("Authorization", f"Bearer {self.token}")
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
            headers.setdefault("Content-Type", "application/json")
        elif body is not None:
            headers.setdefault("Content-Type", "application/octet-stream")
        if not self.connection:
            self.connection = self.simulator.connect(address=self.address)
        try:
            self.connection.request(method, target, body, headers)
            answer = self.connection.getresponse()
            return Answer(answer.status, answer.headers, answer.read())
        except (OSError, http.client.HTTPException):
            self.close()
            raise

    def get(self, target, **options):
        return self.request("GET", target, **options)

    def post(self, target, body=None, **options):
        return self.request("POST", target, body, **options)

    def put(self, target, body=None, **options):
        return self.request("PUT", target, body, **options)

    def patch(self, target, body=None, **options):
        return self.request("PATCH", target, body, **options)

    def delete(self, target, **options):
        return self.request("DELETE", target, **options)

    def close(self):
        if self.connection:
            self.connection.close()
        self.connection = None


class Stream:
    """A notify stream, read in a thread: lines, events and how it ended."""

    def __init__(self, simulator, target, token, address=None):
        self.connection = simulator.connect(timeout=PATIENCE_S * 4, address=address)
        self.connection.request("GET", target, headers={"Authorization": f"Bearer {token}"})
        self.answer = self.connection.getresponse()
        self.lines, self.events, self.messages, self.chunks = [], [], [], []
        self.ended = None  # "clean", or the error
        self.news = threading.Condition()
        if self.answer.status == 200:
            threading.Thread(target=self._read, daemon=True).start()
            self.wait(lambda: self.lines)
        else:
            self.body = self.answer.read()

    def _read(self):
        pieces = []  # of a line that is not complete; joined once, a line may be of 16 MiB
        try:
            while True:
                piece = self.answer.read1(1 << 16)
                if not piece:
                    end = "clean" if self.answer.isclosed() else "abrupt"
                    break
                if b"\n" not in piece:
                    pieces.append(piece)
                    continue
                *lines, rest = b"".join([*pieces, piece]).split(b"\n")
                pieces = [rest]
                with self.news:
                    for line in lines:
                        self._take(line)
                    self.news.notify_all()
        except (OSError, ValueError, http.client.HTTPException, AttributeError) as error:
            end = f"abrupt: {error!r}"
        with self.news:
            self.rest = b"".join(pieces)
            self.ended = end
            self.news.notify_all()

    def _take(self, line):
        self.lines.append(line)
        if line.startswith(b"data:"):
            with contextlib.suppress(ValueError):
                message = json.loads(line[5:])
                if isinstance(message, list):
                    self.messages.append(message)
                    self.events += message

    def wait(self, condition, patience_s=PATIENCE_S):
        """Until condition() is true; fails when patience ends."""
        with self.news:
            if not self.news.wait_for(condition, patience_s):
                raise AssertionError(f"waited in vain; lines: {self.lines[-20:]!r}, "
                                     f"ended: {self.ended}")
        return condition()

    def wait_for(self, wanted, patience_s=PATIENCE_S):
        """The first event for which wanted(event) is true."""
        return self.wait(lambda: next((e for e in self.events if wanted(e)), None), patience_s)

    def wait_end(self, patience_s=PATIENCE_S):
        return self.wait(lambda: self.ended, patience_s)

    def shown(self):
        """[(type, path)] of all events so far."""
        return [(e["type"], e["path"]) for e in self.events]

    def close(self):
        sock = self.connection.sock
        if sock is None and self.answer.fp is not None:
            sock = getattr(getattr(self.answer.fp, "raw", None), "_sock", None)
        if sock is not None:
            with contextlib.suppress(OSError):
                sock.shutdown(2)
        self.connection.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Simulator:
    """One cn_simulator. Users: admin (everything, ADMIN_TOKEN, password "admin"), reader (only
    PRIVILEGE_FILE_READ_ACCESS, READER_TOKEN, password "reader"), nobody (no privilege,
    NOBODY_TOKEN, password "nobody")."""

    def __init__(self, folder, tls="auto", switches=None, options=(), users=True, addresses=1):
        self.folder = Path(folder)
        self.root = self.folder / "root"
        self.state = self.folder / "root.cn_simulator"
        self.log_path = self.folder / "simulator.log"
        self.root.mkdir(parents=True, exist_ok=True)
        self.tls, self.options = tls, list(options)
        self.switches = dict(switches or {})
        self.users = users
        self.ports = [0] * addresses
        self.control_port = 0
        self.process = self.address = self.fingerprint = self.cert = self.token = None

    # ---- life ----

    def command(self):
        words = [PROGRAM, "--root", self.root, "--state", self.state, "--tls", self.tls,
                 *(f"--listen=127.0.0.1:{port}" for port in self.ports),
                 "--control", f"127.0.0.1:{self.control_port}"]
        if self.users:
            words += ["--user", "admin:admin", "--user", "reader:reader:PRIVILEGE_FILE_READ_ACCESS",
                      "--user", "nobody:nobody:none", "--token", ADMIN_TOKEN,
                      "--token", f"reader@{READER_TOKEN}", "--token", f"nobody@{NOBODY_TOKEN}"]
        for name, value in self.switches.items():
            words += ["--switch", f"{name.replace('_', '-')}={value}"]
        return words + self.options

    def start(self):
        """Starts it and reads its address; again on the same port after a stop or kill."""
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(self.command(), stdout=subprocess.PIPE, stderr=log,
                                            stdin=subprocess.DEVNULL, text=True)
        line = self.process.stdout.readline()
        found = re.match(r"cn_simulator: (https?)://(\S+:(\d+)) serves .*?, "
                         r"(?:certificate SHA-256 fingerprint (\S+), )?token (\S+?)"
                         r"(?:, certificate file (.+))?$", line)
        if not found:
            self.process.wait(PATIENCE_S)
            raise AssertionError(f"cn_simulator did not start: {line!r}\n{self.log()}")
        self.scheme, self.address, port, self.fingerprint, self.token, self.cert = found.groups()
        self.port = int(port)
        self.url = f"{self.scheme}://{self.address}"
        self.all_addresses = [self.address]
        for _ in self.ports[1:]:
            self.all_addresses.append(self._next_address())
        self.control_address = self._next_address()
        self.control_port = int(self.control_address.rsplit(":", 1)[1])
        self.ports = [int(address.rsplit(":", 1)[1]) for address in self.all_addresses]
        return self

    def _next_address(self):
        return self.process.stdout.readline().split("://")[1].split(",")[0]

    def stop(self):
        """SIGTERM; answers the exit status."""
        if not self.process:
            return None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(PATIENCE_S)
            except subprocess.TimeoutExpired:
                self.kill()
                raise AssertionError("cn_simulator did not stop:\n" + self.log())
        self.process.stdout.close()
        return self.process.returncode

    def kill(self):
        self.process.kill()
        self.process.wait()

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    # ---- talking to it ----

    def connect(self, timeout=PATIENCE_S, address=None):
        address = address or self.address
        if self.scheme == "http":
            return http.client.HTTPConnection(address, timeout=timeout)
        context = ssl.create_default_context(cafile=self.cert)
        return http.client.HTTPSConnection(address, timeout=timeout, context=context)

    def client(self, token=ADMIN_TOKEN, address=None):
        return Client(self, token, address)

    def watch(self, path="/", recursive=True, token=ADMIN_TOKEN, prefix="", address=None, **query):
        """Opens a notify stream and waits for its first line."""
        query = {"recursive": "true" if recursive else "false", **query}
        return Stream(self, f"{prefix}/v1/files/{ref(path)}/notify?"
                      + urllib.parse.urlencode(query), token, address)

    def control(self, method, target, body=None):
        """A request to /sim/..., whatever the nodes are up to; answers its JSON."""
        client = Client(self, None, self.control_address)
        try:
            answer = client.request(method, target, body)
        finally:
            client.close()
        assert answer.status == 200, answer
        return answer.json

    # ---- what happens on the cluster ----

    def says(self, type, path, **members):
        """One event to all streams whose watched directory is above the absolute path."""
        return self.emit(events=[{"type": type, "path": path, "stream_name": None, **members}])

    def emit(self, **description):
        """events=[...], messages=[[...], ...], raw="..." or generate={...}; cut, to."""
        return self.control("POST", "/sim/emit", description)

    def generate(self, count, cut=None, to=None, **generator):
        """Synthetic events as fast as the sockets take them; see cn_simulator --help."""
        description = {"generate": {"count": count, **generator}}
        if cut:
            description["cut"] = cut
        if to:
            description["to"] = to
        return self.control("POST", "/sim/emit", description)

    def wait_emitted(self, patience_s=PATIENCE_S * 4):
        """Until everything queued has gone to the sockets; answers the status."""
        end = time.monotonic() + patience_s
        while True:
            status = self.status()
            if not status["emits_under_way"] and not status["events_queued"]:
                return status
            assert time.monotonic() < end, f"waited in vain for the sockets: {status['streams']}"
            time.sleep(0.02)

    def wait_streams(self, count, patience_s=PATIENCE_S):
        """Until so many notify streams are open."""
        end = time.monotonic() + patience_s
        while True:
            streams = self.status()["streams"]
            if len(streams) == count:
                return streams
            assert time.monotonic() < end, f"waited in vain for {count} streams: {streams}"
            time.sleep(0.02)

    def opens(self, path, **how):
        """An SMB client opens the file: access="write", exclusive=False, count=1."""
        return self.control("POST", "/sim/handles", {"path": path, **how})["handle"]

    def closes(self, path=None):
        """All handles of the file (or of all) are closed; answers how many there were."""
        query = f"?path={ref(path)}" if path else ""
        return self.control("DELETE", f"/sim/handles{query}")["closed"]

    # ---- what goes wrong ----

    def fault(self, **description):
        return self.control("POST", "/sim/faults", description)["number"]

    def no_faults(self):
        return self.control("DELETE", "/sim/faults")["removed"]

    def streams(self, do, path=None, text=None):
        """Answers how many streams it was done to."""
        body = {"do": do, "path": path, "text": text}
        return self.control("POST", "/sim/streams", body)["streams"]

    def reboot(self, seconds, address=None):
        """Connections die (switch node_reboot), and for so long nobody is served (while_down)."""
        body = {"down_ms": int(seconds * 1000), "address": address}
        return self.control("POST", "/sim/reboot", body)["streams"]

    def up(self, address=None):
        """What is down is back at once; answers how many addresses."""
        return self.control("POST", "/sim/up", {"address": address})["addresses"]

    def move(self, address=None):
        """Connections die (switch node_reboot); the address is served on, by another node."""
        return self.control("POST", "/sim/move", {"address": address})["streams"]

    def upgrade(self, seconds, rolling=False, revision_id=None):
        """All nodes reboot, at once or one after the other; then the version is another."""
        body = {"down_ms": int(seconds * 1000), "rolling": rolling, "revision_id": revision_id}
        return self.control("POST", "/sim/upgrade", body)["nodes"]

    def switch(self, **switches):
        body = {name.replace("_", "-"): str(value) for name, value in switches.items()}
        return self.control("PUT", "/sim/switches", body)

    def end_sessions(self):
        return self.control("DELETE", "/sim/sessions")["ended"]

    def set_rights(self, user, rights):
        return self.control("PUT", f"/sim/users/{ref(user)}", {"rights": rights})["privileges"]

    # ---- what was asked of it ----

    def status(self):
        return self.control("GET", "/sim/status")

    def addresses(self):
        """[{address, node, up, connections}], in the order of .all_addresses."""
        return self.control("GET", "/sim/addresses")

    def forget(self):
        """All counters to zero."""
        self.control("DELETE", "/sim/status")

    def changes(self, method=None, route=None):
        """The modifying requests, oldest first: method, route, arguments, body, user, status."""
        return [c for c in self.status()["changes"]
                if method in (None, c["method"]) and route in (None, c["route"])]
