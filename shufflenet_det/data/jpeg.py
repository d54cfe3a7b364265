"""Whether a JPEG holds every block that it promises, judged from its bytes with Pillow's decoder.

libjpeg completes what is missing with grey, skips what is too much, and says so on stderr only.
Pillow hands it one entropy-coded part after the other. A part that is whole needs its last bytes,
and no more than them: with its last three withheld the decoder waits, and of padding behind it
nothing is left over. No pixel is made; a block is read for its mean alone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from PIL import Image

START = b'\xff\xd8'
SOS, EOI, RST = 0xDA, 0xD9, range(0xD0, 0xD8)
FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
HUFFMAN = (0xC0, 0xC1, 0xC2)
ALONE = {0x00, 0x01, *RST, 0xD8}  # markers without a length
MODES = {1: 'L', 3: 'L', 4: 'CMYK'}
_MARKER = re.compile(rb'\xff+([\x01-\xfe])', re.DOTALL)
_UNIT = re.compile(rb'\xff\x00|.', re.DOTALL)
WITHHELD = 3
PADDING = b'\xff\x00' * 9
"""No code is all ones. libjpeg reads 8 bytes ahead; the ninth is left over where a block waits."""


@dataclass(frozen=True)
class Jpeg:
    """What the markers of a file say.

    Args:
        parts: Start and end in bytes of each entropy-coded part: those between restart markers.
        scans: How many scans they belong to.
        end: Where the image ends; files of phones go on with a film.
    """

    width: int
    height: int
    components: int
    process: int
    parts: tuple[tuple[int, int], ...]
    scans: int
    end: int


def parse(content: bytes) -> Jpeg:
    """Follow the markers of a JPEG to its end.

    Raises:
        ValueError: If it is cut, has no frame, or restart markers out of order.
    """
    position, frame, parts, scans = len(START), None, [], 0
    while True:
        found = _MARKER.search(content, position)
        if not found:
            raise ValueError('the image is cut: its end is missing')
        marker, position = found[1][0], found.end()
        if marker == EOI:
            break
        if marker in ALONE:
            continue
        length = int.from_bytes(content[position : position + 2], 'big')
        segment, position = content[position : position + length], position + length
        if len(segment) < max(length, 2):
            raise ValueError('the image is cut: its end is missing')
        if marker in FRAMES and len(segment) >= 8:
            frame = marker, segment
        if marker == SOS:
            scans += 1
            parts += _parts(content, position)
            position = parts[-1][1]
    if frame is None or not parts:
        raise ValueError('the image is damaged: a JPEG without a frame or a scan')
    process, segment = frame
    height, width = (int.from_bytes(segment[i : i + 2], 'big') for i in (3, 5))
    return Jpeg(width, height, segment[7], process, tuple(parts), scans, position)


def _parts(content: bytes, start: int) -> list[tuple[int, int]]:
    parts = []
    for found in _MARKER.finditer(content, start):
        parts.append((start, found.start()))
        marker, start = found[1][0], found.end()
        if marker not in RST:
            return parts
        if marker != RST[(len(parts) - 1) % len(RST)]:
            raise ValueError('the image is damaged: restart markers out of order')
    raise ValueError('the image is cut: its end is missing')


def check_blocks(content: bytes, jpeg: Jpeg) -> None:
    """Refuse a JPEG with fewer or more blocks than its frame has; arithmetic coding is not judged.

    Raises:
        ValueError: Naming the part.
    """
    if jpeg.process not in HUFFMAN or jpeg.components not in MODES or not jpeg.height:
        return
    reader, position = _Reader(jpeg), 0
    for number, (start, end) in enumerate(jpeg.parts, start=1):
        where = f'part {number} of {len(jpeg.parts)}'
        units = [unit.start() for unit in _UNIT.finditer(content, max(start, end - 12), end)]
        tail = units[-WITHHELD - 1] if len(units) > WITHHELD else start
        if tail > start + WITHHELD:
            reader.take(content[position:tail])
            steps = zip(units[-WITHHELD - 1 : -1], units[-WITHHELD:], strict=True)
            if not any([reader.take(content[a:b]) for a, b in steps]):
                raise ValueError(f'the image is damaged: {where} goes on behind its last block')
            position = units[-1]
        reader.take(content[position:end])
        if reader.take(PADDING):
            raise ValueError(f'the image is damaged: {where} ends before its last block')
        position = end


class _Reader:
    """Pillow's decoder, given a file in pieces."""

    def __init__(self, jpeg: Jpeg) -> None:
        mode = MODES[jpeg.components]
        self._image = Image.new(mode, (-(-jpeg.width // 8), -(-jpeg.height // 8)))
        self._decoder = Image._getdecoder(mode, 'jpeg', (mode, ''), (8, 1))
        self._decoder.setimage(self._image.im, (0, 0, *self._image.size))
        self._left = b''
        self._finished = False

    def take(self, piece: bytes) -> int:
        """Read on; how many bytes were left over, as a block waits for more."""
        if self._finished:
            return 0
        given = self._left + piece
        used, error = self._decoder.decode(given)
        self._finished = used < 0
        if error:
            raise ValueError(f'the image is damaged: the decoder gives up (Pillow error {error})')
        self._left = b'' if self._finished else given[used:]
        return len(self._left)
