# SPDX-License-Identifier: Apache-2.0
"""Bytes as literals of source code: the filters that templates use."""

import re
from base64 import b64encode
from collections.abc import Iterable, Iterator
from typing import NamedTuple

_WORD = re.compile(rb"[!-~]{1,48}|.", re.DOTALL)  # printable ASCII stays together, so that names can be read


class Run(NamedTuple):
    """A stretch of bytes: *zeros* NULs that end at *offset*, then *data*, which has no long run of NULs."""

    offset: int
    zeros: int
    data: bytes


def runs(data: bytes, least: int = 8) -> Iterator[Run]:
    """Split *data* where at least *least* NULs follow one another; the last run's data may be empty."""
    zeros = start = 0
    for gap in re.finditer(rb"\0{%d,}" % least, data):
        if gap.start() > start or zeros:
            yield Run(start, zeros, data[start : gap.start()])
        zeros, start = len(gap.group()), gap.end()
    if zeros or start < len(data):
        yield Run(start, zeros, data[start:])


def powers(number: int, largest: int = 4096) -> list[int]:
    """Return powers of two, none above *largest*, that add up to *number*, the greatest first."""
    whole, rest = divmod(number, largest)
    return [largest] * whole + [1 << n for n in reversed(range(largest.bit_length() - 1)) if rest >> n & 1]


def quoted(data: bytes, width: int, escape: str = r"\x%02x", special: str = "") -> list[str]:
    r"""Return *data* as double-quoted literals of at most *width* characters or one word.

    Printable ASCII stands for itself, but for quotes, backslashes and the characters in *special*, such as
    the ``$`` by which some languages begin a variable. All else is *escape*, a %-format for a byte; it must
    have as many digits as the language reads at most, so that no escape runs on into what follows:
    ``\x%02x`` in Go, JavaScript and Python, ``\%03o`` in C and Java, ``\u%04x`` in C#.
    """
    words = ("".join(_character(b, escape, special) for b in word) for word in _WORD.findall(data))
    return [f'"{line}"' for line in _wrap(words, "", width - 2)]


def pieces(data: bytes, width: int, escape: str = r"\x%02x", special: str = "") -> Iterator[tuple[int, str]]:
    """Yield *data* as numbers of zeros, each with an empty literal, and as quoted literals, each with the number 0."""
    for run in runs(data):
        if run.zeros:
            yield run.zeros, ""
        for literal in quoted(run.data, width, escape, special):
            yield 0, literal


def base64(data: bytes, width: int) -> list[str]:
    """Return *data* in base64 with padding, as lines of at most *width* characters, of which each can be decoded."""
    size = width // 4 * 3
    return [b64encode(data[start : start + size]).decode("ascii") for start in range(0, len(data), size)]


def _character(byte: int, escape: str, special: str) -> str:
    character = chr(byte)
    return character if " " <= character <= "~" and character not in '"\\' + special else escape % byte


def numbers(data: bytes, width: int = 88) -> list[str]:
    """Return *data* as lines of C initialisers, each ending in a comma: letters as such, the rest as numbers."""
    return [line + "," for line in _wrap((", ".join(map(_number, word)) for word in _WORD.findall(data)), ", ", width)]


def _number(byte: int) -> str:
    if 0x20 <= byte < 0x7F and byte not in b"'\\":
        return f"'{byte:c}'"
    return str(byte) if byte < 10 else f"0x{byte:02x}"


def define(value: str, name: str) -> str:
    """Return a C macro's definition, broken where clang-format would break it: beyond 80 columns."""
    line = f"#define {name} {value}"
    return line if len(line) <= 80 else f"{f'#define {name}':<79}\\\n  {value}"


def _wrap(words: Iterable[str], separator: str, width: int) -> list[str]:
    """Return *words* joined into lines of at most *width* characters, or one word where that is longer."""
    lines: list[str] = []
    line: list[str] = []
    length = 0
    for word in words:
        if line and length + len(separator) + len(word) > width:
            lines.append(separator.join(line))
            line, length = [], 0
        length += len(word) + (len(separator) if line else 0)
        line.append(word)
    return [*lines, separator.join(line)] if line else lines
