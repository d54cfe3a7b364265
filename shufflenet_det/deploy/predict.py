"""Detection on image files: pictures with boxes and one COCO-format file."""

from __future__ import annotations
