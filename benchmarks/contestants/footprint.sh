#!/bin/sh
# paramedic as a contestant: watches the host and every service of $BENCH_SERVICES with its default packs.
set -eu
here=$(cd "$(dirname "$0")/../.." && pwd)
{
  printf '[state]\ndirectory = "%s/state"\n[web]\nlisten = "127.0.0.1:%s"\n' "$BENCH_DIR" "$BENCH_PORT"
  number=0
  for service in $BENCH_SERVICES; do
    number=$((number + 1))
    printf '[[collectors.processes.watch]]\nname = "service%s"\npidfile = "%s"\n' "$number" "${service#*=}"
  done
  [ -z "${PARAMEDIC_BENCH_MORE:-}" ] || cat "$PARAMEDIC_BENCH_MORE"
} > "$BENCH_DIR/paramedic.toml"
"$(dirname "$0")/ready.sh" "http://127.0.0.1:$BENCH_PORT/-/ready" "$BENCH_READY" &
export MALLOC_ARENA_MAX=1 # as the systemd unit has it
exec "$here/.venv/bin/paramedic" run --config "$BENCH_DIR/paramedic.toml"
