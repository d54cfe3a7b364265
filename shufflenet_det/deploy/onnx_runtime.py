"""ONNX Runtime with its telemetry off: the only module that imports it."""

import os
from collections.abc import Sequence
from types import ModuleType

os.environ.setdefault('ORT_DISABLE_TELEMETRY', '1')  # read by 1.32 while it is imported

import onnxruntime  # noqa: E402
from onnxruntime import InferenceSession, SessionOptions  # noqa: E402

onnxruntime.disable_telemetry_events()

__all__ = ['InferenceSession', 'SessionOptions', 'check_providers', 'quantization']


def check_providers(names: Sequence[str]) -> None:
    """Refuse names that ONNX Runtime does not have, and those that are all of other machines.

    Raises:
        ValueError: Naming those that there are.
    """
    known, here = onnxruntime.get_all_providers(), onnxruntime.get_available_providers()
    if unknown := [name for name in names if name not in known]:
        raise ValueError(f'providers has {unknown[0]!r}, allowed are {", ".join(known)}')
    if not set(names) & set(here):
        raise ValueError(
            f'providers is {list(names)}, installed are {", ".join(here)}: install the build of '
            'ONNX Runtime that has yours, e.g. onnxruntime-gpu'
        )


def quantization() -> ModuleType:
    """Its tools of quantisation, which need the package onnx."""
    import onnxruntime.quantization

    return onnxruntime.quantization
