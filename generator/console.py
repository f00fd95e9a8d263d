# SPDX-License-Identifier: Apache-2.0
"""What commands tell their user, and where: the one contract that all of them keep.

Results go to standard output; progress, waiting, notices and errors go to standard error. Each line is
flushed as it is said, so that it reaches a pipe or a log while the command still runs.
"""

import os
import sys
from collections.abc import Callable

from . import home
from .errors import EXIT_ERROR, EXIT_INTERRUPTED, GeneratorError, one_line, printable

TYPE_CHECKING = False  # typing's own would cost the staleness check a third of its time
if TYPE_CHECKING:
    from typing import TextIO

_PIECES = 1000  # of a JSON document that are printed at once
Say = Callable[[str], None]


class Verbatim(str):
    """Text that is printed as it is: a document or a workflow command, which escape in their own way what is foreign.

    All other text is made fit for one line as it is printed, since it may hold the names of files.
    """

    __slots__ = ()


class ReaderGoneError(Exception):
    """Who read our standard output has gone, so that nothing is left to say; no OSError, which files may raise too."""


def say(text: str) -> None:
    """Tell the user a result; raise ReaderGoneError or GeneratorError where standard output takes no more."""
    try:
        _write(sys.stdout, text)
    except OSError as error:
        raise _unsaid(error) from error


def say_bytes(data: bytes) -> None:
    """Give the user *data* on standard output as it is; raise as say() does, and GeneratorError for a terminal."""
    if sys.stdout is None or sys.stdout.isatty():
        raise GeneratorError("standard output is no place for bytes: redirect it to a file or a pipe")
    try:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    except OSError as error:
        raise _unsaid(error) from error


def note(text: str) -> None:
    """Tell the user of progress, waiting, or something to know; nobody need be there to read it."""
    try:
        _write(sys.stderr, text)
    except OSError:
        _discard(sys.stderr)


def status_of(command: Callable[[], int]) -> int:
    """Return the exit status of *command*, its error told in one line: every door ends through here."""
    try:
        return command()
    except GeneratorError as error:
        note(f"error: {error}")
    except ReaderGoneError:
        pass
    except ModuleNotFoundError as error:
        note(f"error: {error.name} is not installed; {home.REMEDY}")
    except MemoryError:
        note("error: this takes more memory than there is; free some, or raise the limit on it")
    except KeyboardInterrupt:
        note("interrupted; every file is whole, so give the command again to go on")
        return EXIT_INTERRUPTED
    except Exception:  # a fault of ours, told in full; Python's own status would be 1, which means stale
        import traceback

        traceback.print_exc()
    return EXIT_ERROR


def workflow_error(file: str, message: str) -> Verbatim:
    """Return the command that has GitHub show *message* at *file*."""
    name = "".join(f"%{ord(c):02X}" if c in "%\r\n:," else c for c in file)
    return Verbatim(f"::error file={printable(name)}::{one_line(message).replace('%', '%25')}")


def json_document(data: object) -> Verbatim:
    """Return *data* as a JSON document that holds what it holds, and in no line what a log takes for a command.

    Such a command starts a line in ``::``, which no line of JSON does, or is ``##[`` or ``##vso[`` anywhere: of two
    ``#`` in turn, which only strings hold, the second is written as its code.
    """
    import json

    return Verbatim(json.dumps(data, indent=2).replace("##", r"#\u0023"))


def say_json(data: object) -> None:
    """Print *data* as json_document() returns it, piece by piece: lists in it may be made while they are printed."""
    from itertools import islice
    from json import JSONEncoder

    pieces = JSONEncoder(indent=2).iterencode(data)
    try:
        while text := "".join(islice(pieces, _PIECES)):
            if sys.stdout is not None:
                sys.stdout.write(text.replace("##", r"#\u0023"))
        _write(sys.stdout, Verbatim())
    except OSError as error:
        raise _unsaid(error) from error


def _write(stream: "TextIO | None", text: str) -> None:
    if stream is None:  # closed by whoever started us
        return
    line = text if isinstance(text, Verbatim) else one_line(text)
    encoding = stream.encoding or "utf-8"
    stream.write(line.encode(encoding, "backslashreplace").decode(encoding) + "\n")
    stream.flush()


def _unsaid(error: OSError) -> Exception:
    """Return what to raise where standard output has failed with *error*."""
    _discard(sys.stdout)
    if isinstance(error, BrokenPipeError):
        return ReaderGoneError()
    return GeneratorError(f"standard output: cannot be written: {error.strerror}")


def _discard(stream: "TextIO") -> None:
    """Have what *stream* still holds go nowhere; Python would try again at its end and set a status of its own."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, stream.fileno())
    os.close(null)
