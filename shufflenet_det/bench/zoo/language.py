"""Language models as their default config says, with random weights, where one is built only."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import MagicMock, patch


@contextmanager
def without_downloads() -> Iterator[None]:
    """Build BERT and its tokenizer's place without a network, if transformers is installed.

    The default of ``BertConfig`` is the size of bert-base-uncased, the only one of MMDetection.
    """
    try:
        from transformers import AutoTokenizer, BertConfig, BertModel
    except ImportError:
        yield
        return

    def untrained(name: str, config: BertConfig, **options: object) -> BertModel:
        return BertModel(config, **options)

    with (
        patch.object(AutoTokenizer, 'from_pretrained', lambda name: MagicMock()),
        patch.object(BertConfig, 'from_pretrained', lambda name: BertConfig()),
        patch.object(BertModel, 'from_pretrained', untrained),
    ):
        yield
