"""ONNX Runtime with its telemetry off: the only module that imports it."""

import os
from types import ModuleType

os.environ.setdefault('ORT_DISABLE_TELEMETRY', '1')  # read by 1.32 while it is imported

import onnxruntime  # noqa: E402
from onnxruntime import InferenceSession, SessionOptions  # noqa: E402

onnxruntime.disable_telemetry_events()

__all__ = ['InferenceSession', 'SessionOptions', 'quantization']


def quantization() -> ModuleType:
    """Its tools of quantisation, which need the package onnx."""
    import onnxruntime.quantization

    return onnxruntime.quantization
