"""QoS 1 messages a second that come in over MQTT: paho alone, and paramedic through to series, against one mosquitto.

Every round runs both, one after the other. Each first subscribes; the messages are published while it is away and wait
in its persistent session, so that what is measured is how fast they are taken and not how fast they are sent.
"""

import argparse
import json
import os
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

HERE = Path(__file__).parents[1]
SECONDS = 120
MOSQUITTO = """
listener {port} 127.0.0.1
allow_anonymous true
max_queued_messages 0
persistence false
"""
PARAMEDIC = """
[state]
directory = "{folder}/state"
[web]
listen = "127.0.0.1:{web}"
[rules]
packs = []
files = ["{folder}/rules.yml"]
[drill]
enabled = false
[mqtt]
host = "127.0.0.1"
port = {port}
client_id = "paramedic"
receive_maximum = {window}
[[mqtt.subscriptions]]
topic = "in/{{device}}"
metric = "device_value"
{collectors}
"""
RULES = """
groups:
  - name: devices
    rules:
      - {{alert: DeviceHot, expr: device_value > 1e9, labels: {{severity: warning}}}}
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def running(argv, ready, log):
    with log.open("ab") as output:
        process = subprocess.Popen(argv, stdout=output, stderr=output, stdin=subprocess.DEVNULL)
    try:
        wait_for(ready, process)
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)


def wait_for(seen, process=None):
    deadline = time.monotonic() + SECONDS
    while not seen():
        if time.monotonic() > deadline or (process is not None and process.poll() is not None):
            sys.exit(f"given up waiting: {process.args[0] if process else ''}")
        time.sleep(0.1)


def listens(port):
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def connect_properties(window):
    properties = Properties(PacketTypes.CONNECT)
    properties.SessionExpiryInterval = 3600
    properties.ReceiveMaximum = window
    return properties


def client(name, **options):
    return Client(CallbackAPIVersion.VERSION2, client_id=name, protocol=MQTTProtocolVersion.MQTTv5, **options)


def publish(port, messages, topics):
    """Send everything and wait until the broker has it."""
    sender = client("sender")
    sender.max_queued_messages_set(0)
    sender.connect("127.0.0.1", port)
    sender.loop_start()
    last = None
    for number in range(messages):
        last = sender.publish(f"in/d{number % topics}", str(number), qos=1)
    last.wait_for_publish(SECONDS)
    wait_for(lambda: not sender._out_messages)  # noqa: SLF001 - there is no other way to know
    sender.disconnect()
    sender.loop_stop()


def paho_alone(port, messages, topics, window):
    """Return messages a second that paho takes and acknowledges with a callback that only counts."""
    away = client("alone")
    away.connect("127.0.0.1", port, clean_start=False, properties=connect_properties(window))
    subscribed = threading.Event()
    away.on_connect = lambda c, *_: c.subscribe("in/+", qos=1)
    away.on_subscribe = lambda *_: subscribed.set()
    away.loop_start()
    subscribed.wait(SECONDS)
    away.disconnect()
    away.loop_stop()
    publish(port, messages, topics)
    count, first, done = 0, 0.0, threading.Event()

    def on_message(_client, _data, _message):
        nonlocal count, first
        count += 1
        if count == 1:
            first = time.perf_counter()
        if count == messages:
            done.set()

    spent = time.process_time()
    taking = client("alone")
    taking.on_message = on_message
    taking.connect("127.0.0.1", port, clean_start=False, properties=connect_properties(window))
    taking.loop_start()
    if not done.wait(SECONDS):
        sys.exit(f"paho alone got {count} of {messages}")
    seconds, spent = time.perf_counter() - first, time.process_time() - spent
    cleanup = Properties(PacketTypes.DISCONNECT)
    cleanup.SessionExpiryInterval = 0
    taking.disconnect(properties=cleanup)
    taking.loop_stop()
    return messages / seconds, spent / messages * 1e6


def cpu_seconds(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def fetch(url):
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=10) as answer:
        return answer.read().decode()


def accepted(web):
    found = re.search(
        r'paramedic_mqtt_messages_total\{result="accepted"[^}]*\} (\S+)', fetch(f"http://127.0.0.1:{web}/metrics")
    )
    return float(found[1]) if found else 0.0


def in_series(web):
    query = urllib.parse.quote("sum(count_over_time(device_value[1h]))")
    result = json.loads(fetch(f"http://127.0.0.1:{web}/api/v1/query?query={query}"))["data"]["result"]
    return float(result[0]["value"][1]) if result else 0.0


def off_collectors():
    names = re.findall(r"^\[collectors\.(\w+)\]", (HERE / "config.example.toml").read_text(), re.MULTILINE)
    return "\n".join(f"[collectors.{name}]\nenabled = false" for name in names)


def through_paramedic(port, messages, topics, window, folder):
    """Return messages a second from the daemon's start of reading until the last one is acknowledged, and in series."""
    web = free_port()
    (folder / "rules.yml").write_text(RULES.replace("{{", "{").replace("}}", "}"))
    config = folder / "paramedic.toml"
    config.write_text(PARAMEDIC.format(folder=folder, web=web, port=port, window=window, collectors=off_collectors()))
    argv = [str(Path(sys.executable)), "-P", "-m", "agent.cli.main", "run", "--config", str(config)]
    log = folder / "paramedic.log"
    subscribed = lambda: "subscribed at the broker" in log.read_text()  # noqa: E731
    with running(argv, subscribed, log):
        pass
    log.write_text("")
    publish(port, messages, topics)
    begin = accepted_at = None
    with running(argv, lambda: listens(web), log) as process:
        wait_for(lambda: "paramedic_mqtt_messages" in fetch(f"http://127.0.0.1:{web}/metrics"), process)
        before, begin, spent = accepted(web), time.perf_counter(), cpu_seconds(process.pid)
        wait_for(lambda: accepted(web) >= messages, process)
        accepted_at, spent = time.perf_counter(), cpu_seconds(process.pid) - spent
        stored = in_series(web)
    return (messages - before) / (accepted_at - begin), spent / (messages - before) * 1e6, stored


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=60_000)
    parser.add_argument("--topics", type=int, default=1000)
    parser.add_argument("--window", type=int, default=100, help="receive_maximum of both")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    alone, ours = [], []
    for _ in range(options.rounds):
        with tempfile.TemporaryDirectory(prefix="paramedic-bench-") as name:
            folder, port = Path(name), free_port()
            folder.chmod(0o755)
            (folder / "mosquitto.conf").write_text(MOSQUITTO.format(port=port))
            argv = ["mosquitto", "-c", str(folder / "mosquitto.conf")]
            with running(argv, lambda port=port: listens(port), folder / "mosquitto.log"):
                rate, theirs = paho_alone(port, options.messages, options.topics, options.window)
                alone.append(rate)
                rate, mine, stored = through_paramedic(port, options.messages, options.topics, options.window, folder)
                ours.append(rate)
        print(
            f"paho alone {alone[-1]:8.0f}/s ({theirs:.0f} us CPU each)   paramedic {ours[-1]:8.0f}/s ({mine:.0f} us)"
            f"   samples in the store {stored:.0f}"
        )
    theirs, mine = statistics.median(alone), statistics.median(ours)
    print(f"median: paho alone {theirs:.0f}/s, paramedic {mine:.0f}/s, {mine / theirs:.2f} of it")


if __name__ == "__main__":
    main()
