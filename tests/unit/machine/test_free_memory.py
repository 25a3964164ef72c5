"""The least of all limits counts: the machine's memory, the control group's in both versions, and the process's own."""

import resource
from types import SimpleNamespace

import pytest

from ftbench.machine import free_memory

GB = 10**9


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine with 64 GB free, no limits, and control groups below tmp_path; `member(line)` puts this process into one."""
    monkeypatch.setattr(free_memory.psutil, "virtual_memory", lambda: SimpleNamespace(available=64 * GB))
    monkeypatch.setattr(free_memory.resource, "getrlimit", lambda which: (resource.RLIM_INFINITY,) * 2)
    monkeypatch.setattr(free_memory, "CGROUP", tmp_path / "groups")
    monkeypatch.setattr(free_memory, "MEMBERSHIP", tmp_path / "self")
    (tmp_path / "groups").mkdir()
    (tmp_path / "self").write_text("")
    return SimpleNamespace(groups=tmp_path / "groups", member=(tmp_path / "self").write_text)


def group(folder, **files):
    folder.mkdir(parents=True, exist_ok=True)
    for name, value in files.items():
        (folder / name.replace("__", ".")).write_text(f"{value}\n")


def test_without_limits_it_is_the_machines(machine):
    assert free_memory.free_memory() == 64 * GB


def test_the_least_limit_on_the_way_up_counts_in_version_2(machine):
    machine.member("0::/slurm/job1/step0\n")
    group(machine.groups / "slurm/job1/step0", memory__max="max", memory__current=GB)
    group(
        machine.groups / "slurm/job1",
        memory__max=4 * GB,
        memory__current=3 * GB,
        memory__stat=f"anon 1\ninactive_file {GB // 2}",
    )
    group(machine.groups / "slurm", memory__max=32 * GB, memory__current=3 * GB)
    assert free_memory.free_memory() == 1.5 * GB


def test_a_container_sees_its_group_at_the_top(machine):
    machine.member("0::/kubepods/pod7/abc\n")
    group(machine.groups, memory__max=2 * GB, memory__current=GB)
    assert free_memory.free_memory() == GB


def test_version_1_counts_as_well(machine):
    machine.member("5:cpu,cpuacct:/x\n4:memory:/job\n")
    group(machine.groups / "memory/job", memory__limit_in_bytes=2 * GB, memory__usage_in_bytes=GB // 2)
    assert free_memory.free_memory() == 1.5 * GB


@pytest.mark.parametrize("which", [resource.RLIMIT_AS, resource.RLIMIT_DATA])
def test_the_processs_own_limits_count(machine, monkeypatch, which):
    memory = SimpleNamespace(rss=GB, vms=3 * GB, data=2 * GB)
    monkeypatch.setattr(free_memory.psutil, "Process", lambda: SimpleNamespace(memory_info=lambda: memory))
    limits = {which: (4 * GB, 4 * GB)}
    monkeypatch.setattr(
        free_memory.resource, "getrlimit", lambda asked: limits.get(asked, (resource.RLIM_INFINITY,) * 2)
    )
    assert free_memory.free_memory() == (GB if which == resource.RLIMIT_AS else 2 * GB)


def test_a_group_that_is_over_its_limit_leaves_nothing(machine):
    machine.member("0::/\n")
    group(machine.groups, memory__max=GB, memory__current=2 * GB)
    assert free_memory.free_memory() == 0
