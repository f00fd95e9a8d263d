# SPDX-License-Identifier: Apache-2.0
"""Rebase, index and judge images in a real registry: its content before and after, and the results of other clients."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from helpers import bases, image_indexes, image_runs
from helpers.bases import VERSIONS, BaseImage, Repository
from helpers.composing import index, outdated, rebase
from helpers.counts import thorough
from helpers.image_checks import checked
from helpers.image_runs import CRANE, Registry, attempt, digest_of, go_tool, run
from helpers.layouts import Layout
from helpers.registry_proxy import Traffic
from helpers.support import need

from generator.base.errors import GeneratorError

REGCTL = "github.com/regclient/regclient/cmd/regctl"
NAME, DIGEST = "org.opencontainers.image.base.name", "org.opencontainers.image.base.digest"
BUILD = "windows/amd64:10.0.20348"


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    need("skopeo")
    with image_runs.registry(tmp_path_factory.mktemp("registry") / "run") as running:
        yield running


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return image_runs.sources(tmp_path / "sources")


def monthly(*versions: str) -> BaseImage:
    """Return a base for some *versions*, as it is published in a month."""
    return bases.listed({version: bases.image(version) for version in versions})


def check_base(registry: Registry, image: str) -> int:
    """Return the status of `regctl image check-base`: 0 if the base is the newest."""
    host = f"reg={registry.host},tls=disabled"
    done = attempt(go_tool(REGCTL), "--host", host, "image", "check-base", image)
    assert done.returncode in {0, 1}, done.stderr
    return done.returncode


def manifest(repository: Repository, name: str) -> Any:
    return json.loads(repository.manifest(name))


def on_base(registry: Registry, folder: Path, name: str, base: BaseImage, **options: Any) -> tuple[Repository, str]:
    """Push *base* as ``ltsc``, make an image on it in the repository *name*; return that and the base's name."""
    below = Repository(registry, f"base-{name}").push(base, "ltsc")
    image_runs.made(folder, f"docker://{registry.host}/{name}:1", base=below, **options)
    return Repository(registry, name), below


def image_of(base: BaseImage, folder: Path, name: str) -> Layout:
    """Return an image that is *base* itself, made on a base called *name*, not written yet."""
    layout = Layout(folder, [])
    content = json.loads(base.top.data)
    layout.config = json.loads(base.blobs[content["config"]["digest"]])
    layout.blobs = [*base.blobs.values()]
    layout.manifest |= {"layers": content["layers"], "annotations": {NAME: name}}
    return layout


@thorough("makes many images")
def test_a_month_in_the_life_of_an_image(registry: Registry, folder: Path) -> None:
    repository, base = on_base(registry, folder, "month", monthly(*VERSIONS[:2]), platform=(BUILD,))
    image = f"{registry.host}/month"
    fresh = outdated(f"docker://{image}:1")
    assert (fresh.status, check_base(registry, f"{image}:1")) == (0, 0)
    assert fresh.said == [
        f"docker://{image}@{digest_of_tag(repository, '1')}: windows({VERSIONS[1]})/amd64: fresh: "
        f"{registry.host}/base-month:ltsc is {bases.image(VERSIONS[1]).top.digest}, of {VERSIONS[1]}"
    ]
    Repository(registry, "base-month").push(monthly(VERSIONS[0], VERSIONS[2]), "ltsc")
    stale = outdated(f"docker://{image}:1")
    assert (stale.status, check_base(registry, f"{image}:1")) == (1, 1)
    assert f"outdated: {registry.host}/base-month:ltsc is {bases.image(VERSIONS[2]).top.digest}" in stale.said[0]
    before = {name: Repository(registry, name).tags() for name in ("month", "base-month")}
    done = rebase(f"docker://{image}:1", base, f"docker://{image}:2")
    assert done.said == [f"{image}@{done.digest}"]
    after = {name: Repository(registry, name).tags() for name in ("month", "base-month")}
    assert after == {**before, "month": {**before["month"], "2": done.digest}}
    assert (outdated(f"docker://{image}:2").status, check_base(registry, f"{image}:2")) == (0, 0)
    old, new = (manifest(repository, tag) for tag in "12")
    assert new["layers"][2:] == old["layers"][2:]
    assert new["layers"][:2] != old["layers"][:2]
    assert new["annotations"][NAME] == f"{registry.host}/base-month:ltsc"
    assert new["annotations"][DIGEST] == digest_of_tag(Repository(registry, "base-month"), "ltsc")
    assert run(go_tool(CRANE), "validate", "--remote", f"{image}:2").stdout.startswith("PASS")
    assert checked(f"docker://{image}:2")[0] == 0


