"""Collectors of sensors, frequencies, power, memory errors and disk arrays, on the captured host."""

import pytest

from collectors import cpufreq, edac, hwmon, mdadm, powersupply, sysfs, thermal_zone
from collectors.spec import CollectError, NotAvailableError


def test_sensors_have_the_unit_of_their_kind(host, values):
    samples = list(hwmon.collect(hwmon.HwmonOptions(sysfs=host / "sys")))
    assert values(samples, sensor="curr1") == {"node_hwmon_curr_amps": 2.5}
    assert values(samples, sensor="energy1") == {"node_hwmon_energy_joule_total": 3}
    assert values(samples, sensor="intrusion0") == {"node_hwmon_intrusion_alarm": 1}
    assert values(samples, sensor="humidity1") == {"node_hwmon_humidity": 45}
    assert values(samples, sensor="temp1") == {
        "node_hwmon_sensor_label": 1,
        "node_hwmon_temp_celsius": 41.5,
        "node_hwmon_temp_max_celsius": 80,
        "node_hwmon_temp_crit_celsius": 100,
        "node_hwmon_temp_crit_hyst_celsius": 95,
        "node_hwmon_temp_crit_alarm_celsius": 0,
        "node_hwmon_temp_alarm": 1,
        "node_hwmon_temp_type": 4,
    }
    assert values(samples, sensor="fan2") == {
        "node_hwmon_fan_rpm": 980,
        "node_hwmon_fan_min_rpm": 300,
        "node_hwmon_fan_alarm": 0,
    }
    assert values(samples, sensor="in0") == {"node_hwmon_in_volts": 1.048, "node_hwmon_in_beep_enabled": 0}
    assert values(samples, sensor="pwm1") == {"node_hwmon_pwm": 128, "node_hwmon_pwm_enable": 5}
    assert values(samples, sensor="power1") == {"node_hwmon_power_watt": 65, "node_hwmon_power_accuracy": 0.005}
    assert values(samples, sensor="mclk") == {"node_hwmon_freq_freq_mhz": 300}


def test_a_sensor_that_tells_nothing_now_is_left_out(host, values):
    assert values(hwmon.collect(hwmon.HwmonOptions(sysfs=host / "sys")), sensor="temp2") == {}


def chip(folder, number, device, name):
    """A chip as the kernel shows it: a folder below its device, linked from /sys/class/hwmon."""
    home = folder / "devices" / device / "hwmon" / f"hwmon{number}"
    home.mkdir(parents=True)
    (home / "device").symlink_to("../..")
    (home / "name").write_text(f"{name}\n")
    (home / "temp1_input").write_text("30000\n")
    (folder / "class/hwmon").mkdir(parents=True, exist_ok=True)
    (folder / "class/hwmon" / home.name).symlink_to(home)


def test_chips_are_named_by_bus_and_device_and_by_driver_where_that_is_not_enough(tmp_path):
    chip(tmp_path, 0, "platform/coretemp.0", "coretemp")
    chip(tmp_path, 1, "pci0000:00/nvme/nvme0", "nvme")
    chip(tmp_path, 2, "ieee80211/phy0", "mt7996_phy0_0")
    chip(tmp_path, 3, "ieee80211/phy0", "mt7996_phy0_1")
    samples = [*hwmon.collect(hwmon.HwmonOptions(sysfs=tmp_path))]
    assert {
        dict(sample.labels)["chip"]: dict(sample.labels)["chip_name"]
        for sample in samples
        if sample.name == hwmon.CHIP_NAMES.name
    } == {
        "platform_coretemp_0": "coretemp",
        "nvme_nvme0": "nvme",
        "ieee80211_phy0_mt7996_phy0_0": "mt7996_phy0_0",
        "ieee80211_phy0_mt7996_phy0_1": "mt7996_phy0_1",
    }
    chosen = hwmon.collect(hwmon.HwmonOptions(sysfs=tmp_path, chip_exclude="^(ieee|nvme)"))
    assert {dict(sample.labels)["chip"] for sample in chosen} == {"platform_coretemp_0"}


def test_a_power_meter_tells_its_interval_in_seconds(tmp_path, values):
    chip(tmp_path, 0, "platform/meter.0", "acpi_power")
    (tmp_path / "class/hwmon/hwmon0/power1_average_interval").write_text("1500\n")
    samples = [*hwmon.collect(hwmon.HwmonOptions(sysfs=tmp_path))]
    assert values(samples, sensor="power1") == {"node_hwmon_power_average_interval_seconds": 1.5}
    assert {sample.name for sample in samples} <= {metric.name for metric in hwmon.SPEC.metrics}


