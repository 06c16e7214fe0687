"""The machine: what it is, what its processor can do, and how to say so."""

import os
import platform
from collections.abc import Collection
from pathlib import Path

from bench.conditions import Machine
from service.api.info import read_cpu

_FAST_INT8 = ("avx512_vnni", "avx_vnni", "amx_int8", "i8mm", "asimddp")


def read_machine(root: Path = Path("/")) -> Machine:
    """Describe the machine, as far as the kernel lets us.

    Args:
        root: folder that holds proc/ and sys/.
    """
    cpu = read_cpu(root / "proc/cpuinfo")
    return Machine(
        cpu=cpu.model,
        architecture=cpu.architecture,
        usable_cpus=cpu.usable_cpus,
        quota_cpus=read_quota(root / "sys/fs/cgroup"),
        governor=_read(root / "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        flags=cpu.features,
        int8=judge_int8(cpu.features),
        memory_bytes=_read_memory(root / "proc/meminfo"),
        kernel=f"{platform.system()} {platform.release()}",
    )


def judge_int8(flags: Collection[str]) -> str:
    """Say in plain words whether int8 should pay on a processor with these flags."""
    fast = [flag for flag in _FAST_INT8 if flag in flags]
    if fast:
        return f"int8 should pay: {', '.join(fast)} multiply 8-bit numbers in hardware"
    if "avx2" in flags:
        return "int8 may pay little: AVX2 without VNNI; measure it with --compare"
    return "not known: none of the flags that we know; measure it with --compare"


def read_quota(cgroup: Path) -> float | None:
    """Read the CPU limit of this cgroup, version 2 or 1.

    Args:
        cgroup: where the file system is mounted; in a container its root is the own group.

    Returns:
        How many CPUs' time may be used; None where there is no limit.
    """
    limit = (_read(cgroup / "cpu.max") or "").split()
    if len(limit) == 2 and limit[0].isdigit():
        return int(limit[0]) / int(limit[1])
    quota = _read(cgroup / "cpu/cpu.cfs_quota_us")
    period = _read(cgroup / "cpu/cpu.cfs_period_us")
    if quota and period and quota.isdigit() and period.isdigit():  # -1 is no limit
        return int(quota) / int(period)
    return None


def read_load() -> float | None:
    """Read the load average of the last minute; None where the system keeps none."""
    try:
        return os.getloadavg()[0]
    except OSError:
        return None


def _read(path: Path) -> str | None:
    try:
        return path.read_text().strip()
    except OSError:
        return None


def _read_memory(path: Path) -> int | None:
    for line in (_read(path) or "").splitlines():
        if line.startswith("MemTotal:"):
            return int(line.split()[1]) * 1024
    return None
