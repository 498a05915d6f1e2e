"""Who may come in, from the configuration."""

from agent.config.options import WebOptions
from agent.web.access import EVERY_SCOPE, Access, Scope, Token


def access(options: WebOptions) -> Access:
    """Return the doors of the API."""
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
        user_scopes=frozenset(Scope(scope) for scope in options.user_scopes),
        certificate_scopes=frozenset(Scope(scope) for scope in options.certificate_scopes),
        open_read=options.open_read,
        open_ingest=options.open_ingest,
    )