def test_frequencies_are_in_hertz_and_a_cpu_without_is_left_out(host, values):
    samples = list(cpufreq.collect(cpufreq.CpufreqOptions(sysfs=host / "sys")))
    assert len(samples) == 3
    assert values(samples, cpu="0") == {
        "node_cpu_scaling_frequency_hertz": 1.2e9,
        "node_cpu_scaling_frequency_min_hertz": 0.8e9,
        "node_cpu_scaling_frequency_max_hertz": 3.6e9,
    }


def test_a_host_without_the_hardware_says_so(tmp_path):
    (tmp_path / "devices/system/cpu/cpu0").mkdir(parents=True)
    for module, options in (
        (cpufreq, cpufreq.CpufreqOptions(sysfs=tmp_path)),
        (hwmon, hwmon.HwmonOptions(sysfs=tmp_path)),
        (thermal_zone, thermal_zone.ThermalZoneOptions(sysfs=tmp_path)),
        (powersupply, powersupply.PowersupplyOptions(sysfs=tmp_path)),
        (edac, edac.EdacOptions(sysfs=tmp_path)),
        (mdadm, mdadm.MdadmOptions(procfs=tmp_path)),
    ):
        with pytest.raises(NotAvailableError, match=str(tmp_path)):
            list(module.collect(options))


def test_zones_and_what_cools_them(host):
    samples = thermal_zone.collect(thermal_zone.ThermalZoneOptions(sysfs=host / "sys"))
    assert {(sample.name, *sample.labels): sample.value for sample in samples} == {
        ("node_thermal_zone_temp", ("type", "x86_pkg_temp"), ("zone", "0")): 47.5,
        ("node_cooling_device_cur_state", ("name", "2"), ("type", "Fan")): 1,
        ("node_cooling_device_max_state", ("name", "2"), ("type", "Fan")): 4,
    }


def test_memory_errors_by_controller(host, values):
    samples = list(edac.collect(edac.EdacOptions(sysfs=host / "sys")))
    assert {sample.labels for sample in samples} == {(("controller", "0"),)}
    assert values(samples) == {"node_edac_correctable_errors_total": 3, "node_edac_uncorrectable_errors_total": 1}


def test_mains_and_battery(host, values):
    samples = list(powersupply.collect(powersupply.PowersupplyOptions(sysfs=host / "sys")))
    assert values(samples, power_supply="AC") == {"node_power_supply_online": 1}
    assert values(samples, power_supply="BAT0") == {"node_power_supply_present": 1, "node_power_supply_capacity": 64}


def test_an_attribute_that_is_no_number_is_a_fault(tmp_path):
    supply = tmp_path / "class/power_supply/AC"
    supply.mkdir(parents=True)
    (supply / "online").write_text("maybe\n")
    with pytest.raises(CollectError, match="'maybe' is no number"):
        list(powersupply.collect(powersupply.PowersupplyOptions(sysfs=tmp_path)))


def test_a_folder_that_is_none_is_a_fault(tmp_path):
    (tmp_path / "class").write_text("")
    with pytest.raises(CollectError, match="cannot read"):
        sysfs.folders(tmp_path / "class")


@pytest.fixture
def array(host, values):
    """Return a function that gives the disks, the required disks, the state and the blocks in order of an array."""
    samples = list(mdadm.collect(mdadm.MdadmOptions(procfs=host / "proc")))

    def of(device):
        disks = {state: values(samples, device=device, state=state) for state in ("active", "failed", "spare")}
        found = values(samples, device=device)
        states = [
            dict(sample.labels)["state"]
            for sample in samples
            if sample.name == mdadm.STATE.name and ("device", device) in sample.labels and sample.value
        ]
        return (
            tuple(disk["node_md_disks"] for disk in disks.values()),
            found["node_md_disks_required"],
            states,
            (found["node_md_blocks_synced"], found["node_md_blocks"]),
        )

    return of


def test_an_array_that_lost_a_disk_recovers(array):
    assert array("md0") == ((1, 1, 1), 2, ["recovering"], (85, 1000))


def test_an_array_without_redundancy_needs_all_its_disks(array):
    assert array("md1") == ((2, 0, 0), 2, ["active"], (2000, 2000))


def test_an_array_that_was_not_started_has_no_disks_at_work(array):
    assert array("md2") == ((0, 0, 1), 0, ["inactive"], (3000, 3000))


def test_an_array_that_waits_for_its_resync_has_nothing_in_order(array):
    assert array("md3") == ((2, 0, 0), 2, ["resync"], (0, 4000))


def test_an_array_without_blocks_is_a_fault(tmp_path):
    (tmp_path / "mdstat").write_text("md0 : active raid1 sda1[0]\n")
    with pytest.raises(CollectError, match=r"cannot make sense of .*mdstat"):
        list(mdadm.collect(mdadm.MdadmOptions(procfs=tmp_path)))