def digest_of_tag(repository: Repository, tag: str) -> str:
    return repository.tags()[tag]


def test_a_patch_for_another_build_leaves_the_image_fresh(registry: Registry, folder: Path) -> None:
    on_base(registry, folder, "other", monthly(VERSIONS[0], VERSIONS[1]), platform=(BUILD,))
    newer = bases.listed({VERSIONS[0]: bases.image(VERSIONS[0], size=7), VERSIONS[1]: bases.image(VERSIONS[1])})
    Repository(registry, "base-other").push(newer, "ltsc")
    done = outdated(f"docker://{registry.host}/other:1")
    assert (done.status, "fresh" in done.said[0]) == (0, True)
    assert check_base(registry, f"{registry.host}/other:1") == 1  # it compares the index's digest alone


def test_a_base_without_the_build_is_outdated(registry: Registry, folder: Path) -> None:
    on_base(registry, folder, "gone", monthly(VERSIONS[0], VERSIONS[1]), platform=(BUILD,))
    Repository(registry, "base-gone").push(monthly(VERSIONS[0]), "ltsc")
    done = outdated(f"docker://{registry.host}/gone:1")
    assert (done.status, check_base(registry, f"{registry.host}/gone:1")) == (1, 1)
    assert "no image for windows(10.0.20348)/amd64" in done.said[0]


@pytest.mark.parametrize("digest", [True, False])
def test_images_of_others_are_judged_by_their_annotations(digest: bool, registry: Registry, tmp_path: Path) -> None:
    name = f"others-{digest}".lower()
    base = bases.image(VERSIONS[1])
    Repository(registry, name).push(base, "ltsc")
    layout = image_of(base, tmp_path, f"{registry.host}/{name}:ltsc")
    layout.manifest["annotations"] |= {DIGEST: base.top.digest} if digest else {}
    image = layout.write()
    assert outdated(image).status == 0
    Repository(registry, name).push(bases.image(VERSIONS[2]), "ltsc")
    assert outdated(image).status == 1
    remote = f"{registry.host}/{name}-image:1"
    run(
        need("skopeo"),
        "copy",
        "--quiet",
        *[f"--dest-{each[2:]}" for each in registry.options],
        image,
        f"docker://{remote}",
    )
    assert (outdated(f"docker://{remote}").status, check_base(registry, remote)) == (1, 1)


def test_an_annotation_that_the_layers_contradict_is_not_believed(registry: Registry, tmp_path: Path) -> None:
    base = bases.image(VERSIONS[1])
    Repository(registry, "lie").push(base, "ltsc")
    layout = Layout(tmp_path, [b"another layer"])
    layout.manifest["annotations"] = {NAME: f"{registry.host}/lie:ltsc", DIGEST: base.top.digest}
    layout.config["os.version"] = VERSIONS[1]
    done = outdated(layout.write())
    assert (done.status, done.said[0].rpartition(", ")[2]) == (1, "and the image has other layers")
    with pytest.raises(GeneratorError, match=r"not on docker://.*lie@sha256"):
        rebase(f"oci:{tmp_path}", "scratch", f"oci:{tmp_path}/out", force=True)


def test_the_tag_of_a_name_with_tag_and_digest_counts(registry: Registry, tmp_path: Path) -> None:
    old, new = (bases.image(version) for version in VERSIONS[1:])
    repository = Repository(registry, "base-pinned")
    repository.push(old, "ltsc")
    repository.push(new, "ltsc")
    for name, expected, shown in (("base-pinned:ltsc", 1, "stands on sha256:"), ("base-pinned", 0, "a digest, so no")):
        reference = f"{registry.host}/{name}@{old.top.digest}"
        done = outdated(image_of(old, tmp_path / str(expected), reference).write())
        assert (done.status, shown in done.said[0]) == (expected, True)


def test_a_base_that_is_gone_is_asked_for(registry: Registry, tmp_path: Path) -> None:
    layout = Layout(tmp_path / "x", [b"x"])
    layout.manifest["annotations"] = {NAME: f"{registry.host}/never:1", DIGEST: image_runs.sha256(b"")}
    with pytest.raises(GeneratorError, match=r"its base is not found: docker://.*; hint: --from REF$"):
        rebase(layout.write(), "scratch", f"oci:{tmp_path}/out")


