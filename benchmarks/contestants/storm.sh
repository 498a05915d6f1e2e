#!/bin/sh
# paramedic as a contestant: takes alerts by POST. They are kept and durable, but none becomes an incident: Alertmanager
# has none to be compared with. Nothing is collected and no rule is evaluated.
set -eu
here=$(cd "$(dirname "$0")/../.." && pwd)
for name in $(sed -n 's/^# \[collectors\.\(.*\)\]$//p; s/^\[collectors\.\(.*\)\]$/\1/p' "$here/config.example.toml"); do
  off="${off-}[collectors.$name]
enabled = false
"
done
cat > "$BENCH_DIR/paramedic.toml" <<TOML
[state]
directory = "$BENCH_DIR/state"
[web]
listen = "127.0.0.1:$BENCH_PORT"
open_ingest = true
[rules]
packs = []
[incidents]
match = ['severity="nobody"']
[drill]
enabled = false
$off
TOML
"$(dirname "$0")/ready.sh" "http://127.0.0.1:$BENCH_PORT/-/ready" "${BENCH_READY:-/dev/null}" &
exec "$here/.venv/bin/paramedic" run --config "$BENCH_DIR/paramedic.toml"
