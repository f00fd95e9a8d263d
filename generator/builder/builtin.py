# SPDX-License-Identifier: Apache-2.0
"""Build hives in this process, laid out as hivex does, without hivex."""

from collections.abc import Mapping
from dataclasses import dataclass

from ..hives.layout import lay_out
from ..hives.model import Hive
from .wire import Built


@dataclass(frozen=True)
class BuiltinEngine:
    """Build hives in this process; other engines' hives are compared with these."""

    name = "builtin"

    def build(self, hives: Mapping[str, Hive]) -> Built:
        """Return *hives* as laid out."""
        return Built({name: lay_out(hive) for name, hive in hives.items()})