def test_a_base_of_several_builds_needs_a_digest_for_an_image_without_a_version(
    registry: Registry, folder: Path, tmp_path: Path
) -> None:
    (own,) = image_runs.made(folder, f"oci:{tmp_path}/own")
    base = Repository(registry, "several").push(monthly(*VERSIONS), "1")
    with pytest.raises(GeneratorError, match=r"--onto docker:.*: several images for .*; hint: give the digest of one"):
        rebase(own, base, f"oci:{tmp_path}/out")
    name = f"{base.rpartition(':')[0]}@{bases.image(VERSIONS[1]).top.digest}"
    done = rebase(own, name, f"oci:{tmp_path}/out", force=True)
    assert f"windows/amd64: os.version: none becomes {VERSIONS[1]}" in done.noted


def test_a_rebase_within_one_registry_moves_little(tmp_path: Path, folder: Path) -> None:
    with image_runs.registry(tmp_path / "run") as running:
        traffic = Traffic(running.host)
        below = Repository(running._replace(host=traffic.host), "base")
        name = below.push(bases.image(VERSIONS[1], size=bases.SIZE), "1")
        image_runs.made(folder, f"docker://{traffic.host}/app:1", base=name)
        below.push(bases.image(VERSIONS[2], size=bases.SIZE), "1")
        traffic.bytes = 0
        rebase(f"docker://{traffic.host}/app:1", name, f"docker://{traffic.host}/app:2")
        print(f"{traffic.bytes:,} bytes of traffic, from a base of {bases.SIZE:,} to another")
        assert 0 < traffic.bytes < 1 << 20
        traffic.bytes = 0
        index(f"docker://{traffic.host}/app:2", to=(f"docker://{traffic.host}/index:1",))
        print(f"{traffic.bytes:,} bytes of traffic for an index")
        assert 0 < traffic.bytes < 1 << 20
        traffic.close()


def test_an_image_in_a_layout_goes_to_a_registry_and_back(registry: Registry, folder: Path, tmp_path: Path) -> None:
    base = Repository(registry, "mixed-base").push(monthly(*VERSIONS[:2]), "ltsc")
    image_runs.made(folder, f"oci:{tmp_path}/image:1", base=base, platform=(BUILD,))
    Repository(registry, "mixed-base").push(monthly(*VERSIONS), "ltsc")
    to = (f"docker://{registry.host}/mixed:1", f"oci:{tmp_path}/image:1", f"oci-archive:{tmp_path}/a.tar")
    done = rebase(f"oci:{tmp_path}/image:1", base, *to)
    assert Repository(registry, "mixed").tags() == {"1": done.digest}
    assert image_runs.named(tmp_path / "image")["1"]["digest"] == done.digest
    image_runs.assert_whole(tmp_path / "image")
    assert [checked(each)[0] for each in to] == [0, 0, 0]
    assert [outdated(each).status for each in to] == [0, 0, 0]
    again = rebase(to[0], base, f"oci:{tmp_path}/again:1")
    assert again.digest == done.digest  # nothing changed


def test_foreign_layers_of_a_base_keep_their_urls(registry: Registry, folder: Path, tmp_path: Path) -> None:
    repository, base = on_base(registry, folder, "foreign", bases.image(VERSIONS[1]), platform=(BUILD,))
    foreign = bases.image(VERSIONS[2], foreign=True)
    Repository(registry, "base-foreign").push(foreign, "ltsc")
    to = (f"docker://{registry.host}/foreign:2", f"oci:{tmp_path}/out:1")
    rebase(f"docker://{registry.host}/foreign:1", base, *to)
    lowest = manifest(repository, "2")["layers"][0]
    assert lowest["urls"] == json.loads(foreign.top.data)["layers"][0]["urls"]
    assert not (tmp_path / "out/blobs" / lowest["digest"].replace(":", "/")).exists()
    with pytest.raises(GeneratorError, match="holds no URLs"):
        rebase(f"docker://{registry.host}/foreign:1", base, f"docker-archive:{tmp_path}/d.tar")


def test_registries_without_tls_need_the_option(registry: Registry, folder: Path, tmp_path: Path) -> None:
    name = socket.gethostname()
    try:
        address = socket.gethostbyname(name)
    except OSError:
        pytest.skip("this machine's name leads nowhere")
    if name == "localhost":
        pytest.skip("this machine is called localhost, which needs no TLS")
    traffic = Traffic(registry.host, address, name)
    base = Repository(registry, "tls-base").push(bases.image(VERSIONS[1]), "1")
    image_runs.made(folder, f"docker://{registry.host}/tls:1", base=base)
    image, base = (f"docker://{traffic.host}/{each}:1" for each in ("tls", "tls-base"))
    for words in (
        ("outdated", image),
        ("index", image, "--to", f"docker://{traffic.host}/tls:2"),
        ("rebase", image, "--onto", base, "--to", f"docker://{traffic.host}/tls:3"),
    ):
        done = image_runs.command(*words[1:], folder=tmp_path, name=words[0])
        assert (done.returncode, done.stderr.count("\n")) == (2, 1)
        assert f"; hint: {traffic.host} has no TLS; if you trust the network to it, give --plain-http" in done.stderr
        done = image_runs.command(*words[1:], "--plain-http", traffic.host, folder=tmp_path, name=words[0])
        assert done.returncode == 0, done.stderr
    assert sorted(Repository(registry, "tls").tags()) == ["1", "2", "3"]
    traffic.close()


