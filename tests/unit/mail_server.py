"""An SMTP server for test_mail: prints its port, then every mail as a line of JSON.

usage: mail_server.py starttls|tls|plain CERT KEY USER PASSWORD
later@ as a recipient is answered with 451, never@ with 550; a mail to slow@ is answered after SIGUSR1.
"""

import asyncio
import json
import signal
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

mode, cert, key, user, password = sys.argv[1:6]


class Handler:
    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("later@"):
            return "451 try again"
        if address.startswith("never@"):
            return "550 no such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        print(
            json.dumps(
                {
                    "from": envelope.mail_from,
                    "to": envelope.rcpt_tos,
                    "tls": session.ssl is not None,
                    "login": bool(session.authenticated),
                    "data": envelope.content.decode("utf8", "replace"),
                }
            ),
            flush=True,
        )
        if "slow@example.com" in envelope.rcpt_tos:
            await told.wait()
        return "250 OK"


def authenticate(server, session, envelope, mechanism, data):
    ok = isinstance(data, LoginPassword) and (data.login, data.password) == (user.encode(), password.encode())
    return AuthResult(success=ok, handled=ok)


context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(cert, key)
options = {}
if mode == "starttls":
    options = {"tls_context": context, "require_starttls": True, "authenticator": authenticate, "auth_required": True}


told = asyncio.Event()


async def main():
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, told.set)
    # Not aiosmtpd's Controller: it wants to know its port beforehand.
    server = await asyncio.get_running_loop().create_server(
        lambda: SMTP(Handler(), **options), "127.0.0.1", 0, ssl=context if mode == "tls" else None
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


asyncio.run(main())
