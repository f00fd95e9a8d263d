# SPDX-License-Identifier: Apache-2.0
"""Move the layers of a base between registries: by mount if possible, by digest always, and never by a tag."""

import gzip
import io
import json
import socket
from pathlib import Path
from typing import Any

import msgspec
import pytest
from helpers import bases, image_runs
from helpers.base_runs import PLATFORM, folder, made, other, registries, registry
from helpers.bases import SIZE, VERSIONS, Repository
from helpers.image_runs import PASSWORD, USER, Registry, digest_of, run
from helpers.registry_proxy import ProxyHandler, Traffic, proxy
from helpers.support import need

from generator.base.errors import GeneratorError
from generator.image import Options, make, transfer
from generator.imageread.lookup import Lookup
from generator.imageread.untar import SYMBOLIC_LINK, TarReader

_ = (folder, other, registry)  # fixtures
MOST = 1 << 20  # bytes of traffic


def test_an_image_on_a_base_in_the_same_registry_moves_less_than_a_megabyte(tmp_path: Path, folder: Path) -> None:
    with registries(tmp_path) as running:
        image = bases.image(VERSIONS[1], size=SIZE)
        assert sum(map(len, image.blobs.values())) > SIZE > MOST
        Repository(running, "nano").push(image, "1")
        traffic = Traffic(running.host)
        made(folder, traffic.host, "app:1")
        print(f"{traffic.bytes:,} bytes of traffic, on a base of {SIZE:,}")
        assert 0 < traffic.bytes < MOST
        traffic.close()


def test_layers_that_are_at_hand_are_mounted_too(registry: Registry, folder: Path) -> None:
    Repository(registry, "large").push(bases.image(VERSIONS[1], size=2 * MOST), "1")
    traffic = Traffic(registry.host)
    base = f"docker://{registry.host}/large:1"
    to = (f"oci:{folder}/out:1", f"docker://{traffic.host}/at-hand:1")
    image_runs.made(folder, *to, base=base)
    assert traffic.bytes > 2 * MOST  # the proxy's name is that of another registry
    traffic.bytes = 0
    base = f"docker://{traffic.host}/large:1"
    image_runs.made(folder, f"oci:{folder}/out:2", f"docker://{traffic.host}/at-hand-too:1", base=base)
    assert 2 * MOST < traffic.bytes < 3 * MOST  # once, for the layout
    traffic.close()


def test_foreign_layers_stay_where_their_urls_lead(registry: Registry, other: Registry, folder: Path) -> None:
    image = bases.image(VERSIONS[1], foreign=True)
    name = Repository(registry, "foreign").push(image, "1")
    to = (f"docker://{registry.host}/foreign-app:1", f"docker://{other.host}/foreign-app:1", f"oci:{folder}/out:1")
    references = image_runs.made(folder, *to, base=name)
    assert len({digest_of(each) for each in references}) == 1
    lowest = json.loads(image.top.data)["layers"][0]
    for repository in (Repository(registry, "foreign-app"), Repository(other, "foreign-app")):
        first, *others = json.loads(repository.manifest("1"))["layers"]
        assert (first["urls"], first["digest"]) == (lowest["urls"], lowest["digest"])
        assert all(len(repository.ask("GET", f"blobs/{each['digest']}")) == each["size"] for each in others)
    assert not (folder / "out/blobs" / lowest["digest"].replace(":", "/")).exists()
    assert (folder / "out/blobs" / others[0]["digest"].replace(":", "/")).exists()


