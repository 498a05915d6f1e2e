#!/bin/sh
# paramedic as a contestant: scrapes $BENCH_TARGETS and evaluates $BENCH_RULES, nothing else. Alerts are kept and
# durable, but none becomes an incident: Prometheus has none to be compared with.
set -eu
here=$(cd "$(dirname "$0")/../.." && pwd)
for name in $(sed -n 's/^# \[collectors\.\(.*\)\]$//p; s/^\[collectors\.\(.*\)\]$/\1/p' "$here/config.example.toml"); do
  [ "$name" = scrape ] || off="${off-}[collectors.$name]
enabled = false
"
done
cat > "$BENCH_DIR/paramedic.toml" <<TOML
[state]
directory = "$BENCH_DIR/state"
history = "${BENCH_HISTORY:-5m}"
[web]
listen = "127.0.0.1:$BENCH_PORT"
[rules]
packs = []
files = ["$BENCH_RULES"]
interval = "${BENCH_INTERVAL}s"
[incidents]
match = ['severity="nobody"']
[drill]
enabled = false
$off
[collectors.scrape]
interval = "${BENCH_SCRAPE}s"
$(for target in $BENCH_TARGETS; do
  printf '[[collectors.scrape.targets]]\njob = "%s"\nurl = "http://%s/metrics"\n' "${target%%=*}" "${target#*=}"
done)
TOML
"$(dirname "$0")/ready.sh" "http://127.0.0.1:$BENCH_PORT/-/ready" "${BENCH_READY:-/dev/null}" &
export MALLOC_ARENA_MAX=1 # as the systemd unit has it
exec "$here/.venv/bin/paramedic" run --config "$BENCH_DIR/paramedic.toml"
