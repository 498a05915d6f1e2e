"""A throw-away certificate authority, and a certificate of its for localhost."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.services.service import hand_over, need


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificates:
    """PEM files: what clients trust, and what the server shows."""

    authority: Path
    certificate: Path
    key: Path


def make_certificates(directory: Path) -> Certificates:
    """Make an authority and a server certificate for `localhost` and 127.0.0.1 in this directory."""
    openssl = need("openssl", "openssl")
    names = directory / "names.txt"
    names.write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")

    def run(*arguments: str) -> None:
        subprocess.run((openssl, *arguments), cwd=directory, check=True, capture_output=True, timeout=30)

    run("req", "-x509", *curve, "-days", "30", "-subj", "/CN=test authority", "-keyout", "ca.key", "-out", "ca.crt")
    run("req", *curve, "-subj", "/CN=localhost", "-keyout", "server.key", "-out", "server.csr")
    signing = ("-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days", "30", "-extfile", names.name)
    run("x509", "-req", "-in", "server.csr", *signing, "-out", "server.crt")
    made = Certificates(
        authority=directory / "ca.crt", certificate=directory / "server.crt", key=directory / "server.key"
    )
    hand_over(made.authority, made.certificate, made.key)
    return made
