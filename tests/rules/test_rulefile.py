"""Reading rule files."""

import re
from pathlib import Path
from textwrap import dedent

import pytest

from rules.alerting import AlertingRule
from rules.recording import RecordingRule
from rules.rulefile import RuleError, load, load_pack, packs, parse

SHARED = Path(__file__).parents[3] / "shared" / "rules"

GOOD = """
groups:
  - name: web
    interval: 30s
    limit: 5
    query_offset: 1m
    labels: {team: blue, tier: one}
    rules:
      - record: job:errors:rate5m
        expr: sum by (job) (rate(errors_total[5m]))
        labels: {tier: two}
      - alert: TooManyErrors
        expr: |
          job:errors:rate5m
            > 5
        for: 1h30m
        keep_firing_for: 90s
        labels: {severity: off}
        annotations: {summary: "{{ $labels.job }}: {{ $value }}"}
"""


RULE_KEYS = "record, alert, expr, for, keep_firing_for, labels, annotations"


def problems(text):
    with pytest.raises(RuleError) as caught:
        parse(dedent(text), "r.yml")
    return [str(problem) for problem in caught.value.problems]


def rules(*lines):
    return "groups:\n- name: g\n  rules:\n" + "".join(f"  {line}\n" for line in lines)


def test_a_rule_file_is_read_as_prometheus_reads_it():
    (group,) = parse(GOOD, "/etc/r.yml").groups
    record, alert = group.rules
    assert (group.key, group.interval_seconds, group.limit, group.query_offset_seconds) == ("/etc/r.yml;web", 30, 5, 60)
    assert isinstance(record, RecordingRule)
    assert isinstance(alert, AlertingRule)
    assert record.labels == (("team", "blue"), ("tier", "two"))
    assert re.fullmatch("/etc/r.yml;web;TooManyErrors;[0-9a-f]{12}", alert.identity)
    assert (alert.for_seconds, alert.keep_firing_seconds) == (5400, 90)
    assert alert.alert_labels((("job", "a"),), 1.0) == (
        ("alertname", "TooManyErrors"),
        ("job", "a"),
        ("severity", "off"),
        ("team", "blue"),
        ("tier", "one"),
    )
    assert alert.alert_annotations((("job", "a"),), 7.5) == (("summary", "a: 7.5"),)


@pytest.mark.parametrize("text", ["", "# nothing\n", "groups:\n", "groups: []\n", "groups:\n- name: empty\n"])
def test_a_file_may_hold_no_rules(text):
    assert all(group.rules == () for group in parse(text, "r.yml").groups)


def test_a_group_without_an_interval_takes_the_default():
    (group,) = parse("groups: [{name: g}]", "r.yml", interval_seconds=7).groups
    assert group.interval_seconds == 7


