"""systemd's units on a real bus, from a manager of our own: all of them at intervals, changes at once."""

import asyncio
import shutil
import subprocess
import threading

import pytest
from dbus_fast import Variant

from agent.collecting.host import Collecting, collect_once
from agent.collecting.systemd import unit_name, unit_path
from agent.telemetry import metrics
from collectors.sample import Sample
from collectors.systemd_units import SPEC
from tests.agent.collecting.fake_systemd import FakeSystemd, changed, path_of
from tests.agent.collecting.fakes import Settings

CONFIG = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>system</type><listen>unix:path={socket}</listen><auth>EXTERNAL</auth>
<policy context="default"><allow send_destination="*"/><allow receive_sender="*"/><allow own="*"/></policy>
</busconfig>"""

pytestmark = pytest.mark.skipif(shutil.which("dbus-daemon") is None, reason="dbus-daemon is not installed")


class Daemon:
    """A private bus."""

    def __init__(self, folder):
        self.address = f"unix:path={folder / 'bus'}"
        self._config = folder / "bus.conf"
        self._config.write_text(CONFIG.format(socket=folder / "bus"))

    def start(self):
        # It prints its address once it listens, and may leave the rest to its child.
        argv = ["dbus-daemon", f"--config-file={self._config}", "--nofork", "--print-address", "--nopidfile"]
        self._process = subprocess.Popen(argv, stdout=subprocess.PIPE)
        assert self._process.stdout.readline()

    def stop(self):
        self._process.kill()
        self._process.communicate()


@pytest.fixture
def daemon(tmp_path, monkeypatch):
    made = Daemon(tmp_path)
    made.start()
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", made.address)
    yield made
    made.stop()


@pytest.fixture
def systemd(daemon):
    made = FakeSystemd(daemon.address)
    made.services = {"nginx.service": ["active", 2], "ssh@1.service": ["failed", 0], "dbus.socket": ["active", 0]}
    made.start()
    yield made
    made.close()


@pytest.fixture
def phases():
    return []


@pytest.fixture
def collecting(heard, clock, schedule, phases, monkeypatch):
    monkeypatch.setattr("agent.collecting.bus.FIRST_RETRY_SECONDS", 0.05)
    made = []

    def make(*, interval=3600.0, timeout=60.0, loop=None):
        settings = {"systemd": Settings(interval=interval, timeout=timeout)}
        made.append(Collecting(settings, [SPEC], heard, clock=clock, on_phase=lambda phase: heard.keep(phases, phase)))
        made[-1].start(schedule.every, loop=loop)
        return made[-1]

    yield make
    for each in made:
        each.close()


def state(reading, unit):
    """Return the state that the reading gives the unit."""
    for sample in reading.samples:
        labels = dict(sample.labels)
        if sample.name == "node_systemd_unit_state" and labels["name"] == unit and sample.value:
            return labels["state"]
    return None


def listings(heard):
    return [reading for reading in heard.of("systemd") if reading.complete]


def changes(heard):
    return [reading for reading in heard.of("systemd") if not reading.complete]


def test_all_units_are_listed_with_what_signals_do_not_tell(collecting, systemd, heard, phases):
    made = collecting()
    assert heard.until(lambda: listings(heard))
    (listing,) = listings(heard)
    assert state(listing, "nginx.service") == "active"
    assert state(listing, "ssh@1.service") == "failed"
    assert Sample("node_systemd_service_restart_total", 2.0, (("name", "nginx.service"),)) in listing.samples
    assert Sample("node_systemd_system_running", 1.0) in listing.samples
    assert made.ready.wait(60)
    assert metrics.REGISTRY.get_sample_value("paramedic_ready") == 1
    assert phases == ["running"]


def test_a_change_is_heard_at_once_as_an_incomplete_pushed_reading(collecting, systemd, heard):
    collecting()
    assert heard.until(lambda: listings(heard))
    systemd.change("nginx.service", ActiveState="failed")
    assert heard.until(lambda: changes(heard))
    (change,) = changes(heard)
    assert (change.pushed, state(change, "nginx.service")) == (True, "failed")
    assert {dict(sample.labels)["name"] for sample in change.samples} == {"nginx.service"}
    assert dict(change.samples[0].labels)["type"] == "notify"
    systemd.change("nginx.service", NRestarts=3)
    assert heard.until(lambda: len(changes(heard)) == 2)
    restarts = [sample.value for sample in changes(heard)[-1].samples if "restart" in sample.name]
    assert restarts == [3.0]


def test_who_asks_for_fresh_data_gets_a_pushed_listing_at_once(collecting, systemd, heard):
    made = collecting(interval=3600.0)
    assert heard.until(lambda: listings(heard))
    made.refresh()
    assert heard.until(lambda: len(listings(heard)) == 2)
    assert [listing.pushed for listing in listings(heard)] == [True, True]


FAILED = {"ActiveState": Variant("s", "failed"), "SubState": Variant("s", "failed")}
RESTARTS = {"ActiveState": Variant("s", "activating"), "SubState": Variant("s", "auto-restart")}


def ended(heard, unit):
    """Return every cause that the changes gave for the end of the unit, in order, each once in a row."""
    causes = []
    for change in changes(heard):
        told = {dict(each.labels)["cause"]: each.value for each in change.samples if each.name.endswith("_ended")}
        cause = next((cause for cause, value in told.items() if value), "")
        if dict(change.samples[0].labels)["name"] == unit and causes[-1:] != [cause]:
            causes.append(cause)
    return causes


def test_a_service_that_is_stopped_by_hand_ends_at_a_request(collecting, systemd, heard):
    collecting()
    assert heard.until(lambda: listings(heard))
    job, none = Variant("(uo)", [7, f"{path_of('x')[:24]}/job/7"]), Variant("(uo)", [0, "/"])
    success = Variant("s", "success")
    systemd.tell("nginx.service", "Unit", ActiveState=Variant("s", "active"), Job=job)
    systemd.tell("nginx.service", "Service", Result=success)
    systemd.tell("nginx.service", "Unit", ActiveState=Variant("s", "deactivating"), Job=job)
    systemd.tell("nginx.service", "Service", Result=Variant("s", "timeout"))
    systemd.tell("nginx.service", "Unit", ActiveState=Variant("s", "failed"), Job=none)
    assert heard.until(lambda: [state(each, "nginx.service") for each in changes(heard)][-1:] == ["failed"])
    assert ended(heard, "nginx.service") == ["request"]


def test_what_is_to_be_known_of_an_end_is_asked_for(collecting, systemd, heard):
    systemd.more["nginx.service"] = {
        "UnitFileState": Variant("s", "enabled"),
        "TriggeredBy": Variant("as", []),
        "Type": Variant("s", "simple"),
    }
    collecting()
    assert heard.until(lambda: listings(heard))
    systemd.change("nginx.service", ActiveState="inactive")
    assert heard.until(lambda: ended(heard, "nginx.service") == ["", "exit"])


def test_a_service_that_is_failed_for_a_moment_only_is_never_said_to_be(collecting, systemd, heard):
    collecting()
    assert heard.until(lambda: listings(heard))
    failed, restarts = changed("nginx.service", "Unit", FAILED), changed("nginx.service", "Unit", RESTARTS)
    systemd.tell_all(failed, restarts)
    assert heard.until(lambda: ended(heard, "nginx.service") == ["restart"])
    assert [state(change, "nginx.service") for change in changes(heard)] == ["activating"]


def test_a_signal_that_says_nothing_new_is_no_reading(collecting, systemd, heard):
    collecting()
    assert heard.until(lambda: listings(heard))
    before = metrics.REGISTRY.get_sample_value("paramedic_watch_events_total", {"watch": "systemd"}) or 0
    systemd.tell("nginx.service", "Unit", ActiveState=Variant("s", "active"), SubState=Variant("s", "running"))
    systemd.tell("nginx.service", "Service", MainPID=Variant("u", 9))
    systemd.change("nginx.service", ActiveState="failed")
    assert heard.until(lambda: changes(heard))
    assert [state(change, "nginx.service") for change in changes(heard)] == ["failed"]
    assert metrics.REGISTRY.get_sample_value("paramedic_watch_events_total", {"watch": "systemd"}) == before + 1


def test_the_connections_of_a_socket_are_asked_for_again_when_it_is_told_of(collecting, systemd, heard):
    made = collecting(interval=3600.0)
    assert heard.until(lambda: listings(heard))
    systemd.more["dbus.socket"] = {"NAccepted": Variant("u", 9)}
    systemd.tell("dbus.socket", "Socket", Result=Variant("s", "success"))
    systemd.change("nginx.service", ActiveState="failed")
    assert heard.until(lambda: changes(heard))
    assert {dict(change.samples[0].labels)["name"] for change in changes(heard)} == {"nginx.service"}
    made.refresh()
    assert heard.until(lambda: len(listings(heard)) == 2)
    name = "node_systemd_socket_accepted_connections_total"
    assert [[each.value for each in one.samples if each.name == name] for one in listings(heard)] == [[0.0], [9.0]]


def test_what_a_signal_says_during_a_listing_is_newer_than_the_listing(collecting, systemd, heard):
    systemd.meanwhile = [changed("nginx.service", "Unit", {"ActiveState": Variant("s", "failed")})]
    collecting()
    assert heard.until(lambda: listings(heard))
    assert systemd.meanwhile == []
    assert state(listings(heard)[0], "nginx.service") == "failed"


def test_no_change_is_handed_on_before_the_first_listing(collecting, systemd, heard):
    failed = {"ActiveState": Variant("s", "failed")}
    systemd.services["late.service"] = ["failed", 0]
    systemd.unlisted = {"late.service"}
    systemd.meanwhile = [changed("nginx.service", "Unit", failed), changed("late.service", "Unit", failed)]
    collecting()
    assert heard.until(lambda: changes(heard))
    listing, change = heard.of("systemd")[:2]
    assert (listing.complete, listing.pushed, change.complete, change.pushed) == (True, True, False, True)
    assert (state(listing, "nginx.service"), state(change, "late.service")) == ("failed", "failed")


def test_a_unit_that_is_new_is_asked_for_what_its_signal_does_not_tell(collecting, systemd, heard):
    collecting()
    assert heard.until(lambda: listings(heard))
    systemd.change("new-one.service", ActiveState="activating")
    assert heard.until(lambda: changes(heard))
    assert state(changes(heard)[0], "new-one.service") == "activating"
    assert dict(changes(heard)[0].samples[0].labels)["type"] == "notify"


def test_listings_repeat_and_ask_each_service_only_once(collecting, systemd, heard):
    collecting(interval=0.05)
    assert heard.until(lambda: len(listings(heard)) >= 4)
    assert systemd.calls.count("ListUnits") >= 4
    assert [listing.pushed for listing in listings(heard)[:4]] == [True, False, False, False]
    # Two properties of two services, seven of the one that failed before, three of a socket; the rest are for the state
    # of the system.
    assert systemd.calls.count("Get") <= 4 + 7 + 3 + systemd.calls.count("ListUnits") + 1


def test_a_unit_that_is_gone_is_in_no_later_listing(collecting, systemd, heard):
    collecting(interval=0.05)
    assert heard.until(lambda: listings(heard))
    del systemd.services["ssh@1.service"]
    assert heard.until(lambda: state(listings(heard)[-1], "ssh@1.service") is None)


def test_the_end_of_the_hosts_start_and_the_beginning_of_its_stop_are_told(collecting, systemd, heard, phases):
    systemd.state = "starting"
    collecting()
    assert heard.until(lambda: listings(heard))
    assert phases == ["starting"]
    systemd.state = "degraded"
    systemd.say("StartupFinished", "tttttt", [0, 0, 0, 0, 0, 1])
    assert heard.until(lambda: phases == ["starting", "running"])
    systemd.state = "stopping"
    systemd.say("JobNew", "uos", [7, f"{path_of('x')[:24]}/job/7", "shutdown.target"])
    assert heard.until(lambda: phases[-1] == "stopping")


def test_a_lost_bus_is_a_failure_and_everything_is_told_again_when_it_is_back(collecting, systemd, daemon, heard):
    collecting()
    assert heard.until(lambda: listings(heard))
    daemon.stop()
    assert heard.until(lambda: heard.failed("systemd"))
    daemon.start()
    systemd.start()
    assert heard.until(lambda: len(listings(heard)) == 2)
    systemd.change("nginx.service", ActiveState="failed")
    assert heard.until(lambda: changes(heard))


def test_a_bus_that_stays_away_is_asked_ever_more_rarely_and_each_time_is_counted(collecting, systemd, daemon, heard):
    def counted():
        return metrics.REGISTRY.get_sample_value("paramedic_watch_reconnects_total", {"watch": "systemd"}) or 0.0

    before = counted()
    collecting()
    assert heard.until(lambda: listings(heard))
    daemon.stop()
    assert heard.until(lambda: len(heard.failed("systemd")) == 5)
    at = [failure.at for failure in heard.failed("systemd")]
    assert at[4] - at[3] >= 0.05 * 2**3
    assert counted() - before >= 4
    daemon.start()
    systemd.start()


def test_a_bus_without_systemd_turns_the_collector_off(collecting, daemon, heard, phases):
    made = collecting()
    assert made.ready.wait(60)
    (failure,) = heard.failed("systemd")
    assert "org.freedesktop.systemd1" in failure.reason
    assert phases == ["running"]
    assert not heard.until(lambda: len(heard.failed("systemd")) > 1, 0.3)


def test_a_manager_that_does_not_answer_is_a_failure_and_not_the_end(collecting, systemd, heard):
    systemd.silent = True
    collecting(timeout=0.2)
    assert heard.until(lambda: heard.failed("systemd"))
    assert heard.failed("systemd")[0].reason == "no answer on D-Bus within 0.2 s"
    systemd.silent = False
    assert heard.until(lambda: listings(heard))


def test_it_can_live_on_a_loop_that_is_there_already(collecting, systemd, heard):
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    made = collecting(loop=loop)
    assert heard.until(lambda: listings(heard))
    assert "bus" not in {each.name for each in threading.enumerate()}
    made.close()
    asyncio.run_coroutine_threadsafe(asyncio.sleep(0), loop).result(60)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(60)
    loop.close()


def test_collecting_once_lists_the_units(systemd, clock):
    said = collect_once({"systemd": Settings(timeout=60.0)}, [SPEC], clock=clock)
    assert state(said[0], "nginx.service") == "active"


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("nginx.service", "/org/freedesktop/systemd1/unit/nginx_2eservice"),
        ("getty@tty1.service", "/org/freedesktop/systemd1/unit/getty_40tty1_2eservice"),
        ("0-day_x.service", "/org/freedesktop/systemd1/unit/_30_2dday_5fx_2eservice"),
        (r"dev-a\x2db.swap", "/org/freedesktop/systemd1/unit/dev_2da_5cx2db_2eswap"),
    ],
)
def test_unit_names_and_object_paths_are_each_others_inverse(name, path):
    assert unit_path(name) == path
    assert unit_name(path) == name
