"""ncnn's text of a graph, which the runtime follows without a look at what it counts."""

from __future__ import annotations

MAGIC = '7767517'


def check_param(content: bytes) -> None:
    """Refuse a text that makes ncnn read or write beyond its lists.

    Raises:
        ValueError: If it is cut, of another format, or counts other layers and blobs than it has.
    """
    lines = content.decode(errors='replace').splitlines()
    if not lines or lines[0].strip() != MAGIC:
        raise ValueError(f'not a graph of ncnn: its first line is not {MAGIC}')
    try:
        (layers, blobs), *rows = ([int(word) for word in lines[1].split()], *map(_blobs, lines[2:]))
    except (ValueError, IndexError) as error:
        raise ValueError('a graph of ncnn that is cut or altered') from error
    made: set[str] = set()
    for bottoms, tops in rows:
        if missing := set(bottoms) - made:
            raise ValueError(f'a graph of ncnn where nothing makes {min(missing)}')
        made.update(tops)
    if (layers, blobs) != (len(rows), len(made)):
        raise ValueError(
            f'a graph of ncnn that counts {layers} layers and {blobs} blobs, and has {len(rows)} '
            f'and {len(made)}'
        )


def _blobs(line: str) -> tuple[list[str], list[str]]:
    """What a layer, ``type name bottoms tops names settings``, reads and makes."""
    words = line.split()
    bottoms, tops = int(words[2]), int(words[3])
    names = words[4 : 4 + bottoms + tops]
    if len(names) != bottoms + tops:
        raise ValueError(f'blobs of {words[1]} are missing')
    return names[:bottoms], names[bottoms:]
