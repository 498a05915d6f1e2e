"""A real mail server (aiosmtpd) on a loopback port, with STARTTLS, which keeps what it gets in a folder."""

import email
import email.policy
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path

from tests.services.service import Service, free_port, listens, need_from_pypi, private_directory, started
from tests.services.tls import make_certificates


@dataclass(frozen=True, slots=True, kw_only=True)
class MailServer:
    """Where it listens, whom to trust, and what came."""

    port: int
    ca_file: Path
    box: Path
    service: Service

    def mails(self) -> list[EmailMessage]:
        """Return the mails, oldest first; `X-RcptTo` says whom each was for."""
        files = sorted((self.box / "new").glob("*"), key=lambda file: file.stat().st_mtime_ns)
        return [email.message_from_bytes(file.read_bytes(), policy=email.policy.default) for file in files]


@contextmanager
def running_mail_server() -> Iterator[MailServer]:
    """Run it; clients must encrypt."""
    program = need_from_pypi("aiosmtpd", "aiosmtpd")
    with private_directory("smtp") as directory:
        made, port = make_certificates(directory), free_port()
        tls = ("--tlscert", str(made.certificate), "--tlskey", str(made.key))
        box = directory / "box"
        argv = (program, "-n", "-l", f"127.0.0.1:{port}", *tls, "-c", "aiosmtpd.handlers.Mailbox", str(box))
        service = Service(argv=argv, directory=directory, ready=lambda: listens(port))
        with started(service):
            yield MailServer(port=port, ca_file=made.authority, box=box, service=service)
