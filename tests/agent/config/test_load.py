"""Configuration files, good and bad."""

from dataclasses import replace
from pathlib import Path

import pytest

from agent.config.load import load
from agent.config.options import Config
from agent.config.problems import ConfigError
from tests.agent.config.fakes import DeskOptions, ProbeOptions, Target, loaded, problems, registries


def test_without_a_file_everything_has_its_default():
    config = load(None, {}, registries())
    assert (config.web, config.guards, config.remediations) == (Config().web, Config().guards, ())
    assert config.collectors["probe"].options == ProbeOptions()
    assert [name for name, entry in config.collectors.items() if entry.enabled] == ["probe", "slow"]


def test_options_of_plugins_stand_in_the_same_table_and_paths_are_taken_from_the_file(tmp_path):
    config = loaded(
        tmp_path,
        """
        [collectors.probe]
        interval = "5s"
        stale_after = "1m"
        folder = "here"
        [[collectors.probe.targets]]
        name = "shop"
        timeout = "1s500ms"
        [[tickets]]
        system = "desk"
        url = "http://desk"
        password_file = "secret"
        headers = { a = "b" }
        """,
    )
    probe = config.collectors["probe"]
    assert probe.interval == 5
    assert probe.options == ProbeOptions(
        stale_after_seconds=60, folder=tmp_path / "here", targets=(Target(name="shop", timeout_seconds=1.5),)
    )
    (ticket,) = config.tickets
    assert (ticket.name, ticket.open) == ("desk", "always")
    assert ticket.options == DeskOptions(url="http://desk", password_file=tmp_path / "secret", headers={"a": "b"})


def test_a_collector_runs_as_often_as_its_spec_says_unless_the_file_says_otherwise(tmp_path):
    probe = replace(registries().collectors["probe"], interval_seconds=90.0)
    dear = replace(registries(), collectors={"probe": probe, "slow": registries().collectors["slow"]})
    intervals = {name: each.interval for name, each in load(None, {}, dear).collectors.items()}
    assert intervals == {"probe": 90, "slow": 15}
    file = tmp_path / "paramedic.toml"
    file.write_text('[collectors.probe]\ninterval = "5s"\n')
    assert load(file, {}, dear).collectors["probe"].interval == 5


def test_paths_of_the_host_reach_every_collector(tmp_path):
    config = loaded(tmp_path, '[paths]\nprocfs = "/host/proc"')
    assert config.collectors["quiet"].options.procfs == Path("/host/proc")


def test_the_host_of_a_collector_waits_longer_than_the_collector_itself(tmp_path):
    slow = loaded(tmp_path, '[collectors.slow]\ntimeout = "9s"').collectors["slow"]
    assert (slow.options.timeout_seconds, slow.timeout) == (9, 11)


def test_all_mistakes_are_reported_at_once(tmp_path):
    text = """
        [wbe]
        [web]
        lisen = "127.0.0.1:1"
        open_ingest = "yes"
        [log]
        level = "verbose"
        [collectors.prbe]
        [collectors.probe]
        exlude = "x"
        interval = 15
        targets = [{ name = "a", timeout = "soon" }, { port = "80" }]
        [[remediations]]
        name = "no spaces please"
        match = ['a="b', 'c=~"("']
        steps = "restart"
        mode = "atuo"
        verify = { hold = "3m", timeout = "1m" }
        limits = { runs = 0, per = "0s", cooldown = "0s", attempts = true }
        [[remediations]]
        steps = []
        [[tickets]]
        system = "desk"
        url = "ftp://desk"
        pasword_file = "x"
        [[tickets]]
        system = "deks"
        [alertmanagers]
        url = "http://here"
        """
    assert problems(tmp_path, text) == {
        "wbe": "unknown table 'wbe'; did you mean 'web'?",
        "web.lisen": "unknown key 'lisen'; did you mean 'listen'?",
        "web.open_ingest": "must be true or false, not 'yes'",
        "log.level": "unknown value 'verbose'; known: debug, error, info, warning",
        "collectors.prbe": "unknown collector 'prbe'; did you mean 'probe'?",
        "collectors.probe.exlude": "unknown key 'exlude'; did you mean 'exclude'?",
        "collectors.probe.interval": 'needs a unit: write "15s" if you mean seconds',
        "collectors.probe.targets[0].timeout": 'must be a duration such as "30s", "5m", "1h30m" or "2d", not \'soon\'',
        "collectors.probe.targets[1].name": "is missing",
        "collectors.probe.targets[1].port": "must be a whole number, not '80'",
        "remediations[0].name": "must be 1 to 64 letters, digits, dots, dashes or underscores, not 'no spaces please'",
        "remediations[0].match[0]": "'a=\"b' is not a label matcher: the value needs one closing quote, at its end",
        "remediations[0].match[1]": "bad regular expression '(': missing ): (",
        "remediations[0].steps": "must be a list in [brackets], not 'restart'",
        "remediations[0].mode": "unknown value 'atuo'; did you mean 'auto'?",
        "remediations[0].verify": "hold (3m) must be shorter than timeout (1m)",
        "remediations[0].limits.runs": "must be above zero",
        "remediations[0].limits.per": "must be above zero",
        "remediations[0].limits.attempts": "must be a whole number, not true",
        "remediations[1].name": "is missing",
        "remediations[1].match": "is missing",
        "remediations[1].steps": "must not be empty",
        "tickets[0].pasword_file": "unknown key 'pasword_file'; did you mean 'password_file'?",
        "tickets[0]": "url must begin with http",
        "tickets[1].system": "unknown ticket system 'deks'; did you mean 'desk'?",
        "alertmanagers": "is a list of tables: write [[alertmanagers]]",
    }


