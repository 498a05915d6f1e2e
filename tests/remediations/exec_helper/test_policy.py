"""Policy files: what they allow is matched whole, and one that says nonsense allows nothing."""

import os

import pytest

from remediations.exec_helper.policy import PolicyError, find, is_safe, load
from remediations.exec_helper.trust import Trust

RESTART = """
argv = ["/usr/bin/systemctl", "restart", "--", "{unit}"]
user = "root"
[words]
unit = ["nginx.service", "php.service"]
"""
CLEAN = """
argv = ["/usr/bin/clean", "--root=/var/log/{app}", "{word}"]
[words]
app = '[a-z]+'
word = '[^x]+'
"""


@pytest.fixture
def policy(tmp_path):
    folder = tmp_path / "actions.d"
    folder.mkdir(mode=0o755)
    trust = Trust(owner=os.geteuid(), top=str(tmp_path))

    def read(text, name="a.toml"):
        path = folder / name
        path.write_text(text)
        path.chmod(0o644)
        return load(str(path), trust)

    read.find = lambda *argv: find(argv, str(folder), trust, {})
    return read


def test_the_argv_must_be_what_the_policy_says(policy):
    restart = policy(RESTART)
    assert restart.allows(("systemctl", "restart", "--", "nginx.service"))
    assert restart.allows(("/usr/bin/systemctl", "restart", "--", "php.service"))


@pytest.mark.parametrize(
    "argv",
    [
        ("systemctl", "restart", "--", "dbus.service"),
        ("systemctl", "restart", "--", "nginx.service", "dbus.service"),
        ("systemctl", "restart", "--"),
        ("systemctl", "stop", "--", "nginx.service"),
        ("/tmp/systemctl", "restart", "--", "nginx.service"),
        ("bin/systemctl", "restart", "--", "nginx.service"),
        ("systemctl", "restart", "--", "nginx.service\n"),
        ("systemctl", "restart", "--", "nginx.service "),
        ("systemctl", "restart", "--", "nginxXservice"),
        ("systemctl", "restart", "--", ""),
        ("systemctl", "restart", "--", "{unit}"),
    ],
)
def test_nothing_else_is_allowed(policy, argv):
    assert not policy(RESTART).allows(argv)


def test_a_hole_in_a_word_holds_what_its_pattern_says(policy):
    clean = policy(CLEAN)
    assert clean.allows(("clean", "--root=/var/log/web", "all"))
    assert not clean.allows(("clean", "--root=/var/log/../etc", "all"))
    assert not clean.allows(("clean", "--root=/var/log/web/x", "all"))


def test_what_fills_a_hole_is_never_an_option(policy):
    assert not policy(CLEAN).allows(("clean", "--root=/var/log/web", "--force"))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("argv = []", "argv"),
        ("argv = ['systemctl']", "argv"),
        ("argv = ['/usr/../bin/x']", "argv"),
        ("argv = ['/bin/x', '{a}']", "same holes"),
        ("argv = ['/bin/x']\n[words]\na = ['b']", "same holes"),
        ("argv = ['/bin/x', '{a}']\n[words]\na = '['", "words"),
        ("argv = ['/bin/x', '{a}']\n[words]\na = []", "words"),
        ("argv = ['/bin/x', '{a}']\n[words]\na = [1]", "words"),
        ('argv = ["/bin/x", "a\\u0000"]', "argv"),
        ('argv = ["/bin/x", "a\\nb"]', "argv"),
        ("argv = ['/bin/x']\nuser = 'a b'", "user"),
        ("argv = ['/bin/x']\nuser = 7", "user"),
        ("argv = ['/bin/x']\nwritable = ['/a b']", "writable"),
        ("argv = ['/bin/x']\nwritable = ['/a/../etc']", "writable"),
        ("argv = ['/bin/x']\nwritable = '/a'", "writable"),
        ("argv = ['/bin/x']\ncapabilities = ['ALL']", "capabilities"),
        ("argv = ['/bin/x']\nruns = 0", "runs"),
        ("argv = ['/bin/x']\nruns = true", "runs"),
        ("argv = ['/bin/x']\ntimeout_seconds = 1.5", "timeout_seconds"),
        ("argv = ['/bin/x']\nnetwork = 'yes'", "network"),
        ("argv = ['/bin/x']\nshell = true", "no such setting"),
        ("argv = ['/bin/x']\nname = 'x'", "no such setting"),
        ("argv = [", "a.toml"),
        ("", "argv"),
    ],
)
def test_a_policy_that_says_nonsense_is_refused_with_the_place(policy, text, says):
    with pytest.raises(PolicyError, match=says):
        policy(text)


def test_a_broken_policy_denies_only_its_own(policy):
    policy(RESTART, "b.toml")
    with pytest.raises(PolicyError):
        policy("argv = 1", "a.toml")
    found, problems = policy.find("systemctl", "restart", "--", "nginx.service")
    assert found.name == "b.toml"
    assert ["a.toml" in problem for problem in problems] == [True]


def test_files_of_other_kinds_are_no_policies(policy, tmp_path):
    for name in ("a.toml.bak", "b"):
        (tmp_path / "actions.d" / name).write_text(RESTART)
    assert policy.find("systemctl", "restart", "--", "nginx.service") == (None, [])


@pytest.mark.parametrize(
    ("argv", "safe"),
    [
        (["a", "b c", "--x", "$HOME", "%n"], True),
        ([], False),
        (["a"] * 65, False),
        (["a" * 4097], False),
        (["a\n"], False),
        (["a\x00"], False),
        (["a\x1b[2J"], False),
        (["\u202e"], False),
        ([""], False),
        ([1], False),
        ("abc", False),
        (None, False),
    ],
)
def test_only_printable_ascii_words_are_an_argv(argv, safe):
    assert is_safe(argv) is safe
