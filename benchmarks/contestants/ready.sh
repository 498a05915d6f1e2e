#!/bin/sh
# ready.sh URL FILE: makes FILE once URL answers 200; gives up after a minute.
for _ in $(seq 300); do
  if python3 -c 'import sys, urllib.request; urllib.request.urlopen(sys.argv[1], timeout=1)' "$1" 2>/dev/null; then
    touch "$2"
    exit 0
  fi
  sleep 0.2
done
exit 1
