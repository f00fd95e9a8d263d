# SPDX-License-Identifier: Apache-2.0
"""Parse untrusted TOML: reject text that would cost tomllib too much time or memory.

tomllib's cost grows with the square of a key's parts, with the parts of the table's name for each key, and by some
kilobytes per table. So keys, tables and nesting are counted first, in one linear pass. The count may be too high, as
for a float in an array, but never too low.
"""

import re
import tomllib
from typing import Any, Final, NamedTuple

import msgspec

from .errors import GeneratorError, shorten

MAX_TEXT: Final = 1 << 20  # bytes
MAX_PARTS: Final = 64  # of a dotted key
MAX_DEPTH: Final = 64  # of arrays and inline tables in each other
MAX_COST: Final = 4_000_000  # key parts that tomllib visits; 1 MiB without dotted keys needs fewer
_TABLE: Final = 32  # cost of a table or an array, for the memory that tomllib takes for its flags
_MAX_MESSAGE: Final = 200  # characters of tomllib's message, which may quote a whole key

_TOKENS: Final = re.compile(r'"""|\'\'\'|"|\'|#|[.=\n,\[\]{}]')
# The end of a string or a comment, or an escape, which can hide an end. No possessive quantifier:
# Python before 3.11.5 matches it wrongly (python/cpython#106052). Up to two quotes before the
# closing three belong to the string.
_ENDS: Final = {
    '"""': re.compile(r'\\.|"{3,5}', re.DOTALL),
    "'''": re.compile(r"'{3,5}"),
    '"': re.compile(r'\\.|["\n]'),
    "'": re.compile(r"['\n]"),
    "#": re.compile(r"(?=\n)"),
}


class TomlTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A TOML table that allows no unknown keys."""


class KeyPath(NamedTuple):
    """A TOML key path in a specification, such as ``files[0].path``, and the file's path as shown in errors."""

    file: str
    key: str = ""

    def at(self, suffix: str) -> "KeyPath":
        """Return the path one level deeper; *suffix* is a key name or an index such as ``[2]``."""
        return KeyPath(self.file, self.key + ("." if self.key and suffix[:1] != "[" else "") + suffix)

    def error(self, problem: str, hint: str) -> GeneratorError:
        """Return the error for this key with the *problem* and the *hint* that fixes it."""
        return GeneratorError(f"{self.file}: {shorten(self.key, 200)}: {problem}; hint: {hint}")


def parse(raw: bytes, shown: str, hint: str = "") -> dict[str, Any]:
    """Return the TOML document *raw*, in UTF-8, as a dict.

    Raises GeneratorError for text that is too large, not UTF-8 or not TOML. The error names the text *shown* and
    ends in *hint*, which replaces the default one.
    """
    if len(raw) > MAX_TEXT:
        raise _error(shown, f"larger than {MAX_TEXT:,} bytes", hint)
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _error(shown, f"byte {error.start} is not UTF-8", hint or "save the file as UTF-8") from error
    if (costly := _costly(text)) is not None:
        at, problem, advice = costly
        line = text.count("\n", 0, at) + 1
        raise _error(shown, f"line {line}: {problem}", hint or advice)
    try:
        return tomllib.loads(text)
    except (RecursionError, ValueError) as error:
        # Others than TOMLDecodeError are nesting beyond Python's stack and integers beyond its digits.
        advice = "" if isinstance(error, tomllib.TOMLDecodeError) else "nest less, use smaller numbers"
        raise _error(shown, f"invalid TOML: {shorten(str(error), _MAX_MESSAGE)}", hint or advice) from error


def _error(shown: str, problem: str, hint: str) -> GeneratorError:
    return GeneratorError(f"{shown}: {problem}" + (f"; hint: {hint}" if hint else ""))


def _costly(text: str) -> tuple[int, str, str] | None:
    """Return the position, the problem and the hint if *text* would cost tomllib too much, else None.

    tomllib stops at the first error, so a wrong count after that does no harm.
    """
    at = depth = cost = 0
    parts = most = 1  # of this key, and of any key up to here: no table has a longer name
    while found := _TOKENS.search(text, at):
        mark, at = found[0], found.end()
        if mark in _ENDS:
            end = _end(mark, text, at)
            if end is None:
                return None  # tomllib refuses the string, and reads no further
            at = end
            continue
        if mark == ".":
            parts += 1
            most = max(most, parts)
            if parts > MAX_PARTS:
                return at, f"more than {MAX_PARTS} words joined by dots", "use shorter keys"
            continue
        if mark in "[{":
            depth, cost = depth + 1, cost + _TABLE
        elif mark in "]}":
            depth = max(depth - 1, 0)
        if mark in "=]":
            cost += parts * (most + parts)
        parts = 1
        if depth > MAX_DEPTH:
            return at, f"arrays or tables nested more than {MAX_DEPTH} deep", "nest less"
        if cost > MAX_COST:
            return at, "too many keys and tables up to here", "use fewer, or shorter keys"
    return None


def _end(mark: str, text: str, at: int) -> int | None:
    """Return the end of the string or comment that *mark* opens before *at*, or None if it is unterminated."""
    while found := _ENDS[mark].search(text, at):
        if found[0] == "\n":
            return None
        if found[0][:1] != "\\":
            return found.end()
        at = found.end()
    return len(text) if mark == "#" else None
