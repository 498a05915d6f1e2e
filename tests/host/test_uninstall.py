"""`paramedic uninstall` on a real host: everybody is told, nothing that gives privilege is left, the record stays."""

from tests.host.helped import ACTIONS, SOCKET, Helped
from tests.host.patient import PARAMEDIC

STATE = "/var/lib/paramedic"


def exists(host: Helped, path: str) -> bool:
    return any(host.machine.outcome("test", what, path).returncode == 0 for what in ("-e", "-L"))


def test_uninstalling_leaves_nothing_but_the_record_and_installing_again_goes_on_from_there(host: Helped):
    host.machine.write(f"{ACTIONS}/own.toml", 'argv = ["/usr/bin/true"]\n')
    host.machine.run("systemctl", "enable", "--now", "paramedic-drill@all.timer")
    said = host.machine.run(PARAMEDIC, "uninstall")
    assert "end alerts, take retained topics away, comment open tickets: " in said
    for path in (
        SOCKET,
        "/usr/lib/paramedic/exec-helper.pyz",
        "/etc/systemd/system/paramedic.service",
        "/etc/systemd/system/paramedic-exec.socket",
        "/etc/systemd/system/paramedic-exec.service",
        "/etc/systemd/system/paramedic-drill@.service",
        "/etc/systemd/system/paramedic-drill@.timer",
        "/etc/systemd/system/timers.target.wants/paramedic-drill@all.timer",
        f"{ACTIONS}/restart_unit.toml",
    ):
        assert not exists(host, path), path
    assert exists(host, f"{ACTIONS}/own.toml")
    assert exists(host, STATE)
    assert host.machine.show("paramedic.service", "LoadState") == "not-found"
    assert host.machine.outcome("pgrep", "-f", "paramedic run").returncode

    host.machine.run("rm", f"{ACTIONS}/own.toml")
    host.machine.run(PARAMEDIC, "install", timeout=120)
    host.await_running(0)
    assert host.client.get("status")["stopped"] == ""
    assert host.machine.run(PARAMEDIC, "install").count("write") == 0


def test_it_does_not_go_without_a_word_unless_told_to(host: Helped):
    host.machine.run("systemctl", "stop", "paramedic")
    done = host.machine.outcome(PARAMEDIC, "uninstall")
    assert done.returncode == 1
    assert "--silent" in done.stdout
    assert exists(host, "/etc/systemd/system/paramedic.service")
    host.machine.run(PARAMEDIC, "uninstall", "--silent", "--purge")
    assert not exists(host, STATE)
    assert not exists(host, "/var/lib/paramedic-exec")
    assert exists(host, "/etc/paramedic/paramedic.toml")
    host.machine.run(PARAMEDIC, "install", timeout=120)
    host.await_running(0)
