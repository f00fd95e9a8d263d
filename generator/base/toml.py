# SPDX-License-Identifier: Apache-2.0
"""Where in a specification something stands, for errors."""

from typing import NamedTuple

from .errors import GeneratorError, shorten


class Place(NamedTuple):
    """Where in a specification something stands: the file and the TOML key path."""

    file: str
    key: str = ""

    def at(self, suffix: str) -> "Place":
        """Return the place one step further in; *suffix* is a key name or an index such as ``[2]``."""
        return Place(self.file, self.key + ("." if self.key and suffix[:1] != "[" else "") + suffix)

    def error(self, wrong: str, right: str) -> GeneratorError:
        """Return the error that says what is *wrong* here and what would be *right*."""
        return GeneratorError(f"{self.file}: {shorten(self.key, 200)}: {wrong}; {right}")
