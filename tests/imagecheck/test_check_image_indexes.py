# SPDX-License-Identifier: Apache-2.0
"""check-image on indexes and archives with other entries than Windows images, and on several names at once."""

import json
import tarfile
from pathlib import Path

import pytest
from helpers.image_checks import checked, found, lines
from helpers.image_indexes import BUILDKIT, COSIGN, LINUX, MANIFEST, archived, artifact, docker, indexed, linux
from helpers.layouts import OCI, ROOTS, Layout, Part, base, sha256, tarred

from generator.base.errors import GeneratorError
from generator.imagecheck import command
from generator.imageread import images as opened


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path / "image", [base(), tarred([*ROOTS])])


def test_an_index_for_linux_and_windows_is_judged_by_windows_image(layout: Layout) -> None:
    entry = linux(layout)
    status, said = lines(indexed(layout, entry | {"platform": LINUX}))
    name = f"oci:{layout.folder}@{entry['digest']}"
    assert (status, said[0], len(said)) == (0, f"{name}: passed over: linux/amd64", 2)
    assert "good image, windows/amd64" in said[1]


@pytest.mark.parametrize(
    ("listed", "own", "wanted"),
    [
        ("10.0.20348", "", "windows/amd64:10.0.20348"),
        ("10.0.20348", "10.0.17763", "windows/amd64:10.0.20348"),
        ("", "10.0.17763", "windows/amd64"),
        (None, "10.0.17763", "windows/amd64:10.0.17763"),
    ],
)
def test_the_platform_is_that_of_the_index(listed: str | None, own: str, wanted: str, layout: Layout) -> None:
    platform = {"architecture": "amd64", "os": "windows"} | ({"os.version": listed} if listed else {})
    layout.platform = None if listed is None else platform
    layout.config |= {"os.version": own} if own else {}
    name = layout.write()
    assert f", {wanted}, 2 layers" in lines(name)[1][-1]
    (image,) = checked(name)[1]
    assert image["os.version"] == (own or None)
    assert image["platform"] == (None if listed is None else {"os.version": None} | platform)


def test_an_image_for_another_system_may_be_missing(layout: Layout) -> None:
    entry = Layout.point(b"not fetched", MANIFEST) | {"platform": {"architecture": "arm64", "os": "Linux"}}
    assert lines(indexed(layout, entry))[0] == 0


def test_a_linux_image_without_a_platform_in_the_index_is_passed_over(layout: Layout) -> None:
    status, said = lines(indexed(layout, linux(layout)))
    assert (status, said[0].endswith("passed over: linux/amd64"), len(said)) == (0, True, 2)


def test_an_image_for_another_system_that_is_named_by_its_digest_is_refused(layout: Layout) -> None:
    entry = linux(layout) | {"platform": LINUX}
    name = f"{indexed(layout, entry).removesuffix(':t')}@{entry['digest']}"
    status, said = lines(name)
    assert (status, said[0].partition("; ")[0], len(said)) == (1, f"{name}: refused: no image for Windows", 1)
    with pytest.raises(GeneratorError, match="the layout has no "):
        lines(name[:-1] + ("0" if name[-1] != "0" else "1"))


@pytest.mark.parametrize("platform", [LINUX, None])
def test_an_index_without_an_image_for_windows_is_refused_in_one_line(
    platform: dict[str, str] | None, layout: Layout
) -> None:
    entry = linux(layout) | ({"platform": platform} if platform else {})
    name = indexed(layout, entry, windows=False)
    status, said = lines(name)
    assert (status, len(said)) == (1, 1)
    assert said[0].startswith(f"{name}: refused: no image for Windows; there is linux/amd64; ")


def test_a_linux_configuration_listed_for_windows_is_refused(layout: Layout) -> None:
    entry = linux(layout) | {"platform": {"architecture": "amd64", "os": "windows"}}
    status, images = checked(indexed(layout, entry))
    assert (status, len(images)) == (1, 2)
    assert {"os", "platform"} <= {each["rule"] for each in images[0]["findings"]}


