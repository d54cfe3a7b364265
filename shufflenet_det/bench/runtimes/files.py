"""A detector's files for every runtime; what formats share is made once."""

from __future__ import annotations

import hashlib
from pathlib import Path

from shufflenet_det.bench.photos.split import Split
from shufflenet_det.checkpoints.atomic import replace_file
from shufflenet_det.deploy.exporting import graph_key, graph_of
from shufflenet_det.deploy.predict import MMDetPredictor
from shufflenet_det.deploy.request import Request
from shufflenet_det.training.launch import load_config
from shufflenet_det.training.own_photos import Run

from .plan import Case, Target


class Exports:
    """Writes files of one detector.

    Args:
        config, checkpoint: Of the detector.
        folder: Where the files go; one that is there and whole is not written again.
    """

    def __init__(self, config: Path, checkpoint: Path, folder: Path) -> None:
        self.config, self.checkpoint, self.folder = str(config), str(checkpoint), folder
        digest = hashlib.sha256(checkpoint.read_bytes()).hexdigest()[:12]
        self.stem = f'{config.stem}.{digest}'
        self.graphs: dict[object, object] = {}

    def file(self, target: Target, case: Case, root: Path) -> Path:
        """The file for a target.

        Raises:
            ValueError, ImportError: As ``deploy.exporting.export``.
        """
        images = Split(root, case.data, 'train').paths if target.precision == 'int8' else []
        request = Request(target.runtime, target.precision, calibration=images)
        path = self.folder / f'{self.stem}.{target.precision}{request.format.suffix}'
        if not path.is_file():
            content = request.format.load_writer()(self.graph(request), request)
            self.folder.mkdir(parents=True, exist_ok=True)
            replace_file(path, content)
        return path

    def graph(self, request: Request) -> object:
        """What a file is made of; requests that agree in it share one."""
        key = graph_key(request) if request.format.whole else request.precision
        if key not in self.graphs:
            model = MMDetPredictor(self.config, self.checkpoint, 'cpu').model
            cfg = load_config(self.config, run=Run.after(self.checkpoint))
            self.graphs[key] = graph_of(model, cfg, request)
        return self.graphs[key]
