# SPDX-License-Identifier: Apache-2.0
"""Images in layouts and archives, written atomically."""

import json
import os
import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest
from helpers import image_runs
from helpers.image_runs import assert_whole, digest_of, named, run, tree
from helpers.support import lack, need

from generator.base.errors import GeneratorError
from generator.base.home import TEMPORARY


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return image_runs.sources(tmp_path / "sources")


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


def index(layout: Path) -> list[Any]:
    return list(json.loads((layout / "index.json").read_text())["manifests"])


def test_a_new_layout_is_complete_and_has_no_other_files(folder: Path, out: Path) -> None:
    (reference,) = image_runs.made(folder, f"oci:{out}:hello:1")
    assert reference == f"oci:{out}@{named(out)['hello:1']['digest']}"
    assert_whole(out)
    assert json.loads((out / "oci-layout").read_text()) == {"imageLayoutVersion": "1.0.0"}
    assert {path.name for path in out.iterdir()} == {"blobs", "index.json", "manifest.json", "oci-layout"}
    assert len(list((out / "blobs/sha256").iterdir())) == 5  # three layers, a configuration and a manifest
    umask = os.umask(0)
    os.umask(umask)
    assert {path.stat().st_mode & 0o777 for path in out.rglob("*") if path.is_file()} == {0o666 & ~umask}


def test_an_image_is_added_to_a_layout_beside_others(folder: Path, out: Path) -> None:
    image_runs.made(folder, f"oci:{out}:one")
    image_runs.made(folder, f"oci:{out}:two", label={"a": "b"})
    image_runs.made(folder, f"oci:{out}")
    before = index(out)
    assert len(before) == 3
    (reference,) = image_runs.made(folder, f"oci:{out}:one", label={"c": "d"})
    assert [each for each in before if each not in index(out)] == [before[0]]
    assert named(out)["one"]["digest"] == digest_of(reference)
    assert_whole(out)
    assert image_runs.made(folder, f"oci:{out}:one", label={"c": "d"}) == (reference,)
    assert len(index(out)) == 3  # an image that is there already takes its own place


def test_other_images_and_annotations_in_a_layout_are_kept(folder: Path, out: Path) -> None:
    image_runs.made(folder, f"oci:{out}:ours")
    run(need("skopeo"), "copy", f"oci:{out}:ours", f"oci:{out}:theirs")
    content = json.loads((out / "index.json").read_text())
    content["annotations"] = {"org.example": "x"}
    content["manifests"][1]["org.example.more"] = [1]
    (out / "index.json").write_text(json.dumps(content))
    image_runs.made(folder, f"oci:{out}:ours", label={"a": "b"})
    after = json.loads((out / "index.json").read_text())
    assert after["annotations"] == content["annotations"]
    assert after["manifests"][0] == content["manifests"][1]


def test_a_tag_moves_in_manifest_json_as_in_the_index(folder: Path, out: Path) -> None:
    image_runs.made(folder, f"oci:{out}:hello:1")
    image_runs.made(folder, f"oci:{out}:plain")
    image_runs.made(folder, f"oci:{out}:hello:2")
    image_runs.made(folder, f"oci:{out}:hello:1", label={"a": "b"})
    listed = json.loads((out / "manifest.json").read_text())
    tags = [tag for each in listed for tag in each["RepoTags"] or []]
    assert sorted(tags) == ["hello:1", "hello:2"]
    image_runs.made(folder, f"oci:{out}:hello:2", platform=("windows/arm64", "windows/amd64"))
    assert len(json.loads((out / "manifest.json").read_text())) == len(listed)  # its first platform alone
    config = named(out)["hello:1"]["digest"]
    (tagged,) = (each for each in listed if each["RepoTags"] == ["hello:1"])
    assert tagged["Config"].endswith(image_runs.document(out, config)["config"]["digest"].partition(":")[2])


def test_outputs_are_reproducible(folder: Path, tmp_path: Path) -> None:
    trees = []
    for name in ("a", "b"):
        place = tmp_path / name
        place.mkdir()
        to = (f"oci:{place}/oci:hello:1", f"oci-archive:{place}/o.tar:hello:1", f"docker-archive:{place}/d.tar:hello:1")
        image_runs.made(folder, *to)
        trees.append(tree(place))
    assert trees[0] == trees[1]


def test_an_oci_archive_has_the_files_of_the_layout(folder: Path, out: Path, tmp_path: Path) -> None:
    image_runs.made(folder, f"oci:{out}:hello:1", f"oci-archive:{tmp_path}/o.tar:hello:1")
    assert tree(image_runs.unpack(tmp_path / "o.tar", tmp_path / "unpacked")) == tree(out)


