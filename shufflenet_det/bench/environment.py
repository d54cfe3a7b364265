"""Where a number comes from, and the JSON files that numbers are kept in."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from collections.abc import Sequence
from dataclasses import asdict, is_dataclass
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

from shufflenet_det.checkpoints.atomic import replace_file

from .threads import wait_policy

PACKAGES = (
    'torch', 'torchvision', 'mmdet', 'mmengine', 'mmcv', 'mmcv-lite', 'onnxruntime', 'openvino',
)  # fmt: skip


def environment(
    device: str = 'cpu',
    dtype: str = 'float32',
    batch: int | None = None,
    size: Sequence[int] | None = None,
) -> dict:
    """What a measurement depends on: machine, threads, versions, commit, date and setting.

    Args:
        device: Torch device that is measured on.
        dtype: Name of the torch dtype of inputs and weights.
        batch: Images per call; None where a run has several.
        size: (H, W) of the input; None where a run has several.
    """
    return dict(
        device=device_name(device),
        cpus=os.cpu_count(),
        instructions=_instructions(device, dtype),
        threads=torch.get_num_threads(),
        wait=wait_policy(),
        dtype=dtype,
        batch=batch,
        size=None if size is None else list(size),
        python=platform.python_version(),
        versions=_versions(),
        commit=_commit(),
        date=datetime.now(timezone.utc).isoformat(timespec='seconds'),
    )


def device_name(device: str) -> str:
    """The name on the chip, e.g. ``Intel(R) Xeon(R) Processor @ 2.80GHz``."""
    if torch.device(device).type == 'cuda':
        return torch.cuda.get_device_name(device)
    cpuinfo = Path('/proc/cpuinfo')
    lines = cpuinfo.read_text(encoding='utf-8').splitlines() if cpuinfo.exists() else []
    names = [line.partition(':')[2].strip() for line in lines if line.startswith('model name')]
    return names[0] if names else platform.processor() or platform.machine()


def _instructions(device: str, dtype: str) -> str | None:
    """The widest instructions that torch uses on a CPU, such as AVX2; on a GPU, TF32 or not."""
    if torch.device(device).type == 'cpu':
        return torch.backends.cpu.get_cpu_capability()
    return 'TF32 convs' if dtype == 'float32' and torch.backends.cudnn.allow_tf32 else None


def _versions() -> dict[str, str]:
    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _commit() -> str | None:
    """Commit of the source tree, with ``-dirty`` where it has changes; None outside of git."""
    command = ['git', 'describe', '--always', '--dirty', '--abbrev=12', '--exclude=*']
    try:
        found = subprocess.run(
            command, cwd=Path(__file__).parent, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return found.stdout.strip()


def write_result(path: str | Path | None, kind: str, env: dict, **content: object) -> dict:
    """Write one measurement as JSON in one step; an interrupted run leaves the old file.

    Args:
        path: The file; its folder is made. None writes nothing.
        kind: What the result holds, which says how it is shown (``views.VIEWS``).
        env: From :func:`environment`.
        content: Anything that JSON or dataclasses can say.

    Returns:
        The result as it is read back.
    """
    text = json.dumps(dict(kind=kind, environment=env, **content), indent=1, default=_plain)
    if path is not None:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, text + '\n')
    return json.loads(text)


def _plain(value: object) -> object:
    if is_dataclass(value):
        return asdict(value)
    raise TypeError(f'{type(value).__name__} has no place in a result file')


def earlier_result(path: Path | None, kind: str) -> dict:
    """The result that a run goes on with; empty where there is none.

    Raises:
        ValueError: If the file is something else, which would be lost.
    """
    if path is None or not path.is_file():
        return {}
    try:
        result = json.loads(path.read_text(encoding='utf-8'))
    except ValueError:
        result = None
    found = result.get('kind') if isinstance(result, dict) else None
    if found != kind:
        held = f'a result of kind {found!r}' if found else 'no result'
        raise ValueError(f'{path}: holds {held}, not of kind {kind!r}; choose another --out')
    return result


def read_results(folder: str | Path) -> dict[str, dict]:
    """The results of a folder by the names of their files, without ``.json``.

    Raises:
        FileNotFoundError: If the folder has none.
        ValueError: If a file holds no JSON object.
    """
    results = {}
    for path in sorted(Path(folder).glob('*.json')):
        try:
            result = json.loads(path.read_text(encoding='utf-8'))
        except ValueError as error:
            raise ValueError(f'{path} is not JSON ({error}); measure again or delete it') from error
        if not isinstance(result, dict):
            raise ValueError(f'{path} holds a {type(result).__name__}; a result is a JSON object')
        results[path.stem] = result
    if not results:
        raise FileNotFoundError(f'{folder} holds no result (*.json); run tools/latency.py first')
    return results
