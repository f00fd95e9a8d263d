# SPDX-License-Identifier: Apache-2.0
"""Patterns of .dockerignore, which leave files out.

The rules are those of Docker's documentation ("Build context", .dockerignore files) where it is exact, else of
github.com/moby/patternmatcher, which Docker, BuildKit and Podman share. They are not git's: a pattern without a
slash matches at the top only, ``!`` can include files of an excluded folder again, and the last match decides. They
differ from moby's in one point: a range of characters never matches a slash.
"""

import posixpath
import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from ..base.errors import GeneratorError, brief

FILE = ".dockerignore"
MAX_FILE = 1 << 20  # bytes
MAX_PATTERN = 4096  # characters
_BOM = "\ufeff"
_TOKEN = re.compile(r"\*\*/?|\*|\?|\[\^?(?:\\.|[^\]\\])+\]|\\.|[^*?\[\\]+", re.DOTALL)
_RANGE = re.compile(r"(\\.|[^\]\\-])(?:-(\\.|[^\]\\-]))?", re.DOTALL)  # of a [class]: one character, or from and to


class Steps(NamedTuple):
    """A pattern that is matched step by step, each at all places of a path that those before it reach.

    The places are the bits of a number: bit n is set if the steps so far match the first n characters. A step is
    ``*``, ``**``, or an expression and the number of characters that it matches.
    """

    steps: tuple[str | tuple[re.Pattern[str], int], ...]

    def match(self, path: str) -> bool:
        """Return whether the pattern matches *path* or one of its parents."""
        slashes = sum(1 << found.start() for found in re.finditer("/", path))
        others = (1 << len(path)) - 1 - slashes
        places = 1
        for step in self.steps:
            first = (places & -places).bit_length() - 1
            if isinstance(step, tuple):
                expression, width = step
                places &= sum(1 << found.start() for found in expression.finditer(path, first))
                places <<= width
            elif step == "**":  # nothing, or all up to a slash
                places |= slashes << 1 >> first << first
            else:  # the sum carries each place in a run of other characters to the run's end
                inside = places & others
                places |= (inside + others) ^ others
            if not places:
                return False
        return self.steps[-1] == "**" or bool(places & (slashes | 1 << len(path)))


class Patterns(NamedTuple):
    """The patterns of one file or command line, in order: whether it starts with ``!``, and what matches its paths."""

    rules: tuple[tuple[bool, re.Pattern[str] | Steps], ...] = ()

    @property
    def brings_back(self) -> bool:
        """Whether a pattern can include a path in an excluded directory again."""
        return any(back for back, _ in self.rules)

    def exclude(self, path: str) -> bool:
        """Return whether *path*, with slashes, is left out: the last matching pattern decides."""
        return next((not back for back, pattern in reversed(self.rules) if pattern.match(path)), False)


def parse_file(text: str, shown: str) -> Patterns:
    """Return the patterns of a .dockerignore; raises GeneratorError naming *shown* and the line."""
    lines = enumerate(text.removeprefix(_BOM).split("\n"), 1)
    # Errors give only the line's number, since the content may be secret.
    return _parsed((line, f"{shown}: line {number}") for number, line in lines if not line.startswith("#"))


def parse(patterns: Sequence[str], shown: str) -> Patterns:
    """Return *patterns* parsed; raises GeneratorError naming *shown*."""
    return _parsed((pattern, f"{shown}: {brief(pattern)}") for pattern in patterns)


def _parsed(lines: Iterable[tuple[str, str]]) -> Patterns:
    rules = []
    for line, shown in lines:
        pattern = line.strip()
        back = pattern.startswith("!")
        pattern = pattern.removeprefix("!").strip()
        if not pattern and not back:
            continue
        try:
            rules.append((back, _matcher(_clean(pattern, back=back))))
        except re.error as error:  # not shown: its text quotes the pattern
            raise GeneratorError(f"{shown}: invalid pattern: bad character range") from error
        except ValueError as error:
            raise GeneratorError(f"{shown}: invalid pattern: {error}") from error
    return Patterns(tuple(rules))


def _clean(text: str, *, back: bool) -> str:
    """Return a pattern as a path without empty parts, ``.``, ``..`` and slashes at its ends; raises ValueError."""
    if len(text) > MAX_PATTERN:
        raise ValueError(f"longer than {MAX_PATTERN:,} characters")
    path = posixpath.normpath(re.sub("^//+", "/", text)) if text else "/"
    if back and path == "/":
        raise ValueError("a ! without a pattern")
    return path.removeprefix("/").strip() or path


def _matcher(pattern: str) -> re.Pattern[str] | Steps:
    """Return the matcher of a pattern; raises ValueError, and re.error for a range from high to low.

    ``**`` and ``**/`` match any number of directories, or none. Atomic groups, (?>…), prevent backtracking if the first
    match is as good as any later one. If it is not, as in ``**a**b``, an expression could take hours, so Steps are
    used.
    """
    tokens: list[str] = _TOKEN.findall(pattern)
    if "".join(tokens) != pattern:
        raise ValueError("an unclosed [ or a \\ at the end")
    if tokens[0] == "**" and len(tokens) == 2 and tokens[1][0] not in "*?[\\":  # moby's "suffix match"
        return _compiled(".*" + re.escape(tokens[1]))
    chunks: list[list[str]] = [[]]
    for token in tokens:
        if token in {"**", "**/"}:
            chunks.append([])
        else:
            chunks[-1].append(token)
    first, *later = chunks
    if any(chunk and not chunk[-1].endswith("/") for chunk in later[:-1]):
        return Steps(tuple(map(_step, tokens)))
    made = _chunk(first) + "".join(f"(?>(?:.*?/)??{_chunk(chunk)})" for chunk in later[:-1] if chunk)
    if later:
        made += "(?:.*/)?" + _chunk(later[-1]) if later[-1] else ".*"
    return _compiled(made)


def _compiled(expression: str) -> re.Pattern[str]:
    return re.compile(expression + r"(?:/.*)?\Z", re.DOTALL)


def _step(token: str) -> str | tuple[re.Pattern[str], int]:
    if token[0] == "*":
        return token.removesuffix("/")
    # Looking ahead finds matches that overlap.
    return re.compile(f"(?={_literal(token)})", re.DOTALL), 1 if token[0] in "?[\\" else len(token)


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
        raise ValueError("an invalid range of characters in [ ]")
    made = ""
    for low, high in _RANGE.findall(ranges):
        made += re.escape(low[-1]) + ("-" + re.escape(high[-1]) if high else "")
    return f"[^/{made}]" if negated else f"[{made}]"
