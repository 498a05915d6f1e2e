"""Collectors that read one or two kernel files, on the captured host."""

import os
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest

from collectors import cpu, diskstats, filefd, loadavg, meminfo, netdev, pressure, stat, time, uname, vmstat
from collectors.spec import CollectError, NotAvailableError


def test_load_averages(host, values):
    assert values(loadavg.collect(loadavg.LoadOptions(procfs=host / "proc"))) == {
        "node_load1": 1.5,
        "node_load5": 0.75,
        "node_load15": 0.25,
    }


def test_cpu_seconds_are_ticks_divided_by_their_rate(host, values):
    samples = list(cpu.collect(cpu.CpuOptions(procfs=host / "proc")))
    assert values(samples, cpu="0", mode="user") == {
        "node_cpu_seconds_total": 700 / cpu.TICKS_PER_SECOND,
        "node_cpu_guest_seconds_total": 20 / cpu.TICKS_PER_SECOND,
    }
    assert values(samples, cpu="1", mode="idle") == {"node_cpu_seconds_total": 45023 / cpu.TICKS_PER_SECOND}
    assert len(samples) == 2 * (8 + 2)


def test_guests_can_be_left_out(host):
    samples = cpu.collect(cpu.CpuOptions(procfs=host / "proc", guest=False))
    assert {sample.name for sample in samples} == {"node_cpu_seconds_total"}


def cpu_line(path, idle, iowait):
    path.write_text(f"cpu  0 0 0 {idle} {iowait} 0 0 0 0 0\ncpu0 0 0 0 {idle} {iowait} 0 0 0 0 0\nintr 5\n")


def test_a_counter_that_the_kernel_corrects_by_a_tick_does_not_fall(tmp_path, values):
    options = cpu.CpuOptions(procfs=tmp_path)
    cpu_line(tmp_path / "stat", idle=90_000, iowait=500)
    before = values(cpu.collect(options), mode="iowait")
    cpu_line(tmp_path / "stat", idle=90_100, iowait=499)
    assert values(cpu.collect(options), mode="iowait") == before
    assert values(cpu.collect(options), mode="idle") == {"node_cpu_seconds_total": 90_100 / cpu.TICKS_PER_SECOND}


def test_a_cpu_that_was_offline_starts_again(tmp_path, values):
    options = cpu.CpuOptions(procfs=tmp_path)
    cpu_line(tmp_path / "stat", idle=90_000, iowait=500)
    list(cpu.collect(options))
    cpu_line(tmp_path / "stat", idle=10, iowait=0)
    assert values(cpu.collect(options), mode="idle") == {"node_cpu_seconds_total": 10 / cpu.TICKS_PER_SECOND}


def test_memory_is_in_bytes_and_parentheses_are_not_in_names(host, values):
    found = values(meminfo.collect(meminfo.MemoryOptions(procfs=host / "proc")))
    assert found["node_memory_MemTotal_bytes"] == 2048000 * 1024
    assert found["node_memory_Active_anon_bytes"] == 300000 * 1024
    assert found["node_memory_HugePages_Total"] == 4
    assert found["node_memory_FutureField_bytes"] == 10240


def test_every_line_of_the_running_kernels_meminfo_is_taken(values):
    found = values(meminfo.collect(meminfo.MemoryOptions()))
    assert found["node_memory_MemTotal_bytes"] == psutil.virtual_memory().total
    assert len(found) == len(Path("/proc/meminfo").read_text().splitlines())


def test_stat_takes_the_totals(host, values):
    assert values(stat.collect(stat.StatOptions(procfs=host / "proc"))) == {
        "node_boot_time_seconds": 1_700_000_000,
        "node_context_switches_total": 1_234_567,
        "node_forks_total": 4321,
        "node_intr_total": 987_654,
        "node_procs_blocked": 1,
        "node_procs_running": 3,
    }


def test_the_running_kernels_figures_agree_with_psutil(values):
    found = values(stat.collect(stat.StatOptions()))
    assert found["node_boot_time_seconds"] == pytest.approx(psutil.boot_time(), abs=2)
    cpus = {dict(sample.labels)["cpu"] for sample in cpu.collect(cpu.CpuOptions())}
    assert len(cpus) == psutil.cpu_count()


def test_vmstat_takes_the_fields_that_the_pattern_finds(host, values):
    assert values(vmstat.collect(vmstat.VmstatOptions(procfs=host / "proc"))) == {
        "node_vmstat_pgpgin": 4096,
        "node_vmstat_pgpgout": 8192,
        "node_vmstat_pswpin": 1,
        "node_vmstat_pswpout": 2,
        "node_vmstat_pgfault": 30000,
        "node_vmstat_pgmajfault": 40,
        "node_vmstat_oom_kill": 5,
    }
    some = vmstat.collect(vmstat.VmstatOptions(procfs=host / "proc", fields="^pgfree$"))
    assert values(some) == {"node_vmstat_pgfree": 12345}


