"""The example scripts, with programs around them that only write down what they are asked."""

import re
import subprocess
from pathlib import Path

import pytest

from agent.config import rulefiles
from agent.config.checks import findings
from agent.config.load import load
from agent.config.registries import shipped

DOCS = Path(__file__).parents[2] / "docs"
KERNELS = """\
installed linux-image-6.1.0-9-amd64
installed linux-headers-6.1.0-9-amd64
installed linux-image-6.1.0-10-amd64
installed linux-image-6.1.0-21-amd64
installed linux-image-6.1.0-22-amd64
installed linux-image-6.1.0-22-amd64-dbg
config-files linux-image-6.1.0-3-amd64
installed linux-modules-6.1.0-10-amd64
installed linux-modules-6.1.0-22-amd64
"""


class Host:
    """Programs in a folder that stands before all others in PATH."""

    def __init__(self, folder):
        self.folder = folder
        self.program("systemd-run", f'echo "$@" >> {folder}/asked')

    def program(self, name, text):
        path = self.folder / name
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)

    def run(self, script, *arguments):
        environment = {"PATH": f"{self.folder}:/usr/bin:/bin", "LC_ALL": "C.UTF-8"}
        argv = [DOCS / "examples" / script, *arguments]
        return subprocess.run(argv, env=environment, capture_output=True, text=True, timeout=60, check=False)

    def asked(self):
        """Return what systemd was asked to run."""
        path = self.folder / "asked"
        lines = path.read_text().splitlines() if path.exists() else []
        return [re.sub(r"^(--?\S+ )*(-- )?", "", line) for line in lines]


@pytest.fixture
def host(tmp_path):
    return Host(tmp_path)


@pytest.fixture
def debian(host):
    def running(kernel, packages=KERNELS):
        (host.folder / "packages").write_text(packages)
        host.program("uname", f"echo {kernel}")
        host.program("dpkg-query", f"cat {host.folder}/packages; exit 1")  # as it does where a pattern fits nothing
        return host

    return running


def test_kernels_that_are_neither_running_nor_the_newest_are_purged_with_what_belongs_to_them(debian):
    host = debian("6.1.0-21-amd64")
    done = host.run("purge-old-kernels.sh")
    assert done.returncode == 0, done.stderr
    old = (
        "linux-image-6.1.0-9-amd64 linux-headers-6.1.0-9-amd64 linux-image-6.1.0-10-amd64 linux-modules-6.1.0-10-amd64"
    )
    assert host.asked() == [f"apt-get --yes purge -- {old}"]
    assert done.stdout == f"purging {old}\n"


@pytest.mark.parametrize(
    ("kernel", "packages"),
    [
        ("6.1.0-22-amd64", "installed linux-image-6.1.0-22-amd64\n"),
        ("6.1.0-21-amd64", "installed linux-image-6.1.0-21-amd64\ninstalled linux-image-6.1.0-22-amd64\n"),
        ("6.9.1-own", "installed linux-image-6.1.0-22-amd64\n"),
        ("6.9.1-own", ""),
    ],
)
def test_the_running_kernel_and_the_newest_stay(debian, kernel, packages):
    host = debian(kernel, packages)
    done = host.run("purge-old-kernels.sh")
    assert (done.returncode, host.asked()) == (0, [])
    assert "nothing to purge" in done.stdout


@pytest.fixture
def mounted(host):
    """A mount of /etc/fstab that answers once it has been mounted again."""
    host.program("findmnt", '[ "$4" = -- ] && [ "$5" = /srv/data ] && echo /srv/data')
    host.program("stat", f'grep --quiet "mount -- /srv/data" {host.folder}/asked')
    return host


def test_a_mount_that_does_not_answer_is_taken_away_and_mounted_again(mounted):
    done = mounted.run("drop-stale-mount.sh", "/srv/data")
    assert done.returncode == 0, done.stderr
    assert mounted.asked() == ["umount --force --lazy -- /srv/data", "mount -- /srv/data"]


def test_a_mount_that_answers_is_left_alone(mounted):
    mounted.program("stat", "exit 0")
    assert mounted.run("drop-stale-mount.sh", "/srv/data").returncode == 0
    assert mounted.asked() == []


def test_a_mount_that_hangs_counts_as_one_that_does_not_answer(mounted):
    mounted.program("timeout", "exit 137")
    assert mounted.run("drop-stale-mount.sh", "/srv/data").returncode != 0
    assert len(mounted.asked()) == 2


def test_what_could_not_be_mounted_again_is_left_alone(mounted):
    done = mounted.run("drop-stale-mount.sh", "/srv/other")
    assert (done.returncode, mounted.asked()) == (1, [])
    assert "does not stand in /etc/fstab" in done.stdout


def test_the_configuration_in_the_docs_is_one_that_check_finds_nothing_in(tmp_path):
    page = (DOCS / "scripts.md").read_text()
    (text,) = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    scripts = tmp_path / "scripts"
    scripts.mkdir()
    for script in (DOCS / "examples").iterdir():
        (scripts / script.name).write_bytes(script.read_bytes())
        (scripts / script.name).chmod(0o755)
    (tmp_path / "a.toml").write_text(text.replace("/etc/paramedic/scripts", str(scripts)))
    config = load(tmp_path / "a.toml", {})
    rules, _ = rulefiles.load(config.rules)
    assert findings(config, rules, shipped()) == []
    assert set(re.findall(r"examples/([\w-]+\.sh)", page)) == {each.name for each in scripts.iterdir()}