def test_a_docker_archive_has_uncompressed_layers(folder: Path, tmp_path: Path) -> None:
    (reference,) = image_runs.made(folder, f"docker-archive:{tmp_path}/d.tar:hello")
    files = tree(image_runs.unpack(tmp_path / "d.tar", tmp_path / "unpacked"))
    (listed,) = json.loads(files["manifest.json"])
    assert listed["RepoTags"] == ["hello:latest"]
    config = files[listed["Config"]]
    assert isinstance(config, bytes)
    assert image_runs.sha256(config) == digest_of(reference)
    layers = [files[name] for name in listed["Layers"]]
    assert [image_runs.sha256(each) for each in layers if isinstance(each, bytes)] == json.loads(config)["rootfs"][
        "diff_ids"
    ]
    assert set(files) == {"manifest.json", listed["Config"], *listed["Layers"]}


def test_one_layer_and_no_compression(folder: Path, out: Path, tmp_path: Path) -> None:
    image_runs.made(folder, f"oci:{out}", one_layer=True, compression="none")
    manifest = image_runs.document(out, named(out)[""]["digest"])
    assert [each["mediaType"].rpartition(".")[2] for each in manifest["layers"]] == ["tar+gzip", "tar"]
    image_runs.made(folder, f"docker-archive:{tmp_path}/d.tar", one_layer=True, compression="none")
    (listed,) = json.loads(tree(image_runs.unpack(tmp_path / "d.tar", tmp_path / "unpacked"))["manifest.json"])
    assert len(listed["Layers"]) == 2
    assert listed["RepoTags"] is None


