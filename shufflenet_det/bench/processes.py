"""A measurement repeated in fresh processes, whose memory lies elsewhere each time."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from .intervals import share_between
from .timing import summarise


def run_processes(count: int, plots: bool = False) -> dict:
    """Run this tool so many times, as it was called, and merge the results.

    Args:
        count: Processes, one after the other.
        plots: Whether it was asked for a chart, which is then drawn of the merged result only.

    Raises:
        ValueError: If a process fails, whose message stands above.
    """
    results = []
    with tempfile.TemporaryDirectory() as folder:
        for number in range(count):
            out = Path(folder, f'{number}.json')
            command = [sys.executable, *sys.orig_argv[1:], '--processes', '1', '--out', str(out)]
            if plots:
                command += ['--plot', str(Path(folder, 'unused.svg'))]
            print(f'process {number + 1} of {count} ...', flush=True)
            done = subprocess.run(command, stdout=subprocess.DEVNULL)
            if done.returncode:
                raise ValueError(f'process {number + 1} of {count} ended with {done.returncode}')
            results.append(json.loads(out.read_text(encoding='utf-8')))
    return merge_results(results)


def merge_results(results: Sequence[Mapping]) -> dict:
    """One result out of those of equal runs; it says that it is busy if one of them was."""
    merged = _merge(results)
    machines = [result['environment'].get('machine', {}) for result in results]
    busy = sorted({machine['busy'] for machine in machines if machine.get('busy')})
    last = machines[-1]
    machine = dict(machines[0], end=last.get('end'), busy='; '.join(busy) or None)
    merged['environment'] |= dict(machine=machine, processes=len(results))
    return merged


def _merge(values: Sequence) -> object:
    """Timings are joined wherever they stand; everything else is that of the first run."""
    first = values[0]
    if isinstance(first, Mapping):
        if 'turns_ms' in first:
            return _merge_timings(values)
        return {key: _merge([value[key] for value in values]) for key in first}
    if isinstance(first, list):
        return [_merge(items) for items in zip(*values, strict=True)]
    return first


def _merge_timings(timings: Sequence[Mapping]) -> dict:
    """A Timing of all turns, with the turns of each process and the share of variance between."""
    first = timings[0]
    turns, cpu = (
        [turn for timing in timings for turn in timing[key]] for key in ('turns_ms', 'cpu_turns_ms')
    )
    joules = [timing['joules'] for timing in timings]
    mean = None if None in joules else sum(joules) / len(joules)
    whole = summarise(
        first['name'], turns, first['calls'], first['images'], first['peak_memory_bytes'], cpu, mean
    )
    return asdict(whole) | dict(
        process_turns=[timing['n'] for timing in timings],
        between_processes=share_between([timing['turns_ms'] for timing in timings]),
    )