def test_own_and_unknown_bases(registry: Registry, folder: Path, tmp_path: Path) -> None:
    (own,) = image_runs.made(folder, f"oci:{tmp_path}/own")
    assert outdated(own).said[0].endswith("fresh: hostprocess has not changed")
    layout = Layout(tmp_path / "x", [b"x"])
    with pytest.raises(GeneratorError, match="its base is unknown"):
        outdated(layout.write(), own)
    done = outdated(own, as_json=True)
    (record,) = json.loads(done.said[0])
    assert (record["fresh"], record["base"], done.status) == (True, "hostprocess", 0)
    with pytest.raises(GeneratorError, match="hint: "):
        outdated(_named_base(tmp_path / "y", f"{registry.host}/nothing:1"))


def _named_base(folder: Path, name: str) -> str:
    layout = Layout(folder, [b"x"])
    layout.manifest["annotations"] = {NAME: name}
    return layout.write()


@pytest.mark.parametrize("name", ["UPPER", "a b", "http://x/y", "x@sha256:1", "a" * 5000, "\x1b[31m", "../../x", ""])
def test_hostile_annotations_are_one_line(name: str, tmp_path: Path) -> None:
    done = image_runs.command(_named_base(tmp_path / "x", name), folder=tmp_path, name="outdated")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert "\x1b" not in done.stderr


def test_an_index_of_repositories_is_pushed_by_digest(registry: Registry, folder: Path, tmp_path: Path) -> None:
    on_base(registry, folder, "parts/new", monthly(*VERSIONS), platform=("windows/amd64:10.0.17763", BUILD))
    (own,) = image_runs.made(folder, f"docker://{registry.host}/parts/own:1", platform=("windows/arm64",))
    linux = image_indexes.indexed(Layout(tmp_path, []), image_indexes.linux(Layout(tmp_path, [])), windows=False)
    names = (linux, f"docker://{registry.host}/parts/new:1", f"docker://{own}")
    before = {name: Repository(registry, name).tags() for name in ("parts/new", "parts/own", "whole")}
    done = index(*names, to=(f"docker://{registry.host}/whole:1",), annotation=("own=1",))
    assert {name: Repository(registry, name).tags() for name in before} == {**before, "whole": {"1": done.digest}}
    found = manifest(Repository(registry, "whole"), "1")
    assert found["annotations"]["own"] == "1"
    assert [each["platform"] for each in found["manifests"]] == [
        {"architecture": "amd64", "os": "linux"},
        {"architecture": "amd64", "os": "windows", "os.version": VERSIONS[0]},
        {"architecture": "amd64", "os": "windows", "os.version": VERSIONS[2]},
        {"architecture": "arm64", "os": "windows"},
    ]
    assert found["manifests"][3]["digest"] == digest_of(own)
    for each in found["manifests"][1:]:  # crane takes every layer for gzip
        single = f"{registry.host}/whole@{each['digest']}"
        assert run(go_tool(CRANE), "validate", "--remote", single).stdout.startswith("PASS")
    assert checked(f"docker://{registry.host}/whole:1")[0] == 0
    copied = f"oci:{tmp_path}/copied:1"
    run(
        need("skopeo"),
        "copy",
        "--all",
        "--preserve-digests",
        "--src-tls-verify=false",
        f"docker://{registry.host}/whole:1",
        copied,
    )
    assert image_runs.named(tmp_path / "copied")["1"]["digest"] == done.digest


def test_images_of_docker_types_stay_as_they_are(registry: Registry) -> None:
    base = Repository(registry, "docker-types").push(monthly(*VERSIONS), "1")
    done = index(base, to=(f"docker://{registry.host}/docker-types-index:1",))
    found = manifest(Repository(registry, "docker-types-index"), "1")
    old = manifest(Repository(registry, "docker-types"), "1")
    assert found["manifests"] == old["manifests"]
    assert checked(f"docker://{registry.host}/docker-types-index@{done.digest}")[0] == 0
