# SPDX-License-Identifier: Apache-2.0
"""Registries with a base nano:1, and images on it, for the tests of bases."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from . import bases, image_runs
from .image_runs import Registry, digest_of
from .support import need

PLATFORM = f"windows/amd64:{bases.VERSIONS[1]}"


@contextlib.contextmanager
def registries(folder: Path, *, secured: bool = False) -> Iterator[Registry]:
    """Run an empty registry."""
    need("skopeo")
    with image_runs.registry(folder / "run", secured=secured) as running, pytest.MonkeyPatch.context() as patch:
        for name, value in running.environment.items():
            patch.setenv(name, value)
        yield running


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return image_runs.sources(tmp_path / "sources")


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """Run a registry with the base nano:1, of three versions."""
    with registries(tmp_path_factory.mktemp("registry")) as running:
        bases.Repository(running, "nano").push(bases.microsofts(), "1")
        yield running


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """Run an empty registry."""
    with registries(tmp_path_factory.mktemp("other")) as running:
        yield running


def made(folder: Path, host: str, target: str, base_host: str = "", **options: Any) -> str:
    """Make an image on the base nano:1 and return its digest."""
    given = {"base": f"docker://{base_host or host}/nano:1", "platform": (PLATFORM,)} | options
    return digest_of(image_runs.made(folder, f"docker://{host}/{target}", **given)[0])
