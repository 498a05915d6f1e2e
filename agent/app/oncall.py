"""Who is on call, for those who ask."""

from datetime import datetime
from typing import Any

from agent.incidents.policy import Policy
from agent.itsm import rota as rotas
from agent.itsm.rota import Rota


def on_call(policy: Policy, now: float) -> list[dict[str, Any]]:
    """Return every rota with who is on call, how to reach them, until when, who follows, and for which services."""
    return [_shown(rota, policy, now) for rota in policy.roster.rotas.values()]


def _shown(rota: Rota, policy: Policy, now: float) -> dict[str, Any]:
    roster, person = policy.roster, rotas.on_call(rota, now)
    known, team, following = roster.people.get(person), roster.teams.get(rota.team), rotas.hand_over(rota, now)
    return {
        "rota": rota.name,
        "team": rota.team,
        "person": person,
        "contact": (known.contact if known else "") or (team.contact if team else ""),
        "channels": list(known.channels) if known else [],
        "until": following.at if following else None,
        "until_local": _local(following.at, rota) if following else "",
        "next": following.person if following else "",
        "services": [service.name for service in policy.catalogue if service.team == rota.team],
    }


def _local(at: float, rota: Rota) -> str:
    return f"{datetime.fromtimestamp(at, rota.zone):%a %Y-%m-%d %H:%M} {rota.zone}"
