"""Whether the machine was quiet: how busy it was before and after, and who else ran meanwhile."""

import os
import time
from dataclasses import dataclass
from pathlib import Path

from bench.conditions import Quiet
from bench.machine import read_load

MAX_BUSY = 0.05
MAX_STEAL = 0.01
SAMPLE_S = 1.0


@dataclass(frozen=True)
class CpuTimes:
    """What all processors together have done since the start, in seconds.

    Attributes:
        busy_s: worked, for whomever.
        steal_s: wanted to work while the hypervisor let others.
        total_s: busy, idle and stolen.
        own_s: worked for this process and its ended children.
    """

    busy_s: float
    steal_s: float
    total_s: float
    own_s: float


def read_cpu_times(stat: Path = Path("/proc/stat")) -> CpuTimes | None:
    """Read the kernel's counters; None where there are none."""
    try:
        fields = [float(field) for field in stat.read_text().splitlines()[0].split()[1:9]]
    except (OSError, ValueError, IndexError):
        return None
    user, nice, system, idle, iowait, irq, softirq, steal = (
        field / os.sysconf("SC_CLK_TCK") for field in fields
    )
    busy_s = user + nice + system + irq + softirq
    own = os.times()
    return CpuTimes(
        busy_s=busy_s,
        steal_s=steal,
        total_s=busy_s + idle + iowait + steal,
        own_s=own.user + own.system + own.children_user + own.children_system,
    )


class QuietWatch:
    """Watches the machine from its making to `finish`.

    Args:
        is_alone: all the work of the run is done by this process and its children; else other
            processes' time cannot be told from the target's.
        sample_s: how long to look before and after, in seconds.
    """

    def __init__(self, is_alone: bool, sample_s: float = SAMPLE_S) -> None:
        self._is_alone = is_alone
        self._sample_s = sample_s
        self._load_before = read_load()
        self._busy_before = sample_busy(sample_s)
        self._times_before = read_cpu_times()

    def finish(self) -> Quiet:
        """Look again, and judge."""
        times_after = read_cpu_times()
        others, steal = self._share_of_others(times_after)
        busy_after = sample_busy(self._sample_s)
        reasons = [
            f"{name} {100 * share:.0f} %"
            for name, share, limit in (
                ("busy before the run:", self._busy_before, MAX_BUSY),
                ("busy after the run:", busy_after, MAX_BUSY),
                ("other processes took during the run:", others, MAX_BUSY),
                ("the hypervisor took during the run:", steal, MAX_STEAL),
            )
            if share is not None and share > limit
        ]
        if self._busy_before is None:
            reasons.append("not known: the kernel's counters cannot be read")
        return Quiet(
            is_quiet=not reasons,
            reasons=reasons,
            load_before=self._load_before,
            load_after=read_load(),
            busy_before=self._busy_before,
            busy_after=busy_after,
            others=others,
            steal=steal,
        )

    def _share_of_others(self, after: CpuTimes | None) -> tuple[float | None, float | None]:
        before = self._times_before
        if before is None or after is None or after.total_s <= before.total_s:
            return None, None
        total_s = after.total_s - before.total_s
        steal = (after.steal_s - before.steal_s) / total_s
        if not self._is_alone:
            return None, steal
        others_s = (after.busy_s - before.busy_s) - (after.own_s - before.own_s)
        return max(0.0, others_s) / total_s, steal


def sample_busy(sample_s: float) -> float | None:
    """Look for a moment how busy the processors are, this process asleep; 0 to 1, or None."""
    before = read_cpu_times()
    time.sleep(sample_s)
    after = read_cpu_times()
    if before is None or after is None or after.total_s <= before.total_s:
        return None
    return (after.busy_s - before.busy_s) / (after.total_s - before.total_s)