def test_a_broken_pattern_is_refused_when_the_options_are_made():
    with pytest.raises(ValueError, match="not a regular expression"):
        vmstat.VmstatOptions(fields="(")
    with pytest.raises(ValueError, match="not a regular expression"):
        netdev.NetdevOptions(device_exclude="[")


def test_disks_are_in_bytes_and_seconds_and_partitions_are_left_out(host, values):
    samples = list(diskstats.collect(diskstats.DiskOptions(procfs=host / "proc")))
    assert {dict(sample.labels)["device"] for sample in samples} == {"vda", "sda"}
    vda = values(samples, device="vda")
    assert vda["node_disk_read_bytes_total"] == 4000 * 512
    assert vda["node_disk_read_time_seconds_total"] == 1.5
    assert vda["node_disk_io_now"] == 2
    assert vda["node_disk_flush_requests_time_seconds_total"] == 10 * 0.001
    assert vda["node_disk_discarded_sectors_total"] == 700


def test_an_old_kernel_has_no_discards_and_flushes(host, values):
    sda = values(diskstats.collect(diskstats.DiskOptions(procfs=host / "proc")), device="sda")
    assert len(sda) == 11
    assert not any("discard" in name or "flush" in name for name in sda)


def test_disks_can_be_chosen(host):
    options = diskstats.DiskOptions(procfs=host / "proc", device_include="^loop", device_exclude="")
    assert {dict(sample.labels)["device"] for sample in diskstats.collect(options)} == {"loop0"}


def test_network_devices_with_all_columns(host, values):
    samples = list(netdev.collect(netdev.NetdevOptions(procfs=host / "proc", sysfs=host / "sys")))
    assert {dict(sample.labels)["device"] for sample in samples} == {"lo", "eth0", "eth0:1"}
    eth0 = values(samples, device="eth0")
    assert eth0["node_network_receive_bytes_total"] == 123456
    assert eth0["node_network_receive_multicast_total"] == 6
    assert eth0["node_network_transmit_bytes_total"] == 654321
    assert eth0["node_network_transmit_carrier_total"] == 11
    assert eth0["node_network_transmit_compressed_total"] == 12
    assert eth0["node_network_receive_nohandler_total"] == 17
    assert "node_network_receive_nohandler_total" not in values(samples, device="lo")


def test_the_running_kernels_traffic_agrees_with_psutil(values):
    before = psutil.net_io_counters(pernic=True)["lo"]
    found = values(netdev.collect(netdev.NetdevOptions()), device="lo")
    after = psutil.net_io_counters(pernic=True)["lo"]
    assert before.bytes_recv <= found["node_network_receive_bytes_total"] <= after.bytes_recv
    assert before.packets_sent <= found["node_network_transmit_packets_total"] <= after.packets_sent


def test_pressure_is_in_seconds_and_a_missing_irq_file_is_no_fault(host, values):
    assert values(pressure.collect(pressure.PressureOptions(procfs=host / "proc"))) == {
        "node_pressure_cpu_waiting_seconds_total": 1.5,
        "node_pressure_io_waiting_seconds_total": 2.5,
        "node_pressure_io_stalled_seconds_total": 0.5,
        "node_pressure_memory_waiting_seconds_total": 3.0,
        "node_pressure_memory_stalled_seconds_total": 1.0,
    }


def test_a_kernel_without_pressure_is_told_apart_from_a_fault(tmp_path):
    with pytest.raises(NotAvailableError, match="no pressure"):
        list(pressure.collect(pressure.PressureOptions(procfs=tmp_path)))


def test_file_handles(host, values):
    assert values(filefd.collect(filefd.FilefdOptions(procfs=host / "proc"))) == {
        "node_filefd_allocated": 1216,
        "node_filefd_maximum": 9223372036854775807.0,
    }


def test_a_short_file_is_a_fault_and_no_zero(tmp_path):
    (tmp_path / "sys/fs").mkdir(parents=True)
    (tmp_path / "sys/fs/file-nr").write_text("1216\n")
    with pytest.raises(CollectError, match="cannot make sense of"):
        list(filefd.collect(filefd.FilefdOptions(procfs=tmp_path)))


def test_uname_names_host_and_kernel(host):
    (sample,) = uname.collect(uname.UnameOptions(procfs=host / "proc"))
    names = dict(sample.labels)
    assert sample.value == 1
    assert names["domainname"] == "example.org"
    assert (names["nodename"], names["release"]) == (os.uname().nodename, os.uname().release)
    assert set(names) == {"domainname", "machine", "nodename", "release", "sysname", "version"}


def test_a_host_without_a_domain_says_so(tmp_path):
    (sample,) = uname.collect(uname.UnameOptions(procfs=tmp_path))
    assert dict(sample.labels)["domainname"] == "(none)"


def test_time_is_the_wall_clock():
    before = datetime.now(UTC).timestamp()
    (sample,) = time.collect(time.TimeOptions())
    assert before <= sample.value <= datetime.now(UTC).timestamp()
