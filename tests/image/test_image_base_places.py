# SPDX-License-Identifier: Apache-2.0
"""Bases in layouts and archives, foreign layers, links into a base, and bases that are refused."""

import gzip
import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from helpers import bases, image_runs
from helpers.bases import VERSIONS, BaseImage, Document
from helpers.image_checks import printed
from helpers.image_runs import digest_of, document, run
from helpers.layouts import Layout, Part, directory, tarred
from helpers.support import need

from generator.base.errors import GeneratorError
from generator.image import Options, SourceTable, make
from generator.imagecheck import command

FOREIGN = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return image_runs.sources(tmp_path / "sources")


def made(folder: Path, base: str, *to: str, notes: list[str] | None = None, **options: Any) -> tuple[str, ...]:
    """Make an image with a program on *base*."""
    given = {"source": (f"{folder}/hello.exe",), "entrypoint": (r"C:\hello.exe",)} | options
    say = (lambda _: None) if notes is None else notes.append
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", image_runs.cache())
        return make(Options(base=base, to=to, **given), note=say).references


def archived(layout: str, place: str) -> str:
    """Copy a base to an archive, as skopeo writes it."""
    run(need("skopeo"), "copy", "--quiet", layout.rpartition(":")[0], place)  # by this skopeo without the name
    return place


@pytest.mark.parametrize("form", ["oci", "digest", "oci-archive", "docker-archive"])
def test_every_form_of_a_base_gives_the_same_image(form: str, folder: Path, tmp_path: Path) -> None:
    wanted = bases.image()
    base = bases.layout(wanted, tmp_path / "base")
    if form == "digest":
        base = f"oci:{tmp_path}/base@{wanted.top.digest}"
    elif form != "oci":
        base = archived(base, f"{form}:{tmp_path}/base.tar:a/b:1")
    to = (f"oci:{tmp_path}/out:1", f"oci-archive:{tmp_path}/o.tar:1", f"docker-archive:{tmp_path}/d.tar:a/b:1")
    references = made(folder, base, *to)
    image_runs.assert_whole(tmp_path / "out")
    for reference in references:
        status, said = printed(reference)
        assert (status, said.count("\n")) == (0, 0), said
        assert f": good image, windows/amd64:{VERSIONS[0]}, 3 layers" in said
    manifest = document(tmp_path / "out", digest_of(references[0]))
    config = document(tmp_path / "out", manifest["config"]["digest"])
    old = json.loads(next(blob for blob in wanted.blobs.values() if blob[:1] == b"{"))
    assert config["rootfs"]["diff_ids"][:2] == old["rootfs"]["diff_ids"]
    if form in {"oci", "digest"}:
        digests = [each["digest"] for each in json.loads(wanted.top.data)["layers"]]
        assert [each["digest"] for each in manifest["layers"]][:2] == digests
        assert manifest["annotations"]["org.opencontainers.image.base.digest"] == wanted.top.digest
    assert "org.opencontainers.image.base.name" not in manifest["annotations"]


def test_a_list_in_a_layout_is_entered_by_platform(folder: Path, tmp_path: Path) -> None:
    base = bases.layout(bases.microsofts(), tmp_path / "base")
    with pytest.raises(GeneratorError, match="several images"):
        made(folder, base, f"oci:{tmp_path}/out:1")
    platforms = ("windows/amd64:10.0.17763", "windows/amd64:10.0.20348")
    source = (
        f"{folder}/hello.exe",
        SourceTable(path=f"{folder}/conf", to="/new", platform=platforms[1]),
    )
    (reference,) = made(folder, base, f"oci:{tmp_path}/out:1", platform=platforms, source=source)
    index = document(tmp_path / "out", digest_of(reference))
    assert [each["platform"]["os.version"] for each in index["manifests"]] == [VERSIONS[0], VERSIONS[2]]
    layers = [len(document(tmp_path / "out", each["digest"])["layers"]) for each in index["manifests"]]
    assert layers == [3, 4]
    with pytest.raises(GeneratorError, match="two platforms lead to one image"):
        made(folder, base, f"oci:{tmp_path}/out:2", platform=(platforms[1], f"windows/amd64:{VERSIONS[2]}"))


