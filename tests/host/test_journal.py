"""The journal of a real host: lines become incidents, and none is lost or counted twice whoever is restarted."""

import re

import pytest

from tests.services.service import eventually

PATTERNS = """
[collectors.journal]
program = "/usr/local/bin/journalctl-of-all-boots"
patterns = [
  { name = "lost", match = "connection [0-9]+ lost" },
  { name = "of the bakery", match = "^connection|Main process exited|Failed with result", unit = "bakery.service" },
]
[rules]
files = ["/etc/paramedic/rules.d/journal.yml"]
"""
RULES = """
groups:
  - name: journal
    rules:
      - alert: ConnectionLost
        expr: increase(paramedic_journal_matches_total{pattern="lost"}[5m]) > 0
        labels: {severity: warning}
"""
PROGRAM = "/usr/local/bin/journalctl-of-all-boots"
FLOOD = 4000


@pytest.fixture(scope="module")
def listener(patient):
    """The daemon, which follows the journal."""
    patient.machine.write("/etc/paramedic/rules.d/journal.yml", RULES)
    patient.configure(lambda text: text + PATTERNS)
    # This host's boot id is a mount over /proc/sys, which the unit's own view of it hides; --merge asks for no boot.
    patient.machine.write(PROGRAM, '#!/bin/sh\nexec journalctl --merge "$@"\n', 0o755)
    restarted(patient)
    # journalctl stands at the end of the journal once it has told of a line.
    eventually(lambda: log(patient, "connection 0 lost") or lost(patient), 60.0, "no line is heard")
    settled(patient)
    yield patient
    patient.configure()
    restarted(patient)


def restarted(patient):
    before = patient.pid()
    patient.machine.run("systemctl", "restart", "paramedic")
    patient.await_running(before)
    patient.await_ready()


def log(patient, *lines):
    """Log the lines; return once journald has them."""
    quoted = " ".join(f"'{line}'" for line in lines)
    patient.machine.run("sh", "-c", f"printf '%s\\n' {quoted} | systemd-cat -t bakery")
    patient.machine.run("journalctl", "--sync")


def lost(patient, labels='pattern="lost"'):
    found = re.search(rf"^paramedic_journal_matches_total\{{{labels}\}} (\S+)$", patient.metrics(), re.MULTILINE)
    return float(found[1]) if found else 0.0


def settled(patient):
    """Return how many lines have matched once that number stays: journald hands them over late."""
    seen = [-1.0] * 10
    eventually(lambda: seen.append(lost(patient)) or len(set(seen[-10:])) == 1, 60.0, "more and more lines match")
    return seen[-1]


def reader(patient):
    return patient.machine.run("pgrep", "-f", "^journalctl --merge --output=json", check=False).split()


def test_a_line_is_an_incident(listener):
    log(listener, "connection 1 lost")
    incidents = listener.client.get("incidents", state="", limit=200)
    eventually(lambda: any(each["alertname"] == "ConnectionLost" for each in incidents), 60.0, listener.journal)


@pytest.mark.parametrize("end", ["restart", "kill -9"])
def test_lines_that_come_while_the_daemon_is_away_are_counted_once(listener, end):
    log(listener, "connection 2 lost")
    settled(listener)
    place = "/var/lib/paramedic/journal.cursor"
    kept = listener.machine.read(place)
    log(listener, "all is well")
    eventually(lambda: listener.machine.read(place) != kept, 60.0, "the place is not kept")
    if end == "restart":
        listener.machine.run("systemctl", "stop", "paramedic")
    else:
        listener.machine.run("systemctl", "kill", "--signal=KILL", "paramedic")
    log(listener, "connection 3 lost", "connection 4 lost", "connection 5 lost")
    listener.machine.run("systemctl", "start", "paramedic")
    listener.await_ready()
    eventually(lambda: lost(listener) == 3, 60.0, lambda: f"{lost(listener)} lines\n{listener.journal()}")
    assert settled(listener) == 3


def test_a_journalctl_that_is_killed_is_started_again_and_nothing_is_missed(listener):
    before = settled(listener)
    (pid,) = reader(listener)
    listener.machine.run("kill", "-KILL", pid)
    log(listener, "connection 6 lost", "connection 7 lost")
    eventually(lambda: reader(listener) not in ([pid], []), 60.0, listener.journal)
    eventually(lambda: lost(listener) == before + 2 or lost(listener) == 2, 60.0, lambda: f"{before}, {lost(listener)}")
    series = 'paramedic_watch_reconnects_total{watch="journal"}'
    assert listener.metric(series) == 1
    assert listener.metric('node_scrape_collector_success{collector="journal"}') == 1


def test_a_journald_that_is_killed_takes_nobody_with_it_and_what_comes_then_is_heard(listener):
    pid, before = listener.pid(), settled(listener)
    listener.machine.run("systemctl", "kill", "--signal=KILL", "systemd-journald")
    eventually(lambda: listener.machine.outcome("journalctl", "--sync").returncode == 0, 60.0, listener.journal)
    log(listener, "connection 10 lost")
    eventually(lambda: lost(listener) > before, 60.0, listener.journal)
    listener.machine.run("systemctl", "reload", "paramedic")  # which it says in the log
    eventually(lambda: listener.journal().count("reloaded") > 0, 60.0, listener.journal)
    assert listener.pid() == pid


def test_a_flood_is_counted_whole(listener):
    before = settled(listener)
    lines = f"i=0; while [ $i -lt {FLOOD} ]; do echo connection $i lost; i=$((i+1)); done | systemd-cat -t bakery"
    listener.machine.run("sh", "-c", lines)
    eventually(lambda: lost(listener) >= before + FLOOD, 60.0, lambda: f"{lost(listener) - before} of {FLOOD}")
    assert settled(listener) == before + FLOOD


def test_a_pattern_of_a_unit_hears_the_unit_and_systemd_about_it_and_nobody_else(listener):
    of_the_bakery = 'pattern="of the bakery",unit="bakery.service"'
    before = lost(listener, of_the_bakery)
    forged = "printf 'MESSAGE=Failed with result\\nUNIT=bakery.service\\n' | logger --journald"
    listener.machine.run("sh", "-c", forged)
    log(listener, "connection 8 lost")
    start = ("systemd-run", "--unit=bakery", "--quiet", "--wait", "sh", "-c", "echo connection 9 lost; exit 3")
    listener.machine.run(*start, check=False)
    listener.machine.run("journalctl", "--sync")
    eventually(lambda: lost(listener, of_the_bakery) >= before + 3, 60.0, listener.journal)
    settled(listener)
    # What the unit said, and systemd: how its main process exited, and with what result the unit failed.
    assert lost(listener, of_the_bakery) == before + 3
