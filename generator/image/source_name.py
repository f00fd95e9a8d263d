# SPDX-License-Identifier: Apache-2.0
"""Parse the sources of an image as users spell them."""

import os
import re
from pathlib import Path

from ..base.errors import GeneratorError, shorten
from ..imageread import references
from ..imageread.references import DRIVE, MAX_NAME, WINDOWS, Platform, is_name
from .model import Source
from .source_options import AnySource, SourceData, SourceTable, convert, entry_options

_PLATFORM = r"windows(?:\([^()]*\))?/[a-z0-9]+(?::[0-9.]+)?"
_VALUE = r"(?:(?!:(?:[A-Za-z]:)?[\\/])[^@])*"  # up to the next option or DEST
_OPTION = re.compile(rf"@(?:(security|attributes|times|time)=({_VALUE})|({_PLATFORM}))\Z")


def parse_source(given: AnySource, *, windows: bool = WINDOWS) -> tuple[Source, Platform | None]:
    r"""Parse ``SRC[:DEST][@OPTION...]`` or a table; return the source, and its platform, None for all platforms.

    DEST starts with a slash, a backslash or a drive, as in ``app:C:\app``. SRC can start with a drive if *windows*.
    An OPTION is a platform, or ``KEY=VALUE`` with a key of SourceTable; attributes are separated by commas. If SRC
    itself ends like an option, add a DEST after it, or use a table. Raises GeneratorError.
    """
    if isinstance(given, (SourceTable, SourceData)):
        return _parse_table(given)
    text = os.fspath(given)
    name, options = _split(text[: MAX_NAME + 1])
    drive = rf"(?:{DRIVE})?" if windows else ""
    found = re.fullmatch(rf"({drive}(?!:).+?)(?::((?:[A-Za-z]:)?[\\/].*))?", name[:MAX_NAME], re.DOTALL)
    if found is None or not is_name(text):
        raise GeneratorError(rf"{shorten(text)!r}: invalid source; hint: SRC or SRC:DEST, with a DEST such as C:\app")
    return _parse_table(convert({"path": found[1], "to": found[2] or "", **options}, f"source {shorten(found[1])}"))


def _split(text: str) -> tuple[str, dict[str, str | list[str]]]:
    """Split off the options at the end of *text*; return the rest, and the options by key. Raises GeneratorError."""
    name, options = text, dict[str, str | list[str]]()
    while suffix := _OPTION.search(name):
        name = name[: suffix.start()]
        key, value = (suffix[1], suffix[2]) if suffix[1] else ("platform", suffix[3])
        if key in options:
            raise GeneratorError(f"source {shorten(text)}: {key} is given twice; hint: leave one out")
        if not value:
            raise GeneratorError(f"source {shorten(text)}: {key}= has no value; hint: leave it out")
        options[key] = value.split(",") if key == "attributes" else value
    return name, options


def _parse_table(table: SourceTable | SourceData) -> tuple[Source, Platform | None]:
    path = os.fspath(table.path) if isinstance(table, SourceTable) else ""
    shown = f"source {shorten(path)}" if isinstance(table, SourceTable) else f"source {shorten(table.to)}"
    if isinstance(table, SourceTable) and (not path or not is_name(path)):
        raise GeneratorError(f"source: invalid path {shorten(path)!r}")
    if table.to and not re.match(r"(?:[A-Za-z]:)?[\\/]", table.to):
        raise GeneratorError(rf"{shown}: to = {shorten(table.to)!r} must begin with /, \ or a drive")
    platform = references.platform(table.platform) if table.platform else None
    own = entry_options(table, shown)
    if isinstance(table, SourceTable):
        return Source(Path(path), table.to, own), platform
    if not table.to or table.to[-1] in "/\\":
        raise GeneratorError(r"source: data without a file's path; hint: to=r'C:\app\name'")
    if own.time == "keep":
        raise GeneratorError(f"{shown}: data has no time to keep; hint: give time")
    if not (isinstance(table.data, (bytes, bytearray, memoryview)) or hasattr(table.data, "read")):
        kind = type(table.data).__name__
        raise GeneratorError(f"{shown}: data is of type {kind}; hint: bytes, or a file opened in mode rb")
    own = own._replace(time="fixed" if own.time is None else own.time)
    return Source(Path(), table.to, own, table.data, shown), platform


def is_for(wanted: Platform, platform: Platform) -> bool:
    """Return whether a source for *wanted* is for *platform*: the same one, or with no version, its architecture."""
    return wanted == platform if wanted.version else wanted.architecture == platform.architecture
