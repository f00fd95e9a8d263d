# SPDX-License-Identifier: Apache-2.0
"""Windows' rules for file names: which are valid, and which are equal."""

from functools import cache

from ..base.errors import brief
from ..oci.files import facts


@cache
def _capitals() -> dict[int, int]:
    return facts().capitals()


@cache
def _never() -> frozenset[str]:
    names = facts().names
    return frozenset(names.characters) | {chr(number) for number in range(names.controls)}


def fold(text: str) -> str:
    """Return *text* in upper case as NTFS compares names."""
    return text.upper() if text.isascii() else text.translate(_capitals())


def units(text: str) -> int:
    """Return the number of UTF-16 units in *text*."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


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
