# SPDX-License-Identifier: Apache-2.0
"""Kill `image` at each system call that changes files: the destination is the old or the new one, complete."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest
from helpers import bases, image_runs
from helpers.image_runs import assert_whole, named, tree
from helpers.kills import CALLS, bytecode, points, sample
from helpers.support import need

from generator.base.home import TEMPORARY
from generator.builder.wire import ROOT
from generator.image import Options, make

_CALLS = f"{CALLS},link,linkat,symlink,copy_file_range,sendfile,fsync"
AT_LEAST = 40  # kills, together
PROGRAM = """
import sys
from generator.image import Options, make
to, base = sys.argv[1:]
make(Options(source=("sources/hello.exe",), to=(to,), base=base, force=True, label={"new": "yes"}), note=print)
"""


class Place(NamedTuple):
    """Where an image goes, and whether something is there before."""

    to: str
    before: bool
    found: Callable[[Path], object]  # the image at the destination, None if it has none
    base: str = ""


def _layout(root: Path) -> object:
    if not (root / "out/index.json").exists():
        return None
    assert_whole(root / "out")
    return {name: each["digest"] for name, each in named(root / "out").items()}


def _file(root: Path) -> object:
    path = root / "a.tar"
    return image_runs.sha256(path.read_bytes()) if path.exists() else None


PLACES = {
    "a new layout": Place("oci:out:hello:1", False, _layout),
    "a layout with images": Place("oci:out:hello:1", True, _layout),
    "a new archive": Place("oci-archive:a.tar:hello:1", False, _file),
    "Docker's archive": Place("docker-archive:a.tar:hello:1", True, _file),
    "a layout, on a base of others": Place("oci:out:hello:1", True, _layout, "oci:base:1"),
}


def _make(root: Path, place: Place, *before: str) -> subprocess.CompletedProcess[str]:
    env = os.environ | {
        "PYTHONPATH": str(ROOT),
        "PYTHONDONTWRITEBYTECODE": "",
        "PYTHONPYCACHEPREFIX": bytecode(),
        "XDG_CACHE_HOME": str(root / "cache"),
        "PYTHONUNBUFFERED": "",
    }
    return image_runs.attempt(*before, sys.executable, "-P", "-c", PROGRAM, place.to, place.base, cwd=root, env=env)


def _stage(root: Path, place: Place) -> Path:
    """Make the sources, and the images that are there before, in *root*."""
    root.mkdir()
    image_runs.sources(root / "sources")
    if place.base:
        bases.layout(bases.image(), root / "base")
    if place.before:
        transport, path, reference = place.to.split(":", 2)
        for name in (reference, "other:1") if transport == "oci" else (reference,):
            image_runs.made(root / "sources", f"{transport}:{root / path}:{name}")
    return root


class Run(NamedTuple):
    """A traced run: the destination's content before and after it, and its calls that change files."""

    old: object
    new: object
    calls: list[tuple[str, int]]


def _watched(start: Path, place: Place, folder: Path) -> Run:
    """Run on copies of *start*, in *folder*: once for what only a first run does, and once to look on."""
    warm, done = (Path(shutil.copytree(start, folder / name, symlinks=True)) for name in ("warm", "done"))
    assert _make(warm, place).returncode == 0
    log = folder / "log"
    traced = _make(done, place, need("strace"), "-f", "-qq", "-o", str(log), "-e", f"trace={_CALLS}")
    assert traced.returncode == 0, traced.stderr
    threads: dict[str, list[str]] = {}  # strace counts each thread's calls by themselves
    for line in log.read_text().splitlines():
        thread, said = line.split(maxsplit=1)
        threads.setdefault(thread, []).append(said)
    calls = sorted({point for said in threads.values() for point in points("\n".join(said))})
    run = Run(place.found(start), place.found(done), calls)
    assert (run.old is not None) == place.before
    assert run.new not in (None, run.old)
    return run


def _signalled(root: Path, place: Place, name: str, call: str, number: int) -> int:
    """Run with the signal *name* at a call; return the exit status."""
    inject = ("-e", f"trace={call}", "-e", f"inject={call}:signal={name}:when={number}")
    return _make(root, place, need("strace"), "-f", "-qq", "-o", "/dev/null", *inject).returncode


@pytest.mark.parametrize("what", PLACES)
def test_a_kill_at_any_call_leaves_the_old_or_the_new(
    what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = PLACES[what]
    start = _stage(tmp_path / "start", place)
    run = _watched(start, place, tmp_path)
    ends = []
    for call, number in sample(run.calls, 24):
        root = Path(shutil.copytree(start, tmp_path / "root", symlinks=True))
        if _signalled(root, place, "SIGKILL", call, number) in {-signal.SIGKILL, 128 + signal.SIGKILL}:
            ends.append(place.found(root))
        assert place.found(root) in (run.old, run.new), (call, number)
        for blob in root.glob("out/blobs/sha256/*"):  # those that no index names, too
            assert image_runs.sha256(blob.read_bytes()) == f"sha256:{blob.name}", (call, number)
        monkeypatch.chdir(root)
        monkeypatch.setenv("XDG_CACHE_HOME", str(root / "cache"))
        options = Options(source=("sources/hello.exe",), base=place.base, force=True, label={"new": "yes"})
        make(msgspec.structs.replace(options, to=(place.to,)))
        assert place.found(root) == run.new
        assert [path for path in tree(root) if TEMPORARY in path and "cache" not in path] == []
        monkeypatch.chdir(tmp_path)
        shutil.rmtree(root)
    assert len(ends) >= AT_LEAST / len(PLACES), run.calls
    assert run.old in ends


def test_an_interrupt_at_any_call_leaves_nothing_half_made(tmp_path: Path) -> None:
    place = PLACES["a layout with images"]
    start = _stage(tmp_path / "start", place)
    run = _watched(start, place, tmp_path)
    for call, number in sample(run.calls[::3], 12):
        root = Path(shutil.copytree(start, tmp_path / "root", symlinks=True))
        _signalled(root, place, "SIGINT", call, number)
        assert place.found(root) in (run.old, run.new), (call, number)
        assert [path for path in tree(root) if TEMPORARY in path and "cache" not in path] == []
        shutil.rmtree(root)