def test_a_foreign_layer_keeps_its_urls_and_is_not_copied(folder: Path, tmp_path: Path) -> None:
    wanted = bases.image(foreign=True)
    base = bases.layout(wanted, tmp_path / "base")
    (reference, _) = made(folder, base, f"oci:{tmp_path}/out:1", f"oci-archive:{tmp_path}/o.tar:1")
    lowest = document(tmp_path / "out", digest_of(reference))["layers"][0]
    old = json.loads(wanted.top.data)["layers"][0]
    assert lowest == {**old, "mediaType": FOREIGN}
    assert not (tmp_path / "out/blobs" / lowest["digest"].replace(":", "/")).exists()
    assert json.loads((tmp_path / "out/manifest.json").read_text()) == []  # Docker would look for the layer
    status, said = printed(reference)
    assert status == 0, said
    assert "a nondistributable blob may be missing" in said
    before = image_runs.tree(tmp_path)
    with pytest.raises(GeneratorError, match="is foreign: it stays where its URLs lead, and Docker's archive holds no"):
        made(folder, base, f"oci:{tmp_path}/new:1", f"docker-archive:{tmp_path}/d.tar:a:1")
    assert image_runs.tree(tmp_path) == before


def _replaced(base: BaseImage, change: Callable[[dict[str, Any]], None]) -> BaseImage:
    """Return *base* with its configuration changed."""
    manifest = json.loads(base.top.data)
    blobs = dict(base.blobs)
    config = json.loads(blobs.pop(manifest["config"]["digest"]))
    change(config)
    data = json.dumps(config).encode()
    manifest["config"] |= {"digest": image_runs.sha256(data), "size": len(data)}
    return BaseImage([Document(json.dumps(manifest).encode(), base.top.kind)], blobs | {image_runs.sha256(data): data})


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"os": "linux"}, "no image for Windows, but linux/amd64"),
        ({"os": ""}, "its configuration has no operating system"),
        ({"config": {"OnBuild": ["COPY . /"]}}, "its configuration: ONBUILD COPY . / is for builds by Dockerfile"),
        ({"rootfs": {"type": "layers", "diff_ids": []}}, "does not have a diff ID for each layer"),
        ({"history": [{}]}, "its history: 1 layer, of 2"),
        ({"config": {"Env": "x"}}, "invalid config"),
        ({"created": "yesterday"}, "invalid config"),
    ],
)
def test_a_base_that_is_no_base_for_windows_is_one_line(
    change: dict[str, Any], why: str, folder: Path, tmp_path: Path
) -> None:
    base = bases.layout(_replaced(bases.image(), lambda config: config.update(change)), tmp_path / "base")
    with pytest.raises(GeneratorError) as error:
        made(folder, base, f"oci:{tmp_path}/out:1")
    assert why in str(error.value)
    assert base in str(error.value) or f"oci:{tmp_path}/base@" in str(error.value)
    assert not (tmp_path / "out").exists()


def test_an_artifact_is_no_base(folder: Path, tmp_path: Path) -> None:
    layout = Layout(tmp_path / "base", [b"sbom"], zipped=False)
    layout.kinds["config"] = "application/vnd.oci.empty.v1+json"
    layout.manifest["artifactType"] = "application/spdx+json"
    layout.platform = None
    name = layout.write()
    with pytest.raises(GeneratorError, match="no image for Windows, but artifact of type"):
        made(folder, name, f"oci:{tmp_path}/out:1")


def test_a_layer_that_is_not_what_the_manifest_lists_is_refused(folder: Path, tmp_path: Path) -> None:
    wanted = bases.image()
    layer = json.loads(wanted.top.data)["layers"][1]["digest"].removeprefix("sha256:")
    whole = wanted.blobs[f"sha256:{layer}"]
    for number, data in enumerate((whole + b"x", whole[:-1] + b"x", None)):
        base = bases.layout(wanted, tmp_path / f"base-{number}")
        path = tmp_path / f"base-{number}/blobs/sha256/{layer}"
        path.unlink() if data is None else path.write_bytes(data)
        with pytest.raises(GeneratorError, match=r"the blob is (not the one that the manifest lists|missing)"):
            made(folder, base, f"oci:{tmp_path}/out:1")
        assert not (tmp_path / "out").exists()


def test_a_layer_that_is_a_link_is_not_read(folder: Path, tmp_path: Path) -> None:
    wanted = bases.image()
    layer = json.loads(wanted.top.data)["layers"][1]["digest"].removeprefix("sha256:")
    base = bases.layout(wanted, tmp_path / "base")
    path = tmp_path / f"base/blobs/sha256/{layer}"
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(GeneratorError):
        made(folder, base, f"oci:{tmp_path}/out:1")
    assert not (tmp_path / "out").exists()


def test_a_base_and_a_layer_together_are_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(GeneratorError, match=r"^--base oci:x: --layer is given, too; hint: leave one out$"):
        made(folder, "oci:x", f"oci:{tmp_path}/out", layer="scratch")


