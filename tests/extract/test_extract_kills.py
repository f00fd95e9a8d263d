# SPDX-License-Identifier: Apache-2.0
"""`extract` killed at system calls, and on a full disk: the folder is absent, as it was, or complete."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.kills import CALLS, bytecode, points, sample
from helpers.layouts import ROOTS, Layout, Part, directory, tarred
from helpers.random_images import on_disk
from helpers.support import need

from generator.base.home import TEMPORARY
from generator.builder.wire import ROOT

_CALLS = f"{CALLS},linkat,symlinkat,fchmod,chmod,utimensat"
PARTS = (
    *ROOTS,
    directory("Files/a"),
    Part("Files/a/one", b"1" * 100_000),
    Part("Files/a/two", b"", b"1", "Files/a/one", {}),
    Part("Files/link", b"", b"2", "a/one", {}),
)
TREE = {
    "Files": None,
    "Hives": None,
    "Files/a": None,
    "Files/a/one": b"1" * 100_000,
    "Files/a/two": b"1" * 100_000,
    "Files/link": b"1" * 100_000,
}


@pytest.fixture
def image(tmp_path: Path) -> str:
    return Layout(tmp_path / "image", [tarred(PARTS)]).write()


def _extract(image: str, to: Path, *before: str) -> subprocess.CompletedProcess[str]:
    words = [*before, sys.executable, "-m", "generator", "extract", image, "--to", str(to)]
    env = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": bytecode()}
    return subprocess.run(words, env=env, capture_output=True, text=True, check=False)


def _strace(*options: str) -> tuple[str, ...]:
    return need("strace"), "-qq", *options


@pytest.mark.parametrize("before", [False, True], ids=["new", "empty"])
def test_a_kill_at_any_call_leaves_nothing_that_looks_whole(*, before: bool, image: str, tmp_path: Path) -> None:
    to, log = tmp_path / "places/out", tmp_path / "log"

    def prepare() -> None:
        to.parent.mkdir(exist_ok=True)
        if before:
            to.mkdir()

    prepare()
    assert _extract(image, to).returncode == 0  # which writes the bytecode
    assert on_disk(to) == TREE
    shutil.rmtree(to)
    prepare()
    assert _extract(image, to, *_strace("-o", str(log), "-e", f"trace={_CALLS}")).returncode == 0
    found = points(log.read_text())
    ended, absent = 0, 0
    for call, number in sample(found, 24):
        shutil.rmtree(to)
        prepare()
        inject = ("-o", "/dev/null", "-e", f"trace={call}", "-e", f"inject={call}:signal=SIGKILL:when={number}")
        done = _extract(image, to, *_strace(*inject))
        ended += done.returncode in {-signal.SIGKILL, 128 + signal.SIGKILL}
        if to.exists() and (any(to.iterdir()) or not before):
            assert on_disk(to) == TREE, (call, number)
            continue
        absent += 1
        assert to.exists() == before
        assert _extract(image, to).returncode == 0
        assert on_disk(to) == TREE
        assert [path.name for path in to.parent.iterdir() if path.name.endswith(TEMPORARY)] == []
    assert ended >= min(20, len(found))
    assert absent >= 10


@pytest.mark.parametrize(
    ("call", "when", "error", "shown"),
    [
        ("write", "1", "ENOSPC", "No space left on device"),
        ("mkdirat", "2+", "EDQUOT", "Disk quota exceeded"),
        ("rename", "1+", "EIO", "Input/output error"),
        ("ftruncate", "1+", "EFBIG", "File too large"),
    ],
)
def test_a_disk_that_fails_is_one_line_and_leaves_nothing(
    call: str, when: str, error: str, shown: str, image: str, tmp_path: Path
) -> None:
    to = tmp_path / "places/out"
    assert _extract("scratch", tmp_path / "first/out").returncode == 0  # which writes the bytecode
    shutil.rmtree(tmp_path / "first")
    inject = ("-o", "/dev/null", "-e", f"trace={call}", "-e", f"inject={call}:error={error}:when={when}")
    done = _extract(image, to, *_strace(*inject))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"error: --to {to}: cannot be written: {shown}\n"
    assert [path.name for path in tmp_path.iterdir()] == ["image"]


def test_a_file_system_without_links_gets_copies_and_no_symlinks(image: str, tmp_path: Path) -> None:
    inject = ("-o", "/dev/null", "-e", "trace=linkat,symlinkat", "-e", "inject=linkat,symlinkat:error=EPERM")
    done = _extract(image, tmp_path / "out", *_strace(*inject))
    assert done.returncode == 1
    lines = done.stderr.splitlines()
    assert lines == [f"{image}: left out: Files/link: this system cannot hold the symlink: Operation not permitted"]
    assert on_disk(tmp_path / "out") == {path: data for path, data in TREE.items() if path != "Files/link"}
    assert not (tmp_path / "out/Files/a/one").samefile(tmp_path / "out/Files/a/two")
