# SPDX-License-Identifier: Apache-2.0
"""Parse TOML that may be hostile: the text is refused before tomllib if parsing it would take long or much memory.

tomllib takes time and memory by the square of a key's parts, for every key by the parts of its table's name, and some
kilobytes for each table. So keys, tables and nesting are counted first, in one pass that takes time by the text's
length alone. The count may be too high, as for a float in an array, but never too low.
"""

import re
import tomllib
from typing import Any, Final

from .errors import GeneratorError, shorten

MAX_TEXT: Final = 1 << 20  # bytes
MAX_PARTS: Final = 64  # of a dotted key
MAX_DEPTH: Final = 64  # of arrays and inline tables in each other
MAX_WORK: Final = 4_000_000  # parts of keys that tomllib walks over; a text of 1 MiB without dotted keys needs less
_TABLE: Final = 32  # what a table or an array counts in work, for the memory that tomllib takes for its flags
_MOST_TOLD: Final = 200  # characters of tomllib's message, which may quote a whole key

_TOKENS: Final = re.compile(r'"""|\'\'\'|"|\'|#|[.=\n,\[\]{}]')
# What ends a string or a comment, and escapes, which hide an end. No possessive quantifier, which Python before 3.11.5
# matches wrongly (python/cpython#106052). Up to two quotes before the three that end a string belong to it.
_ENDS: Final = {
    '"""': re.compile(r'\\.|"{3,5}', re.DOTALL),
    "'''": re.compile(r"'{3,5}"),
    '"': re.compile(r'\\.|["\n]'),
    "'": re.compile(r"['\n]"),
    "#": re.compile(r"(?=\n)"),
}


def parse(raw: bytes, shown: str, fix: str = "") -> dict[str, Any]:
    """Return the TOML document *raw*, in UTF-8, as a dict.

    Raises GeneratorError, which names the text *shown* and ends in *fix*, if it is too large, not UTF-8 or not TOML.
    """
    hint = f"; {fix}" if fix else ""
    if len(raw) > MAX_TEXT:
        raise GeneratorError(f"{shown}: larger than {MAX_TEXT:,} bytes{hint}")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise GeneratorError(f"{shown}: byte {error.start} is not UTF-8{hint or '; save the file as UTF-8'}") from error
    if (costly := _costly(text)) is not None:
        at, problem = costly
        line = text.count("\n", 0, at) + 1
        raise GeneratorError(f"{shown}: line {line}: {problem}{hint}")
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise GeneratorError(f"{shown}: not TOML: {shorten(str(error), _MOST_TOLD)}{hint}") from error
    except (RecursionError, ValueError) as error:  # nesting beyond Python's stack, integers beyond its digits
        problem = shorten(str(error), _MOST_TOLD)
        raise GeneratorError(f"{shown}: not TOML: {problem}; nest less, use smaller numbers{hint}") from error


def _costly(text: str) -> tuple[int, str] | None:
    """Return where and why *text* would take tomllib too much work, or None.

    tomllib stops at the first error, so what is counted behind that does not matter.
    """
    at = depth = work = 0
    parts = most = 1  # of this key, and of any key up to here: no table has a longer name
    while found := _TOKENS.search(text, at):
        mark, at = found[0], found.end()
        if mark in _ENDS:
            end = _end(mark, text, at)
            if end is None:
                return None  # tomllib refuses the string, and reads nothing behind it
            at = end
            continue
        if mark == ".":
            parts += 1
            most = max(most, parts)
            if parts > MAX_PARTS:
                return at, f"more than {MAX_PARTS} words joined by dots; a key has far fewer"
            continue
        if mark in "[{":
            depth, work = depth + 1, work + _TABLE
        elif mark in "]}":
            depth = max(depth - 1, 0)
        if mark in "=]":
            work += parts * (most + parts)
        parts = 1
        if depth > MAX_DEPTH:
            return at, f"arrays or tables nested more than {MAX_DEPTH} deep; nest less"
        if work > MAX_WORK:
            return at, "more keys and tables up to here than a file needs; write fewer, or shorter keys"
    return None


def _end(mark: str, text: str, at: int) -> int | None:
    """Return where the string or comment ends that begins with *mark* before *at*, or None if it has none."""
    while found := _ENDS[mark].search(text, at):
        if found[0] == "\n":
            return None
        if found[0][:1] != "\\":
            return found.end()
        at = found.end()
    return len(text) if mark == "#" else None
