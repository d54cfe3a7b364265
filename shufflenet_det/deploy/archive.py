"""A detector of another runtime than ONNX Runtime as one file: a zip archive, nothing compressed.

It holds the runtime's own files as they are, and MEMBER, which says what they are for. Standard
library only.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass

from .formats import ForeignFile

MAGIC = b'PK\x03\x04'
"""What such a file begins with."""
MEMBER = 'shufflenet_det.json'
VERSION = 1
FIELDS = ('version', 'runtime', 'info', 'selection')


@dataclass(frozen=True)
class Archive:
    """What stands in the file.

    Args:
        runtime: A key of ``formats.FORMATS``.
        info: `ModelInfo` as JSON.
        files: Names of the runtime's own files -> content.
        selection: What runs between and behind the graphs, see ``selection.py``; None where one
            graph does all.
    """

    runtime: str
    info: str
    files: Mapping[str, bytes]
    selection: dict | None = None

    def to_bytes(self) -> bytes:
        """The file; the same content gives the same bytes."""
        head = dict(version=VERSION, runtime=self.runtime, info=json.loads(self.info))
        head['selection'] = self.selection
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, 'w', zipfile.ZIP_STORED) as archive:
            for name, content in {MEMBER: json.dumps(head, indent=1), **self.files}.items():
                archive.writestr(zipfile.ZipInfo(name), content)
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, content: bytes) -> Archive:
        """Read a file; every part of it is tested by its checksum.

        Raises:
            ValueError: If it is cut, altered, of another program or of a newer version.
        """
        files = _stored(content)
        if MEMBER not in files:
            raise ForeignFile(f'a zip archive of another program: {MEMBER} is not in it')
        head = _head(files.pop(MEMBER))
        return cls(head['runtime'], json.dumps(head['info']), files, head['selection'])


def _stored(content: bytes) -> dict[str, bytes]:
    """What a zip archive holds, by name."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = archive.infolist()
            plain = all(entry.compress_type == zipfile.ZIP_STORED for entry in entries)
            files = {entry.filename: archive.read(entry) for entry in entries} if plain else {}
    except Exception as error:  # zipfile's own and those of what it calls share no other base
        raise ValueError(f'the file is cut or corrupt ({error}); copy it again') from error
    if not plain:
        raise ForeignFile('a zip archive that is compressed, which ours are not')
    return files


def _head(text: bytes) -> dict:
    try:
        head = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f'{MEMBER}: not JSON ({type(error).__name__}: {error})') from error
    if not isinstance(head, dict) or 'version' not in head:
        raise ValueError(f'{MEMBER}: version is missing')
    if head['version'] != VERSION:
        raise ValueError(
            f'{MEMBER}: version is {head["version"]!r}, this shufflenet_det reads {VERSION}; '
            'a newer one may read it'
        )
    if set(head) != set(FIELDS):
        raise ValueError(f'{MEMBER}: fields are {sorted(head)}, expected {sorted(FIELDS)}')
    return head
