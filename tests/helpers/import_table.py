# SPDX-License-Identifier: Apache-2.0
"""The form of the tables of what Windows' importers take and refuse.

For each rule of their source the tables have the smallest layers that keep or break it, each with one oddity.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple


class Row(NamedTuple):
    """Layers, the lowest first, the rules that check-image must find broken, if any, and the name of the source."""

    oddity: str
    layers: Callable[[], Sequence[bytes]]
    rules: tuple[str, ...]
    source: str


def rows(rule: str, *some: tuple[str, Callable[[], Sequence[bytes]], str]) -> list[Row]:
    """Return rows that break *rule*, or none if it is empty."""
    return [Row(oddity, made, tuple(rule.split()), source) for oddity, made, source in some]
