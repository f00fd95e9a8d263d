# SPDX-License-Identifier: Apache-2.0
"""The fixtures of the tests of engines."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from engines import StandIn, wait_until


@pytest.fixture(autouse=True)
def _plain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Start from default settings, and fail the test if anything is left where temporary files go."""
    for name in ("ENGINE", "TIMEOUT", "BASE_IMAGE", "BUILD_NETWORK"):
        monkeypatch.delenv(f"WINSCRATCH_{name}", raising=False)
    temporary = tmp_path / "TMPDIR"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    yield
    assert list(temporary.iterdir()) == []


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, str], StandIn]]:
    """Put programs on PATH, in front; none of their processes may be left at the end."""
    folder = tmp_path / "stand-ins"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    made: list[StandIn] = []

    def make(name: str, script: str) -> StandIn:
        made.append(StandIn(folder, name, script))
        return made[-1]

    yield make
    wait_until(lambda: not any(one.processes for one in made), 5)  # the kernel takes its time to kill
