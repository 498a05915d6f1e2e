#!/bin/sh
# The same with every event source and input in use: journal, watched files, a Nagios plugin, MQTT. The broker is
# nobody's cost: it leaves the process tree, and ends by itself after a quarter of an hour.
set -eu
broker=$((BENCH_PORT + 1))
mkdir -p "$BENCH_DIR/journal"
# A folder without a journal of this boot: --merge does not ask for one.
printf '#!/bin/sh\nexec journalctl --merge "$@"\n' > "$BENCH_DIR/journalctl"
chmod +x "$BENCH_DIR/journalctl"
printf 'listener %s 127.0.0.1\nallow_anonymous true\n' "$broker" > "$BENCH_DIR/mosquitto.conf"
setsid --fork timeout 900 mosquitto -c "$BENCH_DIR/mosquitto.conf" 2> /dev/null
cat > "$BENCH_DIR/more.toml" <<END
[collectors.journal]
directory = "$BENCH_DIR/journal"
program = "$BENCH_DIR/journalctl"
patterns = [{ name = "lost", match = "connection .* lost" }]
[collectors.files]
watch = [{ name = "passwd", path = "/etc/passwd" }, { name = "cron", path = "/etc/cron.d" }]
[collectors.nagios]
checks = [{ name = "load", argv = ["/bin/sh", "-c", "echo 'OK | load=0.1'"] }]
[mqtt]
host = "127.0.0.1"
port = $broker
[[mqtt.subscriptions]]
topic = "sensors/{room}/{kind}"
metric = "sensor_value"
END
export PARAMEDIC_BENCH_MORE="$BENCH_DIR/more.toml"
exec "$(dirname "$0")/footprint.sh"
