"""Facts about the machine, its quiet, cold starts and the model alone."""

import os

import pytest

from bench.cold_start import read_memory, start_cold
from bench.engine_time import encode_exactly, time_engines
from bench.machine import judge_int8, read_machine, read_quota
from bench.quiet import CpuTimes, QuietWatch, read_cpu_times
from service.errors import PatsumError
from service.inference.bundle import Bundle


def test_facts_of_this_machine_are_read():
    machine = read_machine()
    assert machine.cpu
    assert 1 <= machine.usable_cpus <= os.cpu_count()
    assert machine.memory_bytes > 2**27
    assert machine.quota_cpus is None or machine.quota_cpus > 0
    assert machine.kernel.startswith("Linux ")


def test_machine_without_these_files_is_described_all_the_same(tmp_path):
    machine = read_machine(tmp_path)
    assert (machine.cpu, machine.quota_cpus, machine.governor) == ("unknown", None, None)
    assert machine.int8.startswith("not known")


@pytest.mark.parametrize(
    ("files", "quota"),
    [
        ({"cpu.max": "150000 100000\n"}, 1.5),
        ({"cpu.max": "max 100000\n"}, None),
        ({"cpu/cpu.cfs_quota_us": "50000", "cpu/cpu.cfs_period_us": "100000"}, 0.5),
        ({"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, None),
        ({}, None),
    ],
)
def test_quota_of_both_cgroup_versions_is_read(tmp_path, files, quota):
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content)
    assert read_quota(tmp_path) == quota


@pytest.mark.parametrize(
    ("flags", "verdict"),
    [
        (["avx2", "avx512_vnni"], "int8 should pay: avx512_vnni"),
        (["avx_vnni", "avx2"], "int8 should pay: avx_vnni"),
        (["asimd", "asimddp"], "int8 should pay: asimddp"),
        (["avx", "avx2"], "int8 may pay little: AVX2 without VNNI"),
        ([], "not known"),
    ],
)
def test_int8_is_judged_by_the_flags(flags, verdict):
    assert judge_int8(flags).startswith(verdict)


def test_counters_of_the_kernel_are_read(tmp_path):
    stat = tmp_path / "stat"
    stat.write_text("cpu  100 0 50 800 30 5 5 10 0 0\ncpu0 1 2 3\n")
    times = read_cpu_times(stat)
    second = os.sysconf("SC_CLK_TCK")
    assert times.busy_s == 160 / second
    assert times.steal_s == 10 / second
    assert times.total_s == 1000 / second


def test_machine_without_counters_is_not_called_quiet(monkeypatch):
    monkeypatch.setattr("bench.quiet.read_cpu_times", lambda: None)
    quiet = QuietWatch(is_alone=True, sample_s=0).finish()
    assert not quiet.is_quiet
    assert quiet.reasons == ["not known: the kernel's counters cannot be read"]


@pytest.mark.parametrize(
    ("busy_s", "own_s", "steal_s", "reasons"),
    [
        (50, 49, 0, []),
        (50, 30, 0, ["other processes took during the run: 20 %"]),
        (50, 50, 3, ["the hypervisor took during the run: 3 %"]),
    ],
)
def test_time_of_others_is_what_is_not_our_own(monkeypatch, busy_s, own_s, steal_s, reasons):
    idle = [CpuTimes(0, 0, total_s, 0) for total_s in (0, 10)]
    after = [CpuTimes(busy_s, steal_s, 110, own_s), *(CpuTimes(0, 0, t, 0) for t in (0, 10))]
    states = iter([*idle, idle[1], *after])
    monkeypatch.setattr("bench.quiet.read_cpu_times", lambda: next(states))
    quiet = QuietWatch(is_alone=True, sample_s=0).finish()
    assert quiet.reasons == reasons
    assert quiet.is_quiet == (not reasons)


def test_busy_machine_is_not_called_quiet(monkeypatch):
    states = iter([CpuTimes(0, 0, 0, 0), CpuTimes(8, 0, 10, 0)] + [CpuTimes(8, 0, 10, 0)] * 4)
    monkeypatch.setattr("bench.quiet.read_cpu_times", lambda: next(states))
    quiet = QuietWatch(is_alone=False, sample_s=0).finish()
    assert quiet.reasons == ["busy before the run: 80 %"]
    assert quiet.others is None


def test_memory_of_this_process_is_read():
    rss_bytes, pss_bytes = read_memory(os.getpid())
    assert rss_bytes > 2**24
    assert pss_bytes is None or 0 < pss_bytes <= 1.05 * rss_bytes


def test_memory_of_no_process_is_told(tmp_path):
    with pytest.raises(PatsumError, match="cold starts need Linux"):
        read_memory(1, tmp_path)


def test_process_that_does_not_start_is_told_with_its_last_words(tmp_path):
    with pytest.raises(PatsumError, match=r"it last said: .*expected the manifest of a bundle"):
        start_cold(tmp_path, threads=1)


@pytest.mark.parametrize("n_tokens", [3, 128, 511, 1000])
def test_model_gets_exactly_so_many_tokens(tiny_bundle, n_tokens):
    encoded = encode_exactly(Bundle(tiny_bundle), n_tokens, seed=0)
    assert encoded.token_ids.shape == encoded.sentence_ids.shape == (n_tokens,)
    assert encoded.sentence_ids.tolist() == sorted(encoded.sentence_ids)
    assert set(encoded.sentence_ids.tolist()) == set(range(encoded.n_encoded))
    assert len(encoded.spans) == encoded.n_encoded


def test_models_are_timed_in_turns(tiny_bundle):
    bundle = Bundle(tiny_bundle)
    runs = []
    times = time_engines([bundle, bundle], (16, 64), 7, 1, 0, lambda: runs.append(1))
    assert [(time.n_tokens, time.n_runs) for time in times] == [(16, 7), (16, 7), (64, 7), (64, 7)]
    assert len(runs) == 28
    assert all(time.median_s.estimate > 0 for time in times)
