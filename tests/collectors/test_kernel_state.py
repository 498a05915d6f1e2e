"""Collectors of processes, interrupts, scheduling, randomness and the clock, on the captured host."""

import errno
import os
import resource

import psutil
import pytest

from collectors import entropy, interrupts, kernel_hung, process_self, processes_summary, schedstat, timex
from collectors.spec import NotAvailableError


@pytest.fixture
def proc(host):
    return host / "proc"


def test_time_on_each_cpu_is_in_seconds(proc, values):
    samples = list(schedstat.collect(schedstat.SchedstatOptions(procfs=proc)))
    assert len(samples) == 2 * 3
    assert values(samples, cpu="0") == {
        "node_schedstat_running_seconds_total": 5,
        "node_schedstat_waiting_seconds_total": 1.5,
        "node_schedstat_timeslices_total": 77,
    }


def test_a_kernel_without_the_statistics_says_so(tmp_path):
    with pytest.raises(NotAvailableError, match="schedstat"):
        list(schedstat.collect(schedstat.SchedstatOptions(procfs=tmp_path)))
    with pytest.raises(NotAvailableError, match="hung_task_detect_count"):
        list(kernel_hung.collect(kernel_hung.KernelHungOptions(procfs=tmp_path)))


def test_randomness_and_hung_tasks(proc, values):
    assert values(entropy.collect(entropy.EntropyOptions(procfs=proc))) == {
        "node_entropy_available_bits": 256,
        "node_entropy_pool_size_bits": 256,
    }
    assert values(kernel_hung.collect(kernel_hung.KernelHungOptions(procfs=proc))) == {
        "node_kernel_hung_tasks_total": 2
    }


def test_interrupts_by_cpu_with_chip_and_devices(proc):
    samples = list(interrupts.collect(interrupts.InterruptsOptions(procfs=proc)))
    assert {sample.labels: sample.value for sample in samples if ("cpu", "1") in sample.labels} == {
        (("cpu", "1"), ("devices", "1-edge i8042"), ("info", "IO-APIC"), ("type", "1")): 105,
        (
            ("cpu", "1"),
            ("devices", "0-edge virtio0, virtio1"),
            ("info", "PCI-MSIX-0000:00:01.0"),
            ("type", "24"),
        ): 9,
        (("cpu", "1"), ("info", "Non-maskable interrupts"), ("type", "NMI")): 5,
    }
    assert len(samples) == 2 * 3


def test_interrupts_are_dear_and_off_unless_asked_for():
    assert not interrupts.SPEC.enabled


def test_processes_threads_and_states(proc, values):
    samples = list(processes_summary.collect(processes_summary.ProcessesSummaryOptions(procfs=proc)))
    assert {dict(sample.labels)["state"]: sample.value for sample in samples if sample.labels} == {"S": 1, "I": 1}
    assert {name: value for name, value in values(samples).items() if not name.endswith("_state")} == {
        "node_processes_pids": 2,
        "node_processes_threads": 4,
        "node_processes_max_processes": 32768,
        "node_processes_max_threads": 15000,
    }


def test_the_running_hosts_processes_agree_with_psutil(values):
    found = values(processes_summary.collect(processes_summary.ProcessesSummaryOptions()))
    assert found["node_processes_pids"] == pytest.approx(len(psutil.pids()), abs=20)
    assert found["node_processes_threads"] >= found["node_processes_pids"]


def test_what_the_daemon_itself_uses(proc, values):
    assert values(process_self.collect(process_self.ProcessSelfOptions(procfs=proc))) == {
        "process_cpu_seconds_total": 200 / process_self.TICKS_PER_SECOND,
        "process_virtual_memory_bytes": 104857600,
        "process_virtual_memory_max_bytes": process_self.UNLIMITED,
        "process_resident_memory_bytes": 512 * process_self.PAGE_BYTES,
        "process_start_time_seconds": 1_700_000_000 + 200 / process_self.TICKS_PER_SECOND,
        "process_open_fds": 3,
        "process_max_fds": 1024,
    }


def test_the_running_process_agrees_with_psutil(values):
    found = values(process_self.collect(process_self.ProcessSelfOptions()))
    me = psutil.Process()
    assert found["process_open_fds"] == pytest.approx(me.num_fds(), abs=3)
    assert found["process_max_fds"] == resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    assert found["process_start_time_seconds"] == pytest.approx(me.create_time(), abs=2)
    assert found["process_cpu_seconds_total"] == pytest.approx(sum(os.times()[:2]), abs=1)


def test_the_clock_is_told_in_seconds(values):
    found = values(timex.collect(timex.TimexOptions()))
    assert len(found) == len(timex.SPEC.metrics)
    assert found["node_timex_tick_seconds"] == pytest.approx(0.01, rel=0.2)
    assert found["node_timex_frequency_adjustment_ratio"] == pytest.approx(1, abs=0.01)
    assert found["node_timex_sync_status"] in {0, 1}
    assert 0 <= found["node_timex_maxerror_seconds"] <= 16.1
    assert abs(found["node_timex_offset_seconds"]) < 1


def test_a_sandbox_that_guards_the_clock_is_told_apart_from_a_fault():
    assert isinstance(timex._refused(errno.EPERM), NotAvailableError)
    assert not isinstance(timex._refused(errno.EFAULT), NotAvailableError)
