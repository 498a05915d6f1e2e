"""What check says about tables that contradict each other, and doors that stand open."""

from dataclasses import MISSING, fields
from pathlib import Path

import pytest

from agent.config import rulefiles
from agent.config.checks import findings
from agent.config.finding import Level
from agent.config.load import load
from agent.config.options import RuleOptions
from agent.config.registries import shipped
from agent.config.structure import key

RULES = """
groups:
  - name: g
    interval: 30s
    rules:
      - { alert: Quick, expr: up == 0, labels: { severity: critical, team: web } }
      - { alert: Slow, expr: "rate(errors_total[10m]) > 1", labels: { severity: warning } }
"""
STEPS = "steps = [{ action = 'restart_unit', unit = 'a.service' }]"


def found(folder, text, **start_seconds):
    (folder / "rules.yml").write_text(RULES)
    (folder / "a.toml").write_text(f"[rules]\npacks = []\nfiles = ['rules.yml']\n{text}")
    config = load(folder / "a.toml", {})
    rules, problems = rulefiles.load(config.rules)
    assert problems == []
    return {
        (finding.level, finding.path): finding.message for finding in findings(config, rules, shipped(), start_seconds)
    }


def remediation(name, *match, more=""):
    return f"[[remediations]]\nname = '{name}'\nmatch = {list(match)}\n{STEPS}\n{more}\n"


def paths(folder, text):
    return {path for _, path in found(folder, text)}


def test_nothing_is_said_about_the_defaults():
    config = load(None, {})
    rules, problems = rulefiles.load(config.rules)
    assert (problems, findings(config, rules, shipped())) == ([], [])


def test_a_remediation_behind_one_that_matches_the_same_is_shadowed(tmp_path):
    text = remediation("all", 'team=~"web|shop"') + remediation("one", 'alertname="Quick"', 'team="web"')
    message = found(tmp_path, text)[Level.WARNING, "remediations[1]"]
    assert message == "never used: 'all' stands before it and matches the same alerts; put the narrower one first"


@pytest.mark.parametrize("narrow", ['team="db"', 'team!="web"', 'alertname="Quick"'])
def test_a_remediation_that_matches_something_else_is_not_shadowed(tmp_path, narrow):
    text = remediation("web", 'team=~"web|shop"') + remediation("other", narrow)
    assert "remediations[1]" not in paths(tmp_path, text)


def test_a_verification_shorter_than_the_rule_can_recover_is_an_error(tmp_path):
    verify = "verify = { hold = '30s', timeout = '10m' }"
    message = found(tmp_path, remediation("r", 'severity="warning"', more=verify))[
        Level.ERROR, "remediations[0].verify.timeout"
    ]
    assert message.startswith("10m is too short for Slow: its longest range (10m), its interval (30s) and hold (30s)")
    assert "take 11m;" in message


@pytest.mark.parametrize(
    "verify",
    [
        "verify = { hold = '30s', timeout = '11m' }",
        "verify = { hold = '30s', timeout = '1m', expr = 'errors == 1' }",
    ],
)
def test_a_verification_that_is_long_enough_or_has_an_expression_is_fine(tmp_path, verify):
    assert found(tmp_path, remediation("r", 'severity="warning"', more=verify)) == {}


def test_a_rule_that_cannot_match_does_not_count(tmp_path):
    verify = "verify = { hold = '1s', timeout = '40s' }"
    assert found(tmp_path, remediation("r", 'severity="critical"', more=verify)) == {}


def test_a_verify_expression_that_is_no_promql_is_an_error(tmp_path):
    verify = "verify = { expr = 'up ==' }"
    assert (Level.ERROR, "remediations[0].verify.expr") in found(tmp_path, remediation("r", 'team="web"', more=verify))


def test_a_remediation_that_no_rule_can_set_off_is_named(tmp_path):
    text = remediation("r", 'alertname="Quikc"')
    assert found(tmp_path, text) == {
        (Level.WARNING, "remediations[0].match"): "no loaded rule can raise an alert that matches"
    }
    assert "remediations[0].match" not in paths(tmp_path, remediation("r", 'alertname="X"', more="origins = ['http']"))


