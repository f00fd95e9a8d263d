# SPDX-License-Identifier: Apache-2.0
"""Patterns that say which files stay out, as a .dockerignore has them.

The rules are those of Docker's documentation ("Build context", .dockerignore files) where it is exact, else of
github.com/moby/patternmatcher, which Docker, BuildKit and Podman share. They are not git's: a pattern without a
slash matches at the top only, ``!`` brings back what lies in an excluded folder, and the last match decides.
"""

import posixpath
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ..errors import GeneratorError, brief

FILE = ".dockerignore"
MAX_FILE = 1 << 20  # bytes
_BOM = "\ufeff"
_SPACE = " \t\n\v\f\r\x85\xa0"
_SPECIAL = {"**": "(?:.*/)?", "**/": "(?:.*/)?", "*": "[^/]*", "?": "[^/]"}
_TOKEN = re.compile(r"\*\*/?|\*|\?|\[\^?(?:\\.|[^\]\\])+\]|\\.|[^*?\[\\]+", re.DOTALL)


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
    lines = [line.removesuffix("\r") for line in text.removeprefix(_BOM).split("\n")]
    return _parsed((line, f"{shown}: line {number}") for number, line in enumerate(lines, 1) if line[:1] != "#")


def parse(patterns: Sequence[str], shown: str) -> Patterns:
    """Return *patterns*, one each; raises GeneratorError naming *shown*."""
    return _parsed((pattern, shown) for pattern in patterns)


def _parsed(lines: Iterator[tuple[str, str]]) -> Patterns:
    rules = []
    for line, shown in lines:
        pattern = line.strip(_SPACE)
        back = pattern.startswith("!")
        pattern = pattern.removeprefix("!").strip(_SPACE)
        if not pattern and not back:
            continue
        clean = posixpath.normpath(pattern.replace("//", "/")).removeprefix("/") if pattern else ""
        if not clean:
            raise GeneratorError(f"{shown}: {brief(line)} names nothing; write a pattern after the !, or remove it")
        try:
            rules.append(Rule(back, re.compile(_expression(clean) + r"(?:/.*)?\Z", re.DOTALL)))
        except (re.error, ValueError) as error:
            raise GeneratorError(f"{shown}: {brief(line)} is no pattern: {error}; see Go's path.Match") from error
    return Patterns(tuple(rules))


def _expression(pattern: str) -> str:
    """Return the regular expression of a pattern.

    What a ``**`` finds first is kept where another follows, and what a ``*`` finds first where another follows
    before the next ``**``: nothing is lost by that, and no pattern takes more than time squared.
    """
    tokens = _TOKEN.findall(pattern)
    if "".join(tokens) != pattern:
        raise ValueError("a [ or \\ has no end")
    return "".join(_SPECIAL.get(token) or _literal(token) for token in tokens)


def _literal(token: str) -> str:
    return token if token[0] == "[" else re.escape(token.removeprefix("\\"))
