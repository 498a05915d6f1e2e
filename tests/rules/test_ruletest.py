"""Unit tests of rules in promtool's format: the file and the clock they run under."""

import math
from textwrap import dedent

import pytest

from rules import ruletest, ruletestfile
from rules.promql.verdict import Outcome
from rules.rulefile import RuleError

PASSED, FAILED, UNSUPPORTED = Outcome.PASSED, Outcome.FAILED, Outcome.UNSUPPORTED


@pytest.fixture
def play(tmp_path):
    """Return a function that runs a test file over rules and returns outcome and detail of every case."""

    def run(tests, rules="", *, head="rule_files: [r.yml]", **options):
        text = "groups:\n- name: g\n  rules:\n" + "".join(f"  {line}\n" for line in dedent(rules).splitlines())
        (tmp_path / "r.yml").write_text(text if rules else "")
        text = f"{head}\ntests:\n{dedent(tests)}"
        return [(r.outcome, r.detail) for r in ruletest.run(ruletestfile.parse(text, "t.yml", tmp_path), **options)]

    return run


def outcomes(results):
    return [outcome for outcome, _ in results]


DOWN = "- {alert: Down, expr: up == 0, for: 2m, labels: {severity: page}, annotations: {text: 'Value {{ $value }}'}}"


def test_an_alert_is_expected_with_all_its_labels_and_annotations(play):
    results = play(
        """\
        - input_series:
          - {series: 'up{job="a"}', values: '1 0x5'}
          - {series: 'up{job="b"}', values: '1x6'}
          alert_rule_test:
          - {eval_time: 2m, alertname: Down}
          - eval_time: 3m
            alertname: Down
            exp_alerts: [{exp_labels: {severity: page, job: a}, exp_annotations: {text: Value 0}}]
          - {eval_time: 3m, alertname: Down, exp_alerts: []}
          - {eval_time: 3m, alertname: Down, exp_alerts: [{exp_labels: {severity: page, job: a}}]}
          - eval_time: 3m
            alertname: Down
            exp_alerts: [{exp_labels: {severity: page}, exp_annotations: {text: Value 0}}]
          - {eval_time: 2m, alertname: Down, exp_alerts: [{exp_labels: {severity: page, job: a}}]}
        """,
        DOWN,
    )
    assert outcomes(results) == [PASSED, PASSED, FAILED, FAILED, FAILED, FAILED]
    assert results[2][1] == 'got {alertname="Down", job="a", severity="page"} with {text="Value 0"}'
    assert results[5][1] == 'expected {alertname="Down", job="a", severity="page"} with {}'


def test_alerts_of_one_name_are_gathered_from_all_rules(play):
    results = play(
        """\
        - input_series: [{series: up, values: '0x3'}]
          alert_rule_test:
          - {eval_time: 1m, alertname: A, exp_alerts: [{exp_labels: {n: "1"}}, {exp_labels: {n: "2"}}]}
          - {eval_time: 1m, alertname: A, exp_alerts: [{exp_labels: {n: "1"}}]}
        """,
        """\
        - {alert: A, expr: up == 0, labels: {n: "1"}}
        - {alert: A, expr: up == 0, labels: {n: "2"}}
        """,
    )
    assert outcomes(results) == [PASSED, FAILED]


def test_an_alert_is_judged_by_the_evaluation_before_its_time(play):
    results = play(
        """\
        - interval: 30s
          input_series: [{series: up, values: '1 0x5'}]
          alert_rule_test:
          - {eval_time: 59s, alertname: Now}
          - {eval_time: 1m, alertname: Now, exp_alerts: [{}]}
        """,
        "- {alert: Now, expr: up == 0}",
    )
    assert outcomes(results) == [PASSED, PASSED]


def test_recorded_series_and_alerts_are_series_for_expressions(play):
    results = play(
        """\
        - input_series: [{series: 'up{job="a"}', values: '1 0x5'}]
          promql_expr_test:
          - {expr: all, eval_time: 1m, exp_samples: [{labels: 'all{by="us"}', value: 0}]}
          - expr: ALERTS
            eval_time: 2m
            exp_samples:
            - {labels: 'ALERTS{alertname="Down", alertstate="pending", job="a", severity="page"}', value: 1}
          - expr: ALERTS_FOR_STATE{job="a"}
            eval_time: 4m
            exp_samples: [{labels: 'ALERTS_FOR_STATE{alertname="Down", job="a", severity="page"}', value: 60}]
          - {expr: count(ALERTS), eval_time: 0, exp_samples: []}
          - {expr: all, eval_time: 1m, exp_samples: [{labels: 'all{by="us"}', value: 1}]}
          - {expr: all, eval_time: 1m, exp_samples: []}
        """,
        "- {record: all, expr: sum(up), labels: {by: us}}\n" + DOWN,
    )
    assert outcomes(results) == [PASSED] * 4 + [FAILED] * 2
    assert results[4][1] == 'expected all{by="us"} 1.0; got all{by="us"} 0.0'


