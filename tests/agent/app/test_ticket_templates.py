"""Tickets worded by the operator's template, and what becomes of one that fails."""

from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from agent.app.presenting import presenter
from agent.config.checks import findings
from agent.config.finding import Level
from agent.config.load import load
from agent.config.registries import shipped
from agent.incidents.effects import Effect, Kind
from agent.incidents.opening import described
from agent.incidents.policy import Policy
from collectors.sample import labels
from rules.alert import Alert, AlertState

ALERT = Alert(
    fingerprint="f1",
    rule="host;systemd;UnitFailed",
    rule_version="v1",
    labels=labels(alertname="UnitFailed", severity="critical", name="web.service", note="password=canary"),
    annotations=(("summary", "web.service has failed"),),
    state=AlertState.FIRING,
    value=1.0,
    active_at=0.0,
)
INCIDENT = described(ALERT, Policy(), incident_id="i1", key="k", host="h1", now=0.0)
EFFECT = Effect(
    kind=Kind.TICKET, key="i1:desk:open", lane="i1:desk", target="desk", incident_id="i1", payload={"op": "open"}
)


@pytest.fixture
def worded(tmp_path):
    """Return the first text of a ticket whose system has this template."""
    path = tmp_path / "ticket.tmpl"
    present = presenter(
        host_name="web1",
        topic_prefix="p",
        advice=lambda _: None,
        audiences={},
        addresses={},
        templates={"desk": path},
    )

    def word(template, target="desk", incident=INCIDENT):
        if template is not None:
            path.write_bytes(template if isinstance(template, bytes) else template.encode())
        return present(replace(EFFECT, target=target), incident)["draft"]["body"]

    return word


def test_a_template_words_the_ticket_from_labels_and_parts(worded):
    template = "{{ $labels.priority }} {{ $labels.name }} on {{ $labels.host }}\n\n{{ $labels.business }}"
    text = worded(template)
    assert text.startswith("P1 web.service on web1\n\nweb.service has failed\n")
    assert "Technical details" not in text
    assert "The template" not in text


def test_another_system_keeps_the_built_in_text(worded):
    assert "Technical details" in worded("short", target="book")


def test_a_changed_template_is_used_for_the_next_ticket(worded):
    assert worded("one") == "one"
    assert worded("two") == "two"


@pytest.mark.parametrize(
    "template",
    [None, "", "{{ end }}", "{{ nonsuch }}", '{{ template "x" }}', b"\xff", "x" * 70_000, "{{ range }}", "  \n"],
    ids=lambda each: repr(each)[:20],
)
def test_a_template_that_fails_is_replaced_by_the_built_in_text_which_says_so(worded, template):
    with capture_logs() as lines:
        text = worded(template)
        worded(template)
    assert text.startswith("The template of this text fails, so this is the built-in one: ")
    assert "web.service has failed" in text
    assert "Technical details" in text
    assert sum("the built-in text is used" in line["event"] for line in lines) == 1


def test_no_secret_and_no_markup_of_others_gets_through_a_template(worded):
    hostile = replace(INCIDENT, labels=labels(name="{{ $labels.host }}", note="password=canary"))
    text = worded("{{ $labels.note }} {{ $labels.name }}", incident=hostile)
    assert text == "password=[secret] {{ $labels.host }}"


def test_check_names_a_template_that_cannot_be_used(tmp_path):
    template, config = tmp_path / "ticket.tmpl", tmp_path / "paramedic.toml"
    template.write_text("{{ if }}")
    config.write_text(f'[[tickets]]\ntemplate = "{template}"\n')

    def said():
        found = findings(load(config, {}, shipped()), [], shipped())
        return [(each.level, each.message) for each in found if each.path == "tickets[0].template"]

    ((level, message),) = said()
    assert level is Level.WARNING
    assert "tickets get the built-in text instead" in message
    template.write_text("{{ $labels.business }}")
    assert said() == []
