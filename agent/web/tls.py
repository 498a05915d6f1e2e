"""TLS for the listeners: the context that new connections get, made again when a certificate changes."""

import ssl
from typing import Any

from agent.web.webconfig import TlsFiles, WebConfigError, WebConfigFile


class Tls:
    """Belongs to the event loop."""

    def __init__(self, file: WebConfigFile) -> None:
        """Raise WebConfigError if the certificates cannot be used."""
        self._file = file
        self._context = _context(file.current.tls)
        file.on_change(self._take)

    def context(self) -> ssl.SSLContext:
        """Return what a connection that begins now is served with."""
        self._file.refresh()
        return self._context

    def _take(self) -> None:
        self._context = _context(self._file.current.tls)

    def client(self, certificate: dict[str, Any] | None) -> str | None:
        """Return the common name in a client's certificate, "" without one, None if its bearer may not come in."""
        if not certificate:
            return ""
        tls = self._file.current.tls
        names = {value for _, value in certificate.get("subjectAltName", ())}
        if tls is not None and tls.names and not tls.names & names:
            return None
        found = [value for part in certificate.get("subject", ()) for key, value in part if key == "commonName"]
        return found[0] if found else ""


def _context(files: TlsFiles | None) -> ssl.SSLContext:
    if files is None:
        raise WebConfigError("tls_server_config is gone: that takes a restart")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3 if files.minor_version == 3 else ssl.TLSVersion.TLSv1_2  # noqa: PLR2004 - TLS 1.3
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_cert_chain(files.certificate, files.key)
    except OSError as error:
        raise WebConfigError(f"{files.certificate}, {files.key}: {error.strerror or error}") from error
    if files.authority is not None:
        try:
            context.load_verify_locations(files.authority)
        except OSError as error:
            raise WebConfigError(f"{files.authority}: {error.strerror or error}") from error
        context.verify_mode = ssl.CERT_REQUIRED if files.required else ssl.CERT_OPTIONAL
    return context