def test_artifacts_are_passed_over_one_line_each(layout: Layout) -> None:
    unknown = Layout.point(b"not there", "application/vnd.example")
    entries = [
        artifact(layout, "application/spdx+json"),
        artifact(layout, config="application/vnd.cncf.helm.config.v1+json"),
        artifact(layout, config=f"{OCI}config.v1+json", layer=COSIGN),
        artifact(layout, "application/spdx+json") | {"platform": {"architecture": "amd64", "os": "windows"}},
        unknown,
        Layout.point(b"not there", MANIFEST) | BUILDKIT,
    ]
    name = indexed(layout, *entries)
    status, said = lines(name)
    assert (status, len(said)) == (0, len(entries) + 1)
    kinds = ["application/spdx+json", "application/vnd.cncf", COSIGN, "application/spdx+json", "application/vnd.ex"]
    assert [kind in line for kind, line in zip([*kinds, "BuildKit"], said, strict=False)] == [True] * 6
    assert [each["what"] for each in checked(name)[1][0]["passed_over"]] == [
        line.partition("passed over: ")[2] for line in said[:-1]
    ]
    with opened.images(name) as images:  # for `inspect`, too
        assert len(images) == 1


def test_a_windows_image_with_an_unknown_configuration_type_is_checked(layout: Layout) -> None:
    layout.kinds["config"] = "application/json"
    layout.platform = None
    assert "media-type" in found(layout)


def test_a_layout_with_artifacts_only_is_an_error(layout: Layout) -> None:
    with pytest.raises(GeneratorError, match="leads to no image, only artifact of type 'application/spdx"):
        lines(indexed(layout, artifact(layout, "application/spdx+json"), windows=False))


def test_more_than_100_passed_over_entries_are_counted(layout: Layout) -> None:
    entries = [Layout.point(b"%d" % at, MANIFEST) | {"platform": LINUX} for at in range(150)]
    status, said = lines(indexed(layout, *entries))
    assert (status, len(said), said[100]) == (0, 102, "50 more passed over")


def test_an_error_does_not_stop_the_check_of_other_images(tmp_path: Path) -> None:
    good, bad = (Layout(tmp_path / name, [base(name)]).write() for name in ("scratch", "legacy"))
    for names, judged in (((f"oci:{tmp_path}/none", good), 1), ((bad, "oci:x/y", good, "oci:x/z"), 2)):
        said: list[str] = []
        noted: list[str] = []
        with pytest.raises(GeneratorError, match="cannot be read"):
            command.report(names, say=said.append, note=noted.append)
        assert len([line for line in said if "windows/amd64" in line]) == judged
        assert len(noted) == len(names) - judged - 1
        said.clear()
        with pytest.raises(GeneratorError, match="cannot be read"):
            command.report(names, True, say=said.append, note=noted.append)
        assert [each["image"].startswith(name) for each, name in zip(json.loads(said[0]), names, strict=True)]
        assert sum("error" in each for each in json.loads(said[0])) == len(names) - judged


# ---------------------------------------------------------------------------------------------
# Archives with two faces


@pytest.mark.parametrize("name", ["index.json", "./index.json", "INDEX.JSON", "/index.json", "x/../index.json"])
def test_an_archive_with_two_indexes_is_refused(name: str, layout: Layout, tmp_path: Path) -> None:
    assert lines(archived(layout, tmp_path / "good.tar"))[0] == 0
    layout.write()
    other = Part(name, (layout.folder / "index.json").read_bytes(), records={})
    for where in ("last", "first"):
        more, drop = (
            ((other,), ()) if where == "last" else ((other, Part("index.json", b"{}", records={})), ("index.json",))
        )
        try:
            status, said = lines(archived(layout, tmp_path / "x.tar", *more, drop=drop))
        except GeneratorError as error:
            assert "no image" in str(error)  # noqa: PT017 - of the empty one
            continue
        assert (status, sum("(two-faces; " in line for line in said)) == (1, 1)


def test_an_archive_with_two_different_lists_of_images_is_refused(layout: Layout, tmp_path: Path) -> None:
    layout.write()
    config, layers = layout.manifest["config"]["digest"], [each["digest"] for each in layout.manifest["layers"]]
    same = docker(config, layers)
    for form in ("oci-archive", "docker-archive"):
        name = archived(layout, tmp_path / "x.tar", same).replace("oci-archive", form)
        assert lines(name)[0] == 0, form
        other = layout.blob(json.dumps(layout.config | {"author": "another"}).encode())
        for part in (docker(sha256(other.read_bytes()), layers), docker(config, layers[::-1]), docker(config, [])):
            name = archived(layout, tmp_path / "x.tar", part).replace("oci-archive", form)
            status, said = lines(name)
            assert (status, sum("(two-faces; " in line for line in said)) == (1, 1), said


