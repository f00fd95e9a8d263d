# SPDX-License-Identifier: Apache-2.0
"""check-image on documents that contradict blobs or each other."""

import gzip
import io
import json
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from helpers.image_checks import checked, found
from helpers.layouts import OCI, ROOTS, Layout, Part, base, tarred
from helpers.rule_documents import DOCUMENTS, TAR, ZEROS, replaced, versions

from generator.base.errors import GeneratorError
from generator.imageread import images as opened
from generator.imageread.gunzip import GzipReader


@pytest.mark.parametrize(("rule", "change"), DOCUMENTS, ids=[f"{rule}-{at}" for at, (rule, _) in enumerate(DOCUMENTS)])
def test_documents_that_contradict_blobs_or_each_other_are_found(
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
    assert rules.keys() <= {
        rule,
        *({"diff-id"} if rule == "rest" else {"media-type", "platform", "diff-id", "mixed-taken"}),
    }, rules


ATTESTATION = {
    "annotations": {"vnd.docker.reference.type": "attestation-manifest"},
    "platform": {"os": "unknown", "architecture": "unknown"},
}


def test_gzip_that_go_reads_is_read_whatever_its_header_has(tmp_path: Path) -> None:
    half = len(TAR) // 2
    checked_header = b"\x1f\x8b\x08\xfe" + bytes(6) + b"\x02\0xx" + b"n" * 511 + b"\0c\0"
    checked_header += (zlib.crc32(checked_header) & 0xFFFF).to_bytes(2, "little")
    data = checked_header + gzip.compress(TAR[:half], mtime=0)[10:] + gzip.compress(b"") * 3 + gzip.compress(TAR[half:])
    layout = Layout(tmp_path, [base(), TAR])
    replaced(data)(layout)
    assert found(layout) == {}


def test_members_of_gzip_are_read_in_whatever_pieces() -> None:
    data = [b"a" * 100_000, b"", bytes(range(256)) * 50, b"b" * 300_000]
    blob = b"".join(gzip.compress(each) for each in data)
    for size in (1, 999, 30_000, 1 << 20):
        stream = GzipReader(io.BufferedReader(io.BytesIO(blob)))
        assert b"".join(iter(lambda: stream.read(size), b"")) == b"".join(data)  # noqa: B023 - used at once


@pytest.mark.parametrize("other", [{"size": 5}, {"platform": {"os": "windows", "architecture": "arm64"}}])
def test_each_descriptor_of_a_manifest_is_checked(other: dict[str, Any], tmp_path: Path) -> None:
    layout = Layout(tmp_path, [base()])
    layout.write()
    (entry,) = layout.index["manifests"]
    layout.index["manifests"] = [entry, entry | {"annotations": {}}, entry | other]
    status, images = checked(layout.write())
    rules = [finding["rule"] for image in images for finding in image["findings"]]
    assert (status, len(images)) == (1, 2)
    assert set(rules) == set(other)


def test_an_attestation_mark_does_not_hide_a_windows_image(tmp_path: Path) -> None:
    layout = Layout(tmp_path, [base()])
    layout.write()
    hidden = layout.index["manifests"][0] | {"digest": ZEROS, "annotations": ATTESTATION["annotations"]}
    layout.index["manifests"] = [*layout.index["manifests"], hidden]
    assert "blob" in found(layout)


def test_a_layer_is_checked_again_for_other_claims_about_it(tmp_path: Path) -> None:
    layout = Layout(tmp_path, [base(), TAR])
    layout.write()
    (entry,) = layout.index["manifests"]
    first = json.loads((tmp_path / "blobs/sha256" / entry["digest"][7:]).read_text())
    first["layers"][0]["size"] = 1
    first["layers"][1]["mediaType"] = f"{OCI}layer.v1.tar"
    second = layout.blob(json.dumps(first).encode()).read_bytes()
    layout.index["manifests"] = [entry, Layout.point(second, entry["mediaType"])]
    status, images = checked(layout.write())
    assert (status, images[0]["findings"]) == (1, [])
    assert [each["rule"] for each in images[1]["findings"]] == ["size", "compression"]


@pytest.mark.parametrize(("listed", "own"), [("10.0.20348.1", ""), ("", "10.0.20348"), ("10.0.20348", "10.0.20348")])
def test_the_version_of_windows_may_be_in_the_index_or_the_configuration_alone(
    listed: str, own: str, tmp_path: Path
) -> None:
    layout = Layout(tmp_path, [base()])
    versions(listed, own)(layout)
    assert found(layout) == {}


def test_shared_layers_are_read_once_and_reported_for_each_image(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    layout = Layout(tmp_path, [base(), tarred([*ROOTS, Part("Files/nul")])])
    layout.write()
    (entry,) = layout.index["manifests"]
    first = json.loads((tmp_path / "blobs/sha256" / entry["digest"][7:]).read_text())
    second = layout.blob(json.dumps(first | {"annotations": {"second": "one"}}).encode())
    listed = [entry, Layout.point(second.read_bytes(), entry["mediaType"])]
    inner = layout.blob(json.dumps({"schemaVersion": 2, "manifests": listed}).encode())
    attestation = Layout.point(b"{}", entry["mediaType"]) | ATTESTATION
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


def test_a_layout_without_images_is_an_error(tmp_path: Path) -> None:
    layout = Layout(tmp_path, [base()])
    layout.write()
    layout.index["manifests"][0] |= ATTESTATION
    with pytest.raises(GeneratorError, match="leads to no image"):
        checked(layout.write())
