"""Memory that can be had: the least of what machine, container and process allow."""

import resource
import subprocess
import sys

import pytest

from prover.memory import available_bytes

GIB = 1 << 30


@pytest.fixture
def root(tmp_path):
    write(tmp_path, "proc/meminfo", f"MemTotal: {8 << 20} kB\nMemAvailable: {4 << 20} kB\n")
    write(tmp_path, "proc/self/status", f"VmSize: {1 << 20} kB\n")
    return tmp_path


def write(root, name, text):
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_text(text)


def test_without_limits_it_is_what_the_machine_has(root):
    assert available_bytes(root) == 4 * GIB


def test_a_system_that_does_not_say_gives_none(tmp_path):
    assert available_bytes(tmp_path) is None


def test_a_container_of_version_2_limits_it_and_its_file_cache_does_not_count(root):
    write(root, "proc/self/cgroup", "0::/\n")
    write(root, "sys/fs/cgroup/memory.max", f"{3 * GIB}\n")
    write(root, "sys/fs/cgroup/memory.current", f"{2 * GIB}\n")
    write(root, "sys/fs/cgroup/memory.stat", f"anon {GIB}\ninactive_file {GIB}\n")
    assert available_bytes(root) == 2 * GIB
    write(root, "sys/fs/cgroup/memory.max", "max\n")
    assert available_bytes(root) == 4 * GIB


def test_a_group_of_version_1_is_held_to_those_around_it(root):
    write(root, "proc/self/cgroup", "9:name=systemd:/\n4:cpu,memory:/outer/inner\n0::/\n")
    for group, limit in (("outer/inner", 1 << 62), ("outer", 2 * GIB)):
        write(root, f"sys/fs/cgroup/memory/{group}/memory.limit_in_bytes", f"{limit}\n")
        write(root, f"sys/fs/cgroup/memory/{group}/memory.usage_in_bytes", f"{GIB}\n")
    assert available_bytes(root) == GIB


def test_a_process_has_no_more_than_its_address_space(root, monkeypatch):
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (3 * GIB, 3 * GIB))
    assert available_bytes(root) == 2 * GIB
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (GIB >> 1, GIB))
    assert available_bytes(root) == 0


def test_a_process_finds_its_own_limit():
    code = (
        "import resource; from prover.memory import available_bytes as free;"
        f"resource.setrlimit(resource.RLIMIT_AS, ({GIB}, {GIB})); print(free())"
    )
    found = int(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True).stdout)
    assert 0 < found < GIB
