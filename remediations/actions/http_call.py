"""Ask a service to mend itself: one HTTP request."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from remediations.kinds import METHOD, PATH, URL
from remediations.plan import Plan
from remediations.spec import ActionSpec, Context

SCRIPT = Path(__file__).parents[1] / "scripts" / "http_call.py"


@dataclass(frozen=True, slots=True, kw_only=True)
class CallParameters:
    """Where to, and the file of a bearer token if it wants one. No alert has a word in it."""

    url: Annotated[str, URL]
    method: Annotated[str, METHOD] = "POST"
    token_file: Annotated[str, PATH] = ""

    def __post_init__(self) -> None:
        try:
            parts = urlsplit(self.url)
            known = parts.hostname and parts.port != 0
        except ValueError as error:
            raise ValueError(f"url: {error}") from error
        if not known or parts.username is not None:
            raise ValueError("url: must name a host, and no user or password")


def plan(parameters: CallParameters, context: Context) -> Plan:
    """Send the request without a body; redirects are not followed."""
    options = [f"--method={parameters.method}"]
    if parameters.token_file:
        options.append(f"--token-file={parameters.token_file}")
    argv = context.script(SCRIPT, *options, "--", parameters.url)
    return Plan(argv=argv, resource=f"url:{urlsplit(parameters.url).netloc}")


SPEC = ActionSpec(
    name="http_call",
    summary="Send one HTTP request; an answer of 2xx is success.",
    parameters=CallParameters,
    plan=plan,
)
