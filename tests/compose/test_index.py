# SPDX-License-Identifier: Apache-2.0
"""Make an index of images in layouts and archives: platforms, order, annotations, refusals."""

import json
from pathlib import Path
from typing import Any

import pytest
from helpers import image_indexes, image_runs, layouts
from helpers.composing import documents, index, indexed, top
from helpers.image_checks import checked
from helpers.layouts import Layout, Part, tarred

from generator.base.errors import GeneratorError


def image(folder: Path, content: bytes = b"x", **config: Any) -> Layout:
    """Return an image of one layer, not written yet."""
    layout = Layout(folder, [tarred([Part("Files/x", content)])])
    layout.config |= config
    layout.platform = None
    return layout


VERSION_AND_FEATURES: dict[str, Any] = {"os.version": "10.0.20348.1", "os.features": ["win32k"]}


def linux(folder: Path, architecture: str = "amd64", **config: Any) -> str:
    return image(folder, architecture.encode(), os="linux", architecture=architecture, **config).write()


def platforms(layout: Path) -> list[dict[str, Any]]:
    return [each["platform"] for each in top(layout)["manifests"]]


def test_platforms_come_from_configurations_in_the_order_given(tmp_path: Path) -> None:
    names = (
        linux(tmp_path / "a", "arm", variant="v7"),
        image(tmp_path / "b", **VERSION_AND_FEATURES).write(),
        linux(tmp_path / "c"),
    )
    done = index(*names, to=(f"oci:{tmp_path}/out:1", f"oci-archive:{tmp_path}/o.tar:1"), annotation=("a=b", "c="))
    assert platforms(tmp_path / "out") == [
        {"architecture": "arm", "os": "linux", "variant": "v7"},
        {"architecture": "amd64", "os": "windows", "os.version": "10.0.20348.1", "os.features": ["win32k"]},
        {"architecture": "amd64", "os": "linux"},
    ]
    found = top(tmp_path / "out")
    assert found["annotations"] == {"a": "b", "c": ""}
    for entry, name in zip(found["manifests"], names, strict=True):
        source = Path(name.removeprefix("oci:"))
        (named,) = image_runs.named(source).values()
        assert (entry["digest"], entry["size"]) == (named["digest"], named["size"])
        documents(tmp_path / "out", entry["digest"])
    image_runs.assert_whole(tmp_path / "out")
    assert done.said == [f"oci:{tmp_path}/out@{done.digest}", f"oci-archive:{tmp_path}/o.tar@{done.digest}"]
    again = index(f"oci-archive:{tmp_path}/o.tar", to=(f"oci:{tmp_path}/again",))
    assert again.digest == done.digest


def test_a_given_platform_takes_the_place_of_the_configurations(tmp_path: Path) -> None:
    one, other = image(tmp_path / "a").write(), image(tmp_path / "b", b"y").write()
    index(f"{one}@windows/amd64:10.0.17763", f"{other}@windows(10.0.20348+win32k)/x86_64", to=(f"oci:{tmp_path}/out",))
    assert platforms(tmp_path / "out") == [
        {"architecture": "amd64", "os": "windows", "os.version": "10.0.17763"},
        {"architecture": "x86_64", "os": "windows", "os.version": "10.0.20348", "os.features": ["win32k"]},
    ]


def test_indexes_are_opened_and_joined(tmp_path: Path) -> None:
    windows = [image(tmp_path / each, each.encode(), **{"os.version": f"10.0.{each}.1"}) for each in ("17763", "20348")]
    first = indexed(tmp_path / "first", *windows, annotations={"a": "1", "b": "1", "own": "0"})
    other = image(tmp_path / "c", b"arm", architecture="arm64")
    second = indexed(tmp_path / "second", other, annotations={"b": "2", "c": "3", "own": "1"})
    name = linux(tmp_path / "l")
    done = index(first, name, second, first, to=(f"oci:{tmp_path}/out",), annotation=("own=2",))
    assert [each.get("os.version", each["os"]) for each in platforms(tmp_path / "out")] == [
        "10.0.17763.1",
        "10.0.20348.1",
        "linux",
        "windows",
    ]
    assert top(tmp_path / "out")["annotations"] == {"a": "1", "b": "1", "c": "3", "own": "2"}
    (line,) = done.noted
    assert line.startswith(f"warning: {second}: its annotation b is left out")


def test_the_platform_of_an_opened_index_has_precedence(tmp_path: Path) -> None:
    layout = image(tmp_path / "a")
    layout.platform = {"architecture": "amd64", "os": "windows", "os.version": "10.0.20348"}
    index(indexed(tmp_path / "in", layout), to=(f"oci:{tmp_path}/out",))
    assert platforms(tmp_path / "out") == [layout.platform]