LIMITS = [
    *(f"[[remediations]]\nlimits.{name} = {{}}" for name in ("attempts", "runs")),
    *(f"[guards]\n{name} = {{}}" for name in ("max_parallel", "actions_per_hour", "storm_incidents")),
]


@pytest.mark.parametrize("text", LIMITS)
@pytest.mark.parametrize(("number", "message"), [(0, "must be above zero"), (-1, "must not be negative")])
def test_a_limit_of_zero_or_less_is_refused(tmp_path, text, number, message):
    assert message in problems(tmp_path, text.format(number)).values()


@pytest.mark.parametrize("text", ['[incidents]\nsettle = "0s"', "[web]\nlisten = ''", "[web]\nlisten = '[::1]:0'"])
def test_some_values_may_be_nothing(tmp_path, text):
    assert problems(tmp_path, text) == {}


@pytest.mark.parametrize("listen", ["here", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "::1:80", "a b:80"])
def test_an_address_that_cannot_be_listened_on_is_refused(tmp_path, listen):
    assert list(problems(tmp_path, f"[web]\nmetrics_listen = '{listen}'")) == ["web.metrics_listen"]


@pytest.mark.parametrize(
    ("text", "path", "message"),
    [
        ("web = 1", "web", "must be a table, not 1"),
        ("web = [1]", "web", "must be a table, not a list"),
        ("collectors = 1", "collectors", "holds one table a collector: write [collectors.NAME]"),
        ("[collectors]\nprobe = 1", "collectors.probe", "must be a table, not 1"),
        ("tickets = [1]", "tickets[0]", "must be a table, not 1"),
        ("[incidents]\nmatch = 'severity=x'", "incidents.match", "must be a list in [brackets], not 'severity=x'"),
        ("[incidents]\nignore_labels = ['pid', 3]", "incidents.ignore_labels[1]", "must be text in quotes, not 3"),
        ("[mqtt]\nport = 70000", "mqtt.port", "must be 65535 at most"),
        ("[mqtt]\nport = 1.5", "mqtt.port", "must be a whole number, not 1.5"),
    ],
)
def test_a_value_of_the_wrong_type_is_refused(tmp_path, text, path, message):
    assert problems(tmp_path, text) == {path: message}


def test_two_ticket_systems_cannot_share_a_name(tmp_path):
    desk = "[[tickets]]\nsystem = 'desk'\nurl = 'http://desk'\n"
    assert problems(tmp_path, desk * 2) == {"tickets": "the name 'desk' is used twice: names tell records apart"}


def test_options_of_a_ticket_system_are_no_options_of_the_book(tmp_path):
    assert list(problems(tmp_path, "[[tickets]]\nurl = 'http://desk'")) == ["tickets[0].url"]


def test_a_file_that_is_not_toml_says_where(tmp_path):
    message = problems(tmp_path, "[web]\nlisten = nothing")[str(tmp_path / "paramedic.toml")]
    assert message.startswith("is not TOML: ")
    assert "line 2" in message


def test_a_file_that_is_not_utf8_says_where(tmp_path):
    found = problems(tmp_path, b"# one\n# caf\xe9\n")
    assert found == {str(tmp_path / "paramedic.toml"): "line 2 is not UTF-8: save the file as UTF-8"}


def test_a_file_that_cannot_be_read_says_why(tmp_path):
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, {}, registries())
    assert str(caught.value) == f"{tmp_path}: cannot be read: Is a directory"


def test_the_environment_overrides_the_file(tmp_path):
    environ = {
        "PARAMEDIC_WEB_LISTEN": "127.0.0.1:0",
        "PARAMEDIC_WEB_OPEN_INGEST": "true",
        "PARAMEDIC_GUARDS_MAX_PARALLEL": "7",
        "PARAMEDIC_INCIDENTS_SETTLE": "0s",
        "PARAMEDIC_STATE_DIRECTORY": "/var/tmp/state",
        "PARAMEDIC_CONFIG": "elsewhere.toml",
        "PARAMEDIC_SERVICE_HOST": "what an orchestrator sets",
    }
    config = loaded(tmp_path, "[web]\nlisten = '127.0.0.1:80'\nmetrics_listen = ':81'", environ)
    assert (config.web.listen, config.web.metrics_listen, config.web.open_ingest) == ("127.0.0.1:0", ":81", True)
    assert (config.guards.max_parallel, config.incidents.settle) == (7, 0)
    assert config.state.directory == Path("/var/tmp/state")


