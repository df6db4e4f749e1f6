#!/usr/bin/env python3
"""Receives what cn_monitor posts, and takes only what is signed with our key (Standard Webhooks).

    webhook: {url: "http://127.0.0.1:8080/", secret_file: /etc/cn_monitor/webhook-key}

    verify_webhook.py /etc/cn_monitor/webhook-key 8080
"""

import base64
import hashlib
import hmac
import http.server
import json
import sys
import time

TOLERANCE_S = 300  # what is older was perhaps recorded by somebody and is sent again


def key_of(secret):
    return base64.b64decode(secret[6:]) if secret.startswith("whsec_") else secret.encode()


def is_genuine(key, headers, body):
    """Signed with our key, and not long ago. What comes twice has the same webhook-id."""
    number, moment = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not moment.isdigit() or abs(time.time() - int(moment)) > TOLERANCE_S:
        return False
    expected = hmac.new(key, f"{number}.{moment}.".encode() + body, hashlib.sha256).digest()
    wanted = "v1," + base64.b64encode(expected).decode()
    return any(hmac.compare_digest(wanted, given) for given in headers.get("webhook-signature", "").split())


class Handler(http.server.BaseHTTPRequestHandler):
    key = b""

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        genuine = is_genuine(self.key, self.headers, body)
        self.send_response(204 if genuine else 401)
        self.end_headers()
        if genuine:
            event = json.loads(body)
            print(event["type"], event["data"]["path"], flush=True)


if __name__ == "__main__":
    with open(sys.argv[1]) as file:
        Handler.key = key_of(file.read().strip())
    http.server.HTTPServer(("127.0.0.1", int(sys.argv[2])), Handler).serve_forever()
