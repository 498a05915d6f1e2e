"""Templates of annotations and parameters."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.annotations import Moment, TemplateError, compile_template

LABELS = (("instance", "web1:9100"), ("job", "node"))


def render(text, value=1.5, labels=LABELS, **options):
    return compile_template(text, "summary").render(labels, value, **options)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ("{{ $labels.job }} on {{ .Labels.instance }}", "node on web1:9100"),
        ("{{ $labels }}", "map[instance:web1:9100 job:node]"),
        ("[{{ $labels.missing }}]", "[]"),
        ('{{ index $labels "job" }}', "node"),
        ("{{ $value }} {{ .Value }}", "1.5 1.5"),
        ("a {{- /* why */ -}} b", "ab"),
        ("a {{- $value -}} b", "a1.5b"),
        ('{{ "}}" }}', "}}"),
        ("{{ `raw \\n` }}", "raw \\n"),
        ("{{ if gt $value 1.0 }}high{{ else if eq $value 1.0 }}one{{ else }}low{{ end }}", "high"),
        ("{{ if and (gt $value 1.0) (eq $labels.job `web`) }}yes{{ else }}no{{ end }}", "no"),
        ("{{ with $labels.job }}{{ . }}{{ end }}{{ with $labels.none }}x{{ else }}-{{ end }}", "node-"),
        ("{{ range $k, $v := $labels }}{{ $k }}={{ $v }};{{ end }}", "instance=web1:9100;job=node;"),
        ("{{ range $labels }}{{ . }}{{ break }}{{ end }}", "web1:9100"),
        ("{{ $x := 1 }}{{ if true }}{{ $x = 2 }}{{ $x := 3 }}{{ end }}{{ $x }}", "2"),
        ('{{ define "t" }}<{{ .arg0 }}|{{ .arg1 }}>{{ end }}{{ template "t" (args $value "b") }}', "<1.5|b>"),
        ('{{ "a.b" | reReplaceAll "(.)\\\\.(.)" "$2-${1}" }}', "b-a"),
        ('{{ "ab" | reReplaceAll "(a)" "${²}${1}${9}" }}', "ab"),
        ('{{ match "^web" $labels.instance }}', "true"),
        ("{{ $labels.instance | stripPort | toUpper }}", "WEB1"),
        ('{{ "host.example.com:80" | stripDomain }}', "host:80"),
        ('{{ "10.0.0.1:80" | stripDomain }}', "10.0.0.1:80"),
        ('{{ "many words" | title }}', "Many Words"),
        ('{{ js "a\'<b>" }}', "a\\'\\u003Cb\\u003E"),
        ('{{ printf "%T" $value }}', "float64"),
        ('{{ parseDuration "1h30m" }}', "5400"),
        ('{{ graphLink "up == 0" }}', "/graph?g0.expr=up+%3D%3D+0&g0.tab=0"),
        ("{{ $externalLabels.site }} {{ externalURL }} {{ pathPrefix }}", "lab http://h/p /p"),
    ],
)
def test_a_template_says_what_it_says_in_prometheus(text, expected):
    moment = Moment(external_url="http://h/p")
    assert render(text, external_labels=(("site", "lab"),), moment=moment) == expected


@pytest.mark.parametrize(
    ("text", "value", "expected"),
    [
        ("{{ $value }}", 123456.0, "123456"),
        ("{{ $value }}", 1234567.0, "1.234567e+06"),
        ("{{ $value }}", 0.00001, "1e-05"),
        ("{{ $value }}", math.inf, "+Inf"),
        ("{{ $value }}", math.nan, "NaN"),
        ("{{ $value }}", -0.25, "-0.25"),
        ('{{ printf "%.2f%%" $value }}', 99.456, "99.46%"),
        ('{{ printf "%.4g" $value }}', 123456.0, "1.235e+05"),
        ('{{ printf "%06.1f|%-6.1f|%+.0f" $value $value $value }}', 3.14, "0003.1|3.1   |+3"),
        ('{{ printf "%+v" $value }}', 3.5, "3.5"),
        ('{{ printf "%d" $value }}', 3.0, "%!d(float64=3)"),
        ('{{ printf "%d %5d|%x" 7 42 255 }}', 0, "7    42|ff"),
        ('{{ printf "%s %q %v" $labels.job $labels.job $value }}', 2.0, 'node "node" 2'),
        ('{{ printf "%s" }}', 0, "%!s(MISSING)"),
        ('{{ printf "x" 1 }}', 0, "x%!(EXTRA int=1)"),
        ('{{ printf "%*d" 5 7 }}', 0, "    7"),
        ('{{ printf "%99999999d" 1 }}', 0, "%!(NOVERB)%!(EXTRA int=1)"),
        ("{{ $value | humanize }}", 1234567.0, "1.235M"),
        ("{{ $value | humanize }}", 0.0123, "12.3m"),
        ("{{ $value | humanize }}", 0, "0"),
        ("{{ $value | humanize1024 }}", 1048576.0, "1Mi"),
        ("{{ $value | humanizeDuration }}", 90061.0, "1d 1h 1m 1s"),
        ("{{ $value | humanizeDuration }}", -3661.0, "-1h 1m 1s"),
        ("{{ $value | humanizeDuration }}", 12.3456, "12.35s"),
        ("{{ $value | humanizeDuration }}", 0.001, "1ms"),
        ("{{ $value | humanizePercentage }}", 0.12345, "12.35%"),
        ("{{ $value | humanizeTimestamp }}", 1435065584.128, "2015-06-23 13:19:44.128 +0000 UTC"),
    ],
)
def test_numbers_are_written_as_prometheus_writes_them(text, value, expected):
    assert render(text, value) == expected


def test_a_template_may_ask_a_query():
    results = [{"Labels": {"a": "2"}, "Value": 5.0}, {"Labels": {"a": "1"}, "Value": 7.0}]
    moment = Moment(query=lambda text: results if text == "up" else [])
    assert render('{{ query "up" | sortByLabel "a" | first | value }}', moment=moment) == "7"
    assert render('{{ with query "none" }}some{{ else }}none{{ end }}', moment=moment) == "none"
    assert render('{{ range query "up" }}{{ .Labels.a }}{{ end }}', moment=moment) == "21"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{{ .Foo }}", "can't evaluate field Foo"),
        ("{{ $.labels.job }}", "can't evaluate field labels"),
        ("{{ $labels.a.b }}", "can't evaluate field b"),
        ('{{ query "up" }}', "query is not available here"),
        ('{{ query "none" | first }}', "query is not available here"),
        ('{{ eq $value "1" }}', "incompatible types"),
        ('{{ template "nowhere" }}', "not defined"),
        ('{{ define "t" }}{{ template "t" }}{{ end }}{{ template "t" }}', "templates called"),
        ('{{ "x" | humanize }}', "not a number"),
        ('{{ printf "%999999d" 1 }}', "longer than"),
        ("{{ $value | humanizeTimestamp }}", "outside the calendar"),
        ('{{ reReplaceAll "(" "" "x" }}', "bad pattern"),
    ],
)
def test_what_cannot_be_expanded_says_so_in_the_text(text, reason):
    rendered = render(text, 1e300)
    assert rendered.startswith("<error expanding template: summary: ")
    assert reason in rendered
    with pytest.raises(TemplateError):
        compile_template(text, "summary").expand(LABELS, 1e300)


@pytest.mark.parametrize(
    "text",
    [
        "{{",
        "{{ $labels.x",
        "{{ end }}",
        "{{ if true }}",
        "{{ if true }}a{{ else }}b{{ else }}c{{ end }}",
        "{{ nosuchfunction 1 }}",
        "{{ $undeclared }}",
        "{{ break }}",
        "{{ $value | }}",
        "{{ }}",
        '{{ "open }}',
        "{{ (1 }}",
        "{{ " + "(" * 300 + "1" + ")" * 300 + " }}",
        "{{ if true }}" * 200 + "{{ end }}" * 200,
    ],
)
def test_a_wrong_template_is_refused_by_name_when_compiled(text):
    with pytest.raises(TemplateError, match=r"^summary: "):
        compile_template(text, "summary")


def test_an_errors_line_is_the_templates_line():
    with pytest.raises(TemplateError, match="line 3"):
        compile_template("a\nb\n{{ nosuch }}", "summary")


@given(st.text())
def test_hostile_label_values_are_copied_and_never_read_as_templates(text):
    assert render("<{{ $labels.x }}>", labels=(("x", text),)) == f"<{text}>"


@given(st.text(alphabet='{}$.|()"`-=: abifend0%,/*\n', max_size=40))
def test_any_text_compiles_or_is_refused_and_then_renders(text):
    try:
        template = compile_template(text, "t")
    except TemplateError:
        return
    assert isinstance(template.render(LABELS, 1.0), str)


@given(st.floats())
def test_a_printed_float_reads_back_as_the_same_number(value):
    printed = float(render("{{ $value }}", value))
    assert printed == value or (math.isnan(printed) and math.isnan(value))
