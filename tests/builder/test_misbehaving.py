# SPDX-License-Identifier: Apache-2.0
"""Engines that misbehave, played by programs of the tests' own."""

import contextlib
import json
import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers.engines import HIVES, clock, ignore, message, response, saying, with_hive
from helpers.support import StandIn

from generator.base import process
from generator.base.process import EngineError
from generator.builder import choose, container, wire
from generator.builder.container import ContainerEngine
from generator.builder.native import NativeEngine

pytestmark = pytest.mark.usefixtures("plain")

UNUSABLE = "engine {name}: invalid response: "
MISBEHAVIOUR = {
    "says nothing": ("", UNUSABLE + "empty"),
    "says half": (saying(json.dumps(response())[:99]), UNUSABLE + "invalid JSON"),
    "says a list": (saying([]), UNUSABLE + "response: not an object"),
    "says a wrong digest": (saying(with_hive(sha256="0" * 64)), UNUSABLE + "hives.empty.sha256: wrong digest"),
    "leaves out a hive": (saying(response(hives={})), UNUSABLE + "hives: missing empty, one key"),
    "adds a hive": (
        saying(response(hives={**response()["hives"], "more": {}})),
        UNUSABLE + "hives: unknown more",
    ),
    "fails with a line": ("echo 'hivebuilder: hive a: no' >&2; exit 1", "engine {name}: hivebuilder: hive a: no"),
    "fails with lines": (
        "printf 'Traceback:\\n  a\\n\\033[31mValueError: b\\033[0m\\a\\n\\n' >&2; exit 1",
        "engine {name}: ValueError: b",
    ),
    "fails without a word": ("exit 1", "engine {name}: .* ended with status 1 and no message"),
    "says all and fails": (saying(response()) + "\nexit 1", "engine {name}: .* ended with status 1 and no message"),
    "is killed": ("kill -9 $$", "engine {name}: .* was killed, most likely out of memory"),
    "hangs": ("sleep infinity & hang", ".* did not end within 1 s; hint: set WINSCRATCH_TIMEOUT to wait longer"),
    "hangs, not reading": ("exec <&-; hang", ".* did not end within 1 s"),
    "hangs, saying no more": ("exec >&- 2>&-; hang", ".* did not end within 1 s"),
    "hangs, undying": ("trap '' TERM INT HUP; hang", ".* did not end within 1 s"),
    "leaves a child with its output": ("hang & exit 0", ".* did not end within 1 s"),
    "never ends its output": ("exec yes", ".* wrote more than 64 MiB"),
    "never ends its errors": ("exec yes >&2", ".* wrote more than 64 MiB"),
}


@pytest.mark.parametrize("case", MISBEHAVIOUR)
def test_misbehaving_docker_is_reported(
    case: str, stand_in: Callable[[str, str], StandIn], monkeypatch: pytest.MonkeyPatch
) -> None:
    script, expected = MISBEHAVIOUR[case]
    program = stand_in("docker", f'test "$1" = run || exit 0\n{script}')
    clock(monkeypatch, lambda: program.hung)
    with pytest.raises(EngineError) as failure:
        choose.build_hives(ContainerEngine("docker", ignore, run_seconds=1), HIVES)
    assert re.match(expected.format(name="docker"), message(failure))
    if not expected.startswith(UNUSABLE):  # then the container may be left behind
        (container,) = re.findall(r"--name (\S+)", "\n".join(program.calls))
        assert f"rm --force {container}" in program.calls


@pytest.mark.parametrize("case", MISBEHAVIOUR)
def test_misbehaving_native_builder_is_reported(
    case: str, stand_in: Callable[[str, str], StandIn], monkeypatch: pytest.MonkeyPatch
) -> None:
    script, expected = MISBEHAVIOUR[case]
    program = stand_in("python", script)
    clock(monkeypatch, lambda: program.hung)
    with pytest.raises(EngineError) as failure:
        choose.build_hives(NativeEngine(str(program.path), run_seconds=1), HIVES)
    assert re.match(expected.format(name="native"), message(failure))


def test_program_that_cannot_be_started_is_reported(
    stand_in: Callable[[str, str], StandIn], monkeypatch: pytest.MonkeyPatch
) -> None:
    program = stand_in("docker", "").path
    program.write_bytes(b"\x7fELF no more")
    monkeypatch.setenv("PATH", str(program.parent))
    with pytest.raises(EngineError, match=r"^docker image cannot be started: Exec format error$"):
        ContainerEngine("docker", ignore).run(b"")


