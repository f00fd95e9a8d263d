# SPDX-License-Identifier: Apache-2.0
"""`outdated` tells an index that a registry no longer has from a registry that does not answer."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers import base_runs, bases, image_runs
from helpers.bases import VERSIONS, BaseImage, Repository
from helpers.image_runs import Registry
from helpers.registry_proxy import ProxyHandler, proxy

BUILD = "windows/amd64:10.0.20348"


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with base_runs.registries(tmp_path_factory.mktemp("registry")) as running:
        yield running


def base(size: int) -> BaseImage:
    """Return a base whose image for the first version has a layer of *size* bytes."""
    return bases.listed({VERSIONS[0]: bases.image(VERSIONS[0], size=size), VERSIONS[1]: bases.image(VERSIONS[1])})


@pytest.mark.parametrize(("status", "expected"), [(404, 1), (500, 2), (401, 2)])
def test_an_old_index_that_is_gone_makes_an_image_outdated_and_a_fault_does_not(
    status: int, expected: int, registry: Registry, tmp_path: Path
) -> None:
    folder, asked = image_runs.sources(tmp_path / "sources"), set[str]()

    def fault(handler: ProxyHandler) -> bool:
        if handler.path.rpartition("/")[2] not in asked:
            return False
        handler.answer(status)
        return True

    with proxy(registry.host, fault) as between:
        repository = Repository(registry, f"base/{status}")
        below = repository.push(base(7), "ltsc").replace(registry.host, between.host)
        image = f"docker://{between.host}/image/{status}:1"
        image_runs.made(folder, image, base=below, platform=(BUILD,))
        asked.add(base(7).top.digest)
        repository.push(base(8), "ltsc")
        done = image_runs.command(image, folder=tmp_path, name="outdated")
    assert (done.returncode, "Traceback" in done.stderr) == (expected, False)
    assert (done.stdout == "") == (expected == 2)
