"""What is run in a cell: import, build, one training step, predict, export, detect; prints JSON."""

import contextlib
import io
import json
import platform
import tempfile
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

CONFIG = 'shufflenet_det::demo/lighthead_snv2_demo.py'
EXPORTS = (2, 14)
"""The first torch that the extra "deploy" takes."""

COLUMNS = {
    'torch': ('torch',), 'torchvision': ('torchvision',), 'numpy': ('numpy',),
    'setuptools': ('setuptools',), 'mmengine': ('onedl-mmengine', 'mmengine'),
    'mmdet': ('onedl-mmdetection', 'mmdet'), 'mmcv': ('onedl-mmcv', 'mmcv', 'mmcv-lite'),
}  # fmt: skip
"""Column -> distributions that may bring it."""

VERSIONS = ('python', *COLUMNS, 'pkg_resources')


class NotOffered(Exception):
    """A step is not for this version, as setup.py says."""


def versions() -> dict[str, str | None]:
    """What is installed."""
    packages = [_version(names) for names in COLUMNS.values()]
    resources = 'yes' if find_spec('pkg_resources') else 'no'
    return dict(zip(VERSIONS, [platform.python_version(), *packages, resources], strict=True))


def _version(names: tuple[str, ...]) -> str | None:
    for name in names:
        with contextlib.suppress(PackageNotFoundError):
            return f'{name} {version(name)}' if len(names) > 1 else version(name)
    return None


def imports(_: dict) -> None:
    """The package, MMDetection's modules, and an op of a compiled mmcv or ours."""
    from mmcv.ops import nms  # noqa: F401
    from mmdet.utils import register_all_modules

    import shufflenet_det  # noqa: F401

    register_all_modules()


def builds(got: dict) -> None:
    """A small detector from its config by name."""
    from shufflenet_det.detectors.swap import read_config
    from shufflenet_det.detectors.trial import build_untrained

    got['cfg'] = read_config(CONFIG)
    got['model'] = build_untrained(got['cfg'])


def trains(got: dict) -> None:
    """One step."""
    from shufflenet_det.detectors.trial import train_one_step

    train_one_step(got['model'], got['cfg'])


def predicts(got: dict) -> None:
    """One picture."""
    from shufflenet_det.detectors.trial import predict_once

    predict_once(got['model'], got['cfg'])


def exports(got: dict) -> None:
    """To ONNX."""
    import torch

    if tuple(map(int, torch.__version__.split('.')[:2])) < EXPORTS:
        raise NotOffered(f'not offered below torch {".".join(map(str, EXPORTS))}')
    from shufflenet_det.deploy.onnx_export import save_onnx, to_onnx

    got['model'].dataset_meta = dict(classes=[str(number) for number in range(8)])
    got['onnx'] = Path(tempfile.mkdtemp()) / 'small.onnx'
    save_onnx(to_onnx(got['model'].eval(), got['cfg']), got['onnx'])


def detects(got: dict) -> None:
    """With the file, without torch."""
    import numpy as np

    from shufflenet_det.deploy.runtime import Detector

    Detector(got['onnx'])(np.zeros((96, 128, 3), np.uint8))


STEPS = (imports, builds, trains, predicts, exports, detects)
"""In order; each needs those before it."""


def main() -> None:
    """Run the steps up to the first that fails, and print what came of it."""
    passed, cause, failed = [], '', False
    got = {}
    for step in STEPS:
        name = step.__name__
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                step(got)
        except NotOffered as error:
            cause = f'{name}: {error}'
            break
        except Exception as error:
            cause = f'{name}: ' + ' '.join(f'{type(error).__name__}: {error}'.split())[:300]
            failed = True
            break
        passed.append(name)
    print(json.dumps(dict(versions=versions(), passed=passed, cause=cause, failed=failed)))


if __name__ == '__main__':
    main()
