# SPDX-License-Identifier: Apache-2.0
"""Other versions of this program, for copies that they made."""

import shutil
from pathlib import Path

import pytest
from copying import commit, git

from generator.builder.wire import ROOT


@pytest.fixture(scope="session")
def toolchain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository of winscratch as it is now, that a test may clone or use as another version."""
    clone = tmp_path_factory.mktemp("winscratch")
    for name in ("generator", "output", "templates"):
        shutil.copytree(ROOT / name, clone / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in (".pre-commit-hooks.yaml", "action.yml"):
        shutil.copy(ROOT / name, clone / name)
    git(clone, "init", "-q")
    commit(clone)
    return clone


@pytest.fixture
def older(toolchain: Path, tmp_path: Path) -> Path:
    """A winscratch with other templates, so that what it makes is outdated here."""
    root = tmp_path / "older"
    shutil.copytree(toolchain, root, ignore=shutil.ignore_patterns(".git"))
    for template in (root / "templates").rglob("module.*"):
        mark = "#" if template.parent.name == "python" else "//"
        template.write_text(template.read_text("utf-8") + f"{mark} older\n", "utf-8")
    return root
