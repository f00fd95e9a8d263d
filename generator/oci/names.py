# SPDX-License-Identifier: Apache-2.0
"""Names of files as Windows compares, measures and accepts them, and the limits of its importer of layers on top."""

from functools import cache
from typing import Final

from ..base.errors import brief
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


@cache
def _never() -> frozenset[str]:
    names = facts().names
    return frozenset(names.characters) | {chr(number) for number in range(names.controls)}


def wrong(part: str) -> str | None:
    """Return why *part* of a path is not a valid name on Windows, or None."""
    known = facts()
    bad = _never().intersection(part)
    if part in {"", ".", ".."}:
        reason = f"a part of the path is {part!r}"
    elif not part.isascii() and any("\ud800" <= character <= "\udfff" for character in part):
        reason = "the name is not UTF-8"
    elif bad:
        reason = f"the name has {brief(min(bad))}"
    elif part[-1] in known.names.endings:
        reason = f"the name ends in {part[-1]!r}, which Windows drops"
    elif fold(part.partition(".")[0].rstrip(" ")) in known.names.devices:
        reason = "the name is a device's"
    elif units(part) > known.limits.part:
        reason = f"the name is longer than {known.limits.part} UTF-16 units"
    else:
        reason = None
    return reason
