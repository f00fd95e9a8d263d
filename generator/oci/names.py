# SPDX-License-Identifier: Apache-2.0
"""Names of files as Windows compares and measures them, and the limits of its importer of layers on top."""

from functools import cache
from typing import Final

from .files import facts

PLACEHOLDER: Final = ".$wcidirs$"  # appended for a file beside each directory of a layer on top: hcsshim legacy.go
MOST_PATH: Final = 32_766  # UTF-16 units: hcsshim internal/winapi/utils.go takes 32,767 with the NUL at the end
MOST_ENTRIES: Final = 1_000_000  # paths of a layer, and the next: their characters. Limits of our own
MOST_CHARACTERS: Final = 1 << 26


@cache
def _capitals() -> dict[int, int]:
    return facts().capitals()


def fold(text: str) -> str:
    """Return *text* with each character as its capital: NTFS compares names by that."""
    return text.upper() if text.isascii() else text.translate(_capitals())


def units(text: str) -> int:
    """Return the number of UTF-16 units of *text*."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2
