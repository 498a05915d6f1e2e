"""Who may come in, from the configuration."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from agent.config.options import WebOptions
from agent.config.problems import ConfigError, Problem
from agent.web.access import EVERY_SCOPE, Access, Passwords, Scope, Token
from agent.web.rates import Rates
from agent.web.server import Listeners

if TYPE_CHECKING:
    from agent.web.tls import Tls


@dataclass(frozen=True, slots=True, kw_only=True)
class Doors:
    """What the web server needs; `close` ends what was opened for it."""

    access: Access
    tls: "Tls | None" = None
    closed_metrics: bool = False
    close: Callable[[], None] = lambda: None

    @property
    def scheme(self) -> str:
        return "http" if self.tls is None else "https"

    def listeners(self, options: WebOptions, control_socket: Path) -> Listeners:
        """Return where to listen, and how."""
        return Listeners(
            listen=options.listen,
            metrics_listen=options.metrics_listen,
            control_socket=control_socket,
            tls=self.tls,
            closed_metrics=self.closed_metrics,
        )


def doors(options: WebOptions) -> Doors:
    """Return the doors of the API. Raise ConfigError for a web configuration that cannot be used."""
    if options.config_file is None:
        return Doors(access=_access(options, None))
    from agent.web.passwords import Users  # noqa: PLC0415 - most daemons have no web configuration
    from agent.web.tls import Tls  # noqa: PLC0415 - as above
    from agent.web.webconfig import WebConfigError, WebConfigFile  # noqa: PLC0415 - as above

    try:
        file = WebConfigFile(options.config_file)
        users = Users(file)
        tls = Tls(file) if file.current.tls is not None else None
    except WebConfigError as error:
        raise ConfigError([Problem("web.config_file", f"{options.config_file}: {error}")]) from error
    access = _access(options, users)
    return Doors(access=access, tls=tls, closed_metrics=users.any(), close=users.close)


def _access(options: WebOptions, users: Passwords | None) -> Access:
    tokens = [
        Token(
            name=token.name,
            scopes=frozenset(Scope(scope) for scope in token.scopes),
            secret_file=token.secret_file,
            sha256=token.sha256,
        )
        for token in options.tokens
    ]
    if options.token_file is not None:
        tokens.append(Token(name="token", scopes=EVERY_SCOPE, secret_file=options.token_file))
    return Access(
        tokens=tokens,
        passwords=users,
        user_scopes=frozenset(Scope(scope) for scope in options.user_scopes),
        certificate_scopes=frozenset(Scope(scope) for scope in options.certificate_scopes),
        open_read=options.open_read,
        open_ingest=options.open_ingest,
        rates=Rates(options.requests_per_second) if options.requests_per_second else None,
    )