def test_mistakes_in_the_environment_are_named_by_the_variable(tmp_path):
    environ = {
        "PARAMEDIC_WEB_LISTN": "x",
        "PARAMEDIC_WEB_LISTEN": "x",
        "PARAMEDIC_WEB_OPEN_INGEST": "1",
        "PARAMEDIC_MQTT_PORT": "many",
        "PARAMEDIC_GUARDS_MAX_PARALLEL": "0",
    }
    assert problems(tmp_path, "", environ) == {
        "PARAMEDIC_WEB_LISTN": "unknown variable 'PARAMEDIC_WEB_LISTN'; did you mean 'PARAMEDIC_WEB_LISTEN'?",
        "PARAMEDIC_WEB_LISTEN": 'must be "host:port", such as "127.0.0.1:8911" or "[::1]:8911", not \'x\'',
        "PARAMEDIC_WEB_OPEN_INGEST": "must be true or false, not '1'",
        "PARAMEDIC_MQTT_PORT": "must be a whole number, not 'many'",
        "PARAMEDIC_GUARDS_MAX_PARALLEL": "must be above zero",
    }


def test_tokens_have_a_name_scopes_and_one_secret(tmp_path):
    (tmp_path / "a.toml").write_text("""
        [[web.tokens]]
        name = "prometheus"
        scopes = ["ingest"]
        secret_file = "token"
    """)
    (token,) = load(tmp_path / "a.toml", {}).web.tokens
    assert (token.name, token.scopes, token.secret_file) == ("prometheus", ("ingest",), tmp_path / "token")


@pytest.mark.parametrize(
    ("token", "path", "message"),
    [
        ("scopes = ['read']", "web.tokens[0]", "needs either secret_file or sha256"),
        (f"scopes = ['read']\nsha256 = '{'0' * 64}'\nsecret_file = 'x'", "web.tokens[0]", "needs either secret_file"),
        ("scopes = ['read']\nsha256 = 'abc'", "web.tokens[0].sha256", "must be 64 hexadecimal digits"),
        ("scopes = []\nsecret_file = 'x'", "web.tokens[0].scopes", "must not be empty"),
        ("scopes = ['admin']\nsecret_file = 'x'", "web.tokens[0].scopes[0]", "unknown value 'admin'"),
    ],
)
def test_a_wrong_token_is_named(tmp_path, token, path, message):
    assert message in problems(tmp_path, f"[[web.tokens]]\nname = 'a'\n{token}")[path]


def test_two_tokens_of_one_name_are_named(tmp_path):
    token = f"[[web.tokens]]\nname = 'a'\nscopes = ['read']\nsha256 = '{'0' * 64}'\n"
    assert "used twice" in problems(tmp_path, token * 2)["web.tokens"]


@pytest.mark.parametrize(
    ("line", "place"),
    [
        ('external_labels = { "a-b" = "c" }', "host.external_labels"),
        ('external_labels = { __name__ = "c" }', "host.external_labels"),
        ("external_labels = { site = 1 }", "host.external_labels.site"),
        ('external_url = "web1"', "host.external_url"),
    ],
)
def test_external_labels_and_the_address_are_checked(tmp_path, line, place):
    assert list(problems(tmp_path, f"[host]\n{line}\n")) == [place]


SUBSCRIPTION = "mqtt.subscriptions[0]"


@pytest.mark.parametrize(
    ("options", "path", "message"),
    [
        ("metric = 'x'", SUBSCRIPTION + ".topic", "is missing"),
        ("topic = 'a/{b'", SUBSCRIPTION + ".topic", "a level is a text, + or {label}"),
        ("topic = 'a/{b}'\nmetric = '1x'", SUBSCRIPTION, "no name of a metric"),
        ("topic = 'a/{b}'\npath = 'x'", SUBSCRIPTION, "a path needs a metric"),
        ("topic = 'a/{b}'\nlabels = { b = 'x' }", SUBSCRIPTION, "given by the topic and by labels"),
        ("topic = 'a/{b}'\nlabels = { __x = 'x' }", SUBSCRIPTION, "no name of a label"),
        ("topic = 'a/{b}'\nqos = 2", SUBSCRIPTION + ".qos", "must be 1 at most"),
        ("topic = 'a'\nmetric = 'm'\n[[mqtt.subscriptions]]\ntopic = 'b'\nmetric = 'm'", "mqtt", "are called 'm'"),
    ],
)
def test_a_wrong_subscription_is_named(tmp_path, options, path, message):
    assert message in problems(tmp_path, f"[[mqtt.subscriptions]]\n{options}")[path]
