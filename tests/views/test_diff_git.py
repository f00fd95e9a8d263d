# SPDX-License-Identifier: Apache-2.0
"""`diff` of git revisions, and `git diff` of layers and hives through `inspect --textconv`."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.hive_maker import Node, make
from helpers.support import lack
from helpers.vendoring import commit, git

from generator.builder.wire import ROOT
from generator.generation.manifest import layers


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Return a committed checkout of this project with a fsmonitor program that leaves a file if it is run."""
    folder = tmp_path / "tree"
    ignored = shutil.ignore_patterns("__pycache__", ".git", ".*cache")
    for name in ("generator", "output", "templates"):
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    shutil.copy(ROOT / ".gitattributes", folder)
    git(folder, "init", "-q", "-b", "main")
    commit(folder)
    (folder / "trap").write_text(f"#!/bin/sh\ntouch {tmp_path}/sprung\n")
    (folder / "trap").chmod(0o755)
    git(folder, "config", "core.fsmonitor", str(folder / "trap"))
    return folder


def run(folder: Path, *words: str, status: int = 0) -> list[str]:
    """Return the lines that the checkout's own program prints."""
    command = [sys.executable, "-m", "generator", *words]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == status, done.stderr
    return done.stdout.splitlines()


def test_diff_compares_a_revision_with_the_working_tree(repository: Path, tmp_path: Path) -> None:
    assert run(repository, "diff", "main") == []
    committed = repository / "output/layers"
    shutil.copy(committed / "legacy.tar.gz", committed / "scratch.tar.gz")
    shown = run(repository, "diff", "main", status=1)
    assert shown[1] == "  scratch: Files/Windows/System32/config/DEFAULT"
    assert len(run(repository, "diff", "HEAD", "--stat", status=1)) == 5
    assert run(repository, "diff", "main:scratch", status=1)[1:2] == [shown[1].replace("scratch: ", "")]
    assert run(repository, "diff", "main:legacy", "scratch") == []
    assert (
        run(repository, "inspect", "main:output/layers/legacy.tar.gz")[1:] == run(repository, "inspect", "legacy")[1:]
    )
    assert not (tmp_path / "sprung").exists()
    git(repository, "config", "--unset", "core.fsmonitor")
    commit(repository)
    assert run(repository, "diff", "main~1:scratch", "main:scratch", "--stat", status=1) != []
    (committed / "hostprocess.tar.gz").unlink()
    (repository / "generator/layers/hostprocess.toml").unlink()
    assert run(repository, "diff", "HEAD", status=1) == [
        "in meaning",
        "  hostprocess",
        "    - layer  46,592 bytes, 9 entries",
    ]


def test_git_diff_shows_the_content_of_layers_and_hives(repository: Path) -> None:
    (repository / "some.hive").write_bytes(make(Node("root", subkeys=[Node("before")])).data)
    commit(repository)
    committed = repository / "output/layers"
    shutil.copy(committed / "legacy.tar.gz", committed / "scratch.tar.gz")
    (repository / "some.hive").write_bytes(make(Node("root", subkeys=[Node("after")])).data)
    assert "Binary files a/some.hive and b/some.hive differ" in git(repository, "diff")
    git(repository, "config", "diff.winscratch.textconv", f"{sys.executable} -m generator inspect --textconv")
    git(repository, "config", "--unset", "core.fsmonitor")
    shown = git(repository, "diff").splitlines()
    assert "-    before" in shown
    assert "+    after" in shown
    assert "-          DEFAULT  8,192 bytes" in shown
    assert "+          DEFAULT  0 bytes" in shown
    assert not any(re.match(r"[-+].*git-blob", line) for line in shown)
    (committed / "scratch.tar.gz").write_bytes(b"no layer")
    assert any(line.startswith("+cannot be shown: ") for line in git(repository, "diff").splitlines())


def test_gitattributes_cover_every_committed_layer() -> None:
    paths = [f"output/layers/{name}.tar.gz" for name in layers(ROOT)]
    if not (ROOT / ".git").exists():
        lack("not a git checkout")
    assert git(ROOT, "check-attr", "diff", *paths).splitlines() == [f"{path}: diff: winscratch" for path in paths]