def test_foreign_origins_of_automatic_actions_are_named(tmp_path):
    text = remediation("r", 'team="web"', more="mode = 'auto'\norigins = ['local', 'mqtt']")
    message = found(tmp_path, text)[Level.WARNING, "remediations[0].origins"]
    assert message == "whoever can send alerts by mqtt can set its actions off"


def test_open_doors_are_named(tmp_path):
    text = "[web]\nopen_ingest = true\nlisten = '0.0.0.0:0'\n[mqtt]\nhost = 'broker'\nuser = 'u'"
    said = found(tmp_path, text)
    assert set(said) == {(Level.WARNING, path) for path in ("web.open_ingest", "web.listen", "mqtt.tls")}
    assert "post alerts without a token" in said[Level.WARNING, "web.open_ingest"]
    assert found(tmp_path, "[web]\nlisten = '[::1]:0'\nmetrics_listen = '127.0.0.1:0'") == {}
    text = "[web]\nmetrics_listen = '192.0.2.1:9100'\ncertificate_scopes = ['read']"
    assert paths(tmp_path, text) == {"web.metrics_listen", "web.certificate_scopes"}


def test_a_secret_must_be_there_and_be_nobody_elses(tmp_path):
    secret = tmp_path / "token"
    assert (Level.ERROR, "web.token_file") in found(tmp_path, "[web]\ntoken_file = 'token'")

    secret.touch(0o644)
    assert "chmod o-rw" in found(tmp_path, "[web]\ntoken_file = 'token'")[Level.WARNING, "web.token_file"]

    secret.chmod(0o600)
    assert found(tmp_path, "[web]\ntoken_file = 'token'") == {}


def test_secrets_of_ticket_systems_are_looked_at_too(tmp_path):
    text = "[[tickets]]\nsystem = 'rt'\nurl = 'https://rt'\nuser = 'u'\npassword_file = 'nowhere'"
    assert "tickets[0].password_file" in paths(tmp_path, text)


def test_experimental_ticket_systems_are_labelled(tmp_path):
    for name, adapter in shipped().adapters.items():
        needed = [key(field) for field in fields(adapter.options) if field.default is field.default_factory is MISSING]
        values = dict.fromkeys(needed, "http://tickets.example.org") | {"system": name}
        values |= {"password_file": "p", "user": "u"} if name == "rt" else {}
        text = "[[tickets]]\n" + "\n".join(f"{option} = '{value}'" for option, value in values.items())
        assert ("tickets[0].system" in paths(tmp_path, text)) is adapter.experimental


def test_all_problems_of_all_rule_files_are_reported_with_their_lines(tmp_path):
    (tmp_path / "bad.yml").write_text("groups:\n- name: g\n  rules:\n  - alert: A\n    expr: up ==\n")
    options = RuleOptions(packs=("nope", "host"), files=(str(tmp_path / "*.yml"), str(tmp_path / "missing.yml")))
    files, problems = rulefiles.load(options)
    places = [Path(problem.path).name for problem in problems]
    assert [file.path for file in files] == ["host.yml"]
    assert [place.rpartition(":")[0] or place for place in places] == ["nope", "bad.yml:5", "missing.yml"]


def test_a_file_that_two_patterns_name_is_loaded_once(tmp_path):
    (tmp_path / "a.yml").write_text(RULES)
    options = RuleOptions(packs=(), files=(str(tmp_path / "*.yml"), str(tmp_path / "a.yml"), str(tmp_path / "no*")))
    assert rulefiles.paths(options) == [tmp_path / "a.yml"]


def test_a_credential_is_only_there_for_the_service(tmp_path):
    text = "[web]\ntoken_file = '${CREDENTIALS_DIRECTORY}/token'"
    assert "only the service" in found(tmp_path, text)[Level.WARNING, "web.token_file"]


def test_subscriptions_without_a_broker_are_named(tmp_path):
    subscription = "[[mqtt.subscriptions]]\ntopic = 'a/{b}'\nmetric = 'm'\n"
    assert (Level.ERROR, "mqtt.subscriptions") in found(tmp_path, subscription)
    assert "mqtt.subscriptions" not in paths(tmp_path, f"[mqtt]\nhost = 'broker'\n{subscription}")


def test_alerts_that_can_belong_to_no_service_are_listed(tmp_path):
    match = """match = ['{alertname="Quick"}', '{severity="critical", mountpoint="/srv"}']"""
    services = f"[[services]]\nname = 'shop'\n{match}\n"
    assert found(tmp_path, services)[Level.WARNING, "services"] == "alerts of no service: Slow"
    assert (Level.WARNING, "services") not in found(tmp_path, "")


