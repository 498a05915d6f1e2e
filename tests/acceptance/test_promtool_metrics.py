"""promtool reads /metrics."""

import subprocess
import time

from tests.agent.web.scraped import collected, live, scraped
from tests.services.service import need

NOT_PARSED = "error while linting"


def checked(page: bytes) -> tuple[int, list[str]]:
    """What promtool says: its exit code and its findings, one a line."""
    argv = (need("promtool", "prometheus"), "check", "metrics")
    done = subprocess.run(argv, input=page, capture_output=True, check=False, timeout=30)
    return done.returncode, (done.stdout + done.stderr).decode().splitlines()


def test_promtool_parses_everything_and_finds_nothing_wrong_with_our_own_metrics():
    live()
    now = time.time()
    code, findings = checked(scraped(collected(now), now))
    assert code in {0, 3}, findings
    assert [line for line in findings if line.startswith("paramedic_") or NOT_PARSED in line] == []


def test_promtool_would_tell():
    code, findings = checked(b"# TYPE paramedic_x counter\nparamedic_x 1\n")
    assert code == 3
    assert findings[0].startswith("paramedic_x")
    assert checked(b"paramedic_x{ 1\n")[0] == 1