def test_missing_data_resolve_an_alert_as_they_do_in_prometheus(play):
    results = play(
        """\
        - input_series: [{series: up, values: '0x3 stale'}]
          alert_rule_test:
          - {eval_time: 3m, alertname: Now, exp_alerts: [{}]}
          - {eval_time: 4m, alertname: Now, exp_alerts: []}
        - input_series: [{series: up, values: '0 _x9'}]
          alert_rule_test:
          - {eval_time: 4m, alertname: Now, exp_alerts: [{}]}
          - {eval_time: 5m, alertname: Now, exp_alerts: []}
        """,
        "- {alert: Now, expr: up == 0}",
    )
    assert outcomes(results) == [PASSED] * 4


def test_a_long_range_does_not_warm_up(play):
    results = play(
        """\
        - input_series: [{series: errors, values: '0 1 1 2 2'}]
          alert_rule_test:
          - {eval_time: 1m, alertname: E, exp_alerts: [{}]}
          - {eval_time: 2m, alertname: E, exp_alerts: []}
          - {eval_time: 2m, alertname: A, exp_alerts: [{}]}
          - {eval_time: 3m, alertname: A, exp_alerts: []}
        """,
        """\
        - {alert: E, expr: 'errors - min_over_time(errors[1m] offset 1m) > 0 unless errors offset 1d'}
        - {alert: A, expr: 'sum(count_over_time(ALERTS{alertname="E"}[1d])) < 2'}
        """,
    )
    assert outcomes(results) == [PASSED] * 4


def test_keep_firing_for_holds_an_alert(play):
    results = play(
        """\
        - input_series: [{series: up, values: '0 1x9'}]
          alert_rule_test:
          - {eval_time: 2m, alertname: Now, exp_alerts: [{}]}
          - {eval_time: 3m, alertname: Now, exp_alerts: []}
        """,
        "- {alert: Now, expr: up == 0, keep_firing_for: 2m}",
    )
    assert outcomes(results) == [PASSED] * 2


def test_templates_know_external_labels_and_the_external_url(play):
    results = play(
        """\
        - external_labels: {site: lab}
          external_url: http://here.example/p
          input_series: [{series: up, values: '0x3'}]
          alert_rule_test:
          - eval_time: 1m
            alertname: Now
            exp_alerts: [{exp_labels: {at: lab}, exp_annotations: {url: http://here.example/p}}]
        """,
        "- {alert: Now, expr: up == 0, labels: {at: '{{ $externalLabels.site }}'}, "
        "annotations: {url: '{{ $externalURL }}'}}",
    )
    assert outcomes(results) == [PASSED]


def test_annotations_that_run_a_query_are_always_current(play):
    results = play(
        """\
        - input_series: [{series: up, values: '0x9'}, {series: load, values: '1+1x9'}]
          alert_rule_test:
          - {eval_time: 0, alertname: Now, exp_alerts: [{exp_annotations: {load: "1"}}]}
          - {eval_time: 2m, alertname: Now, exp_alerts: [{exp_annotations: {load: "3"}}]}
        """,
        "- {alert: Now, expr: up == 0, annotations: {load: '{{ query \"load\" | first | value }}'}}",
    )
    assert outcomes(results) == [PASSED] * 2


def test_with_a_query_offset_results_are_stored_in_the_past_too(tmp_path):
    rules = "{record: a, expr: x}, {record: b, expr: a}, {alert: A, expr: b > 2}"
    (tmp_path / "r.yml").write_text(f"groups: [{{name: g, query_offset: 1m, rules: [{rules}]}}]")
    tests = """\
        rule_files: [r.yml]
        tests:
        - input_series: [{series: x, values: 1+1x9}]
          promql_expr_test:
          - {expr: timestamp(a), eval_time: 3m, exp_samples: [{value: 120}]}
          - {expr: b, eval_time: 3m, exp_samples: [{labels: b, value: 3}]}
          - {expr: max(timestamp(ALERTS)), eval_time: 3m, exp_samples: [{value: 120}]}
        """
    results = ruletest.run(ruletestfile.parse(dedent(tests), "t.yml", tmp_path))
    assert [(result.outcome, result.detail) for result in results] == [(PASSED, "")] * 3


