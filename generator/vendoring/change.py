# SPDX-License-Identifier: Apache-2.0
"""What is to become of one file."""

import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..base.console import Verbatim
from ..base.errors import printable
from ..languages import provenance

_MAX_DIFF = 1 << 20  # characters; a longer file is none of ours, and comparing it would take minutes


@dataclass(frozen=True, slots=True)
class Change:
    """What one file holds, None where there is none, and what it is to hold."""

    path: Path
    old: str | None
    new: str

    @property
    def needed(self) -> bool:
        """Tell whether the file differs by more than line ends."""
        return self.old is None or self.old.replace("\r\n", "\n") != self.new

    @property
    def allowed(self) -> bool:
        """Tell whether no person's work is lost: there is no file, or it is one of ours as it was made."""
        if self.old is None:
            return True
        found = provenance.read(self.old)
        return found is not None and found[1]

    def diff(self) -> Iterator[str]:
        """Yield the lines of a unified diff from the file as it is to what it is to hold."""
        if len(self.old or "") > _MAX_DIFF:
            yield f"{self.path}: too large to compare"
            return
        old = (self.old or "").splitlines()
        name = "/dev/null" if self.old is None else str(self.path)
        for line in difflib.unified_diff(old, self.new.splitlines(), name, str(self.path), lineterm=""):
            yield Verbatim(printable(line))