def test_entries_keep_their_annotations_but_for_names_in_a_layout(tmp_path: Path) -> None:
    layout = image(tmp_path / "a")
    layout.write()
    entry = layout.index["manifests"][0]
    entry["annotations"] |= {"own": "1", "io.containerd.image.name": "docker.io/x:1"}
    index(layout.write(), to=(f"oci:{tmp_path}/out",))
    (found,) = top(tmp_path / "out")["manifests"]
    assert found["annotations"] == {"own": "1"}


def test_artifacts_are_left_out_with_a_warning(tmp_path: Path) -> None:
    layout = image(tmp_path / "a")
    attestation = image_indexes.artifact(layout) | image_indexes.BUILDKIT
    sbom = image_indexes.artifact(layout, "application/spdx+json")
    done = index(image_indexes.indexed(layout, attestation, sbom), to=(f"oci:{tmp_path}/out",))
    assert len(platforms(tmp_path / "out")) == 1
    assert sorted(line.partition("left out: ")[2] for line in done.noted) == [
        "artifact of type 'application/spdx+json'",
        "attestation of an image that is not in the index",
    ]


def test_the_same_image_is_listed_once(tmp_path: Path) -> None:
    name = linux(tmp_path / "a")
    index(name, name, to=(f"oci:{tmp_path}/out",))
    assert len(platforms(tmp_path / "out")) == 1


def test_check_image_takes_an_index_of_linux_and_windows(tmp_path: Path) -> None:
    (own,) = image_runs.made(image_runs.sources(tmp_path / "s"), f"oci:{tmp_path}/own:1")
    index(linux(tmp_path / "a"), own, to=(f"oci:{tmp_path}/out:1",))
    status, (record,) = checked(f"oci:{tmp_path}/out:1")
    assert (status, record["good"], record["findings"]) == (0, True, [])
    assert [each["what"] for each in record["passed_over"]] == ["linux/amd64"]


# ---------------------------------------------------------------------------------------------
# Refusals


def refused(tmp_path: Path, pattern: str, *names: str, to: str = "") -> None:
    with pytest.raises(GeneratorError, match=pattern):
        index(*names, to=(to or f"oci:{tmp_path}/out",))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"architecture": "arm64"}, {"architecture": "arm64", "variant": "v8"}),
        ({"architecture": "amd64"}, {"architecture": "x86_64"}),
        ({"architecture": "arm"}, {"architecture": "arm", "variant": "v7"}),
        ({"architecture": "amd64", "os.features": ["a", "b"]}, {"architecture": "amd64", "os.features": ["b", "a"]}),
    ],
)
def test_two_images_for_one_platform_are_refused(one: dict[str, Any], other: dict[str, Any], tmp_path: Path) -> None:
    names = [image(tmp_path / str(at), b"%d" % at, os="linux", **each).write() for at, each in enumerate((one, other))]
    refused(tmp_path, r"1@sha256:.*: for linux.*, as oci:.*0@sha256:.*; hint: leave one out", *names)


def test_a_platform_of_another_system_is_refused(tmp_path: Path) -> None:
    name = image(tmp_path / "a").write()
    refused(tmp_path, r"for windows/amd64, not linux/amd64", f"{name}@linux/amd64")
    refused(tmp_path, r"for windows/amd64, not windows/arm64", f"{name}@windows/arm64")
    refused(tmp_path, r"invalid platform windows/", f"{name}@windows/a b")


def test_one_platform_for_several_images_is_refused(tmp_path: Path) -> None:
    name = indexed(tmp_path / "in", image(tmp_path / "a"), image(tmp_path / "b", b"y", architecture="arm64"))
    refused(tmp_path, r"2 images for one platform; hint: give one by its digest", f"{name}@windows/amd64")


def test_an_index_that_contradicts_its_image_is_refused(tmp_path: Path) -> None:
    layout = image(tmp_path / "a")
    layout.platform = {"architecture": "arm64", "os": "windows"}
    refused(tmp_path, r"architecture is amd64, and the index says arm64", indexed(tmp_path / "in", layout))


@pytest.mark.parametrize("key", ["os", "architecture"])
def test_an_image_without_a_platform_is_refused(key: str, tmp_path: Path) -> None:
    layout = image(tmp_path / "a")
    del layout.config[key]
    refused(tmp_path, r"hint: ", layout.write())


def test_nothing_to_index_is_refused(tmp_path: Path) -> None:
    refused(tmp_path, "an image is required")
    layout = image(tmp_path / "a")
    name = image_indexes.indexed(layout, image_indexes.artifact(layout), windows=False)
    refused(tmp_path, "leads to no image", name)


