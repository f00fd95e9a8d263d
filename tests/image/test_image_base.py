# SPDX-License-Identifier: Apache-2.0
"""Build on bases of others, from a registry to a registry: platforms, configuration, layers, clients."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from helpers import bases, image_runs
from helpers.bases import VERSIONS, Repository
from helpers.image_checks import printed
from helpers.image_runs import Registry, digest_of, run, sha256
from helpers.support import need

from generator.base.errors import GeneratorError

NAME, DIGEST = "org.opencontainers.image.base.name", "org.opencontainers.image.base.digest"
BUILD = "windows/amd64:10.0.20348"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return image_runs.sources(tmp_path / "sources")


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    need("skopeo")
    with image_runs.registry(tmp_path_factory.mktemp("registry") / "run") as running:
        yield running


@pytest.fixture(scope="module")
def base(registry: Registry) -> str:
    return Repository(registry, "windows/nano").push(bases.microsofts(), "ltsc")


def documents(repository: Repository, digest: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the manifest and the configuration of an image."""
    manifest = json.loads(repository.manifest(digest))
    return manifest, json.loads(repository.ask("GET", f"blobs/{manifest['config']['digest']}"))


def pushed(folder: Path, base: str, target: Repository, tag: str = "1", **options: Any) -> str:
    """Make an image on *base* in the repository *target*, and return its digest."""
    to = f"docker://{target.registry.host}/{target.name}:{tag}"
    return digest_of(image_runs.made(folder, to, base=base, **options)[0])


def test_the_image_has_the_layers_of_the_base_and_those_on_top(base: str, registry: Registry, folder: Path) -> None:
    target = Repository(registry, "layers")
    manifest, config = documents(target, pushed(folder, base, target, platform=(BUILD,)))
    below = bases.image(VERSIONS[2])
    old = json.loads(below.top.data)
    kinds = {each["mediaType"] for each in (manifest, manifest["config"], *manifest["layers"])}
    assert kinds == {f"application/vnd.oci.image.{each}" for each in ("manifest.v1+json", "config.v1+json")} | {
        "application/vnd.oci.image.layer.v1.tar+gzip"
    }
    assert [each["digest"] for each in manifest["layers"][:2]] == [each["digest"] for each in old["layers"]]
    # The same sources on a base of winscratch.
    (own,) = image_runs.made(folder, f"docker://{registry.host}/own:1")
    ours = json.loads(Repository(registry, "own").manifest(digest_of(own)))
    assert manifest["layers"][2:] == ours["layers"][1:]
    assert len(config["rootfs"]["diff_ids"]) == len(manifest["layers"]) == 4


def test_the_configuration_goes_on_from_the_bases(base: str, registry: Registry, folder: Path) -> None:
    target = Repository(registry, "config")
    digest = pushed(
        folder, base, target, platform=(BUILD,), env={"PATH": r"C:\conf;C:\Windows", "A": "b"}, label={"c": "d"}
    )
    _, config = documents(target, digest)
    old = bases.config(VERSIONS[2], ())
    assert config["x.unknown"] == old["x.unknown"]
    assert (config["os.version"], config["history"][:2]) == (VERSIONS[2], old["history"])
    assert [each["created_by"] for each in config["history"][2:]] == [
        "winscratch image: files to C:\\",
        "winscratch image: files to C:\\conf",
    ]
    assert config["config"] == {
        "Env": [r"PATH=C:\conf;C:\Windows", r"TEMP=C:\Temp", "A=b"],
        "Entrypoint": ["hello.exe"],
        "User": "ContainerUser",
        "Labels": {"c": "d"},
    }


def test_the_annotations_name_the_base(base: str, registry: Registry, folder: Path) -> None:
    target = Repository(registry, "annotations")
    top = sha256(Repository(registry, "windows/nano").manifest("ltsc"))
    name = base.removeprefix("docker://")
    for platforms in ((BUILD,), (f"windows/amd64:{VERSIONS[1]}", f"windows/amd64:{VERSIONS[0]}")):
        made = json.loads(target.manifest(pushed(folder, base, target, platform=platforms)))
        assert (made["annotations"][NAME], made["annotations"][DIGEST]) == (name, top)
    by_digest = f"{base.rpartition(':')[0]}@{top}"
    made = json.loads(target.manifest(pushed(folder, by_digest, target, platform=(BUILD,))))
    assert made["annotations"][NAME] == by_digest.removeprefix("docker://")


