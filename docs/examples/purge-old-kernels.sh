#!/bin/sh
# Purges the packages of kernels that are neither the running nor the newest one. For Debian and Ubuntu, with one flavour.
# systemd does it, outside of the sandbox in which paramedic's helper runs this script.
set -eu

running=$(uname -r)
installed=$(dpkg-query --show --showformat='${db:Status-Status} ${Package}\n' \
    'linux-image-[0-9]*' 'linux-modules-[0-9]*' 'linux-modules-extra-[0-9]*' 'linux-headers-[0-9]*' 2>/dev/null |
    sed -n 's/^installed //p')
versions=$(printf '%s\n' "$installed" | sed -n '/-dbg$/d;/-unsigned$/d;s/^linux-image-//p' | sort --version-sort)
newest=$(printf '%s\n' "$versions" | tail -n 1)

old=
for version in $versions; do
    if [ "$version" = "$running" ] || [ "$version" = "$newest" ]; then continue; fi
    for part in image modules modules-extra headers; do
        if printf '%s\n' "$installed" | grep --quiet --line-regexp --fixed-strings "linux-$part-$version"; then
            old="$old linux-$part-$version"
        fi
    done
done

if [ -z "$old" ]; then
    echo "no kernel but the running one ($running) and the newest ($newest): nothing to purge"
    exit 0
fi
echo "purging$old"
# The names are dpkg's own: they hold no spaces.
exec systemd-run --quiet --wait --collect --pipe --setenv=DEBIAN_FRONTEND=noninteractive \
    apt-get --yes purge -- $old
