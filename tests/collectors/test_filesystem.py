"""Mounts are targets of their own, filtered as node_exporter does."""

import os

import pytest

from collectors.filesystem import FilesystemOptions, collect, outcome, targets
from collectors.spec import CollectError, Outcome


@pytest.fixture
def options(host):
    return FilesystemOptions(procfs=host / "proc", rootfs=host / "root")


def test_kernel_filesystems_containers_and_automounts_are_left_out(options):
    assert list(targets(options)) == ["/", "/srv/media", "/srv/gone", "/srv/two words"]


def test_a_mount_is_read_under_the_hosts_root(options, host, values):
    samples = list(collect(options, "/srv/media"))
    usage = os.statvfs(host / "root/srv/media")
    assert set(samples[0].labels) == {("device", "/dev/sda1"), ("fstype", "xfs"), ("mountpoint", "/srv/media")}
    assert values(samples) == {
        "node_filesystem_size_bytes": usage.f_blocks * usage.f_frsize,
        "node_filesystem_free_bytes": pytest.approx(usage.f_bfree * usage.f_frsize, rel=0.1),
        "node_filesystem_avail_bytes": pytest.approx(usage.f_bavail * usage.f_frsize, rel=0.1),
        "node_filesystem_files": usage.f_files,
        "node_filesystem_files_free": pytest.approx(usage.f_ffree, rel=0.1),
        "node_filesystem_readonly": 1,
        "node_filesystem_device_error": 0,
    }


def test_a_filesystem_that_does_not_answer_is_an_error_of_the_device(options, values):
    samples = list(collect(options, "/srv/gone"))
    assert values(samples) == {"node_filesystem_device_error": 1, "node_filesystem_readonly": 0}
    assert dict(samples[0].labels)["device_error"] == "No such file or directory"


def ended(*, succeeded):
    return Outcome(succeeded=succeeded, seconds=5.0, samples=0)


def test_a_mount_whose_run_was_given_up_is_an_error_of_the_device(options, values):
    samples = list(outcome(options, "/srv/media", ended(succeeded=False)))
    assert values(samples) == {"node_filesystem_device_error": 1, "node_filesystem_readonly": 1}
    assert dict(samples[0].labels)["device_error"] == "mountpoint timeout"
    assert list(samples[0].labels) == sorted(samples[0].labels)


def test_of_a_mount_that_answered_or_is_no_more_there_is_nothing_to_say(options, tmp_path):
    assert list(outcome(options, "/srv/media", ended(succeeded=True))) == []
    assert list(outcome(options, "/srv/left", ended(succeeded=False))) == []
    assert list(outcome(FilesystemOptions(procfs=tmp_path), "/srv/media", ended(succeeded=False))) == []


def test_read_only_counts_for_the_mount_and_for_the_filesystem_below(options, values):
    assert values(collect(options, "/"))["node_filesystem_readonly"] == 0
    assert values(collect(options, "/srv/two words"))["node_filesystem_readonly"] == 1


def test_of_mounts_on_top_of_each_other_the_upper_one_counts(tmp_path):
    (tmp_path / "1").mkdir()
    (tmp_path / "1/mountinfo").write_text(
        "26 22 8:1 / /srv rw - xfs /dev/sda1 rw\n27 22 8:2 / /srv rw - ext4 /dev/sdb1 rw\n"
    )
    options = FilesystemOptions(procfs=tmp_path)
    assert list(targets(options)) == ["/srv"]
    assert ("device", "/dev/sdb1") in next(iter(collect(options, "/srv"))).labels


@pytest.mark.parametrize("odd", ["\v", "\f", "\x1c", "\x85", "\u2028", "\r"])
def test_a_mount_point_that_anybody_may_choose_hides_no_other(tmp_path, odd):
    (tmp_path / "1").mkdir()
    lines = f"22 1 8:1 / / rw shared:1 - ext4 /dev/sda1 rw\n23 22 0:40 / /home/x{odd}y rw - fuse.sshfs h: rw\n"
    (tmp_path / "1/mountinfo").write_text(lines, newline="")
    assert list(targets(FilesystemOptions(procfs=tmp_path))) == ["/", f"/home/x{odd}y"]


def test_without_leave_to_see_process_1_its_own_mounts_are_read(tmp_path):
    (tmp_path / "self").mkdir()
    (tmp_path / "self/mountinfo").write_text("22 1 8:1 / / rw shared:1 - ext4 /dev/sda1 rw\n")
    assert list(targets(FilesystemOptions(procfs=tmp_path))) == ["/"]


def test_a_mount_that_went_between_listing_and_reading_is_a_fault(options):
    with pytest.raises(CollectError, match="/srv/left is not mounted any more"):
        list(collect(options, "/srv/left"))


def test_mount_points_and_types_can_be_chosen(host):
    options = FilesystemOptions(procfs=host / "proc", mount_points_include="^/srv/", fs_types_exclude="ext4|autofs")
    assert list(targets(options)) == ["/srv/media", "/srv/gone"]


def test_the_running_hosts_root_is_there(values):
    options = FilesystemOptions(fs_types_exclude="^proc$", mount_points_exclude="")
    assert "/" in targets(options)
    assert values(collect(options, "/"))["node_filesystem_size_bytes"] > 0