@pytest.mark.parametrize(
    ("platforms", "versions"),
    [
        ((BUILD,), (VERSIONS[2],)),
        ((f"windows/amd64:{VERSIONS[1]}",), (VERSIONS[1],)),
        (("windows(10.0.17763)/amd64", BUILD), (VERSIONS[0], VERSIONS[2])),
    ],
)
def test_a_platform_takes_its_version_or_the_newest_revision_of_its_build(
    platforms: tuple[str, ...], versions: tuple[str, ...], base: str, registry: Registry, folder: Path
) -> None:
    target = Repository(registry, "platforms")
    digest = pushed(folder, base, target, platform=platforms)
    found = json.loads(target.manifest(digest))
    if len(platforms) == 1:
        assert documents(target, digest)[1]["os.version"] == versions[0]
        return
    assert tuple(each["platform"]["os.version"] for each in found["manifests"]) == versions
    for each, version in zip(found["manifests"], versions, strict=True):
        manifest, config = documents(target, each["digest"])
        assert config["os.version"] == version
        assert manifest["layers"][1]["digest"] == json.loads(bases.image(version).top.data)["layers"][1]["digest"]


@pytest.mark.parametrize("platforms", [(), ("windows/amd64",), ("windows/arm64",), ("windows/amd64:10.0.26100",)])
def test_a_platform_that_fits_none_or_several_is_an_error_that_lists_them(
    platforms: tuple[str, ...], base: str, registry: Registry, folder: Path
) -> None:
    with pytest.raises(GeneratorError) as error:
        pushed(folder, base, Repository(registry, "none"), platform=platforms)
    shown = str(error.value)
    if platforms in {(), ("windows/amd64",)}:
        assert all(f"windows({version})/amd64" in shown for version in VERSIONS)
        assert "several images" in shown
    else:
        assert "no image for" in shown
    assert Repository(registry, "none").tags() == {}


def test_an_entry_of_an_index_without_a_version_is_looked_into(registry: Registry, folder: Path) -> None:
    made = bases.microsofts()
    content = json.loads(made.top.data)
    for each in content["manifests"]:
        del each["platform"]["os.version"]  # as buildx imagetools leaves it
    bare = bases.BaseImage([*made.documents[:-1], bases.Document(json.dumps(content).encode(), bases.LIST)], made.blobs)
    name = Repository(registry, "bare").push(bare, "1")
    target = Repository(registry, "from-bare")
    digest = pushed(folder, name, target, platform=(BUILD,))
    assert documents(target, digest)[1]["os.version"] == VERSIONS[2]


@pytest.mark.parametrize("spelled", ["x86_64", "AMD64"])
def test_another_spelling_of_the_architecture_is_the_same_platform(
    spelled: str, registry: Registry, folder: Path
) -> None:
    name = Repository(registry, "spelled").push(bases.image(architecture=spelled), "1")
    target = Repository(registry, f"from-{spelled.lower()}")
    assert documents(target, pushed(folder, name, target, platform=("windows/amd64",)))[1]["os"] == "windows"


def test_tools_accept_an_image_on_a_base_of_others(base: str, registry: Registry, folder: Path, tmp_path: Path) -> None:
    target = Repository(registry, "clients")
    digest = pushed(folder, base, target, platform=(BUILD, f"windows/amd64:{VERSIONS[0]}"))
    name = f"{registry.host}/clients@{digest}"
    status, said = printed(name)
    assert (status, said.count(": good image, windows/amd64:10.0.")) == (0, 2), said
    crane = image_runs.go_tool(image_runs.CRANE)
    for each in json.loads(target.manifest(digest))["manifests"]:
        done = run(crane, "validate", "--remote", f"{registry.host}/clients@{each['digest']}", env=os.environ)
        assert done.stdout.startswith("PASS")
    copied = ("copy", "--all", "--preserve-digests", "--src-tls-verify=false", f"docker://{name}")
    run(need("skopeo"), *copied, f"oci:{tmp_path}/copy:1")
    assert image_runs.named(tmp_path / "copy")["1"]["digest"] == digest