def test_advice_after_docker_errors_is_skipped(stand_in: Callable[[str, str], StandIn]) -> None:
    advice = "docker: Error response from daemon: no.\n\nRun 'docker run --help' for more information"
    stand_in("docker", f"test $1 = run || exit 0\n{saying(advice, '>&2')}\nexit 125")
    with pytest.raises(EngineError, match=r"^engine docker: docker: Error response from daemon: no\.$"):
        ContainerEngine("docker", ignore).run(b"")


def test_daemon_that_hangs_during_a_run_is_abandoned(
    stand_in: Callable[[str, str], StandIn], monkeypatch: pytest.MonkeyPatch
) -> None:
    program = stand_in("docker", "test $1 = image || hang")
    clock(monkeypatch, lambda: program.hung)
    said: list[str] = []
    with pytest.raises(EngineError, match=r"^docker run did not end within 1 s"):
        ContainerEngine("docker", said.append, run_seconds=1).run(b"")
    (name,) = re.findall(r"--name (\S+)", "\n".join(program.calls))
    assert said == [f"container {name}: may be left behind; hint: docker rm --force {name}"]


def test_removal_is_tried_again_for_a_new_container(
    stand_in: Callable[[str, str], StandIn], monkeypatch: pytest.MonkeyPatch
) -> None:
    program = stand_in("docker", "test $1 != run || hang")
    clock(monkeypatch, lambda: program.hung)
    with pytest.raises(EngineError):
        ContainerEngine("docker", ignore, run_seconds=1).run(b"")
    assert [call.split()[0] for call in program.calls] == ["image", "run", "rm", "rm"]


def test_podman_that_ignores_the_stop_is_killed(
    stand_in: Callable[[str, str], StandIn], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "STOP_SECONDS", 0.5)
    program = stand_in("podman", "trap '' USR1; test $1 = build && hang")
    clock(monkeypatch, lambda: program.hung)
    with pytest.raises(EngineError, match=r"^podman build did not end within 1 s; hint: set WINSCRATCH_TIMEOUT"):
        ContainerEngine("podman", ignore, build_seconds=1).run(b"")


def test_settings_reach_the_image_build(
    stand_in: Callable[[str, str], StandIn], monkeypatch: pytest.MonkeyPatch
) -> None:
    program = stand_in("docker", 'test $1 = version && echo 1.2 linux || { cat; test "$1" != image; }')
    monkeypatch.setenv("WINSCRATCH_BASE_IMAGE", "debian:bookworm-slim")
    monkeypatch.setenv("WINSCRATCH_BUILD_NETWORK", "host")
    docker = choose.select("docker", ignore)
    assert isinstance(docker, ContainerEngine)
    assert docker.run(b"echo") == b"echo"
    tag = container.image_tag(container.build_context(), "debian:bookworm-slim")
    assert f"build --force-rm --tag {tag} --build-arg BASE=debian:bookworm-slim --network=host -" in program.calls


SLOW = """
import sys
sys.path.insert(0, {root!r})
from generator.builder.container import ContainerEngine
ContainerEngine("docker", lambda line: print(line, file=sys.stderr)).run(b"")
"""


@pytest.mark.parametrize("terminal", [True, False])
def test_progress_is_shown_on_terminals_only(
    terminal: bool, stand_in: Callable[[str, str], StandIn], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    steps = {"build": "building image: Setting up ä", "run": "building hives"}
    script = f"echo Setting up ä; while ! test -e {tmp_path}/$1; do sleep 0.1; done"
    stand_in("docker", f"case $1 in image) exit 1 ;; build | run) {script if terminal else 'sleep 1.8'} ;; esac")
    monkeypatch.setenv("TERM", "xterm")
    reader, writer = pty.openpty() if terminal else os.pipe()
    shown = b""
    with subprocess.Popen([sys.executable, "-X", "utf8", "-c", SLOW.format(root=str(wire.ROOT))], stderr=writer):
        os.close(writer)
        with contextlib.suppress(OSError):  # the end of a terminal
            while data := os.read(reader, 1 << 16):
                shown += data
                for step, label in steps.items():  # a step ends once its time was shown
                    if re.search(rf"{label} \S*\d:\d\d:0[1-9]".encode(), shown):
                        (tmp_path / step).touch()
    os.close(reader)
    tag = container.image_tag(container.build_context())
    said = f"building image {tag} (the first time takes about a minute)"
    first, _, rest = shown.decode().partition("\n")
    assert first.rstrip() == said
    if terminal:
        assert {path.name for path in tmp_path.iterdir()} >= set(steps)
        assert rest.endswith("\x1b[2K")  # nothing of it is left
    else:
        assert rest == ""
