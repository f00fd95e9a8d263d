# SPDX-License-Identifier: Apache-2.0
"""Run another program: feed it, read what it writes, show how long it takes, and stop it when it does not end."""

import contextlib
import os
import re
import selectors
import signal
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import GeneratorError, one_line
from ..signals import unwinding

RUN_SECONDS = 60
BUILD_SECONDS = 600
ANSWER_SECONDS = 10  # for a daemon to answer what takes it no work
AUTO_SECONDS = 2  # … when nobody asked for that daemon
PROBE_SECONDS = 5
STOP_SECONDS = 5  # for podman to tidy up
MAX_OUTPUT = 64 << 20  # bytes a process may write

if TYPE_CHECKING:
    from rich.progress import Progress

LATE = "; WINSCRATCH_TIMEOUT can allow it more"


class EngineError(GeneratorError):
    """An engine cannot be used, failed, or answered something else than hives."""


def why_it_failed(status: int, output: bytes, what: str, memory: str = "") -> str:
    """Return one line on why a process that wrote *output* ended with a *status* other than 0."""
    if status in (128 + signal.SIGKILL, -signal.SIGKILL):
        limit = f" (its limit is {memory})" if memory else ""
        return f"{what} was killed, most likely for want of memory{limit}"
    return telling_line(output) or f"{what} ended with status {status} and no message"


@dataclass(frozen=True)
class Ended:
    """How a process ended: its exit status (negative: the signal), and what it wrote."""

    status: int
    out: bytes
    err: bytes


class Line:
    """One line on the terminal that tells, again and again, how far a long step is; nothing where there is none."""

    PERIOD = 0.5  # seconds from one look at the output to the next

    def __init__(self, label: str, *, show_output: bool = False) -> None:
        self._label = label
        self._show_output = show_output
        self._progress: Progress | None = None

    def draw(self, output: bytes | bytearray) -> None:
        """Show the label, the last line of *output* if that is wanted, and the time so far."""
        if self._progress is None:
            from rich import console, progress  # who waits for nothing does not wait for this

            columns = (progress.TextColumn("{task.description}", markup=False), progress.TimeElapsedColumn())
            terminal = console.Console(stderr=True)
            silent = not terminal.is_terminal or terminal.is_dumb_terminal
            self._progress = progress.Progress(*columns, console=terminal, transient=True, disable=silent)
            self._progress.add_task(self._label, total=None)
            self._progress.start()
        last = [one_line(line) for line in _lines(output)[-1:]] if self._show_output else []
        self._progress.update(self._progress.task_ids[0], description=": ".join([self._label, *last]))

    def clear(self) -> None:
        """Take the line away."""
        if self._progress is not None:
            self._progress.stop()


def run(
    command: list[str],
    *,
    what: str,
    seconds: float,
    hint: str = "",
    stdin: bytes = b"",
    merge: bool = False,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    line: Line | None = None,
    gently: bool = False,
) -> Ended:
    """Run *command*, feed it *stdin* and return how it ended, within *seconds*.

    *merge* joins standard error to the output, in the order written. Raises EngineError, which
    names *what*, when the process cannot start, writes more than MAX_OUTPUT bytes or does not end
    in time (then with *hint*). Whatever ends the wait early stops the process and its group, at
    once or *gently*.
    """
    deadline = time.monotonic() + seconds
    with unwinding():
        try:
            process = subprocess.Popen(
                command,
                bufsize=0,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT if merge else subprocess.PIPE,
                env=env,
                cwd=cwd,
                # Its own group, to be killed as one, and out of the reach of the terminal's Ctrl-C.
                start_new_session=True,
            )
        except OSError as error:
            raise EngineError(f"{what} cannot be started: {error.strerror}") from error
        with process:
            try:
                return _converse(process, what, deadline, stdin, line)
            except TimeoutError as error:
                raise EngineError(f"{what} did not end within {seconds:g} s{hint}") from error
            finally:
                if process.returncode is None:
                    _stop(process, gently)
                if line:
                    line.clear()


def _stop(process: "subprocess.Popen[bytes]", gently: bool) -> None:
    """Kill the process and its group; *gently* lets a Go program tidy up after its children first.

    An image build that podman does not end itself leaves a working container and temporary files.
    No signal makes podman end it, but by default SIGUSR1 ends any program except one in Go, which
    takes no notice: so the build's command dies, and podman tidies up as after any failure.
    """
    with contextlib.suppress(ProcessLookupError, PermissionError):
        try:
            if gently:
                os.killpg(process.pid, signal.SIGUSR1)
                process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            pass
        finally:
            # Only while nobody has waited for it is its number still its own.
            if process.returncode is None:
                os.killpg(process.pid, signal.SIGKILL)


def _converse(process: "subprocess.Popen[bytes]", what: str, deadline: float, stdin: bytes, line: Line | None) -> Ended:
    """Write *stdin* to the process while reading what it writes, until it ends; raise TimeoutError if it does not."""
    rest = memoryview(stdin)
    out, err = bytearray(), bytearray()
    with selectors.DefaultSelector() as selector:
        for stream, buffer in ((process.stdout, out), (process.stderr, err)):
            if stream:
                selector.register(stream, selectors.EVENT_READ, buffer)
        if process.stdin:
            os.set_blocking(process.stdin.fileno(), False)
            selector.register(process.stdin, selectors.EVENT_WRITE)
        while selector.get_map():
            for key, events in selector.select(min(_left(deadline), Line.PERIOD)):
                if events & selectors.EVENT_WRITE and process.stdin:
                    rest = _feed(key.fd, rest)
                    if not rest:
                        selector.unregister(process.stdin)
                        process.stdin.close()
                elif chunk := os.read(key.fd, 1 << 16):
                    key.data.extend(chunk)
                    if len(key.data) > MAX_OUTPUT:
                        raise EngineError(f"{what} wrote more than {MAX_OUTPUT >> 20} MiB")
                else:
                    selector.unregister(key.fileobj)
            if line:
                line.draw(out)
    try:
        return Ended(process.wait(_left(deadline)), bytes(out), bytes(err))
    except subprocess.TimeoutExpired as error:
        raise TimeoutError from error


def _feed(fd: int, data: memoryview) -> memoryview:
    """Write what the pipe *fd* takes at once of *data* and return the rest; nothing is left for a closed one."""
    try:
        return data[os.write(fd, data) :]
    except BrokenPipeError:  # the exit status will say why
        return data[:0]


def _left(deadline: float) -> float:
    """Return the seconds left until *deadline*, or raise TimeoutError."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _lines(output: bytes | bytearray) -> list[str]:
    """Return the last lines of *output*, without colours, outer white space and blank lines."""
    text = re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", output[-(1 << 16) :].decode("utf-8", "replace"))
    return [line.strip() for line in text.splitlines() if line.strip()]


def telling_line(output: bytes | bytearray) -> str:
    """Return the line of *output* that says best what went wrong: apt's or another error, or else the last line."""
    # docker ends its errors with advice on --help; BuildKit numbers and times each line.
    lines = [re.sub(r"^#\d+ [\d.]+ ", "", line) for line in _lines(output) if not re.match(r"(Run|See) '", line)]
    for pattern in (r"E: ", r"(?i)(error|failed|fatal)\b", ""):
        for line in reversed(lines):
            if re.match(pattern, line):
                return line[:300]
    return ""
