# SPDX-License-Identifier: Apache-2.0
"""Hives to build, responses, toy builders and signals for tests of engines."""

import base64
import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from generator.base import process
from generator.base.process import EngineError
from generator.builder import choose, container, wire
from generator.builder.native import NativeEngine
from generator.hives.model import EMPTY_HIVE, REG_BINARY, REG_SZ, Hive, Key, Value

from .support import HANG, lack, wait_until

if TYPE_CHECKING:
    import pytest

    from generator.base.errors import GeneratorError

HIVES: dict[str, Hive] = {
    "empty": EMPTY_HIVE,
    "one key": (Key(()), Key(("Objects",), (Value("", REG_SZ, "ä".encode("utf-16-le")), Value("n", REG_BINARY, b"")))),
}
REQUEST = wire.encode_request(HIVES)

# Where the image comes from is this machine's business, not the tests'.
BASE = os.environ.get("WINSCRATCH_BASE_IMAGE", "")
NETWORK = os.environ.get("WINSCRATCH_BUILD_NETWORK", "")


def ignore(_: str) -> None:
    """Discard a line."""


def clock(monkeypatch: "pytest.MonkeyPatch", hung: Callable[[], int], seconds: float = 3600) -> None:
    """Replace the clock of engines: it advances by *seconds* for each process that has *hung*.

    So time is up once a process hangs, and not before, however long the machine takes to start it.
    """
    monkeypatch.setattr(process, "time", SimpleNamespace(monotonic=lambda: seconds * hung()))


def message(failure: "pytest.ExceptionInfo[GeneratorError]") -> str:
    """Return the message of the error, one printable line."""
    line = str(failure.value)
    assert line.isprintable()
    assert len(line) < 1000
    return line


def is_running(cmdline: Path, command: str) -> bool:
    """Return True if the process with this file in /proc is *command*."""
    try:
        return cmdline.read_bytes().rstrip(b"\0").split(b"\0") == command.encode().split()
    except OSError:  # it ended meanwhile
        return False


def response(**changes: object) -> dict[str, Any]:
    """Return a valid response to REQUEST, with *changes*."""
    data = b"regf"
    hive = {"sha256": hashlib.sha256(data).hexdigest(), "data": base64.b64encode(data).decode()}
    return {"format": 1, "hivex": "1.3.24", "hives": {name: dict(hive) for name in HIVES}, **changes}


def with_hive(**changes: object) -> dict[str, Any]:
    sound = response()
    sound["hives"]["empty"].update(changes)
    return sound


def saying(document: object, redirect: str = "") -> str:
    return f"cat <<'END' {redirect}\n{document if isinstance(document, str) else json.dumps(document)}\nEND"


TOYS = {
    "sleep": "import signal, sys; sys.stdin.read(); signal.pause()",
    "eat memory": "x = b'x' * (1 << 30)",
}


def toy_checkout(folder: Path, program: str, dockerfile: str | None = None) -> Path:
    """Return a checkout with the hive builder *program*, which gives it another image tag."""
    builder = folder / wire.BUILDER
    builder.mkdir(parents=True)
    (builder / "__main__.py").write_text(f"# {os.urandom(8).hex()}\n{program}\n")
    (folder / container.DOCKERFILE).write_text(dockerfile or (wire.ROOT / container.DOCKERFILE).read_text())
    return folder


INTERRUPTED = """
import sys
from pathlib import Path
from types import SimpleNamespace
sys.path.insert(0, {root!r})
from generator.builder.container import ContainerEngine
from generator.builder.native import NativeEngine
{made}.run(b"")
"""


def interrupted(made: str, number: int, ready: Callable[[], object]) -> int:
    """Run an engine in a new Python, send it the signal once *ready*, and return its exit status."""
    child = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED.format(root=str(wire.ROOT), made=made)],
        stderr=subprocess.DEVNULL,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509
    )
    try:
        wait_until(ready)
        child.send_signal(number)
        return child.wait(HANG)
    finally:
        child.kill()
        child.wait()


SIGNALS = {signal.SIGINT: -signal.SIGINT, signal.SIGTERM: 143, signal.SIGHUP: 129}  # and the status each ends with


def native() -> NativeEngine:
    try:
        found = choose.select("native", ignore)
    except EngineError as error:
        lack(str(error))
    assert isinstance(found, NativeEngine)
    return found