def test_tokens_for_exporters_are_looked_at_too(tmp_path):
    target = "[[collectors.scrape.targets]]\njob = 'a'\nurl = 'http://a:1'\ntoken_file = 'nowhere'\n"
    assert (Level.ERROR, "collectors.scrape.targets[0].token_file") in found(tmp_path, target)


def test_a_condition_shorter_than_the_start_of_what_it_restarts_is_said(tmp_path):
    text = remediation("r", 'alertname="Quick"', more="verify = { hold = '30s', timeout = '10m' }")
    measured = {"a.service": 45.0}
    message = found(tmp_path, text, **measured)[Level.WARNING, "remediations[0].verify.hold"]
    assert message == (
        "a.service takes 45s to start, longer than `for` of Quick (0s) and hold (30s):"
        " it may be acted on while it starts"
    )
    assert "remediations[0].verify.hold" not in paths(tmp_path, text)
    assert (Level.WARNING, "remediations[0].verify.hold") not in found(tmp_path, text, **{"a.service": 29.0})


def test_a_start_that_is_configured_goes_before_what_was_measured(tmp_path):
    text = remediation("r", 'alertname="Quick"', more="start = '2m'\nverify = { hold = '30s', timeout = '10m' }")
    message = found(tmp_path, text, **{"a.service": 1.0})[Level.WARNING, "remediations[0].verify.hold"]
    assert message.startswith("what it restarts takes 2m to start")


@pytest.mark.parametrize(
    ("tables", "says"),
    [
        ("[guards]\nactions_per_hour = 5", "6 is never reached: the whole host has 5 actions an hour"),
        ("[actions.restart_unit]\nlimits = { runs = 2 }", "6 is never reached: action restart_unit has 2 runs"),
    ],
)
def test_a_limit_that_a_narrower_one_makes_useless_is_said(tmp_path, tables, says):
    text = remediation("r", 'alertname="Quick"') + tables
    assert found(tmp_path, text)[Level.WARNING, "remediations[0].limits.runs"] == says


def test_a_cool_down_as_long_as_the_window_is_said(tmp_path):
    text = remediation("r", 'alertname="Quick"', more="limits = { cooldown = '2h' }")
    assert "the cool-down is as long" in found(tmp_path, text)[Level.WARNING, "remediations[0].limits.runs"]


def test_mode_approve_without_anybody_who_may_approve_is_an_error(tmp_path):
    text = remediation("r", 'alertname="Quick"', more="mode = 'approve'")
    assert "nobody may give" in found(tmp_path, text)[Level.ERROR, "remediations[0].mode"]
    assert "remediations[0].mode" not in paths(tmp_path, f"{text}[approvals]\napprovers = ['ann']")
    assert "remediations[0].mode" not in paths(
        tmp_path, remediation("r", 'alertname="Quick"', more="mode = 'approve'\napprovers = ['rt:ann']")
    )


def test_a_restart_of_the_host_in_mode_auto_waits_for_a_person_and_somebody_must_be_one(tmp_path):
    restart = "steps = [{ action = 'reboot_host' }]"
    text = remediation("r", 'alertname="Quick"', more="mode = 'auto'").replace(STEPS, restart)
    said = found(tmp_path, text)
    assert "auto means approve for it" in said[Level.WARNING, "remediations[0].mode"]
    assert "nobody may give" in said[Level.ERROR, "remediations[0].mode"]
    listed = found(tmp_path, f"{text}[approvals]\napprovers = ['ann']")
    assert (Level.ERROR, "remediations[0].mode") not in listed
    assert "remediations[0].mode" not in paths(tmp_path, text.replace("mode = 'auto'", ""))


@pytest.mark.parametrize(
    ("more", "path"),
    [
        ("precondition = 'up ='", "remediations[0].precondition"),
        ("verify = { worse_if = 'rate(' }", "remediations[0].verify.worse_if"),
    ],
)
def test_every_expression_of_a_remediation_is_checked(tmp_path, more, path):
    assert "is no PromQL" in found(tmp_path, remediation("r", 'alertname="Quick"', more=more))[Level.ERROR, path]
