import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from paths import ROOT

from shufflenet_det.bench import machine, threads
from shufflenet_det.bench.tables import conditions

TICKS = os.sysconf('SC_CLK_TCK')
CGROUPS = {
    'v2': {
        'proc/self/cgroup': '0::/job\n',
        'sys/fs/cgroup/job/cpu.max': '150000 100000\n',
        'sys/fs/cgroup/job/cpu.stat': 'usage_usec 5\nthrottled_usec 2500000\n',
    },
    'v1': {
        'proc/self/cgroup': '4:memory:/job\n3:cpu,cpuacct:/job\n',
        'sys/fs/cgroup/cpu/cpu.cfs_quota_us': '150000\n',
        'sys/fs/cgroup/cpu/cpu.cfs_period_us': '100000\n',
        'sys/fs/cgroup/cpu/cpu.stat': 'nr_throttled 3\nthrottled_time 2500000000\n',
    },
}
IDLE = machine.MachineState(0.0, 0.0, 0.1, 0.0, 0.0, 0.0, None, None, None, None)


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def test_counters_are_read(tmp_path):
    write(tmp_path, {
        'proc/loadavg': '1.50 1.20 0.90 3/100 4711\n',
        'proc/stat': f'cpu  {TICKS} {2 * TICKS} {3 * TICKS} 9 9 {4 * TICKS} 0 {TICKS} 7 7\ncpu0\n',
        'proc/cpuinfo': 'cpu MHz\t: 2000.0\nflags\t: x\ncpu MHz\t: 3000.0\n',
        'sys/devices/system/cpu/smt/active': '1\n',
        'sys/devices/system/cpu/cpu0/cpufreq/scaling_governor': 'performance\n',
    })  # fmt: skip
    found = machine.machine_state(tmp_path)
    assert (found.load, found.busy_s, found.steal_s) == (1.5, 10, 1)
    assert (found.mhz, found.governor, found.smt) == (2500, 'performance', True)


@pytest.mark.parametrize('version', CGROUPS)
def test_quota_of_the_cgroup_is_read(version, tmp_path):
    write(tmp_path, CGROUPS[version])
    found = machine.machine_state(tmp_path)
    assert (found.quota_cpus, found.throttled_s) == (1.5, 2.5)


def test_what_is_not_there_is_none(tmp_path):
    found = machine.machine_state(tmp_path)
    assert (found.load, found.busy_s, found.quota_cpus, found.mhz, found.smt) == (None,) * 5
    assert machine.activity(found, found, 2)['busy'] is None


@pytest.mark.parametrize(
    'after, busy',
    [
        (dict(busy_s=9.0, own_s=9.0), None),
        (dict(busy_s=9.9, own_s=9.0), None),  # 4.5 % of two CPUs in 10 s
        (dict(busy_s=13.0, own_s=9.0), 'other processes took 20 % of the CPUs'),
        (dict(busy_s=9.0, own_s=9.0, steal_s=1.0), 'other guests of the host took 5 % of the CPUs'),
        (dict(throttled_s=1.5), 'the quota of the cgroup held it back for 1.5 s'),
    ],
)
def test_a_run_says_whether_the_machine_was_busy(after, busy):
    found = machine.activity(IDLE, replace(IDLE, clock_s=10.0, **after), cpus=2)
    assert found['busy'] == busy
    assert ('BUSY' in conditions(dict(machine=found))) is (busy is not None)


@pytest.mark.parametrize(
    'environment, text',
    [(dict(threads=1, wait='active'), '1 thread'), (dict(threads=2), '2 threads'),
     (dict(threads=2, wait='passive'), '2 threads with passive wait')],
)  # fmt: skip
def test_setting_says_how_threads_wait(environment, text):
    assert conditions(environment) == text


TOOL = """
import sys, torch
from shufflenet_det.bench.threads import set_threads, wait_policy
set_threads(2, sys.argv[1])
print(torch.get_num_threads(), wait_policy())
"""


@pytest.mark.parametrize('wait', threads.WAITS)
def test_a_tool_sets_threads_and_how_they_wait(wait, tmp_path):
    tool = tmp_path / 'tool.py'
    tool.write_text(TOOL)
    done = subprocess.run(
        [sys.executable, tool, wait], capture_output=True, text=True, cwd=ROOT,
        env=dict(os.environ, OMP_NUM_THREADS='1', PYTHONPATH=str(ROOT)),
    )  # fmt: skip
    assert done.stdout.split() == ['2', wait], done.stderr


def test_another_program_is_not_started_again(monkeypatch):
    monkeypatch.setattr(os, 'execve', lambda *_: pytest.fail('started again'))
    monkeypatch.setattr(sys, 'argv', ['tools/latency.py'])
    threads.set_threads(1, 'active')
    assert torch.get_num_threads() == 1
