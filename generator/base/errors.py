# SPDX-License-Identifier: Apache-2.0
"""The project's one family of user errors, each a single line, and escaping of untrusted text."""

import re

EXIT_OK = 0
EXIT_STALE = 1
EXIT_ERROR = 2
EXIT_INTERRUPTED = 130  # 128 + SIGINT, as shells report it

# Text that CI systems take for a workflow command: a line that starts with `::`, or `##[`, `##vso[` anywhere.
_LOG_COMMAND = re.compile(r"^\s*::|##(?=\w*\[)")


class GeneratorError(Exception):
    """An error that the user can fix: one line, ``subject: problem; hint: command``."""

    def __init__(self, message: str) -> None:
        super().__init__(one_line(message))


def one_line(text: str) -> str:
    """Return *text* as one printable line; runs of ASCII white space become one space."""
    return printable(re.sub(r"[ \t\n\r\v\f]+", " ", text).strip(" "))


def printable(text: str) -> str:
    """Return *text*, one line or a part of one, with control characters escaped and log commands broken; keep tabs."""
    if not text.isprintable():
        text = "".join(c if c.isprintable() or c == "\t" else ascii(c)[1:-1] for c in text)
    return _LOG_COMMAND.sub(lambda command: command[0][:-1] + f"\\x{ord(command[0][-1]):02x}", text)


def visible(text: str) -> str:
    """Return *text*, an untrusted name, with every invisible character escaped, tabs too."""
    return printable(text).replace("\t", "\\t")


def brief(data: object, limit: int = 80) -> str:
    """Return the repr of *data*, cut to *limit* characters."""
    try:
        return shorten(repr(data), limit)
    except (ValueError, RecursionError):  # an integer beyond Python's limit of digits, lists beyond its stack
        return "the value"


def brief_path(path: str, limit: int = 80) -> str:
    r"""Return *path* in quotes as it is, such as ``'C:\app'``, cut to *limit* characters.

    Unlike by repr, backslashes are not doubled; invisible characters are escaped all the same.
    """
    mark = '"' if "'" in path else "'"
    return shorten(f"{mark}{visible(path)}{mark}", limit)


def counted(number: int, noun: str) -> str:
    """Return *number* and the *noun*, in the plural if needed, such as "2 layers"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def shorten(text: str, limit: int = 80, *, measured: bool = False) -> str:
    """Return *text*, cut to *limit* characters; with *measured*, they are followed by the length of the text."""
    if len(text) <= limit:
        return text
    return f"{text[:limit]}… ({len(text):,} characters)" if measured else text[: limit - 1] + "…"


def hexadecimal(data: bytes, limit: int = 32) -> str:
    """Return *data* in hexadecimal, cut to *limit* bytes, followed by its length."""
    shown = data[:limit].hex(" ")
    return shown if len(data) <= limit else f"{shown} … ({len(data):,} bytes)"


def quoted(data: bytes) -> str:
    """Return *data* as text in quotes if it is printable ASCII, else in hexadecimal."""
    text = data.decode("ascii", "replace")
    return f"'{text}'" if text.isascii() and text.isprintable() and text else hexadecimal(data)