@pytest.mark.parametrize("transport", ["oci-archive", "docker-archive"])
def test_an_archive_is_replaced_only_with_force(transport: str, folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    path.write_text("mine")
    with pytest.raises(GeneratorError, match=r"a\.tar: exists already; hint: replace it with --force"):
        image_runs.made(folder, f"{transport}:{path}")
    assert path.read_text() == "mine"
    image_runs.made(folder, f"{transport}:{path}", force=True)
    assert path.stat().st_size > 10_000
    link = tmp_path / "link.tar"
    link.symlink_to("a.tar")
    before = path.read_bytes()
    image_runs.made(folder, f"{transport}:{link}", force=True, label={"a": "b"})
    assert link.is_symlink()
    assert path.read_bytes() != before


def test_a_docker_archive_of_several_platforms_is_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(GeneratorError, match="one platform"):
        image_runs.made(folder, f"docker-archive:{tmp_path}/d.tar", platform=("windows/amd64", "windows/arm64"))


def test_an_archive_created_meanwhile_is_kept(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from generator.image import archive

    path = tmp_path / "o.tar"
    add = archive._add

    def meddling(*words: Any) -> None:
        path.write_text("mine")
        add(*words)

    monkeypatch.setattr(archive, "_add", meddling)
    with pytest.raises(GeneratorError, match="exists"):
        image_runs.made(folder, f"oci-archive:{path}")
    assert path.read_text() == "mine"
    assert sorted(each.name for each in tmp_path.iterdir()) == ["o.tar", "sources"]


LAYOUT = {"oci-layout": b'{"imageLayoutVersion":"1.0.0"}'}


def damaged(**files: bytes) -> dict[str, bytes]:
    """Return the files of a layout with *files* added or replaced; _ in a name is a dot."""
    return LAYOUT | {name.replace("_", "."): data for name, data in files.items()}


BAD: dict[str, tuple[dict[str, bytes], str]] = {
    "other files": ({"mine": b"x"}, "not an OCI layout, and not empty"),
    "another version": ({"oci-layout": b'{"imageLayoutVersion":"2.0.0"}'}, "not 1.0.0"),
    "no version": ({"oci-layout": b"[]"}, "oci-layout"),
    "no index": (damaged(index_json=b"{}"), "invalid index"),
    "a list": (damaged(index_json=b"[]"), "index.json"),
    "no descriptor": (damaged(index_json=b'{"schemaVersion":2,"manifests":[1]}'), "is invalid"),
    "no digest": (damaged(index_json=b'{"schemaVersion":2,"manifests":[{"size":1}]}'), r"manifests\[0\] is invalid"),
    "a digest": (damaged(index_json=b'{"schemaVersion":2,"manifests":[{"digest":["x"],"size":1}]}'), "is invalid"),
    "annotations": (damaged(index_json=b'{"schemaVersion":2,"manifests":[{"annotations":"x"}]}'), "is invalid"),
    "deep": (damaged(index_json=b"[" * 100_000), "index.json"),
    "truncated": (damaged(index_json=b'{"schemaVersion":2,'), "index.json"),
    "Docker's": (damaged(manifest_json=b'[{"RepoTags":1}]'), "manifest.json"),
}
LINKS = {"blobs": ("/tmp", "a link in place of a directory"), "index.json": ("/dev/null", "index.json")}


@pytest.mark.parametrize("what", BAD)
def test_an_invalid_layout_is_refused_and_unchanged(what: str, folder: Path, out: Path) -> None:
    files, why = BAD[what]
    out.mkdir()
    for name, data in files.items():
        (out / name).write_bytes(data)
    refused_as_it_was(folder, out, why)


@pytest.mark.parametrize("name", LINKS)
def test_links_in_a_layout_are_not_followed(name: str, folder: Path, out: Path) -> None:
    target, why = LINKS[name]
    out.mkdir()
    (out / "oci-layout").write_bytes(LAYOUT["oci-layout"])
    (out / name).symlink_to(target)
    refused_as_it_was(folder, out, why)


def test_a_directory_in_place_of_a_blob_is_refused(folder: Path, out: Path) -> None:
    image_runs.made(folder, f"oci:{out}:1")
    for blob in (out / "blobs/sha256").iterdir():
        blob.unlink()
    blob.mkdir()
    before = tree(out)
    with pytest.raises(GeneratorError, match=f"{blob}: a directory in place of a blob; hint: remove it"):
        image_runs.made(folder, f"oci:{out}:1")
    assert tree(out) == before


def test_a_file_in_place_of_a_layout_is_refused(folder: Path, out: Path) -> None:
    out.write_text("mine")
    refused_as_it_was(folder, out, "not a directory")


def refused_as_it_was(folder: Path, out: Path, why: str) -> None:
    before = tree(out.parent)
    with pytest.raises(GeneratorError, match=why) as error:
        image_runs.made(folder, f"oci:{out}:x")
    assert "\n" not in str(error.value)
    assert tree(out.parent) == before


def test_an_empty_directory_becomes_a_layout_without_leftovers(folder: Path, out: Path) -> None:
    (out / f".0{TEMPORARY}").mkdir(parents=True)
    (out / f".0{TEMPORARY}" / "layer-1").write_text("half")
    (out / f".1{TEMPORARY}").write_text("half")
    image_runs.made(folder, f"oci:{out}")
    assert not list(out.glob(f".*{TEMPORARY}"))
    assert_whole(out)


def test_layouts_share_no_hard_links(folder: Path, tmp_path: Path) -> None:
    image_runs.made(folder, f"oci:{tmp_path}/one", f"oci:{tmp_path}/two")
    assert tree(tmp_path / "one") == tree(tmp_path / "two")
    files = [path for name in ("one", "two") for path in (tmp_path / name).rglob("*") if path.is_file()]
    assert {path.stat().st_nlink for path in files} == {1}


def test_a_damaged_blob_is_replaced(folder: Path, out: Path) -> None:
    image_runs.made(folder, f"oci:{out}:x")
    for path in (out / "blobs/sha256").iterdir():
        path.write_bytes(bytes(path.stat().st_size))
    image_runs.made(folder, f"oci:{out}:x")
    assert_whole(out)


def test_concurrent_runs_keep_every_image(folder: Path, out: Path) -> None:
    failed: list[BaseException] = []

    def one(name: str) -> None:
        try:
            image_runs.made(folder, f"oci:{out}:{name}", label={"name": name})
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=one, args=(f"image-{n}",)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    assert set(named(out)) == {f"image-{n}" for n in range(6)}
    assert_whole(out)


def test_a_full_disk_is_an_error_and_changes_nothing(folder: Path, tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    mount = need("mount")
    if subprocess.run(
        [mount, "-t", "tmpfs", "-o", "size=256k", "x", small], check=False, capture_output=True
    ).returncode:
        lack("nothing can be mounted here")
    try:
        image_runs.made(folder, f"oci:{small}/out:one")
        (folder / "big").write_bytes(os.urandom(400_000))
        before = tree(small)
        for to in (f"oci:{small}/out:two", f"oci-archive:{small}/o.tar", f"docker-archive:{small}/d.tar"):
            with pytest.raises(GeneratorError, match="No space left on device"):
                image_runs.made(folder, to, source=(str(folder),))
            assert tree(small) == before
        big = (str(folder / "big"),)
        with pytest.raises(GeneratorError, match="No space left on device"):  # after the layer was written elsewhere
            image_runs.made(folder, f"oci:{tmp_path}/elsewhere", f"oci:{small}/out:two", source=big)
        assert tree(small) == before
    finally:
        subprocess.run([need("umount"), small], check=True)


def test_a_read_only_destination_is_named(folder: Path) -> None:
    for to in ("oci:/proc/x/out", "oci-archive:/proc/o.tar", f"oci-archive:{folder}/hello.exe/o.tar"):
        with pytest.raises(GeneratorError, match=r"/proc|hello\.exe") as error:
            image_runs.made(folder, to, source=(f"{folder}/conf",))
        assert "\n" not in str(error.value)
