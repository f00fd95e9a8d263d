# SPDX-License-Identifier: Apache-2.0
"""Run another program with a time limit: feed stdin, read its output, show progress, kill its process group."""

import contextlib
import os
import re
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from .errors import GeneratorError, one_line
from .signals import postponed, unwinding

RUN_SECONDS = 60
BUILD_SECONDS = 600
ANSWER_SECONDS = 10  # for a quick question to a daemon
AUTO_SECONDS = 2  # … that the user did not choose
PROBE_SECONDS = 5
STOP_SECONDS = 5  # for podman to clean up
MAX_OUTPUT = 64 << 20  # bytes a process may write

if TYPE_CHECKING:
    from rich.progress import Progress

LATE = "; hint: set WINSCRATCH_TIMEOUT to wait longer"


class EngineError(GeneratorError):
    """A program could not be started, failed, or returned an unusable answer."""


def why_it_failed(status: int, output: bytes, what: str, memory: str = "") -> str:
    """Return one line with the reason why a process that wrote *output* ended with a *status* other than 0."""
    if status in (128 + signal.SIGKILL, -signal.SIGKILL):
        limit = f" (its limit is {memory})" if memory else ""
        return f"{what} was killed, most likely out of memory{limit}"
    return error_line(output) or f"{what} ended with status {status} and no message"


@dataclass(frozen=True)
class Ended:
    """How a process ended: its exit status (negative: the signal), and what it wrote."""

    status: int
    out: bytes
    err: bytes


class ProgressLine:
    """A progress line for a long step on the terminal; silent without one."""

    PERIOD = 0.5  # seconds between updates

    def __init__(self, label: str, *, show_output: bool = False) -> None:
        self._label = label
        self._show_output = show_output
        self._progress: Progress | None = None

    def draw(self, output: bytes | bytearray) -> None:
        """Show the label, the last line of *output* if enabled, and the elapsed time."""
        if self._progress is None:
            from rich import console, progress  # slow to import

            columns = (progress.TextColumn("{task.description}", markup=False), progress.TimeElapsedColumn())
            terminal = console.Console(stderr=True)
            silent = not terminal.is_terminal or terminal.is_dumb_terminal
            self._progress = progress.Progress(*columns, console=terminal, transient=True, disable=silent)
            self._progress.add_task(self._label, total=None)
            self._progress.start()
        last = [one_line(line) for line in _last_lines(output)[-1:]] if self._show_output else []
        self._progress.update(self._progress.task_ids[0], description=": ".join([self._label, *last]))

    def clear(self) -> None:
        """Remove the line."""
        if self._progress is not None:
            self._progress.stop()


class ProcessSpec(NamedTuple):
    """A program and its limits: *args* to run within *seconds*, *what* and *hint* for its errors.

    *merge* joins stderr to stdout, in the order written. If it must be stopped, *gently* lets podman clean up first.
    """

    args: list[str]
    what: str
    seconds: float
    hint: str = ""
    env: Mapping[str, str] | None = None
    cwd: Path | None = None
    merge: bool = False
    gently: bool = False


def run(
    program: ProcessSpec,
    stdin: bytes = b"",
    line: ProgressLine | None = None,
    watch: Callable[[int], None] | None = None,
) -> Ended:
    """Run *program* with *stdin* and return its exit status and output.

    *watch* is called at every turn with the process id, and may raise to stop the process. Raises EngineError if the
    process cannot start, writes more than MAX_OUTPUT bytes or exceeds its time. Any exception kills the process and its
    group.
    """
    deadline = time.monotonic() + program.seconds

    def at_every_turn(output: bytearray) -> None:
        if line:
            line.draw(output)
        if watch:
            watch(process.pid)

    with unwinding(), contextlib.ExitStack() as stack:
        if line:
            stack.callback(line.clear)
        with postponed():  # until the process is sure to be stopped
            process = stack.enter_context(_start(program))
            stack.callback(_stop, process, program.gently)
        try:
            return _converse(process, program.what, deadline, stdin, at_every_turn)
        except (TimeoutError, subprocess.TimeoutExpired) as error:
            raise EngineError(f"{program.what} did not end within {program.seconds:.0f} s{program.hint}") from error


def bytes_read(process: int) -> int:
    """Return the bytes that a process has read so far, 0 if unknown. Source: proc(5), /proc/pid/io; Linux only.

    It is unknown for a process that has ended: Linux may then permit only root to read it.
    """
    with contextlib.suppress(OSError, ValueError):
        return int(Path(f"/proc/{process}/io").read_text("ascii").split()[1])
    return 0


def _start(program: ProcessSpec) -> "subprocess.Popen[bytes]":
    """Start *program* in a process group of its own, to be killed as one and out of reach of the terminal's Ctrl-C."""
    try:
        return subprocess.Popen(
            program.args,
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT if program.merge else subprocess.PIPE,
            env=program.env,
            cwd=program.cwd,
            start_new_session=True,
        )
    except OSError as error:
        raise EngineError(f"{program.what} cannot be started: {error.strerror}") from error


def _stop(process: "subprocess.Popen[bytes]", gently: bool) -> None:
    """Kill the process and its group; *gently* lets podman clean up after its children first.

    A killed podman leaves a working container and temporary files, and no signal makes it stop a build. But SIGUSR1
    kills most programs and is ignored by those in Go: the build's command dies, and podman cleans up after it.
    """
    if process.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError, PermissionError):
        try:
            if gently:
                os.killpg(process.pid, signal.SIGUSR1)
                process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            pass
        finally:
            # Until wait() reaps it, its process id cannot be reused.
            if process.returncode is None:
                os.killpg(process.pid, signal.SIGKILL)


def _converse(
    process: "subprocess.Popen[bytes]",
    what: str,
    deadline: float,
    stdin: bytes,
    hook: Callable[[bytearray], None],
) -> Ended:
    """Write *stdin* and read the output until the process ends; raise TimeoutError or TimeoutExpired at the *deadline*.

    The *hook* is called at every turn with the output so far.
    """
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
            for key, events in selector.select(min(_left(deadline), ProgressLine.PERIOD)):
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
            hook(out)
    return Ended(process.wait(_left(deadline)), bytes(out), bytes(err))


def _feed(fd: int, data: memoryview) -> memoryview:
    """Write as much of *data* to the pipe *fd* as fits now; return the rest, nothing for a closed pipe."""
    try:
        return data[os.write(fd, data) :]
    except BrokenPipeError:  # the exit status shows why
        return data[:0]


def _left(deadline: float) -> float:
    """Return the seconds until *deadline*, or raise TimeoutError."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _last_lines(output: bytes | bytearray) -> list[str]:
    """Return the last lines of *output* without colours, blank lines and outer white space."""
    text = re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", output[-(1 << 16) :].decode("utf-8", "replace"))
    return [line.strip() for line in text.splitlines() if line.strip()]


def error_line(output: bytes | bytearray) -> str:
    """Return the line of *output* that best names the error: apt's, another error, or the last line."""
    # docker appends advice on --help to its errors; BuildKit prefixes each line with number and time.
    lines = [re.sub(r"^#\d+ [\d.]+ ", "", line) for line in _last_lines(output) if not re.match(r"(Run|See) '", line)]
    for pattern in (r"E: ", r"(?i)(error|failed|fatal)\b", ""):
        for line in reversed(lines):
            if re.match(pattern, line):
                return line[:300]
    return ""
