"""A real SMTP server (aiosmtpd) that keeps what it gets; with STARTTLS and log-in if asked to."""

import socket
import ssl
from email import message_from_bytes
from email.policy import default as modern

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

from monitor import wait_until


def free_port():
    """A port that was free a moment ago; aiosmtpd cannot be asked which one it got."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class MailServer:
    """received: parsed messages. cert, key: STARTTLS is required. login: (user, password), too.
    answers: SMTP answers for the next messages, then "250 OK"."""

    def __init__(self, cert=None, key=None, login=None):
        self.received, self.answers, self.envelopes = [], [], []
        self.login = login
        options = {}
        if cert:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(cert, key)
            options.update(tls_context=context, require_starttls=True)
        if login:
            options.update(authenticator=self.authenticate, auth_required=True)
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self.controller = Controller(self, hostname="127.0.0.1", port=self.port, **options)
        self.controller.start()

    def authenticate(self, server, session, envelope, mechanism, data):
        good = isinstance(data, LoginPassword) and \
            (data.login.decode(), data.password.decode()) == self.login
        return AuthResult(success=good, handled=good)

    async def handle_DATA(self, server, session, envelope):
        answer = self.answers.pop(0) if self.answers else "250 OK"
        if answer.startswith("250"):
            self.envelopes.append((envelope.mail_from, list(envelope.rcpt_tos),
                                   session.ssl is not None, bool(session.authenticated)))
            self.received.append(message_from_bytes(envelope.content, policy=modern))
        return answer

    def wait_for(self, count):
        wait_until(lambda: len(self.received) >= count, f"{count} mails")
        return self.received

    def stop(self):
        self.controller.stop()
