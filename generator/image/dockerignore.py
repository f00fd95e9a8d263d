# SPDX-License-Identifier: Apache-2.0
"""Patterns that say which files stay out, as a .dockerignore has them.

The rules are those of Docker's documentation ("Build context", .dockerignore files) where it is exact, else of
github.com/moby/patternmatcher, which Docker, BuildKit and Podman share. They are not git's: a pattern without a
slash matches at the top only, ``!`` brings back what lies in an excluded folder, and the last match decides. In
one thing they are not moby's: a range of characters never matches a slash.
"""

import posixpath
import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from ..errors import GeneratorError, brief

FILE = ".dockerignore"
MAX_FILE = 1 << 20  # bytes
MAX_PATTERN = 4096  # characters
_BOM = "\ufeff"
_TOKEN = re.compile(r"\*\*/?|\*|\?|\[\^?(?:\\.|[^\]\\])+\]|\\.|[^*?\[\\]+", re.DOTALL)
_RANGE = re.compile(r"(\\.|[^\]\\-])(?:-(\\.|[^\]\\-]))?", re.DOTALL)  # of a [class]: one character, or from and to
_MOST_OPEN = 2  # ``**`` with text on either side that no slash parts from it; each may be tried at every character


class Rule(NamedTuple):
    """One pattern: whether it brings paths back, and what matches a path or a folder on its way."""

    back: bool
    expression: re.Pattern[str]


class Patterns(NamedTuple):
    """The patterns of one file or command line, in their order."""

    rules: tuple[Rule, ...] = ()

    @property
    def brings_back(self) -> bool:
        """Tell whether something in an excluded folder may not be excluded."""
        return any(rule.back for rule in self.rules)

    def exclude(self, path: str) -> bool:
        """Tell whether *path*, with a slash between its parts, stays out: the last pattern that matches decides."""
        return next((not rule.back for rule in reversed(self.rules) if rule.expression.match(path)), False)


def parse_file(text: str, shown: str) -> Patterns:
    """Return the patterns of a .dockerignore; raises GeneratorError naming *shown* and the line."""
    lines = enumerate(text.removeprefix(_BOM).split("\n"), 1)
    return _parsed((line, f"{shown}: line {number}") for number, line in lines if not line.startswith("#"))


def parse(patterns: Sequence[str], shown: str) -> Patterns:
    """Return *patterns*, one each; raises GeneratorError naming *shown*."""
    return _parsed((pattern, shown) for pattern in patterns)


def _parsed(lines: Iterable[tuple[str, str]]) -> Patterns:
    rules = []
    for line, shown in lines:
        pattern = line.strip()
        back = pattern.startswith("!")
        pattern = pattern.removeprefix("!").strip()
        if not pattern and not back:
            continue
        try:
            rules.append(Rule(back, re.compile(_expression(_clean(pattern, back=back)) + r"(?:/.*)?\Z", re.DOTALL)))
        except (re.error, ValueError) as error:
            raise GeneratorError(f"{shown}: {brief(line)}: no pattern: {error}") from error
    return Patterns(tuple(rules))


def _clean(text: str, *, back: bool) -> str:
    """Return a pattern as a path without empty parts, ``.``, ``..`` and slashes at its ends; raises ValueError."""
    if len(text) > MAX_PATTERN:
        raise ValueError(f"longer than {MAX_PATTERN:,} characters")
    path = posixpath.normpath(re.sub("^//+", "/", text)) if text else "/"
    if back and path == "/":
        raise ValueError("a ! that brings nothing back")
    return path.removeprefix("/").strip() or path


def _expression(pattern: str) -> str:
    """Return the regular expression of a pattern; raises ValueError.

    ``**/`` stands for any number of folders, none included. Where parts of a pattern are put in an atomic group,
    (?>…), what is found first is as good as what is found later, so that nothing need be tried again.
    """
    tokens: list[str] = _TOKEN.findall(pattern)
    if "".join(tokens) != pattern:
        raise ValueError("a [ or \\ has no end")
    if tokens[0] == "**" and len(tokens) == 2 and tokens[1][0] not in "*?[\\":  # moby's "suffix match"
        return ".*" + re.escape(tokens[1])
    chunks: list[list[str]] = [[]]
    for token in tokens:
        if token in {"**", "**/"}:
            chunks.append([])
        else:
            chunks[-1].append(token)
    first, *later = chunks
    made, left = _chunk(first), _MOST_OPEN
    for number, chunk in enumerate(later, 1):
        if number == len(later):
            made += "(?:.*/)?" + _chunk(chunk) if chunk else ".*"
        elif not chunk:
            continue
        elif chunk[-1].endswith("/"):
            made += f"(?>(?:.*?/)??{_chunk(chunk)})"
        elif left:
            made, left = f"{made}(?:.*/)?{_chunk(chunk)}", left - 1
        else:
            raise ValueError("more than two ** inside names")
    return made


def _chunk(tokens: Sequence[str]) -> str:
    """Return the expression of a part of a pattern without ``**``."""
    parts = [""]
    for token in tokens:
        if token == "*":  # noqa: S105
            parts.append("")
        else:
            parts[-1] += _literal(token)
    first, *later = parts
    closed = "".join(f"(?>[^/]*?{part})" for part in later[:-1])
    return first + closed + "".join(f"[^/]*{part}" for part in later[-1:])


def _literal(token: str) -> str:
    """Return the expression of text, a character after a backslash, ``?`` or a class."""
    if token == "?":  # noqa: S105
        return "[^/]"
    if token[0] != "[":
        return re.escape(token.removeprefix("\\") if len(token) == 2 else token)
    negated = token[1] == "^"
    ranges = token[1 + negated : -1]
    if not re.fullmatch(f"(?:{_RANGE.pattern})+", ranges, re.DOTALL):
        raise ValueError(f"{token} is no range of characters")
    made = ""
    for low, high in _RANGE.findall(ranges):
        made += re.escape(low[-1]) + ("-" + re.escape(high[-1]) if high else "")
    return f"[^/{made}]" if negated else f"[{made}]"