def test_an_archive_for_docker_that_has_a_layer_twice_is_refused(tmp_path: Path) -> None:
    config = {"architecture": "amd64", "os": "windows", "rootfs": {"type": "layers", "diff_ids": [sha256(base())]}}
    listed = json.dumps([{"Config": "c", "Layers": ["l"]}]).encode()
    files = {"manifest.json": listed, "c": json.dumps(config).encode(), "l": base()}
    parts = [Part(name, data, records={}) for name, data in files.items()]
    path = tmp_path / "x.tar"
    path.write_bytes(tarred(parts))
    assert lines(f"docker-archive:{path}")[0] == 0
    for again in (*parts[1:], Part("./l", b"", tarfile.SYMTYPE, "c", {})):
        path.write_bytes(tarred([*parts, again]))
        status, said = lines(f"docker-archive:{path}")
        assert (status, sum("(two-faces; " in line for line in said)) == (1, 1)


def test_an_archive_of_a_layout_may_have_a_blob_twice(layout: Layout, tmp_path: Path) -> None:
    layout.write()
    again = [Part(f"blobs/sha256/{sha256(each)[7:]}", each, records={}) for each in layout.blobs]
    assert lines(archived(layout, tmp_path / "x.tar", *again))[0] == 0


@pytest.mark.parametrize("name", ["manifest.json", "./Manifest.json"])
def test_an_archive_for_docker_with_two_lists_is_refused(name: str, layout: Layout, tmp_path: Path) -> None:
    layout.write()
    config, layers = layout.manifest["config"]["digest"], [each["digest"] for each in layout.manifest["layers"]]
    parts = docker(config, layers), docker(config, layers[:1])._replace(name=name)
    for order in (parts, parts[::-1]):
        archive = archived(layout, tmp_path / "x.tar", *order, drop=("oci-layout",))
        status, said = lines(archive.replace("oci-archive", "docker-archive"))
        assert (status, sum("manifest.json: refused: the archive has it twice" in line for line in said)) == (1, 1)


# ---------------------------------------------------------------------------------------------
# Files that are no images

HIVE = b"regf" + bytes(24)
FILES = {
    "x.tar.gz": (b"\x1f\x8b\x08\0", "not an image: a gzip file; hint: unpack it .*gunzip -k "),
    "x.reg": ("\ufeffWindows Registry Editor Version 5.00\r\n".encode("utf-16-le"), "registry export .*reg save"),
    "old.reg": (b"REGEDIT4\r\n\r\n[HKEY_LOCAL_MACHINE\\X]", "registry export .*reg save"),
    "SAM.LOG1": (HIVE + b"\6\0\0\0", "a transaction log of a registry hive"),
    "SAM": (HIVE + bytes(4), "a registry hive; hint: winscratch check-hive "),
    "program": (b"\x7fELF\2\1\1", "a program for Linux"),
    "x.exe": (b"MZ\x90\0", "a program for Windows; .*winscratch image "),
    "x.zip": (b"PK\x03\x04", "a zip file"),
    "x.wim": (b"MSWIM\0\0\0", "WIM"),
    "x.tar": (tarred([*ROOTS]), "a tar; hint: give oci-archive:"),
    "index.json": (b"{}", "a JSON document; hint: give the layout"),
    "empty": (b"", "an empty file"),
    "notes": (b"some text", "an unknown file; hint: give oci:DIR"),
}


@pytest.mark.parametrize("name", FILES)
def test_the_error_for_another_file_names_its_kind(name: str, tmp_path: Path) -> None:
    data, told = FILES[name]
    path = tmp_path / name
    path.write_bytes(data)
    for form in (
        "{}",
        "oci:{}",
        *(() if name in {"x.tar", "notes", "empty"} else ("oci-archive:{}", "docker-archive:{}")),
    ):
        with pytest.raises(GeneratorError, match=told) as error:
            lines(form.format(path))
        assert str(error.value).startswith(form.format(path))
