# SPDX-License-Identifier: Apache-2.0
"""Kill `rebase` and `index` anywhere, run two at once, and lie to them: nothing half, nothing wrong."""

import functools
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from helpers import bases, image_indexes, image_runs
from helpers.bases import VERSIONS, Repository
from helpers.counts import count
from helpers.image_runs import Registry
from helpers.kills import CALLS, bytecode, points, sample
from helpers.layouts import Layout
from helpers.registry_proxy import Killer, ProxyHandler, patiently, proxy
from helpers.support import HANG, need

from generator.base.home import TEMPORARY
from generator.builder.wire import ROOT

_CALLS = f"{CALLS},link,linkat,symlink,copy_file_range,sendfile,fsync"
BUILD = "windows/amd64:10.0.20348"
COMMANDS = {
    "rebase": ("rebase", "oci:in:1", "--onto", "scratch"),
    "index": ("index", "oci:in:1", "oci:linux:t"),
}
PLACES = {"layout": "oci:out:hello:1", "archive": "oci-archive:a.tar:hello:1"}


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    need("skopeo")
    with image_runs.registry(tmp_path_factory.mktemp("registry") / "run") as running:
        yield running


def environment(root: Path) -> dict[str, str]:
    made = {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": bytecode()}
    return {**os.environ, **made, "PYTHONUNBUFFERED": "", "TMPDIR": str(root), "XDG_CACHE_HOME": image_runs.cache()}


def program(*words: str) -> list[str]:
    return [sys.executable, "-P", "-m", "generator", *words]


# ---------------------------------------------------------------------------------------------
# On disk


def staged(root: Path, to: str) -> Path:
    """Make images to work on in *root*, and the image that is at the destination before."""
    root.mkdir()
    sources = image_runs.sources(root / "sources")
    image_runs.made(sources, f"oci:{root}/in:1", layer="legacy", entrypoint=())
    linux = Layout(root / "linux", [])
    image_indexes.indexed(linux, image_indexes.linux(linux), windows=False)
    transport, path, name = to.split(":", 2)
    for each in (name, "other:1") if transport == "oci" else (name,):
        image_runs.made(sources, f"{transport}:{root}/{path}:{each}")
    return root


def found(root: Path) -> object:
    """Return what is at the destination, which must be whole."""
    if (root / "a.tar").exists():
        return image_runs.sha256((root / "a.tar").read_bytes())
    image_runs.assert_whole(root / "out")
    return {name: each["digest"] for name, each in image_runs.named(root / "out").items()}


def leftovers(root: Path) -> list[str]:
    return [path for path in image_runs.tree(root) if TEMPORARY in path or "winscratch-" in path]


def traced(root: Path, words: list[str], *strace: str) -> int:
    command = [need("strace"), "-f", "-qq", *strace, *program(*words)]
    return image_runs.attempt(*command, cwd=root, env=environment(root)).returncode


def calls(root: Path, words: list[str]) -> list[tuple[str, int]]:
    """Run to the end and return the calls that changed files; strace counts each thread's by themselves."""
    assert traced(root, words, "-o", str(root.parent / "log"), "-e", f"trace={_CALLS}") == 0
    threads: dict[str, list[str]] = {}
    for line in (root.parent / "log").read_text().splitlines():
        thread, said = line.split(maxsplit=1)
        threads.setdefault(thread, []).append(said)
    return sorted({point for said in threads.values() for point in points("\n".join(said))})


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("command", COMMANDS)
def test_a_kill_at_any_call_leaves_the_old_or_the_new(command: str, place: str, tmp_path: Path) -> None:
    start = staged(tmp_path / "start", PLACES[place])
    words = [*COMMANDS[command], "--to", PLACES[place], "--force"][: None if place == "archive" else -1]
    for name in ("warm", "done"):
        done = Path(shutil.copytree(start, tmp_path / name, symlinks=True))
        made = calls(done, words)
    old, new = found(start), found(done)
    assert new != old
    ends = []
    for call, number in sample(made, 12):
        root = Path(shutil.copytree(start, tmp_path / "root", symlinks=True))
        inject = ("-o", "/dev/null", "-e", f"trace={call}", "-e", f"inject={call}:signal=SIGKILL:when={number}")
        if traced(root, words, *inject) in {-signal.SIGKILL, 128 + signal.SIGKILL}:
            ends.append(found(root))
        assert found(root) in (old, new), (call, number)
        assert traced(root, words, "-o", "/dev/null", "-e", "trace=none") == 0
        assert found(root) == new
        if place == "layout":
            assert leftovers(root) == []
        shutil.rmtree(root)
    assert len(ends) > 5
    assert old in ends


# ---------------------------------------------------------------------------------------------
# In a registry


def started(root: Path, *words: str, stderr: int = subprocess.DEVNULL) -> "subprocess.Popen[bytes]":
    """Start a command in a process group of its own."""
    settings: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": stderr, "start_new_session": True}
    return subprocess.Popen(program(*words), cwd=root, env=environment(root), **settings)


@pytest.fixture
def image(registry: Registry, tmp_path: Path, request: pytest.FixtureRequest) -> str:
    """An image on the first revision of a base whose tag has another now, in a repository of the test's own."""
    name = f"app{abs(hash(request.node.name))}"
    base = Repository(registry, f"{name}-base")
    folder = image_runs.sources(tmp_path / "sources")
    below = base.push(bases.listed({VERSIONS[1]: bases.image(VERSIONS[1])}), "ltsc")
    image_runs.made(folder, f"docker://{registry.host}/{name}:1", base=below, platform=(BUILD,))
    base.push(bases.listed({VERSIONS[2]: bases.image(VERSIONS[2])}), "ltsc")
    return name


def words_of(command: str, image: str, host: str, tag: str) -> tuple[str, ...]:
    """Return a command on *image* at the registry *host*."""
    to = ("--to", f"docker://{host}/{image}:{tag}")
    if command == "index":
        return ("index", f"docker://{host}/{image}:1", f"docker://{host}/{image}-base:ltsc", *to)
    return ("rebase", f"docker://{host}/{image}:1", "--onto", f"docker://{host}/{image}-base:ltsc", *to)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_kill_at_any_request_leaves_the_tags_or_adds_the_new_one(
    command: str, image: str, registry: Registry, tmp_path: Path
) -> None:
    repository, killer = Repository(registry, image), Killer()
    old = repository.tags()
    rebased = command == "rebase"
    with proxy(registry.host, killer.fault) as server:
        # The image's annotation names the registry, which the proxy stands before.
        words = words_of(command, image, server.host, "2")

        def run(at: int = -1) -> dict[str, str]:
            killer.run(server, at, lambda: started(tmp_path, *words))
            return patiently(repository.tags)

        new = run()
        assert new == {**old, "2": new["2"]}
        requests = len(server.asked)
        assert requests > (8 if rebased else 5)
        for at in range(1, requests + 1, -(-requests // count(4, 1000))):
            stored = patiently(functools.partial(repository.manifest, old["1"]))
            kind = image_indexes.MANIFEST
            patiently(functools.partial(repository.ask, "PUT", "manifests/2", stored, Content_Type=kind))
            assert run(at) in ({**old, "2": old["1"]}, new), at
        assert run() == new
    assert leftovers(tmp_path) == []


@pytest.mark.parametrize("command", COMMANDS)
def test_two_at_once_both_arrive(command: str, image: str, registry: Registry, tmp_path: Path) -> None:
    running = []
    for tag in ("2", "3"):
        words = words_of(command, image, registry.host, tag)
        running.append(started(tmp_path, *words, "--to", f"oci:out:{tag}", stderr=subprocess.PIPE))
    errors = [each.communicate(timeout=HANG)[1] for each in running]
    assert [each.returncode for each in running] == [0, 0], errors
    tags = Repository(registry, image).tags()
    assert tags["2"] == tags["3"] != tags["1"]
    image_runs.assert_whole(tmp_path / "out")
    assert {name: each["digest"] for name, each in image_runs.named(tmp_path / "out").items()} == {
        "2": tags["2"],
        "3": tags["2"],
    }


def test_a_tag_that_moves_after_the_look_changes_nothing(image: str, registry: Registry, tmp_path: Path) -> None:
    """The base's tag is moved at the first upload: the image stands on the base that was looked at."""
    base = Repository(registry, f"{image}-base")
    moved: list[str] = []

    def fault(handler: ProxyHandler) -> bool:
        if handler.command == "POST" and not moved:
            moved.append(base.push(bases.listed({VERSIONS[2]: bases.image(VERSIONS[2], size=99)}), "ltsc"))
        return False

    wanted = json.loads(bases.image(VERSIONS[2]).top.data)["layers"]
    with proxy(registry.host, fault) as server:
        done = started(tmp_path, *words_of("rebase", image, server.host, "2"))
        assert done.wait(HANG) == 0
    assert moved
    found = json.loads(Repository(registry, image).manifest("2"))["layers"]
    assert [each["digest"] for each in found[:2]] == [each["digest"] for each in wanted]


def is_document(path: str) -> bool:
    return "/manifests/" in path


LIES: dict[str, Callable[[str, bytes], bytes]] = {
    "another manifest": lambda path, data: data.replace(b"schemaVersion", b"schemaversion", is_document(path)),
    "no JSON": lambda path, data: data[:-1] if is_document(path) else data,
    "another configuration": lambda path, data: data if is_document(path) else data.replace(b"amd64", b"arm64"),
    "another layer": lambda path, data: data if is_document(path) or data[:1] == b"{" else data[:-1] + b"x",
    "an endless document": lambda path, data: data + b" " * (5 << 20) * is_document(path),
}


@pytest.mark.parametrize("command", ["rebase", "index", "outdated"])
@pytest.mark.parametrize("lie", LIES)
def test_a_registry_that_lies_is_one_line_and_status_2(
    command: str, lie: str, image: str, registry: Registry, tmp_path: Path
) -> None:
    def fault(handler: ProxyHandler) -> bool:
        if handler.command != "GET" or not ("/manifests/" in handler.path or "/blobs/" in handler.path):
            return False
        handler.passed(lambda data: LIES[lie](handler.path, data))
        return True

    repository = Repository(registry, image)
    before = repository.tags()
    with proxy(registry.host, fault) as server:
        words = (*words_of(command, image, server.host, "2")[:-2], "--to", "oci:out")
        if command == "outdated":
            words = (command, f"docker://{server.host}/{image}:1")
        done = image_runs.attempt(*program(*words), cwd=tmp_path, env=environment(tmp_path))
    if (command, lie) == ("outdated", "another layer"):  # it reads no layers
        assert done.returncode == 1
        return
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    errors = [line for line in done.stderr.splitlines() if not line.startswith(("warning: ", "windows("))]
    assert len(errors) == 1
    assert errors[0].startswith("error: ")
    assert repository.tags() == before
    assert not (tmp_path / "out").exists()
    assert leftovers(tmp_path) == []
