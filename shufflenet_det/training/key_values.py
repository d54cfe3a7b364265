"""Single settings on a command line."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from inspect import signature
from pathlib import Path

from mmengine.config import DictAction
from mmengine.runner import Runner

READ = {*signature(Runner).parameters, 'auto_scale_lr', 'tta_model', 'tta_pipeline'}
"""Keys that something reads, also where a config has none."""

ALIKE = 0.8
"""Share of equal letters from which a key is taken for a slip of another."""


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


def check_keys(given: Iterable[str], keys: Iterable[str]) -> None:
    """Refuse a setting of a key that nothing reads, where it looks like one that is read.

    Raises:
        ValueError: Naming both.
    """
    known = READ.union(keys)
    for setting in given:
        key = setting.partition('.')[0]
        alike = get_close_matches(key, known, 1, ALIKE)
        if key not in known and alike:
            raise ValueError(
                f'{setting}: the config has no {key}, and nothing reads it; did you mean '
                f'{alike[0]}? A new key belongs in the config file'
            )
