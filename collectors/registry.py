"""Every collector there is. A host that acts on itself runs what is listed here and nothing that it finds."""

from collectors import (
    cpu,
    diskstats,
    filefd,
    filesystem,
    loadavg,
    meminfo,
    netdev,
    pressure,
    probe_http,
    probe_tcp,
    processes,
    scrape,
    stat,
    systemd_units,
    textfile,
    time,
    uname,
    vmstat,
)
from collectors.spec import Spec
from collectors.watch import journal
from collectors.watch import pressure as pressure_events

SPECS: tuple[Spec, ...] = (
    cpu.SPEC,
    diskstats.SPEC,
    filefd.SPEC,
    filesystem.SPEC,
    journal.SPEC,
    loadavg.SPEC,
    meminfo.SPEC,
    netdev.SPEC,
    pressure.SPEC,
    pressure_events.SPEC,
    probe_http.SPEC,
    probe_tcp.SPEC,
    processes.SPEC,
    scrape.SPEC,
    stat.SPEC,
    systemd_units.SPEC,
    textfile.SPEC,
    time.SPEC,
    uname.SPEC,
    vmstat.SPEC,
)