def test_an_index_in_dockers_archive_is_refused(tmp_path: Path) -> None:
    refused(
        tmp_path, "Docker's archive holds one platform", linux(tmp_path / "a"), to=f"docker-archive:{tmp_path}/d.tar"
    )


def test_images_in_dockers_archives_are_listed(tmp_path: Path) -> None:
    to = (f"oci:{tmp_path}/same", f"docker-archive:{tmp_path}/d.tar:x:1")
    image_runs.made(image_runs.sources(tmp_path / "s"), *to)
    index(f"docker-archive:{tmp_path}/d.tar", linux(tmp_path / "a"), to=(f"oci:{tmp_path}/out",))
    assert [each["os"] for each in platforms(tmp_path / "out")] == ["windows", "linux"]
    assert checked(f"oci:{tmp_path}/out")[0] == 0
    windows = documents(tmp_path / "out", top(tmp_path / "out")["manifests"][0]["digest"])
    assert windows.config == documents(tmp_path / "same").config
    image_runs.assert_whole(tmp_path / "out")


def test_a_damaged_layer_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    layout = image(tmp_path / "a")
    name = layout.write()
    layout.blob(layout.blobs[0]).write_bytes(layout.blobs[0][:-1] + b"x")
    refused(tmp_path, "the blob is not the one that the manifest lists", name)


HOSTILE: dict[str, Any] = {
    "a depth": "[" * 100_000,
    "a number for a name": '{"os": 5}',
    "a list": "[]",
    "nothing": "",
    "NaN": '{"x": NaN}',
    "text that is no Unicode": '{"os": "\\ud800"}',
    "a name of control characters": '{"os": "\\u001b[31m", "architecture": "x"}',
    "a long name": json.dumps({"os": "x" * 10_000, "architecture": "y" * 10_000}),
}


@pytest.mark.parametrize("what", HOSTILE)
@pytest.mark.parametrize("command", ["index", "rebase", "outdated"])
def test_hostile_configurations_are_one_line_and_status_2(what: str, command: str, tmp_path: Path) -> None:
    layout = Layout(tmp_path / "a", [layouts.base()])
    data = HOSTILE[what].encode()
    layout.blob(data)
    layout.manifest["config"] = Layout.point(data, layout.kinds["config"])
    words = {"index": ("--to", "oci:out"), "rebase": ("--onto", "scratch", "--to", "oci:out")}.get(command, ())
    done = image_runs.command(layout.write(), *words, folder=tmp_path, name=command)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert "\x1b" not in done.stderr
    assert len(done.stderr) < 2000
    assert not (tmp_path / "out").exists()


def test_a_layer_with_urls_is_copied_unless_its_type_is_foreign(tmp_path: Path) -> None:
    layout = image(tmp_path / "a")
    layout.manifest["layers"][0]["urls"] = ["https://blobs.example/layer"]
    index(layout.write(), to=(f"oci:{tmp_path}/out",))
    assert image_runs.sha256(layout.blobs[0]).partition(":")[2] in [
        path.name for path in (tmp_path / "out/blobs/sha256").iterdir()
    ]


def test_a_descriptor_without_a_media_type_gets_the_manifests(tmp_path: Path) -> None:
    name = image(tmp_path / "a").write()
    path = tmp_path / "a/index.json"
    made = json.loads(path.read_text())
    del made["manifests"][0]["mediaType"]
    path.write_text(json.dumps(made))
    index(name, to=(f"oci:{tmp_path}/out",))
    assert top(tmp_path / "out")["manifests"][0]["mediaType"] == "application/vnd.oci.image.manifest.v1+json"


@pytest.mark.parametrize(
    "fields", [{"schemaVersion": 1}, {"schemaVersion": None}, {"mediaType": "application/vnd.oci.image.index.v1+json"}]
)
def test_manifests_that_clients_refuse_are_refused(fields: dict[str, Any], tmp_path: Path) -> None:
    layout = image(tmp_path / "a")
    layout.manifest |= fields
    with pytest.raises(GeneratorError, match="schema version or media type of its manifest; hint: winscratch check"):
        index(layout.write(), to=(f"oci:{tmp_path}/out",))


def test_a_version_that_windows_does_not_have_is_refused(tmp_path: Path) -> None:
    with pytest.raises(GeneratorError, match=r"invalid version 10\.0; hint"):
        index(f"{image(tmp_path / 'a').write()}@windows/amd64:10.0", to=(f"oci:{tmp_path}/out",))


def test_a_blob_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    layout = image(tmp_path / "a")
    name = layout.write()
    path = layout.blob(layout.blobs[0])
    path.unlink()
    path.mkdir()
    with pytest.raises(GeneratorError, match=r"a@sha256:.*: layer sha256:.*: the blob cannot be read: Is a dir"):
        index(name, to=(f"oci:{tmp_path}/out",))
