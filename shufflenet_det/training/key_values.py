"""Single settings on a command line."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from mmengine.config import DictAction


class KeyValues(DictAction):
    """mmengine's ``key=value``, but a path stays as it is, and what is no such pair is named."""

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace,
        values: Sequence[str], option_string: str | None = None,
    ) -> None:  # fmt: skip
        for value in values:
            try:
                super().__call__(parser, namespace, [value], option_string)
            except (AssertionError, ValueError) as error:
                raise argparse.ArgumentError(
                    self, f'{value} is no setting; write key=value without spaces around =, and '
                    'close what you open of ( and ['
                ) from error  # fmt: skip

    @staticmethod
    def _parse_iterable(val: str) -> object:
        """mmengine drops every space, and parts a path at its commas."""
        text = val.strip('\'"')
        if not set(text) & set(',[('):
            return DictAction._parse_int_float_bool(text)
        return text if Path(text).exists() else DictAction._parse_iterable(val)