def test_all_problems_of_a_file_are_told_at_once_with_line_and_rule():
    assert problems("""\
        groups:
          - name: g
            intervall: 5s
            rules:
              - alert: A
                expr: up ==
                for: soon
              - record: r
                expr: up
                for: 5m
                colour: red
              - expr: up
        """) == [
        "r.yml:3:5: a group has no key 'intervall'; did you mean 'interval'?",
        problems(rules("- {alert: A, expr: up ==}"))[0].replace("r.yml:4:22", "r.yml:6:15"),
        "r.yml:7:14: rule 'A': for is not a duration: 'soon' (use 30s, 5m, 1h30m …)",
        "r.yml:10:14: rule 'r': a recording rule has no `for`",
        f"r.yml:11:9: rule 'r': a rule has no key 'colour'; known keys: {RULE_KEYS}",
        "r.yml:12:9: a rule needs either `record` or `alert`",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("groups: [", "r.yml:2:1: while parsing a flow node did not find expected node content"),
        ("a: b: c", "r.yml:1:5: mapping values"),
        ("group: []", "r.yml:1:1: the file has no key 'group'; did you mean 'groups'?"),
        ("[]", "r.yml:1:1: the file must be a mapping"),
        ("groups: {}", "r.yml:1:9: groups must be a list"),
        ("groups: [{rules: []}]", "r.yml:1:10: a group has no name"),
        ("groups: [{name: a}, {name: a}]", "r.yml:1:21: group 'a' is there twice (first in line 1)"),
        ("groups: [{name: a, name: b}]", "r.yml:1:20: a group has the key 'name' twice (first in line 1)"),
        ("groups: [{name: a, limit: -1}]", "r.yml:1:27: limit must be a whole number and not '-1'"),
        ("groups: [{name: a, interval: 5}]", "r.yml:1:30: interval is not a duration: '5'"),
        ("groups: [{name: a, interval: {}}]", "r.yml:1:30: interval must be text"),
        (rules("- {alert: A, record: b, expr: up}"), "r.yml:4:5: rule 'A': a rule needs either"),
        (rules("- {alert: A}"), "r.yml:4:5: rule 'A': a rule needs `expr`"),
        (rules("- {alert: A, expr: ''}"), "rule 'A': a rule needs `expr`"),
        (rules("- {alert: A, expr: nosuch(up)}"), "r.yml:4:22: rule 'A': expr: "),
        (rules("- {record: 'a{b}', expr: up}"), "a recorded name has no braces"),
        (rules("- {alert: A, expr: up, for: 300y}"), "for is duration out of range: '300y'"),
        (rules(f"- {{alert: A, expr: up, keep_firing_for: {'9' * 5000}s}}"), "duration out of range"),
        (rules("- {alert: A, expr: up, labels: {__name__: x}}"), "'__name__' cannot be one of the labels"),
        (rules("- {alert: A, expr: up, labels: {a: [1]}}"), "rule 'A': a must be text"),
        (rules("- {alert: A, expr: up, annotations: {a: '{{ nosuch }}'}}"), "template a: line 1: function 'nosuch'"),
        (rules("- {alert: A, expr: up, labels: {a: '{{'}}"), "template a: line 1: an action is not closed"),
        ("groups: [{name: \x00}]", "r.yml: not usable YAML"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(text, message):
    assert any(message in problem for problem in problems(text))


def identities(*lines):
    return [rule.identity for rule in parse(rules(*lines), "r.yml").groups[0].rules]


@pytest.mark.parametrize(("written", "text"), [("", ""), ("~", ""), ("null", ""), ("'null'", "null"), ("off", "off")])
def test_nothing_is_no_text(written, text):
    (rule,) = parse(rules(f"- {{alert: A, expr: up, annotations: {{a: {written}}}}}"), "r.yml").groups[0].rules
    assert rule.alert_annotations((), 0.0) == (("a", text),)


def test_a_rules_identity_does_not_depend_on_the_rules_beside_it():
    plain, warning, critical = (
        "- {alert: A, expr: up}",
        "- {alert: A, expr: up < 1, labels: {severity: warning}}",
        "- {alert: A, expr: up < 2, labels: {severity: critical}}",
    )
    together = identities(critical, plain, warning)
    assert together == [*identities(critical), *identities(plain), *identities(warning)]
    assert len(set(together)) == 3
    assert identities(plain) == ["r.yml;g;A"]


def test_a_rule_that_is_edited_stays_the_same_rule():
    before, after = "- {alert: A, expr: up, labels: {a: b}}", "- {alert: A, expr: up < 1, for: 1m, labels: {a: b}}"
    assert identities(before) == identities(after)


def test_rules_of_one_name_and_the_same_labels_are_told_apart_and_the_first_stays_when_others_follow():
    first, second, third = "- {alert: A, expr: up}", "- {alert: A, expr: up < 1}", "- {record: A, expr: up < 1}"
    assert identities(first, second, third)[0] == identities(first)[0]
    assert identities(first, third, second) == [identities(first, second, third)[place] for place in (0, 2, 1)]
    assert len(set(identities(first, "- {alert: A, expr: up, for: 1m}", "- {alert: A, expr: up, for: 2m}"))) == 3


def test_twins_are_one_rule():
    assert len(set(identities("- {alert: A, expr: up}", "- {alert: A, expr: ' up '}"))) == 1
    assert len(parse(rules(*["- {alert: A, expr: up}"] * 2), "r.yml").groups[0].rules) == 2


@pytest.mark.parametrize("more", ["groups: []\n", "- [broken", "[" * 5000])
def test_only_the_first_document_of_a_file_counts(more):
    file = parse(f"---\ngroups: [{{name: g}}]\n---\n{more}", "r.yml")
    assert [group.name for group in file.groups] == ["g"]
    assert file.ignored_from == 4


@pytest.mark.parametrize("text", ["---\ngroups: []\n", "groups: []\n...\n", "groups: []\n---\n# that was all\n"])
def test_a_file_of_one_document_has_nothing_ignored(text):
    assert parse(text, "r.yml").ignored_from == 0


@pytest.mark.parametrize("change", ["for: 5m", "labels: {a: b}", "annotations: {a: b}", "keep_firing_for: 1m"])
def test_a_rules_version_changes_with_what_it_does(change):
    def version(*lines):
        return parse(rules("- alert: A", "  expr: up", *lines), "r.yml").groups[0].rules[0].version

    assert version() == version("# a remark")
    assert version() != version("  " + change)


def test_an_unreadable_file_is_an_error_of_its_own(tmp_path):
    with pytest.raises(RuleError, match=r"absent\.yml: cannot be read: No such file"):
        load(tmp_path / "absent.yml")
    bad = tmp_path / "bad.yml"
    bad.write_bytes(b"groups:\n- name: \xff\n")
    with pytest.raises(RuleError, match=r"bad\.yml:2: not UTF-8"):
        load(bad)
    with pytest.raises(RuleError, match=r": cannot be read: Is a directory"):
        load(tmp_path)


def test_a_deeply_nested_file_is_refused_and_harms_nobody():
    with pytest.raises(RuleError):
        parse("[" * 100_000, "r.yml")


def test_there_is_no_pack_by_another_name():
    with pytest.raises(RuleError, match="there is no such pack; there are disk, host"):
        load_pack("../host")


@pytest.mark.parametrize("name", packs())
def test_every_alert_of_a_pack_says_what_it_is_and_which_article_helps(name):
    pack = load_pack(name)
    assert pack.path == f"{name}.yml"
    for group in pack.groups:
        for rule in group.rules:
            if isinstance(rule, AlertingRule):
                assert dict(rule.alert_labels((), 0.0))["severity"] in {"warning", "critical"}
                assert {"summary", "description", "article"} <= {name for name, _ in rule.annotations}


@pytest.mark.skipif(not SHARED.is_dir(), reason="no public rule files beside this repository")
def test_public_rule_files_load_unmodified():
    files = sorted(SHARED.glob("*.yml"))
    assert files
    assert all(load(path).groups for path in files)


def test_a_mapping_can_be_merged_into_another():
    text = """\
        groups:
        - name: a
          rules:
          - &first {alert: A, expr: up, for: 1m, labels: &common {severity: page, team: a}}
          - {<<: *first, alert: B, labels: {<<: [*common, {team: z, site: x}], severity: info}}
        """
    _, second = parse(dedent(text), "r.yml").groups[0].rules
    assert (second.name, second.for_seconds) == ("B", 60)
    assert dict(second.alert_labels((), 1.0)) == {"alertname": "B", "severity": "info", "team": "a", "site": "x"}


@pytest.mark.parametrize("merged", ["up", "[1]", "&self {<<: *self}", "{? [a] : b}"])
def test_what_cannot_be_merged_is_refused(merged):
    assert problems(rules(f"- {{<<: {merged}, record: A}}"))


def test_mappings_that_merge_each_other_over_and_over_are_read_once_each():
    chain = "".join(f", a{n}: &a{n} {{<<: [*a{n - 1}, *a{n - 1}]}}" for n in range(1, 80))
    text = f"groups: [{{name: g, rules: [{{alert: A, expr: up, labels: {{<<: &x {{a0: &a0 {{b: c}}{chain}}}}}}}]}}]"
    assert all("must be text" in problem for problem in problems(text))
    long = "".join(f", a{n}: &a{n} {{<<: *a{n - 1}}}" for n in range(1, 5000))
    assert problems(f"groups: [{{a0: &a0 {{b: c}}{long}, rules: [*a4999]}}]")
