# SPDX-License-Identifier: Apache-2.0
"""Rebase images in archives of `docker save` and of crane."""

import gzip
import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from helpers import image_runs
from helpers.composing import documents, rebase
from helpers.layouts import Layout, Part, tarred
from helpers.rebasing import Stage, assert_good

from generator.base.errors import GeneratorError


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


@pytest.mark.parametrize("compressed", [False, True])
def test_an_image_in_dockers_archive_is_rebased(compressed: bool, stage: Stage, tmp_path: Path) -> None:
    image, new, old = stage.names()
    archive = _saved(stage.image, tmp_path / "d.tar", compressed=compressed)
    rebase(image, new, f"oci:{tmp_path}/wanted", old=old)
    rebase(archive, new, f"oci:{tmp_path}/out", old=old)
    found, wanted = documents(tmp_path / "out"), documents(tmp_path / "wanted")
    assert found.config == wanted.config
    assert_good(tmp_path / "out")
    image_runs.assert_whole(tmp_path / "out")
    if compressed:
        assert found.layers == wanted.layers


def test_the_layers_of_dockers_archive_are_checked(stage: Stage, tmp_path: Path) -> None:
    _, new, old = stage.names()
    stage.image.blobs[2] = stage.image.blobs[3]
    for compressed in (False, True):
        archive = _saved(stage.image, tmp_path / f"{compressed}.tar", compressed=compressed)
        with pytest.raises(GeneratorError, match=r"the content is sha256:.*; hint: winscratch check-image"):
            rebase(archive, new, f"oci:{tmp_path}/out", old=old)


def test_one_of_several_images_in_dockers_archive_is_named(stage: Stage, tmp_path: Path) -> None:
    _, new, old = stage.names()
    archive = _saved(stage.image, tmp_path / "d.tar", tags=(["a:1"], ["b:1"]))
    with pytest.raises(GeneratorError, match=r"2 images; hint: name one: docker-archive:FILE:REF"):
        rebase(archive, new, f"oci:{tmp_path}/out", old=old)
    rebase(f"{archive}:b:1", new, f"oci:{tmp_path}/out", old=old)
    assert_good(tmp_path / "out")


def _saved(image: Layout, path: Path, *, compressed: bool = False, tags: Sequence[list[str]] = ([],)) -> str:
    """Write a `docker save` archive, or one of crane, which compresses layers, and return its name."""
    layers = [each if compressed else gzip.decompress(each) for each in image.blobs]
    names = [f"{at}.tar" for at in range(len(layers))]
    listed = [{"Config": "c.json", "RepoTags": each or None, "Layers": names} for each in tags]
    documents = (("manifest.json", json.dumps(listed).encode()), ("c.json", json.dumps(image.config).encode()))
    parts = [Part(name, data, records={}) for name, data in (*documents, *zip(names, layers, strict=True))]
    path.write_bytes(tarred(parts))
    return f"docker-archive:{path}"
