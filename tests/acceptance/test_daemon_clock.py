"""The wall clock is set while a repair is being verified."""

import time
from pathlib import Path

import pytest

from tests.acceptance.daemon import down_rule, repair, rule_file, running_daemon, watched_services, watching
from tests.services.service import eventually

LIBRARY = next(iter(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")), None)
HOLD = 3.0


@pytest.mark.skipif(LIBRARY is None, reason="needs the package faketime (tests/services/install)")
@pytest.mark.parametrize(("offset", "seconds"), [("-172800", -172_800.0), ("+2592000", 2_592_000.0)])
def test_the_hold_of_a_verification_keeps_its_length_when_the_clock_is_set(tmp_path: Path, offset: str, seconds: float):
    stamp, following = tmp_path / "offset", tmp_path / "next"
    stamp.write_text("+0")
    following.write_text(offset)
    environment = {
        "LD_PRELOAD": str(LIBRARY),
        "FAKETIME_TIMESTAMP_FILE": str(stamp),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    with watched_services("Web", "Mail") as services:
        tables = {
            "collectors": watching(services),
            "remediations": [
                repair(f"Down{name}", service.repair_command, verify={"hold": f"{HOLD:g}s", "timeout": "60s"})
                for name, service in services.items()
            ],
        }
        rules = rule_file(*map(down_rule, services.values()))
        with running_daemon(tables, rules, environment=environment) as daemon:
            services["Web"].kill()
            waiting = daemon.await_incident("DownWeb", lambda incident: (incident["work"] or {}).get("healthy_since"))
            # Renamed into place: it may be read at any moment.
            following.rename(stamp)
            fixed = daemon.await_state("DownWeb", "resolved", 60.0)
            held = fixed["resolved_at"] - seconds - waiting["work"]["healthy_since"]
            assert held > HOLD - 1.0, "it was believed too early"
            assert fixed["resolution"] == "fixed"
            assert fixed["resolved_at"] - time.time() == pytest.approx(seconds, abs=300.0), "the clock was not set"
            assert len(fixed["attempts"]) == 1
            assert daemon.metric("paramedic_clock_steps_total") == 1
            services["Mail"].kill()
            eventually(services["Mail"].answers, what=daemon.tail)
            assert len(daemon.await_state("DownMail", "resolved")["attempts"]) == 1
            assert len(daemon.incidents()) == 2
