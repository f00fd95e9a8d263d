# SPDX-License-Identifier: Apache-2.0
"""A file's current and new text, and the difference between them."""

import difflib
from pathlib import Path
from typing import NamedTuple

from ..base.console import Say, Verbatim
from ..base.errors import printable
from ..languages import provenance

_MAX_DIFF = 1 << 20  # characters; no module is longer, and comparing such files would take minutes


class Change(NamedTuple):
    """A file's path, its current text (None if the file does not exist) and its new text."""

    path: Path
    old: str | None
    new: str

    @property
    def needed(self) -> bool:
        """Return whether the file differs by more than line endings."""
        return self.old is None or self.old.replace("\r\n", "\n") != self.new

    @property
    def allowed(self) -> bool:
        """Return whether writing loses no manual edit: the file is missing, or is an unedited module."""
        if self.old is None:
            return True
        found = provenance.read(self.old)
        return found is not None and found[1]

    def show(self, say: Say) -> None:
        """Print a unified diff from the current text to the new one."""
        if len(self.old or "") > _MAX_DIFF:
            say(f"{self.path}: too large to compare")
            return
        old = (self.old or "").splitlines()
        name = "/dev/null" if self.old is None else str(self.path)
        for line in difflib.unified_diff(old, self.new.splitlines(), name, str(self.path), lineterm=""):
            say(Verbatim(printable(line)))