def test_links_into_a_base_that_is_fetched_have_the_kind_of_their_target(
    registry: Registry, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    links = folder / "links"
    links.mkdir()
    (links / "public").symlink_to(r"C:\Users\Public")
    (links / "system").symlink_to(r"C:\Windows\System32\cmd.exe")
    notes: list[str] = []
    monkeypatch.setenv("XDG_CACHE_HOME", image_runs.cache())
    given = Options(base=f"docker://{registry.host}/nano:1", platform=(PLATFORM,), source=(str(links),))
    done = make(msgspec.structs.replace(given, to=(f"oci:{folder}/out:1",)), note=notes.append)
    assert notes == []
    manifest = image_runs.document(folder / "out", done.digest)
    with gzip.open(io.BytesIO(image_runs.blob(folder / "out", manifest["layers"][-1]["digest"]))) as tar:
        kinds = {
            each.name: int(each.records["MSWINDOWS.fileattr"]) & 0x10
            for each in TarReader(tar)
            if each.kind == SYMBOLIC_LINK
        }
    assert kinds == {"Files/public": 0x10, "Files/system": 0}
    # Without the layers, the kind has to be given.
    make(msgspec.structs.replace(given, to=(f"docker://{registry.host}/links:1",)), note=notes.append)
    assert len(notes) == 1
    assert notes[0].endswith("and 1 more link; hint: --link PATH=directory if it is one in the base")
    notes.clear()
    given = msgspec.structs.replace(given, link={r"C:\public": "directory", "/system": "file"})
    same = make(msgspec.structs.replace(given, to=(f"docker://{registry.host}/links:2",)), note=notes.append)
    assert (notes, same.digest) == ([], done.digest)


def test_without_sources_the_configuration_alone_is_new(registry: Registry, folder: Path) -> None:
    digest = made(folder, registry.host, "same:1", source=(), entrypoint=(), label={"a": "b"})
    manifest = json.loads(Repository(registry, "same").manifest(digest))
    old = json.loads(bases.image(VERSIONS[1]).top.data)
    assert [each["digest"] for each in manifest["layers"]] == [each["digest"] for each in old["layers"]]
    assert manifest["config"]["digest"] != old["config"]["digest"]


def test_the_tags_of_the_target_are_the_same_and_the_new_one(registry: Registry, other: Registry, folder: Path) -> None:
    for target in (Repository(registry, "tags"), Repository(other, "tags")):
        old = made(folder, target.registry.host, "tags:old", base_host=registry.host)
        assert target.tags() == {"old": old}
        new = made(folder, target.registry.host, "tags:1", base_host=registry.host, label={"a": "b"})
        assert target.tags() == {"old": old, "1": new}
    assert list(Repository(registry, "nano").tags()) == ["1"]


def _stripped(handler: ProxyHandler) -> bool:
    handler.path = handler.path.partition("?mount=")[0]
    return False


def _refused(handler: ProxyHandler) -> bool:
    if "?mount=" in handler.path:
        handler.read()
        handler.answer(405)
    return "?mount=" in handler.path


def _claimed(handler: ProxyHandler) -> bool:
    if "?mount=" in handler.path:
        handler.read()
        handler.answer(201)
    return "?mount=" in handler.path


@pytest.mark.parametrize("fault", [_stripped, _refused, _claimed])
def test_a_registry_that_mounts_nothing_gets_a_copy(fault: Any, registry: Registry, folder: Path) -> None:
    name = fault.__name__.strip("_")
    with proxy(registry.host, fault) as server:
        digest = made(folder, server.host, f"{name}:1")
    target = Repository(registry, name)
    assert target.tags() == {"1": digest}
    for each in json.loads(target.manifest(digest))["layers"]:
        assert len(target.ask("GET", f"blobs/{each['digest']}")) == each["size"]


def test_a_tag_of_the_base_that_moves_after_the_look_changes_nothing(
    registry: Registry, other: Registry, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moving = Repository(registry, "moving")
    name = moving.push(bases.image(VERSIONS[0]), "1")
    looked = Lookup.fetch
    move = transfer.move

    def moved(*words: Any, **options: Any) -> None:
        moving.push(bases.image(VERSIONS[2]), "1")
        move(*words, **options)

    def fetched(*words: Any) -> None:
        moving.push(bases.image(VERSIONS[2]), "1")
        looked(*words)

    monkeypatch.setattr(transfer, "move", moved)
    monkeypatch.setattr(Lookup, "fetch", fetched)
    to = (f"docker://{registry.host}/moved:1", f"docker://{other.host}/moved:1", f"oci:{folder}/out:1")
    references = image_runs.made(folder, *to, base=name)
    wanted = [each["digest"] for each in json.loads(bases.image(VERSIONS[0]).top.data)["layers"]]
    for repository in (Repository(registry, "moved"), Repository(other, "moved")):
        manifest = json.loads(repository.manifest("1"))
        assert [each["digest"] for each in manifest["layers"][:2]] == wanted
    image_runs.assert_whole(folder / "out")
    assert len({digest_of(each) for each in references}) == 1


@pytest.mark.parametrize("place", ["oci:out:1", "oci-archive:o.tar:1", "docker-archive:d.tar:a:1"])
def test_a_registry_that_lies_about_a_layer_is_an_error_and_nothing_is_written(
    place: str, registry: Registry, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    layer = json.loads(bases.image(VERSIONS[1]).top.data)["layers"][1]["digest"]

    def fault(handler: ProxyHandler) -> bool:
        if handler.command == "GET" and handler.path.endswith(layer):
            handler.passed(lambda data: data[:-1] + bytes([data[-1] ^ 1]))
            return True
        return False

    before = image_runs.tree(folder)
    with proxy(registry.host, fault) as server, pytest.raises(GeneratorError, match=r"[Dd]igest"):
        image_runs.made(folder, place, base=f"docker://{server.host}/nano:1", platform=(PLATFORM,))
    assert image_runs.tree(folder) == before


@pytest.mark.parametrize("what", ["manifest", "config"])
def test_a_registry_that_lies_about_a_document_is_an_error(what: str, registry: Registry, folder: Path) -> None:
    manifest = bases.image(VERSIONS[1]).top
    digest = manifest.digest if what == "manifest" else json.loads(manifest.data)["config"]["digest"]

    def fault(handler: ProxyHandler) -> bool:
        if handler.command == "GET" and handler.path.endswith(digest):
            handler.passed(lambda data: data.replace(b"amd64", b"arm64").replace(b'"size": ', b'"size":  '))
            return True
        return False

    with (
        proxy(registry.host, fault) as server,
        pytest.raises(GeneratorError, match=r"returns sha256:|match"),
    ):
        made(folder, server.host, "lies:1")
    assert Repository(registry, "lies").tags() == {}


def test_a_manifest_of_schema_1_is_one_line(registry: Registry, folder: Path) -> None:
    content = {"schemaVersion": 1, "name": "nano", "tag": "1", "architecture": "amd64", "fsLayers": [], "history": []}
    kind = "application/vnd.docker.distribution.manifest.v1+json"

    def fault(handler: ProxyHandler) -> bool:
        if "/manifests/" in handler.path:
            handler.answer(200, json.dumps(content).encode(), Content_Type=kind)
            return True
        return False

    with proxy(registry.host, fault) as server, pytest.raises(GeneratorError, match="a manifest of schema 1; hint"):
        made(folder, server.host, "schema:1")


def test_a_registry_with_accounts_mounts_too(tmp_path: Path, folder: Path) -> None:
    with registries(tmp_path, secured=True) as running:
        Repository(running, "nano").push(bases.image(VERSIONS[1], size=2 * MOST), "1")
        with pytest.raises(GeneratorError, match=f"skopeo login {running.host}"):
            made(folder, running.host, "app:1")
        run(need("skopeo"), "login", "--username", USER, "--password", PASSWORD, running.host)
        traffic = Traffic(running.host)
        # The account is stored by the registry's name, which the proxy's port is a part of.
        run(need("skopeo"), "login", "--username", USER, "--password", PASSWORD, traffic.host)
        digest = made(folder, traffic.host, "app:1")
        assert traffic.bytes < MOST
        assert Repository(running, "app").tags() == {"1": digest}
        traffic.close()


def test_a_registry_without_tls_under_another_name_needs_the_option(registry: Registry, folder: Path) -> None:
    name = socket.gethostname()
    try:
        address = socket.gethostbyname(name)
    except OSError:
        pytest.skip("this machine's name leads nowhere")
    if name == "localhost":
        pytest.skip("this machine is called localhost, which needs no TLS")
    traffic = Traffic(registry.host, address, name)
    hint = f"; if you trust the network to it, give --plain-http {traffic.host}$"
    with pytest.raises(GeneratorError, match=hint):
        made(folder, traffic.host, "plain:1")
    with pytest.raises(GeneratorError, match=hint):
        image_runs.made(folder, f"docker://{traffic.host}/plain:1")
    assert Repository(registry, "plain").tags() == {}
    digest = made(folder, traffic.host, "plain:1", plain_http=(traffic.host,))
    assert Repository(registry, "plain").tags() == {"1": digest}
    made(folder, traffic.host, "plain:2", base_host=registry.host, plain_http=(traffic.host,))
    traffic.close()
