"""OpenCV 5's own engine of graphs; its number of threads is one for the whole process."""

from __future__ import annotations

import threading

import cv2
import numpy as np
from numpy import ndarray

from ..archive import Archive
from ..contract import check_content

ONNX = 'model.onnx'
NAMES = ('boxes', 'scores', 'labels')


class OpencvEngine:
    """An ONNX graph in OpenCV."""

    def __init__(self, archive: Archive, num_threads: int) -> None:
        content = archive.files[ONNX]
        check_content(content)
        if not hasattr(cv2.dnn, 'ENGINE_NEW'):
            raise ImportError(f'OpenCV {cv2.__version__} is installed, 5 is needed')
        if num_threads:
            cv2.setNumThreads(num_threads)
        self.net = cv2.dnn.readNetFromONNX(
            np.frombuffer(content, np.uint8), engine=cv2.dnn.ENGINE_NEW
        )
        self.lock = threading.Lock()

    def __call__(self, images: ndarray) -> list[ndarray]:
        with self.lock:
            self.net.setInput(images, 'images')
            return [value.copy() for value in self.net.forward(NAMES)]
