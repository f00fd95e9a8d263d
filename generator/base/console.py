# SPDX-License-Identifier: Apache-2.0
"""Print results, progress and errors of commands, and map errors to exit statuses.

Results go to standard output; progress, notices and errors go to standard error. Each line is flushed at once, so
that it reaches a pipe or a log while the command still runs.
"""

import json
import os
import sys
from collections.abc import Callable
from itertools import islice

from . import home
from .errors import EXIT_ERROR, EXIT_INTERRUPTED, GeneratorError, one_line, printable

TYPE_CHECKING = False  # importing typing would take a tenth of the time of the staleness check
if TYPE_CHECKING:
    from typing import TextIO

_COLOURS = {"error:": "1;31", "warning:": "1;33"}  # of the first word, as in ECMA-48
_HANG = "  "  # before the rest of a line that is wrapped
_PIECES = 1000  # of a JSON document, printed at once
Say = Callable[[str], None]


class Verbatim(str):
    """Text to print unchanged: a document or a workflow command, which is already escaped.

    Other text may contain file names, so it is reduced to one printable line.
    """

    __slots__ = ()


class ReaderGoneError(Exception):
    """The reader of stdout closed the pipe; no OSError, since files raise those too."""


def say(text: str) -> None:
    """Print a result; raise ReaderGoneError or GeneratorError if stdout fails."""
    try:
        _write(sys.stdout, text)
    except OSError as error:
        raise _stdout_error(error) from error


def say_bytes(data: bytes) -> None:
    """Write *data* to stdout; raise as say() does, and GeneratorError for a terminal."""
    if sys.stdout is None or sys.stdout.isatty():
        raise GeneratorError("standard output: binary data cannot go to a terminal; hint: redirect it to a file")
    try:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    except OSError as error:
        raise _stdout_error(error) from error


def note(text: str) -> None:
    """Print progress or a notice to stderr; ignore a closed stderr."""
    try:
        _write(sys.stderr, text)
    except OSError:
        _discard(sys.stderr)


def status_of(command: Callable[[], int]) -> int:
    """Run *command* and return its exit status; report its errors in one line. Every entry point ends here."""
    try:
        return command()
    except GeneratorError as error:
        note(f"error: {error}")
    except ReaderGoneError:
        pass
    except ModuleNotFoundError as error:
        note(f"error: {error.name}: not installed; hint: {home.REMEDY}")
    except MemoryError:
        note("error: memory: exhausted; hint: free some, or raise the limit")
    except KeyboardInterrupt:
        note("interrupted: every file is whole; hint: run the command again")
        return EXIT_INTERRUPTED
    except Exception:  # an internal error, with its traceback; Python's own status, 1, would mean stale
        import traceback

        traceback.print_exc()
    return EXIT_ERROR


def workflow_error(file: str, message: str) -> Verbatim:
    """Return the GitHub workflow command that annotates *file* with *message*."""
    name = "".join(f"%{ord(c):02X}" if c in "%\r\n:," else c for c in file)
    return Verbatim(f"::error file={printable(name)}::{one_line(message).replace('%', '%25')}")


def json_document(data: object) -> Verbatim:
    """Return *data* as a JSON document that contains no CI workflow command.

    Such a command starts a line with ``::``, which JSON never does, or is ``##[`` or ``##vso[`` anywhere: in ``##``,
    which only strings contain, the second character is written as an escape.
    """
    return Verbatim(json.dumps(data, indent=2).replace("##", r"#\u0023"))


def say_json(data: object) -> None:
    """Print *data* as json_document() returns it, piece by piece, so that lists in it may be lazy."""
    pieces = json.JSONEncoder(indent=2).iterencode(data)
    try:
        while text := "".join(islice(pieces, _PIECES)):
            if sys.stdout is not None:
                sys.stdout.write(text.replace("##", r"#\u0023"))
        _write(sys.stdout, Verbatim())
    except OSError as error:
        raise _stdout_error(error) from error


def _write(stream: "TextIO | None", text: str) -> None:
    if stream is None:  # closed by the parent process
        return
    line = text if isinstance(text, Verbatim) else _drawn(one_line(text), stream)
    encoding = stream.encoding or "utf-8"
    stream.write(line.encode(encoding, "backslashreplace").decode(encoding) + "\n")
    stream.flush()


def is_terminal(stream: "TextIO | None") -> bool:
    """Return whether *stream* is a terminal that supports colours, or FORCE_COLOR is set."""
    if os.environ.get("FORCE_COLOR"):
        return True
    return stream is not None and stream.isatty() and os.environ.get("TERM", "") not in {"dumb", "unknown"}


def _drawn(line: str, stream: "TextIO") -> str:
    """Return a *line* for a terminal, wrapped at its width and with its first word coloured; for others, unchanged."""
    if not stream.isatty() or not is_terminal(stream) or os.environ.get("CI"):
        return line
    width = _width(stream)
    if len(line) > width > len(_HANG):
        from textwrap import wrap

        parts = wrap(line, width, subsequent_indent=_HANG, break_long_words=False, break_on_hyphens=False)
        line = "\n".join(parts)
    word = "".join(line.split(maxsplit=1)[:1])
    plain = os.environ.get("NO_COLOR") or (os.name == "nt" and not os.environ.get("WT_SESSION"))
    if word in _COLOURS and not plain:
        line = f"\x1b[{_COLOURS[word]}m{word}\x1b[0m{line[len(word) :]}"
    return line


def _width(stream: "TextIO") -> int:
    """Return the columns of a terminal, 0 if unknown."""
    columns = os.environ.get("COLUMNS", "")
    if columns.isdecimal():
        return int(columns)
    try:
        return os.get_terminal_size(stream.fileno()).columns
    except (OSError, ValueError):
        return 0


def _stdout_error(error: OSError) -> Exception:
    """Return the exception to raise after stdout failed with *error*."""
    _discard(sys.stdout)
    if isinstance(error, BrokenPipeError):
        return ReaderGoneError()
    return GeneratorError(f"standard output: cannot be written: {error.strerror}")


def _discard(stream: "TextIO") -> None:
    """Redirect *stream* to the null device; else Python flushes it again at exit and sets its own status."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, stream.fileno())
    os.close(null)
