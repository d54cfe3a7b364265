"""Sessions of ONNX Runtime on the CPU, with the threads that a tool was given."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from .threads import wait_policy

if TYPE_CHECKING:
    from shufflenet_det.deploy.onnx_runtime import InferenceSession


def onnx_session(model: nn.Module, example: Tensor) -> Callable[[Tensor], object]:
    """Export to ONNX, with the example's shape, and run it on the CPU."""
    logging.getLogger('torch.onnx').setLevel(logging.ERROR)
    file = io.BytesIO()
    torch.onnx.export(model, (example,), file, dynamo=False, input_names=['x'])
    session = cpu_session(file.getvalue())
    return lambda x: session.run(None, {'x': x.numpy()})


def cpu_session(model: bytes) -> InferenceSession:
    """A session of ONNX Runtime with as many threads as torch has.

    Its threads stop spinning after each run: forms are timed in turn, and the spinning threads of
    one would take the cores of the next.
    """
    from shufflenet_det.deploy.onnx_runtime import InferenceSession, SessionOptions

    options = SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.add_session_config_entry('session.force_spinning_stop', '1')
    spins = '0' if wait_policy() == 'passive' else '1'
    options.add_session_config_entry('session.intra_op.allow_spinning', spins)
    return InferenceSession(model, options, ['CPUExecutionProvider'])
