"""A web hook receiver that keeps what it gets and answers as told."""

import http.server
import json
import threading

from monitor import wait_until


class HookServer:
    """received: [(path, headers, parsed JSON)]; answers: statuses for the next requests, then 200."""

    def __init__(self):
        hooks = self
        self.received, self.answers = [], []

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                answer = hooks.answers.pop(0) if hooks.answers else 200
                status, headers = answer if isinstance(answer, tuple) else (answer, {})
                if status == 200:
                    hooks.received.append((self.path, dict(self.headers), json.loads(body)))
                self.send_response(status)
                for name, value in {"Content-Length": "0", **headers}.items():
                    self.send_header(name, value)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def wait_for(self, count):
        wait_until(lambda: len(self.received) >= count, f"{count} web hooks")
        return self.received

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
