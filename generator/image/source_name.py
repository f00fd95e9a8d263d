# SPDX-License-Identifier: Apache-2.0
"""Parse the sources of an image as users spell them."""

import os
import re
from pathlib import Path

from ..base.errors import GeneratorError, shorten
from ..imageread import references
from ..imageread.references import DRIVE, MAX_NAME, WINDOWS, Platform, is_name
from .model import Source
from .options import SourceTable

_PLATFORM = re.compile(r"@(windows(?:\([^()]*\))?/[a-z0-9]+(?::[0-9.]+)?)\Z")


def parse_source(
    given: str | os.PathLike[str] | SourceTable, *, windows: bool = WINDOWS
) -> tuple[Source, Platform | None]:
    r"""Return the source that ``SRC[:DEST][@PLATFORM]`` or a table names, and its platform, None for all.

    DEST begins with a slash, a backslash or a drive, as in ``app:C:\app``. A drive can begin SRC on *windows* alone.
    A name that itself ends like a platform needs a DEST behind it, or a table. Raises GeneratorError.
    """
    if isinstance(given, SourceTable):
        return _parse_table(given)
    text = os.fspath(given)
    suffix = _PLATFORM.search(text) if len(text) <= MAX_NAME else None
    name = text[: suffix.start()] if suffix else text
    drive = rf"(?:{DRIVE})?" if windows else ""
    found = re.fullmatch(rf"({drive}(?!:).+?)(?::((?:[A-Za-z]:)?[\\/].*))?", name[:MAX_NAME], re.DOTALL)
    if found is None or not is_name(text):
        raise GeneratorError(rf"{shorten(text)!r}: invalid source; hint: SRC or SRC:DEST, with a DEST such as C:\app")
    return Source(Path(found[1]), found[2] or ""), references.platform(suffix[1]) if suffix else None


def _parse_table(table: SourceTable) -> tuple[Source, Platform | None]:
    path = os.fspath(table.path)
    if not path or not is_name(path):
        raise GeneratorError(f"source: invalid path {shorten(path)!r}")
    if table.to and not re.match(r"(?:[A-Za-z]:)?[\\/]", table.to):
        raise GeneratorError(rf"source {shorten(path)}: to = {shorten(table.to)!r} must begin with /, \ or a drive")
    return Source(Path(path), table.to), references.platform(table.platform) if table.platform else None


def is_for(wanted: Platform, platform: Platform) -> bool:
    """Return whether a source for *wanted* goes into the image for *platform*: by architecture, and version if any."""
    return wanted == platform if wanted.version else wanted.architecture == platform.architecture
