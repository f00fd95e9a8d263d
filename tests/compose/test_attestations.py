# SPDX-License-Identifier: Apache-2.0
"""BuildKit's attestations stay in an index as long as the image that they are about."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from helpers import base_runs, image_indexes, image_runs
from helpers.bases import Repository
from helpers.composing import index, rebase, top
from helpers.image_checks import checked
from helpers.image_runs import Registry, run
from helpers.layouts import OCI, Layout
from helpers.rebasing import NEW, Stage
from helpers.support import need

from generator.base.errors import GeneratorError

REFERENCE = "vnd.docker.reference.digest"
IN_TOTO = "application/vnd.in-toto+json"


def attestation(layout: Layout, about: str, *, artifact: bool = False) -> dict[str, Any]:
    """Add an attestation of the image with the digest *about*, of BuildKit's old kind or as an artifact."""
    config = {"architecture": "unknown", "os": "unknown", "config": {}, "rootfs": {"type": "layers", "diff_ids": []}}
    data = b"{}" if artifact else json.dumps(config).encode()
    statement = layout.blob(json.dumps({"_type": "https://in-toto.io/Statement/v0.1", "subject": about}).encode())
    document: dict[str, Any] = {
        "schemaVersion": 2,
        "mediaType": image_indexes.MANIFEST,
        "config": Layout.point(layout.blob(data).read_bytes(), f"{OCI}{'empty' if artifact else 'config'}.v1+json"),
        "layers": [Layout.point(statement.read_bytes(), IN_TOTO)],
    }
    if artifact:
        document["artifactType"] = "application/vnd.docker.attestation.manifest.v1+json"
    annotations = {"vnd.docker.reference.type": "attestation-manifest", REFERENCE: about}
    return image_indexes.add(layout, document, **image_indexes.BUILDKIT | {"annotations": annotations})


def attested(stage: Stage, *, artifact: bool = False) -> tuple[str, dict[str, Any], list[dict[str, Any]]]:
    """Write an index of the stage's image, one for Linux, and an attestation of each; return its name and those."""
    linux = image_indexes.linux(stage.image) | {"platform": image_indexes.LINUX}
    stage.image.write()
    own = stage.image.index["manifests"][0]["digest"]
    both = [attestation(stage.image, each, artifact=artifact) for each in (own, linux["digest"])]
    return image_indexes.indexed(stage.image, linux, *both), linux, both


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with base_runs.registries(tmp_path_factory.mktemp("registry")) as running:
        yield running


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with base_runs.registries(tmp_path_factory.mktemp("other")) as running:
        yield running


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


@pytest.mark.parametrize("artifact", [False, True])
def test_an_index_keeps_the_attestations_of_its_images(artifact: bool, stage: Stage, tmp_path: Path) -> None:
    name, linux, both = attested(stage, artifact=artifact)
    to = (f"oci:{tmp_path}/out:1", f"oci-archive:{tmp_path}/o.tar:1")
    done = index(name, name, to=to)
    entries = top(tmp_path / "out")["manifests"]
    assert [each["platform"]["os"] for each in entries] == ["linux", "windows", "unknown", "unknown"]
    assert entries[0] == linux
    assert entries[2:] == both
    assert done.noted == []
    image_runs.assert_whole(tmp_path / "out")
    assert checked(to[0])[0] == checked(to[1])[0] == 0
    assert index(to[1], to=(f"oci:{tmp_path}/again",)).digest == done.digest


@pytest.mark.parametrize("within", [False, True])
@pytest.mark.parametrize("artifact", [False, True])
def test_attestations_move_from_registry_to_registry(
    artifact: bool, within: bool, registry: Registry, other: Registry, stage: Stage, tmp_path: Path
) -> None:
    name, _, both = attested(stage, artifact=artifact)
    target, folder = registry if within else other, f"attested-{artifact}".lower()
    first, second = f"{registry.host}/{folder}/first:1", f"{target.host}/{folder}/second:1"
    done = index(name, to=(f"docker://{first}",))
    assert index(f"docker://{first}", to=(f"docker://{second}", f"oci:{tmp_path}/out")).digest == done.digest
    repository = Repository(target, f"{folder}/second")
    assert json.loads(repository.manifest("1"))["manifests"][2:] == both
    for each in both:
        for blob in json.loads(repository.manifest(each["digest"]))["layers"]:
            assert image_runs.sha256(repository.ask("GET", f"blobs/{blob['digest']}")) == blob["digest"]
    image_runs.assert_whole(tmp_path / "out")
    copy = (need("skopeo"), "copy", "--all", "--preserve-digests", "--src-tls-verify=false")
    run(*copy, f"docker://{second}", f"dir:{tmp_path}/copy")


def test_a_rebased_image_loses_its_attestation_and_others_keep_theirs(stage: Stage, tmp_path: Path) -> None:
    name, linux, (own, other) = attested(stage)
    stage.old.write(), stage.new.write()
    done = rebase(name, f"oci:{stage.folder}/new", f"oci:{tmp_path}/out", old=f"oci:{stage.folder}/old")
    entries = top(tmp_path / "out")["manifests"]
    assert [each["platform"].get("os.version", "") for each in entries] == ["", NEW, ""]
    assert (entries[0], entries[2]) == (linux, other)
    (line,) = [line for line in done.noted if line.startswith("warning: ")]
    assert own["digest"] in line
    image_runs.assert_whole(tmp_path / "out")


def test_an_attestation_of_another_image_is_left_out(stage: Stage, tmp_path: Path) -> None:
    foreign = attestation(stage.image, f"sha256:{'0' * 64}")
    done = index(image_indexes.indexed(stage.image, foreign), to=(f"oci:{tmp_path}/out",))
    assert [each["platform"]["os"] for each in top(tmp_path / "out")["manifests"]] == ["windows"]
    assert [line for line in done.noted if "left out: attestation of an image that is not in the index" in line]


def test_a_damaged_attestation_is_refused(stage: Stage, tmp_path: Path) -> None:
    name, _, both = attested(stage)
    manifest = image_runs.document(stage.image.folder, both[0]["digest"])
    path = stage.image.folder / "blobs" / manifest["layers"][0]["digest"].replace(":", "/")
    path.write_bytes(b"{}")
    with pytest.raises(GeneratorError, match="the blob is not the one that the manifest lists"):
        index(name, to=(f"oci:{tmp_path}/out",))
    assert not (tmp_path / "out").exists()


def test_an_attestation_beside_an_image_that_does_not_change_stays(tmp_path: Path) -> None:
    source = tmp_path / "hello.txt"
    source.write_text("hello")
    options = {"source": (f"{source}",), "entrypoint": (), "layer": "scratch"}
    (reference,) = image_runs.made(tmp_path, f"oci:{tmp_path}/image", **options)
    index_json = tmp_path / "image/index.json"
    listed = json.loads(index_json.read_text())["manifests"]
    about = attestation(Layout(tmp_path / "image", []), image_runs.digest_of(reference))
    index_json.write_text(json.dumps({"schemaVersion": 2, "manifests": [*listed, about]}))
    done = rebase(f"oci:{tmp_path}/image", "scratch", f"oci:{tmp_path}/out:1", old="scratch")
    assert "warning" not in "".join(done.noted)
    image_runs.assert_whole(tmp_path / "out")
    assert [each["digest"] for each in top(tmp_path / "out")["manifests"]] == [listed[0]["digest"], about["digest"]]
