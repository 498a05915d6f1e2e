"""Another limit for some alerts of a rule: which number it takes the place of, and about which alerts it is asked."""

import pytest

from collectors.sample import Reading, Sample, Source, labels
from rules import rulefile
from rules.overrides import OverrideError, Variant, varied
from rules.promql.compile import compile_query
from rules.ruleset import Health, Ruleset
from rules.series import SeriesStore

T = 1_800_000_000.0
SOURCE = Source("filesystem", "")


@pytest.mark.parametrize(
    ("text", "instead_of", "expected"),
    [
        ("free / size < 0.1", None, "free / size < 0.05"),
        ("free / size < 0.1 and readonly == 0", None, "free / size < 0.05 and readonly == 0"),
        ("0.1 > free", None, "0.05 > free"),
        ("up == 0", None, "up == 0.05"),
        ("temperature < -5", None, "temperature < 0.05"),
        ("trend < 0 and free < 0.4 and readonly == 0", 0.4, "trend < 0 and free < 0.05 and readonly == 0"),
        ("trend < 0 and free < 0.4 and readonly == 0", 0.0, "trend < 0.05 and free < 0.4 and readonly == 0"),
        ("free / (size > 0) < 0.05 * 2", 0.0, "free / (size > 0.05) < 0.05 * 2"),
        ("sum by (x) (rate(a[5m]) > 3) > bool 3", None, "sum by (x) (rate(a[5m]) > 0.05) > bool 0.05"),
    ],
)
def test_the_number_of_one_comparison_is_replaced(text, instead_of, expected):
    found, _ = varied(text, 0.05, instead_of)
    assert found == expected
    compile_query(found)


def test_a_negative_limit_is_written_as_one():
    assert varied("delta(a[1h]) < 3", -2.5, None) == ("delta(a[1h]) < -2.5", 3.0)


@pytest.mark.parametrize(
    ("text", "instead_of", "message"),
    [
        ("absent(up)", None, "compares nothing with a number"),
        ("a < b", None, "compares nothing with a number"),
        ("a < 0 and b < 0.4", None, r"more than one limit \(0, 0.4\): say instead of which"),
        ("a < 0 and b < 0.4", 7.0, "compares nothing with 7, but with 0, 0.4"),
    ],
)
def test_what_cannot_be_replaced_is_said_with_what_can_be(text, instead_of, message):
    with pytest.raises(OverrideError, match=message):
        varied(text, 1.0, instead_of)


RULES = """
groups:
- name: disk
  interval: 15s
  rules:
  - alert: DiskLow
    expr: free < 10
    labels: {severity: warning}
"""


class Host:
    def __init__(self):
        self.store = SeriesStore()
        self.ruleset = Ruleset(rulefile.parse(RULES, "r.yml").groups, self.store)
        (self.key,) = self.ruleset.groups
        self.at = T

    def override(self, limit, mount, until):
        text, _ = varied("free < 10", limit, None)
        variant = Variant(query=compile_query(text), applies=lambda own: ("mount", mount) in own, until=until)
        self.ruleset.vary = lambda _rule: (variant,)
        self.ruleset.varied()

    def firing(self, **free):
        self.at += 15.0
        samples = [Sample("free", value, labels(mount=mount)) for mount, value in free.items()]
        self.store.append(Reading(source=SOURCE, at=self.at, samples=samples))
        self.ruleset.evaluate(self.key, self.at)
        return {dict(alert.labels)["mount"] for alert in self.ruleset.active()}


def test_a_lower_limit_holds_for_the_alerts_it_is_about_and_for_no_others():
    host = Host()
    assert host.firing(var=5.0, srv=5.0) == {"var", "srv"}
    host.override(3.0, "srv", until=T + 1000)
    assert host.firing(var=5.0, srv=5.0) == {"var"}
    assert host.firing(var=5.0, srv=2.0) == {"var", "srv"}


def test_a_higher_limit_finds_what_the_rule_itself_does_not():
    host = Host()
    host.override(50.0, "srv", until=T + 1000)
    assert host.firing(var=20.0, srv=20.0) == {"srv"}


def test_an_override_ends_by_itself_at_its_time():
    host = Host()
    host.override(50.0, "srv", until=T + 45)
    assert host.firing(srv=20.0) == {"srv"}
    assert host.firing(srv=20.0) == {"srv"}
    assert host.firing(srv=20.0) == set()


def test_a_repair_is_verified_against_the_limit_that_holds():
    host = Host()
    host.override(50.0, "srv", until=T + 1000)
    host.firing(srv=20.0)
    own = labels(alertname="DiskLow", mount="srv", severity="warning")
    (rule,) = [rule.identity for group in host.ruleset.groups.values() for rule in group.rules]
    assert host.ruleset.healthy(rule, own, T, host.at).health is Health.UNHEALTHY
    host.firing(srv=60.0)
    assert host.ruleset.healthy(rule, own, T, host.at).health is Health.HEALTHY


def test_an_override_stays_when_the_rules_are_read_again():
    host = Host()
    host.override(50.0, "srv", until=T + 1000)
    host.ruleset.replace(rulefile.parse(RULES.replace("warning", "critical"), "r.yml").groups, host.at)
    assert host.firing(srv=20.0) == {"srv"}