def test_rules_that_differ_only_in_their_times_each_keep_their_own(play):
    results = play(
        """\
        - input_series: [{series: up, values: '0x9'}]
          alert_rule_test:
          - {eval_time: 1m, alertname: A, exp_alerts: [{}]}
          - {eval_time: 4m, alertname: A, exp_alerts: [{}, {}]}
        """,
        """\
        - {alert: A, expr: up == 0, for: 1m}
        - {alert: A, expr: up == 0, for: 3m}
        """,
    )
    assert outcomes(results) == [PASSED] * 2


def test_groups_go_in_the_order_asked_for(tmp_path):
    rules = "groups:\n- {name: late, rules: [{record: b, expr: a}]}\n- {name: early, rules: [{record: a, expr: x}]}\n"
    (tmp_path / "r.yml").write_text(rules)
    tests = """\
        rule_files: ["*.yml"]
        group_eval_order: [early, late]
        tests:
        - input_series: [{series: x, values: 1x3}]
          promql_expr_test: [{expr: b, eval_time: 0, exp_samples: [{labels: b, value: 1}]}]
        """
    for order, expected in (("[early, late]", PASSED), ("[late, early]", FAILED)):
        text = dedent(tests).replace("[early, late]", order)
        (result,) = ruletest.run(ruletestfile.parse(text, "t.yml", tmp_path))
        assert result.outcome is expected


@pytest.mark.parametrize("start", ["1700000000", "'2023-11-14T22:13:20Z'", "2023-11-14T23:13:20+01:00"])
def test_time_can_start_elsewhere(play, start):
    results = play(
        f"""\
        - start_timestamp: {start}
          input_series: [{{series: up, values: '0 1 1'}}]
          alert_rule_test: [{{eval_time: 1m, alertname: Down}}]
          promql_expr_test:
          - {{expr: time(), eval_time: 1m, exp_samples: [{{value: 1700000060}}]}}
          - {{expr: timestamp(up), eval_time: 1m, exp_samples: [{{labels: '{{}}', value: 1.70000006e9}}]}}
        """,
        DOWN,
    )
    assert outcomes(results) == [PASSED] * 3


def test_subqueries_step_by_the_evaluation_interval(play):
    head = "rule_files: [r.yml]\nevaluation_interval: 10s"
    results = play(
        """\
        - interval: 1m
          input_series: [{series: up, values: '1x5'}]
          promql_expr_test:
          - {expr: 'count_over_time(up[1m:])', eval_time: 1m, exp_samples: [{labels: '{}', value: 6}]}
          - {expr: n, eval_time: 1m, exp_samples: [{labels: n, value: 6}]}
        """,
        "- {record: n, expr: 'count_over_time(up[1m:])'}",
        head=head,
    )
    assert outcomes(results) == [PASSED] * 2


@pytest.mark.parametrize(("flag", "expected"), [("true", PASSED), ("false", FAILED)])
def test_neighbouring_numbers_are_equal_only_if_asked_for(play, flag, expected):
    value = math.nextafter(0.3, 1)
    tests = f"- promql_expr_test: [{{expr: '0.3', eval_time: 0, exp_samples: [{{value: {value!r}}}]}}]"
    assert outcomes(play(tests, head=f"fuzzy_compare: {flag}")) == [expected]


@pytest.mark.parametrize("text", [".nan", "NaN", ".inf / x", "1e3", "1_000", "0x10", "-.Inf"])
def test_numbers_are_read_as_yaml_writes_them(play, text):
    text, expression = {
        ".nan": (".nan", "0/0"),
        "NaN": ("NaN", "0/0"),
        ".inf / x": (".inf", "1/0"),
        "1e3": ("1e3", "1000"),
        "1_000": ("1_000", "1000"),
        "0x10": ("0x10", "16"),
        "-.Inf": ("-.Inf", "-1/0"),
    }[text]
    tests = f"- promql_expr_test: [{{expr: {expression}, eval_time: 0, exp_samples: [{{value: {text}}}]}}]"
    assert outcomes(play(tests, head="")) == [PASSED]


