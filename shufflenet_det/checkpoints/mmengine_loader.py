"""Importing this module lets all of MMEngine read checkpoints as we do, in the whole process.

For a project without `ProtectionHook`, `custom_imports = dict(imports=[...])` with this module, or
an import before `mmdet.apis.init_detector`. Nothing in this package imports it.
"""

from mmengine.runner import CheckpointLoader

from .download import URL_TABLES
from .models import read_mmengine


@CheckpointLoader.register_scheme(prefixes=['', 'http://', 'https://', *URL_TABLES], force=True)
def load_from_verified_file(filename: str, map_location: object = None) -> dict:
    """Read on the CPU, whatever ``map_location`` is: a model takes its weights from there.

    Raises:
        ValueError, OSError: As ``models.read_mmengine``.
    """
    return read_mmengine(filename)
