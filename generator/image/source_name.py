# SPDX-License-Identifier: Apache-2.0
"""Parse the sources of an image as users spell them."""

import re
from pathlib import Path

from ..base.errors import GeneratorError, shorten
from ..imageread.references import DRIVE, MAX_NAME, WINDOWS, is_name
from .model import Source


def source(text: str, *, windows: bool = WINDOWS) -> Source:
    r"""Return what ``SRC[:DEST]`` names: DEST begins with a slash, a backslash or a drive, as in ``app:C:\app``.

    A drive can begin SRC on *windows* alone. Raises GeneratorError.
    """
    drive = rf"(?:{DRIVE})?" if windows else ""
    found = re.fullmatch(rf"({drive}(?!:).+?)(?::((?:[A-Za-z]:)?[\\/].*))?", text[:MAX_NAME], re.DOTALL)
    if found is None or not is_name(text):
        raise GeneratorError(rf"{shorten(text)!r}: no source; give SRC or SRC:DEST, with a DEST such as C:\app")
    return Source(Path(found[1]), found[2] or "")
