# SPDX-License-Identifier: Apache-2.0
"""check-image on documents and blobs that do not agree with each other."""

import gzip
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from checking import checked, found
from layouts import OCI, ROOTS, Layout, Part, base, sha256, tarred

from generator.errors import GeneratorError
from generator.image import opened


def set_to(path: str, value: Any) -> Callable[[Layout], None]:
    """Return what sets a value of a layout's documents, such as ``manifest/layers/0/size``."""

    def change(layout: Layout) -> None:
        first, *way, last = path.split("/")
        here = getattr(layout, first)
        for step in way:
            here = here[int(step) if isinstance(here, list) else step]
        here[int(last) if isinstance(here, list) else last] = value

    return change


def zipped_as_tar(layout: Layout) -> None:
    layout.manifest["layers"][1]["mediaType"] = f"{OCI}layer.v1.tar"


def without_blob(layout: Layout) -> None:
    del layout.blobs[1]


def without_foreign_blob(layout: Layout) -> None:
    layout.manifest["layers"][1]["mediaType"] = f"{OCI}layer.nondistributable.v1.tar+gzip"
    del layout.blobs[1]


def replaced(data: bytes) -> Callable[[Layout], None]:
    """Return what puts *data* in the place of the layer on top, and points to it."""

    def change(layout: Layout) -> None:
        layout.blobs[1] = data
        layout.manifest["layers"][1] |= {"digest": sha256(data), "size": len(data)}

    return change


def other_content(layout: Layout) -> None:
    blob = bytearray(layout.blobs[1])
    blob[4] ^= 1  # the time in gzip's header, so that it unpacks as before
    layout.blob(bytes(blob)).rename(layout.blob(layout.blobs.pop(1)))


def without_layers(layout: Layout) -> None:
    layout.manifest["layers"] = []
    layout.config["rootfs"]["diff_ids"] = []


ZEROS = "sha256:" + "0" * 64
TAR = tarred([*ROOTS, Part("Files/hello.exe", b"MZ")])
DOCUMENTS: list[tuple[str, Callable[[Layout], None]]] = [
    ("document", set_to("index/manifests", {})),
    ("document", set_to("manifest/layers", None)),
    ("document", set_to("manifest/layers/0/size", "9")),
    ("document", set_to("config/os", 1)),
    ("document", set_to("config/rootfs", [])),
    ("blob", without_blob),
    ("blob-foreign", without_foreign_blob),
    ("digest", other_content),
    ("digest", set_to("manifest/layers/1/digest", "sha256:../../../etc/passwd")),
    ("size", set_to("manifest/layers/1/size", 7)),
    ("size", set_to("manifest/layers/1/size", 1 << 40)),
    ("media-type", set_to("manifest/layers/1/mediaType", "application/x-tar")),
    ("media-type", set_to("manifest/mediaType", f"{OCI}index.v1+json")),
    ("media-type", set_to("kinds/config", "application/json")),
    ("compression", zipped_as_tar),
    ("schema", set_to("manifest/schemaVersion", 1)),
    ("schema", set_to("index/schemaVersion", 1)),
    ("media-type", set_to("index/mediaType", f"{OCI}manifest.v1+json")),
    ("os", set_to("config/os", "linux")),
    ("architecture", set_to("config/architecture", "x86_64")),
    ("os-version", set_to("config/os.version", "ltsc2022")),
    ("platform", set_to("platform/architecture", "arm64")),
    ("platform", set_to("platform/os.version", "10.0.20348.1")),
    ("rootfs", set_to("config/rootfs/diff_ids", [sha256(base())])),
    ("rootfs", set_to("config/rootfs/diff_ids/1", "md5:00")),
    ("history", set_to("config/history", [{"created_by": "x"}])),
    ("diff-id", set_to("config/rootfs/diff_ids/1", ZEROS)),
    (
        "layers",
        lambda layout: (layout.manifest.update(layers=[]), layout.config["rootfs"].update(diff_ids=[]), None)[2],
    ),
    ("layer", replaced(gzip.compress(TAR)[:-9])),
    ("layer", replaced(gzip.compress(TAR) + b"x")),
    ("layer", replaced(gzip.compress(b"no tar" * 100))),
    ("layer", replaced(gzip.compress(TAR[:700]))),
    ("layer", replaced(gzip.compress(TAR[:512] + bytes(512) + TAR[512:]))),
    ("rest", replaced(gzip.compress(TAR + b"x" * 512))),
]


@pytest.mark.parametrize(("rule", "change"), DOCUMENTS, ids=[f"{rule}-{at}" for at, (rule, _) in enumerate(DOCUMENTS)])
def test_documents_and_blobs_that_do_not_agree_are_found(
    rule: str, change: Callable[[Layout], None], tmp_path: Path
) -> None:
    layout = Layout(tmp_path, [base(), TAR])
    if rule == "document":
        layout.index["manifests"] = []
        del layout.index["manifests"]
    change(layout)
    rules = found(layout)
    assert rule in rules
    # A layer that was replaced has another diff ID, and what cannot be read has none.
    assert rules.keys() <= {rule, *({"diff-id"} if rule == "rest" else {"media-type", "platform", "diff-id"})}, rules


def test_what_several_platforms_share_is_told_of_each_and_read_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    layout = Layout(tmp_path, [base(), tarred([*ROOTS, Part("Files/nul")])])
    layout.write()
    (entry,) = layout.index["manifests"]
    first = json.loads((tmp_path / "blobs/sha256" / entry["digest"][7:]).read_text())
    second = layout.blob(json.dumps(first | {"annotations": {"second": "one"}}).encode())
    listed = [entry, Layout.point(second.read_bytes(), entry["mediaType"])]
    inner = layout.blob(json.dumps({"schemaVersion": 2, "manifests": listed}).encode())
    attestation = Layout.point(b"{}", entry["mediaType"]) | {"annotations": {"vnd.docker.reference.type": "x"}}
    layout.index["manifests"] = [Layout.point(inner.read_bytes(), f"{OCI}index.v1+json"), attestation, attestation]
    opened_layers: list[str] = []
    open_layer = opened.Layer.open

    def count(layer: opened.Layer) -> io.BufferedReader:
        opened_layers.append(layer.name)
        return open_layer(layer)

    monkeypatch.setattr(opened.Layer, "open", count)
    status, images = checked(layout.write())
    assert (status, len(images)) == (1, 2)
    names = [f"oci:{tmp_path}@{each['digest']}" for each in listed]
    assert [image["image"] for image in images] == names
    assert [checked(name)[1][0]["image"] for name in names] == names  # which can be given back
    opened_layers.clear()
    checked(layout.write())
    assert [[each["rule"] for each in image["findings"]] for image in images] == [["name"], ["name"]]
    assert len(opened_layers) == 2


def test_a_layout_of_what_is_no_image_is_an_error(tmp_path: Path) -> None:
    layout = Layout(tmp_path, [base()])
    layout.write()
    layout.index["manifests"][0]["annotations"] = {"vnd.docker.reference.type": "attestation-manifest"}
    with pytest.raises(GeneratorError, match="leads to no image"):
        checked(layout.write())
