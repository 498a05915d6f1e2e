#!/bin/sh
# paramedic as a contestant: watches one process, starts it again with $SERVICE_START. Guards on, with limits wide
# enough for a kill every few seconds; no settling.
set -eu
here=$(cd "$(dirname "$0")/../.." && pwd)
cat > "$BENCH_DIR/paramedic.toml" <<TOML
[state]
directory = "$BENCH_DIR/state"
[web]
listen = "127.0.0.1:$BENCH_PORT"
[incidents]
settle = "0s"
[guards]
actions_per_hour = 10000
operator_idle = "0s"
[[collectors.processes.watch]]
name = "service"
pidfile = "$SERVICE_PIDFILE"
[[remediations]]
name = "restart-service"
match = ['alertname="ProcessDown"', 'name="service"']
mode = "auto"
steps = [{ action = "restart_command", argv = ["$SERVICE_START"], timeout = "30s" }]
verify = { hold = "1s", timeout = "2m" }
limits = { attempts = 10000, runs = 10000, cooldown = "0s" }
TOML
"$(dirname "$0")/ready.sh" "http://127.0.0.1:$BENCH_PORT/-/ready" "$BENCH_READY" &
exec "$here/.venv/bin/paramedic" run --config "$BENCH_DIR/paramedic.toml"
