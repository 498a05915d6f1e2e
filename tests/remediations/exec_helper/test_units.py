"""The unit of a run: what a policy makes of its sandbox. What systemd makes of that is tested on a host."""

import re
import shutil
import subprocess

import pytest

from remediations.exec_helper import bus, units
from remediations.exec_helper.policy import Policy
from remediations.exec_helper.units import StartError, Systemd, sandbox


def made(**settings):
    policy = Policy(name="a.toml", argv=("/bin/true",), words={}, **settings)
    return {name: value for name, (_, value) in sandbox(policy)}


def test_a_run_is_nobody_s_and_may_nothing_unless_its_policy_says_so():
    found = made()
    assert found["DynamicUser"] is True
    assert "User" not in found
    assert (found["CapabilityBoundingSet"], found["ReadWritePaths"]) == (0, ())
    assert (found["ProtectHome"], found["PrivateTmp"], found["RestrictAddressFamilies"]) == (
        "tmpfs",
        True,
        (True, ("AF_UNIX",)),
    )


def test_what_the_policy_gives_is_given():
    found = made(
        user="app",
        capabilities=("CAP_KILL", "CAP_CHOWN", "CAP_KILL"),
        writable=("/home/app", "/var/tmp/x"),
        network=True,
        tasks=7,
        memory_mib=3,
    )
    assert (found["User"], found["CapabilityBoundingSet"]) == ("app", 1 << 5 | 1 << 0)
    assert (found["ReadWritePaths"], found["ProtectHome"], found["PrivateTmp"]) == (
        ("-/home/app", "-/var/tmp/x"),
        "read-only",
        False,
    )
    assert "AF_INET" in found["RestrictAddressFamilies"][1]
    assert (found["TasksMax"], found["MemoryMax"]) == (7, 3 * 1024 * 1024)


def test_capabilities_have_the_numbers_that_the_kernel_gives_them():
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("needs systemd-analyze")
    told = subprocess.run((analyze, "capability", "--no-pager"), capture_output=True, text=True, check=True).stdout
    numbers = re.findall(r"^(cap_\w+)\s+(\d+)$", told, re.MULTILINE)
    assert numbers
    for name, number in numbers:
        assert made(capabilities=(name.upper(),))["CapabilityBoundingSet"] == 1 << int(number)


def test_an_unknown_capability_is_refused_and_not_left_out():
    with pytest.raises(StartError, match="WORLD"):
        made(capabilities=("CAP_WORLD",))


@pytest.mark.parametrize(("state", "lives"), [("active", True), ("deactivating", True), ("failed", False)])
def test_a_run_lives_while_systemd_says_so(monkeypatch, state, lives):
    words = ("paramedic-run-x.service", "what it is", "loaded", state)
    body = bytes(8)
    for word in words:
        body += bytes(-len(body) % 4) + len(word).to_bytes(4, "little") + word.encode() + b"\0"
    monkeypatch.setattr(bus, "call", lambda *_words: body)
    assert Systemd("x.pyz").lives("0" * 32) is lives


def test_nothing_is_concluded_when_systemd_cannot_be_asked(monkeypatch, tmp_path):
    monkeypatch.setattr(bus.call, "__kwdefaults__", {"path": str(tmp_path / "none")})
    assert Systemd("x.pyz").lives("0" * 32)
    with pytest.raises(StartError, match="No such file"):
        Systemd("x.pyz").start("0" * 32, Policy(name="", argv=(), words={}), 1.0, _Places())


class _Places:
    """Where the files of a run are, and what its words are."""

    @staticmethod
    def argv(_run_id):
        return ("/bin/echo", "$HOME %n", "--")

    @staticmethod
    def path(run_id, name=""):
        return f"/runs/{run_id}/{name}".rstrip("/")


def test_only_what_root_wrote_is_in_the_call_and_the_run_s_id(monkeypatch):
    sent = []
    monkeypatch.setattr(bus, "call", lambda *words: sent.append(words))
    policy = Policy(name="a.toml", argv=("/bin/echo", "{w}"), words={"w": ".*"})
    Systemd("/x.pyz").start("0" * 32, policy, 2.5, _Places())
    (_, _, unit, mode, settings, _) = sent[0]
    assert (unit, mode) == (f"paramedic-run-{'0' * 32}.service", "fail")
    table = dict(settings)
    assert table["RuntimeMaxUSec"] == ("t", 2_500_000)
    for name in ("ExecStart", "ExecStopPostEx"):
        program, argv, _ = table[name][1][0]
        assert (program, argv[:3], argv[-1].rpartition("/")[2]) == (units.PYTHON, (units.PYTHON, "-I", "-S"), "0" * 32)
        assert not any("$" in word or "%" in word for word in argv)


def test_the_program_of_a_brief_run_is_its_first_process_and_no_word_of_it_is_expanded(monkeypatch):
    sent = []
    monkeypatch.setattr(bus, "call", lambda *words: sent.append(words))
    brief = Policy(name="a.toml", argv=("/bin/echo", "{w}", "--"), words={"w": ".*"}, brief=True)
    usual = Policy(name="a.toml", argv=("/bin/echo", "{w}", "--"), words={"w": ".*"})
    for policy in (brief, usual):
        Systemd("/x.pyz").start("0" * 32, policy, 2.5, _Places())
    table, other = dict(sent[0][4]), dict(sent[1][4])
    assert table["ExecStartEx"][1] == (("/bin/echo", ("/bin/echo", "$HOME %n", "--"), ("no-env-expand",)),)
    assert table["StandardOutputFileToAppend"] == table["StandardErrorFileToAppend"]
    assert "PARAMEDIC_RUN=" + "0" * 32 in table["Environment"][1]
    # Its sandbox, its limits and its verdict are those of every run.
    begins = {"ExecStart", "StandardInputFile", "StandardOutputFileToAppend", "StandardError"}
    assert {name: other[name] for name in other.keys() - begins}.items() <= table.items()