def test_a_rule_that_fails_fails_what_comes_after_it(play):
    results = play(
        """\
        - input_series: [{series: 'up{a="1"}', values: '0x9'}, {series: 'up{a="2"}', values: '_ _ 0x9'}]
          alert_rule_test:
          - {eval_time: 1m, alertname: Bad, exp_alerts: [{}]}
          - {eval_time: 2m, alertname: Bad}
          promql_expr_test: [{expr: '1', eval_time: 0, exp_samples: [{value: 1}]}]
        """,
        "- {alert: Bad, expr: up == on () up}",
    )
    assert outcomes(results) == [PASSED, FAILED, FAILED]
    assert results[1][1].startswith("rule 'Bad' failed 120 s after the start: ")


def test_only_what_the_engine_leaves_out_is_unsupported(play):
    series = "input_series: [{series: h, values: '{{schema:0 count:1 sum:1}}x3'}]"
    results = play(
        f"""\
        - {series}
          promql_expr_test:
          - {{expr: h, eval_time: 1m, exp_samples: [{{labels: h, histogram: '{{{{schema:0}}}}'}}]}}
          - {{expr: 'rate(up[5m] anchored)', eval_time: 1m}}
          - {{expr: 'rate(up)', eval_time: 1m}}
          - {{expr: '1', eval_time: 1m, exp_samples: [{{labels: '{{}}', histogram: '{{{{schema:0}}}}'}}]}}
        - {series}
          name: rule
          alert_rule_test: [{{eval_time: 1m, alertname: A}}]
        """,
        "- {alert: A, expr: h > 1}",
    )
    assert outcomes(results) == [UNSUPPORTED] * 2 + [UNSUPPORTED] * 2 + [UNSUPPORTED]
    assert outcomes(play(f"- {series}\n  promql_expr_test: [{{expr: 'rate(up)', eval_time: 1m}}]", head="")) == [FAILED]


def test_scenarios_are_chosen_by_name(play):
    tests = "\n".join(
        f"- {{name: {name}, promql_expr_test: [{{expr: '1', eval_time: 0, exp_samples: [{{value: {value}}}]}}]}}"
        for name, value in (("good", 1), ("bad", 2))
    )
    assert outcomes(play(tests, head="")) == [PASSED, FAILED]
    assert outcomes(play(tests, head="", wanted="good".__eq__)) == [PASSED]


def test_cases_on_one_line_are_kept_apart(play):
    tests = (
        "- promql_expr_test: [{expr: '1', eval_time: 0, exp_samples: [{value: 1}]},"
        " {expr: '1', eval_time: 0, exp_samples: [{value: 2}]}]"
    )
    assert outcomes(play(tests, head="")) == [PASSED, FAILED]


def test_a_rule_file_that_is_not_there_is_named(tmp_path):
    tests = ruletestfile.parse("rule_files: [no*.yml]", "t.yml", tmp_path)
    assert tests.unmatched == ("no*.yml",)


def test_all_that_is_wrong_in_a_test_file_is_told_at_once(tmp_path):
    text = """\
        group_eval_order: [a, a]
        fuzzy_compare: maybe
        tests:
        - input_series: [{series: 'up{', values: '1'}, {series: up, values: what}]
          interval: soon
          start_timestamp: yesterday
          nonsense: 1
          alert_rule_test: [{eval_time: 1m}]
          promql_expr_test: [{expr: up, exp_samples: [{labels: 'x{', value: 1}, {labels: x, value: many}]}]
        """
    with pytest.raises(RuleError) as caught:
        ruletestfile.parse(dedent(text), "t.yml", tmp_path)
    lines = sorted(problem.line for problem in caught.value.problems)
    assert lines == [1, 2, 4, 4, 5, 6, 7, 8, 9, 9]
    assert all(problem.file == "t.yml" for problem in caught.value.problems)


@pytest.mark.parametrize(
    "text", ["- 1", "tests: {a: 1}", "tests: [1]", "tests: [{input_series: [x]}]", "tests: [", "\0"]
)
def test_what_is_no_test_file_is_refused(tmp_path, text):
    with pytest.raises(RuleError):
        ruletestfile.parse(text, "t.yml", tmp_path)