@pytest.mark.parametrize("host", ["http://registry.lab", "registry.lab/a", "", "a b"])
def test_a_registry_without_tls_is_named_by_host_and_port(host: str, folder: Path, tmp_path: Path) -> None:
    with pytest.raises(GeneratorError, match=r"^--plain-http .*: invalid registry; hint: give HOST"):
        made(folder, "", f"oci:{tmp_path}/out", plain_http=(host,))
    with pytest.raises(GeneratorError, match=r"^--plain-http .*: invalid registry; hint: give HOST"):
        command.report(["oci:x"], plain_http=[host])


def linked(folder: Path) -> Path:
    """Make a folder of links into a base."""
    links = folder / "links"
    links.mkdir()
    (links / "public").symlink_to(r"C:\Users\Public")
    (links / "update").symlink_to("/Users/Public/update.bin")
    (links / "lost").symlink_to(r"C:\nowhere")
    return links


def kinds(tmp_path: Path, reference: str) -> dict[str, int]:
    """Return the attributes of the links in the top layer."""
    manifest = document(tmp_path / "out", digest_of(reference))
    tar = gzip.decompress(image_runs.blob(tmp_path / "out", manifest["layers"][-1]["digest"]))
    with tarfile.open(fileobj=io.BytesIO(tar)) as archive:
        links = [each for each in archive if each.issym()]
    return {each.name.rpartition("/")[2]: int(each.pax_headers["MSWINDOWS.fileattr"]) for each in links}


def test_links_into_a_base_at_hand_have_the_kind_of_their_target(folder: Path, tmp_path: Path) -> None:
    base = bases.layout(bases.image(), tmp_path / "base")
    notes: list[str] = []
    (reference,) = made(folder, base, f"oci:{tmp_path}/out:1", source=(str(linked(folder)),), cmd=(), notes=notes)
    found = kinds(tmp_path, reference)
    assert {name: bool(attributes & 0x10) for name, attributes in found.items()} == {
        "public": True,
        "update": False,
        "lost": False,
    }
    assert [note for note in notes if "link" in note] == [
        rf"{folder}/links/lost: 'C:\nowhere' is not in the image, so the link becomes one to a file"
        "; hint: --link PATH=directory if it leads to a directory"
    ]


def test_the_kind_of_a_link_can_be_given(folder: Path, tmp_path: Path) -> None:
    base = bases.layout(bases.image(), tmp_path / "base")
    source = (str(linked(folder)),)
    (reference,) = made(folder, base, f"oci:{tmp_path}/out:1", source=source, link={r"C:\lost": "directory"})
    assert kinds(tmp_path, reference)["lost"] & 0x10
    with pytest.raises(GeneratorError, match=r"^--link C:\\other: no source has a link there"):
        made(folder, base, f"oci:{tmp_path}/out:1", source=source, link={r"C:\other": "file"})
    with pytest.raises(GeneratorError, match=r"^image: link"):
        made(folder, base, f"oci:{tmp_path}/out:1", source=source, link={r"C:\lost": "junction"})


def test_an_image_on_ours_is_a_hostprocess_image_again(folder: Path, tmp_path: Path) -> None:
    (first,) = made(folder, "", f"oci:{tmp_path}/first:1", entrypoint=("hello.exe",))
    notes: list[str] = []
    source = (rf"{folder}/hello.exe:C:\app\run.exe",)
    (reference,) = made(
        folder, first, f"oci:{tmp_path}/out:1", source=source, entrypoint=("/app/run.exe",), notes=notes
    )
    config = document(tmp_path / "out", document(tmp_path / "out", digest_of(reference))["config"]["digest"])
    assert config["config"]["Entrypoint"] == [r"%CONTAINER_SANDBOX_MOUNT_POINT%\app\run.exe"]
    assert len(notes) == 1
    assert "os.version" not in config
    notes.clear()
    windows = bases.layout(bases.image(), tmp_path / "base")
    made(folder, windows, f"oci:{tmp_path}/win:1", source=source, entrypoint=("/app/run.exe",), notes=notes)
    assert notes == []  # C: is the image's there


def test_a_damaged_layer_is_refused_when_links_lead_into_it(folder: Path, tmp_path: Path) -> None:
    layout = Layout(tmp_path / "base", [tarred([directory("Files"), Part("Files/a", b"b" * 3000)])[:2000]])
    layout.config["os.version"] = VERSIONS[0]
    base = layout.write()
    with pytest.raises(GeneratorError, match=r"^--base: a layer cannot be read"):
        made(folder, base, f"oci:{tmp_path}/out:1", source=(str(linked(folder)),))
