# SPDX-License-Identifier: Apache-2.0
"""Windows' rules for valid file names."""

from functools import cache

from ..base.errors import brief
from ..oci.files import facts
from ..oci.names import fold, units


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
