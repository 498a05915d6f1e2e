"""An adapter between a strict imitation of its system and a proxy that breaks the connection."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from agent.tickets.contract import TicketRef, TicketSystem
from agent.tickets.registry import ADAPTERS
from tests.agent.tickets.contract_suite import NetworkEnd
from tests.agent.tickets.fakes.site import Answering, serving
from tests.services.faults import fault_proxy

SECRET = Path("secret")


@contextmanager
def desk(
    name: str,
    site: Answering,
    *,
    secret: str | dict[Path, str],
    options: dict[str, Any],
    wrong: dict[str, Any],
    creation: bytes,
    titles: Callable[[], list[str]],
    texts: Callable[[TicketRef], list[str]],
    is_open: Callable[[TicketRef], bool],
) -> Iterator[NetworkEnd]:
    """`texts` gives comments as they are at the far end, `wrong` the option that makes it misconfigured."""
    with serving(site) as target, fault_proxy(target) as proxy:

        def system(*, password: str = "", **changes: Any) -> TicketSystem:
            secrets = {SECRET: secret} if isinstance(secret, str) else secret
            secrets = secrets | ({SECRET: password} if password else {})
            spec = ADAPTERS[name]
            return spec.open(
                spec.options(**({"url": address(proxy.port), "timeout_seconds": 60} | options | changes)),
                secrets.__getitem__,
            )

        def address(port: int) -> str:
            return f"http://127.0.0.1:{port}"

        yield NetworkEnd(
            system=system,
            titles=titles,
            comments=lambda ref: [said(text) for text in texts(ref)],
            is_open=is_open,
            proxy=proxy,
            creation=creation,
            misconfigured=lambda: system(**wrong),
            address=address,
        )


def said(text: str) -> str:
    """Return a comment without its frame and its mark."""
    for frame in ("```text", "{noformat}", "<pre>"):
        text = text.removeprefix(frame)
    return text.rpartition("paramedic-")[0].strip()
