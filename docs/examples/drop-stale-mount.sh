#!/bin/sh
# Takes a mount that does not answer away and mounts it again. Its argument is a mount point that /etc/fstab knows.
# systemd does it: the sandbox in which paramedic's helper runs this script has mounts of its own.
set -eu

mountpoint=${1:?which mount point?}

answers() { timeout --signal=KILL 5 stat --file-system -- "$mountpoint" >/dev/null 2>&1; }
outside() { systemd-run --quiet --wait --collect --pipe --property=TimeoutStartSec=30 --service-type=oneshot -- "$@"; }

if answers; then
    echo "$mountpoint answers: nothing to do"
    exit 0
fi
if ! findmnt --fstab --noheadings --output=TARGET -- "$mountpoint"; then
    echo "$mountpoint does not stand in /etc/fstab: it could not be mounted again"
    exit 1
fi
outside umount --force --lazy -- "$mountpoint"
outside mount -- "$mountpoint"
answers
