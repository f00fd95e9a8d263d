# SPDX-License-Identifier: Apache-2.0
"""check-image on documents and blobs that do not agree with each other."""

import gzip
import io
import json
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from helpers.image_checks import checked, found
from helpers.layouts import OCI, ROOTS, Layout, Part, base, sha256, tarred

from generator.base.errors import GeneratorError
from generator.imageread import images as opened
from generator.imageread.gunzip import Gunzip


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


def member(data: bytes, flags: int, more: bytes) -> bytes:
    """Return a gzip file whose header has *flags*, and *more* behind it."""
    whole = gzip.compress(data, mtime=0)
    return whole[:3] + bytes([flags]) + whole[4:10] + more + whole[10:]


def versions(listed: str, own: str) -> Callable[[Layout], None]:
    """Return what sets the os.version of an index's entry, and of the configuration, where they are not empty."""

    def change(layout: Layout) -> None:
        layout.platform = {"architecture": "amd64", "os": "windows"} | ({"os.version": listed} if listed else {})
        layout.config |= {"os.version": own} if own else {}

    return change


DOCKER = "application/vnd.docker."
ZEROS = "sha256:" + "0" * 64
TAR = tarred([*ROOTS, Part("Files/hello.exe", b"MZ")])
DOCUMENTS: list[tuple[str, Callable[[Layout], None]]] = [
    ("document", set_to("index/manifests", {})),
    ("document", set_to("manifest/layers", {})),
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
    ("os-version", set_to("platform/os.version", "ltsc2022")),
    ("rootfs", set_to("config/rootfs/diff_ids", [sha256(base())])),
    ("rootfs", set_to("config/rootfs/diff_ids/1", "md5:00")),
    ("history", set_to("config/history", [{"created_by": "x"}])),
    ("diff-id", set_to("config/rootfs/diff_ids/1", ZEROS)),
    (
        "layers",
        lambda layout: (layout.manifest.update(layers=[]), layout.config["rootfs"].update(diff_ids=[]), None)[2],
    ),
    ("document", set_to("manifest/manifests", [])),
    ("document", set_to("index/layers", [])),
    ("document", set_to("manifest/schemaVersion", 2.0)),
    ("keys", set_to("config/Author", "me")),
    ("layout", lambda layout: setattr(layout, "version", "1.0.1")),
    ("layout", lambda layout: setattr(layout, "version", None)),
    ("rootfs", set_to("config/rootfs/type", "layers+base")),
    ("rootfs", set_to("config/rootfs/type", None)),
    ("mixed", set_to("manifest/mediaType", f"{DOCKER}distribution.manifest.v2+json")),
    ("mixed", set_to("kinds/config", f"{DOCKER}container.image.v1+json")),
    ("mixed-taken", set_to("manifest/layers/1/mediaType", f"{DOCKER}image.rootfs.diff.tar.gzip")),
    ("platform-version", versions("10.0.20348", "10.0.26100")),
    ("layer", replaced(gzip.compress(TAR)[:-9])),
    ("layer", replaced(gzip.compress(TAR) + b"x")),
    ("layer", replaced(gzip.compress(TAR) + bytes(512))),
    ("layer", replaced(member(TAR, 2, b"\xde\xad"))),
    ("layer", replaced(member(TAR, 8, b"A" * 512 + b"\0"))),
    ("layer", replaced(member(TAR, 24, b"\0" + b"A" * 9))),
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
        stream = Gunzip(io.BufferedReader(io.BytesIO(blob)))
        assert b"".join(iter(lambda: stream.read(size), b"")) == b"".join(data)  # noqa: B023 - used at once


@pytest.mark.parametrize("other", [{"size": 5}, {"platform": {"os": "windows", "architecture": "arm64"}}])
def test_each_that_points_to_a_manifest_is_believed_only_if_true(other: dict[str, Any], tmp_path: Path) -> None:
    layout = Layout(tmp_path, [base()])
    layout.write()
    (entry,) = layout.index["manifests"]
    layout.index["manifests"] = [entry, entry | {"annotations": {}}, entry | other]
    status, images = checked(layout.write())
    rules = [finding["rule"] for image in images for finding in image["findings"]]
    assert (status, len(images)) == (1, 2)
    assert set(rules) == set(other)


def test_what_is_marked_as_an_attestation_and_has_a_platform_is_an_image(tmp_path: Path) -> None:
    layout = Layout(tmp_path, [base()])
    layout.write()
    hidden = layout.index["manifests"][0] | {"digest": ZEROS, "annotations": ATTESTATION["annotations"]}
    layout.index["manifests"] = [*layout.index["manifests"], hidden]
    assert "blob" in found(layout)


def test_a_layer_is_checked_anew_where_another_manifest_says_else_of_it(tmp_path: Path) -> None:
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


def test_keys_that_users_choose_may_differ_in_case_only(tmp_path: Path) -> None:
    layout = Layout(tmp_path, [base()])
    layout.config["config"] = {"Labels": {"os": "x", "OS": "y", "User": "z"}}
    layout.manifest["annotations"] = {"a": "1", "A": "2", "Layers": "3"}
    layout.config["size"] = layout.config["Architectures"] = 1.5
    assert found(layout) == {}


def changed(layout: Layout, which: str, old: str, new: str) -> str:
    """Write *layout* with *new* in the place of *old* in one of its documents as text, all digests made right."""
    layout.write()
    (entry,) = layout.index["manifests"]
    config, manifest = json.dumps(layout.config), json.dumps(layout.manifest)
    if which == "config":
        config = config.replace(old, new, 1)
        layout.manifest["config"] = Layout.point(layout.blob(surrogates(config)).read_bytes(), f"{OCI}config.v1+json")
        manifest = json.dumps(layout.manifest)
    else:
        manifest = manifest.replace(old, new, 1)
    data = layout.blob(surrogates(manifest)).read_bytes()
    layout.index["manifests"] = [entry | Layout.point(data, entry["mediaType"])]
    return layout.write()


def surrogates(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


DEEP = '{"x": ' + "[" * 9_999 + "]" * 9_999 + ", "
TAKEN = [  # by Go: the document, text in it, what stands there instead, and the unusual rules
    ("config", '"os": "windows"', '"os": "linux", "OS": "windows"', ["keys"] * 2),
    ("config", '"os": "windows"', '"o\\u0073": "windows", "os": null', ["keys"]),
    ("config", '"os": "windows"', '"os": "windows", "author": "\\ud800", "x": 1e999', []),
    ("config", '"os": "windows"', '"os": "windows", "author": "\udcff", "Comment": "\udc80"', ["keys"]),
    ("config", "{", DEEP, []),
    ("config", '"config": {}', '"config": null, "history": null, "created": null, "author": null', []),
    ("config", '"config": {}', '"config": {"Labels": {"a": "1", "a": "2"}}', ["keys"]),
    ("config", '"config": {}', '"config": {"Labels": {"a": null}, "Env": [null], "Healthcheck": {"Test": null}}', []),
    ("config", '"config": {}', '"created": "2024-02-29T1:00:00,5+24:60"', []),
    ("manifest", '"layers": [', '"LAYERS": [', ["keys"]),
    ("manifest", '"layers": [', '"annotations": null, "subject": null, "layers": [', []),
    ("manifest", '"schemaVersion": 2', '"\u017fchemaVersion": 2', ["keys"]),
]
REFUSED = [  # by Go, with what is said
    ("config", '"os": "windows"', '"os": "windows", "OS": "linux"', "os is 'linux'"),
    ("config", "{", DEEP.replace("[", "[[", 1).replace("]", "]]", 1), "more than 10,000 levels"),
    (
        "config",
        "{",
        '{"created": "2024-05-05T10:00:00", ',
        "created: got the string '2024-05-05T10:00:00', want a time",
    ),
    ("config", "{", '{"created": "2023-02-29T10:00:00Z", ', "created: "),
    ("config", "{", '{"created": "2024-05-05T10:00:00\\u005a", ', "created: "),
    ("config", "{", '{"created": 1700000000, ', "created: got the number 1700000000"),
    ("config", "{", '{"history": [{"created": "yesterday"}], ', "history[0].created: "),
    ("config", "{", '{"history": [{"empty_layer": "true"}], ', "history[0].empty_layer: "),
    ("config", "{", '{"author": ["me"], ', "author: got an array, want a string"),
    ("config", "{", '{"variant": 8, ', "variant: "),
    ("config", "{", '{"os.features": "win32k", ', "os.features: got the string 'win32k', want an array"),
    ("config", "{", '{"x": NaN, ', "invalid JSON"),
    ("config", "{", "\ufeff{", "invalid JSON"),
    (
        "config",
        '"config": {',
        '"config": {"ExposedPorts": ["80/tcp"]',
        "config.ExposedPorts: got an array, want an object",
    ),
    ("config", '"config": {', '"config": {"ExposedPorts": {"80/tcp": ""}', "config.ExposedPorts['80/tcp']: "),
    ("config", '"config": {', '"config": {"Volumes": "C:"', "config.Volumes: "),
    ("config", '"config": {', '"config": {"StopSignal": 9', "config.StopSignal: "),
    ("config", '"config": {', '"config": {"ArgsEscaped": "yes"', "config.ArgsEscaped: "),
    ("config", '"config": {', '"config": {"Healthcheck": {"Interval": "30s"}', "config.Healthcheck.Interval: "),
    ("config", '"config": {', '"config": {"Healthcheck": {"Retries": 1.5}', "config.Healthcheck.Retries: "),
    ("config", '"config": {', '"config": {"OnBuild": "RUN x"', "config.OnBuild: "),
    ("config", '"config": {', '"config": {"Shell": "cmd"', "config.Shell: "),
    ("config", '"config": {', '"config": {"Cmd": "cmd"', "config.Cmd: "),
    ("config", '"config": {', '"config": {"Tty": 1', "config.Tty: "),
    ("manifest", "{", '{"annotations": {"a": 1}, ', "annotations['a']: got the number 1, want a string"),
    ("manifest", "{", '{"subject": "x", ', "subject: "),
    ("manifest", "{", '{"artifactType": {}, ', "artifactType: "),
    ("manifest", '"layers": [{', '"layers": [{"urls": "http://x", ', "layers[0].urls: "),
    ("manifest", '"layers": [{', '"layers": [{"data": "?", ', "layers[0].data: got the string '?', want base64"),
    ("manifest", '"layers": [{', '"layers": [{"platform": {"os.features": 1}, ', "layers[0].platform.os.features: "),
    ("manifest", '"schemaVersion": 2', '"schemaVersion": 9223372036854775808', "want an integer of 64 bits"),
    ("manifest", '"schemaVersion": 2', '"schemaVersion": 2, "history": []', "it has history"),
]


@pytest.mark.parametrize(("which", "old", "new", "rules"), TAKEN, ids=range(len(TAKEN)))
def test_json_that_go_takes_is_taken(which: str, old: str, new: str, rules: list[str], tmp_path: Path) -> None:
    status, (image,) = checked(changed(Layout(tmp_path, [base()]), which, old, new))
    assert (status, [each["rule"] for each in image["findings"]]) == (0, rules)


@pytest.mark.parametrize(("which", "old", "new", "told"), REFUSED, ids=range(len(REFUSED)))
def test_a_field_that_clients_cannot_decode_is_named(which: str, old: str, new: str, told: str, tmp_path: Path) -> None:
    status, (image,) = checked(changed(Layout(tmp_path, [base()]), which, old, new))
    assert (status, any(told in each["found"] for each in image["findings"])) == (1, True), image["findings"]


@pytest.mark.parametrize(("listed", "own"), [("10.0.20348.1", ""), ("", "10.0.20348"), ("10.0.20348", "10.0.20348")])
def test_the_version_of_windows_may_be_in_the_index_or_the_configuration_alone(
    listed: str, own: str, tmp_path: Path
) -> None:
    layout = Layout(tmp_path, [base()])
    versions(listed, own)(layout)
    assert found(layout) == {}


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


def test_a_layout_of_what_is_no_image_is_an_error(tmp_path: Path) -> None:
    layout = Layout(tmp_path, [base()])
    layout.write()
    layout.index["manifests"][0] |= ATTESTATION
    with pytest.raises(GeneratorError, match="leads to no image"):
        checked(layout.write())
