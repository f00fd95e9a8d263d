# SPDX-License-Identifier: Apache-2.0
"""The one family of errors a user sees, each as a single line. Imports nothing: the staleness check does."""

EXIT_OK = 0
EXIT_STALE = 1
EXIT_ERROR = 2
EXIT_INTERRUPTED = 130  # 128 + SIGINT, as shells have it

# What continuous integrations take for a command to them: a line that starts in `::`, or `##[`, `##vso[` anywhere.
_LOG_COMMAND = r"^\s*::|##(?=\w*\[)"


class GeneratorError(Exception):
    """Something the user can fix: the message is one line that names file, key and fix."""

    def __init__(self, message: str) -> None:
        super().__init__(one_line(message))


def one_line(text: str) -> str:
    """Return *text* as one line that commands neither a terminal nor a CI's log: runs of ASCII's white space folded."""
    for space in "\t\n\r\v\f":
        text = text.replace(space, " ")
    return printable(" ".join(filter(None, text.split(" "))))


def printable(text: str) -> str:
    """Return *text*, a line or a part of one, with tabs kept, control characters escaped and log commands broken."""
    if not text.isprintable():
        text = "".join(c if c.isprintable() or c == "\t" else ascii(c)[1:-1] for c in text)
    if "::" not in text and "##" not in text:
        return text
    import re

    return re.sub(_LOG_COMMAND, lambda command: command[0][:-1] + f"\\x{ord(command[0][-1]):02x}", text)


def visible(text: str) -> str:
    """Return *text*, a name from outside, with every character escaped that is not seen or changes what is."""
    return printable(text).replace("\t", "\\t")


def brief(data: object) -> str:
    """Return how Python writes *data*, cut where that is long, so that an error stays one line that can be read."""
    try:
        return shorten(repr(data))
    except (ValueError, RecursionError):  # an integer beyond Python's limit of digits, lists beyond its stack
        return "the value"


def counted(number: int, one: str) -> str:
    """Return how many there are of *one* thing, in words."""
    return f"{number:,} {one}{'' if number == 1 else 's'}"


def shorten(text: str, most: int = 80) -> str:
    """Return *text*, cut where it is longer than *most* characters."""
    return text if len(text) <= most else text[: most - 1] + "…"
