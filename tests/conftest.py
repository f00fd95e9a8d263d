# SPDX-License-Identifier: Apache-2.0
"""The fixture that most tests of the whole start from."""

import shutil
from pathlib import Path

import pytest

from generator.engine import ROOT


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Return a copy of this checkout that a test may change: what output/ is made from, and output/ as it is."""
    copy = tmp_path / "tree"
    for name in ("generator", "templates", "output"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("Dockerfile.hivex", "tasks.py"):
        shutil.copy2(ROOT / name, copy / name)
    return copy
