# SPDX-License-Identifier: Apache-2.0
"""check-image on malicious images: time and memory are limited, no file outside is opened, no traceback."""

import gzip
import io
import json
import os
import shutil
import tarfile
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers.image_checks import printed
from helpers.layouts import OCI, RECORDS, ROOTS, Layout, Part, base, directory, sha256, tarred
from helpers.odd_layers import raw, sparse

from generator.base.errors import GeneratorError
from generator.imagecheck import command, image, tree
from generator.imageread import bounded, images

MEMORY = 32 << 20  # bytes of memory for the check of a small image


@pytest.fixture
def _bounded() -> Iterator[None]:
    """Fail the test if it takes much memory."""
    tracemalloc.start()
    yield
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < MEMORY, f"{peak:,} bytes"


class _Zeros(io.RawIOBase):
    """A tar of one file of *size* zeros, generated while it is read."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self._head, self._left = tarred([*ROOTS, Part("Files/x", bytes(512))])[:-1536], size

    def read(self, size: int = -1) -> bytes:
        head, self._head = self._head[:size], self._head[size:]
        if not head:
            self._left -= size
        return head or bytes(min(size, max(0, self._left + size)))


def bomb(size: int) -> bytes:
    out = io.BytesIO()
    with gzip.GzipFile(fileobj=out, mode="wb", mtime=0) as file:
        shutil.copyfileobj(_Zeros(size), file, 1 << 20)
    return out.getvalue()


@pytest.mark.usefixtures("_bounded")
def test_a_decompression_bomb_is_refused_early(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded, "_FREE", 1 << 22)
    layout = Layout(tmp_path, [base(), b""])
    layout.blobs[1] = bomb(64 << 20)
    layout.manifest["layers"][1] |= {"digest": sha256(layout.blobs[1]), "size": len(layout.blobs[1])}
    status, said = printed(layout.write())
    assert status == 1
    assert f"unpacks to more than {200 * len(layout.blobs[1]):,} bytes" in said


@pytest.mark.parametrize("form", ["oci", "docker-archive"])
def test_the_limit_of_unpacking_depends_on_the_blobs_real_size(
    form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounded, "_FREE", 1 << 22)
    layout = Layout(tmp_path / "image", [base(), b""])
    layout.blobs[1] = bomb(64 << 20)
    layout.manifest["layers"][1] |= {"digest": sha256(layout.blobs[1]), "size": 1 << 40}
    name = layout.write()
    if form == "docker-archive":
        config = json.dumps(layout.config).encode()
        listed = json.dumps([{"Config": "c", "Layers": ["a", "b"]}]).encode()
        files = {"manifest.json": listed, "c": config, "a": layout.blobs[0], "b": layout.blobs[1]}
        name = archive(tmp_path / "x.tar", *(Part(key, data, records={}) for key, data in files.items()))
    status, said = printed(name)
    assert status == 1
    assert f"unpacks to more than {200 * len(layout.blobs[1]):,} bytes" in said


def test_a_blob_is_read_no_further_than_its_descriptor_says(tmp_path: Path) -> None:
    layout = Layout(tmp_path, [base(), b""], zipped=False)
    layout.blobs[1] = tarred([*ROOTS, Part("Files/x", bytes(1 << 22))])
    layout.manifest["layers"][1] |= {"digest": sha256(layout.blobs[1]), "size": 5000}
    with pytest.MonkeyPatch.context() as patch:
        read: list[int] = []
        readinto = bounded.HashingReader.readinto

        def count(self: bounded.HashingReader, buffer: bytearray) -> int:
            read.append(len(buffer))
            return readinto(self, buffer)

        patch.setattr(bounded.HashingReader, "readinto", count)
        status, said = printed(layout.write())
    assert (status, "says 5,000 bytes, and there are more" in said) == (1, True)
    assert sum(read) < 1 << 22


def header(**fields: bytes) -> bytes:
    """Return a file's header with the *fields* given and a correct checksum."""
    info = tarfile.TarInfo("Files/x")
    block = bytearray(info.tobuf(tarfile.USTAR_FORMAT))
    for name, value in fields.items():
        at = {"uid": 108, "gid": 116, "size": 124, "major": 329, "minor": 337}[name]
        block[at : at + len(value)] = value
    block[148:156] = b"%06o\0 " % sum(block[:148] + b" " * 8 + block[156:])
    return bytes(block)


DAMAGED = [header(**{name: b"garbage\0"}) for name in ("uid", "gid", "major", "minor", "size")]
DAMAGED += [header(size=b"\xff" * 12), header(size=b"\x80\0\0\0\x7f" + b"\xff" * 5 + b"\xfc\0")]
DAMAGED += [
    tarred([Part("Files/x", records=RECORDS | {key: value})])[:-1024]
    for key, value in (("uid", "abc"), ("gid", "9" * 19), ("uname", "a\0b"), ("size", "-1"))
]


@pytest.mark.parametrize("block", DAMAGED, ids=range(len(DAMAGED)))
def test_headers_that_go_refuses_are_findings_in_layers_and_errors_in_archives(block: bytes, tmp_path: Path) -> None:
    tar = tarred(ROOTS)[:-1024] + block + bytes(1024)
    status, said = printed(Layout(tmp_path / "image", [base(), tar]).write())
    assert (status, said.count("(layer; ")) == (1, 1)
    (tmp_path / "x.tar").write_bytes(block + bytes(1024))
    for transport in ("oci-archive", "docker-archive"):
        with pytest.raises(GeneratorError, match="not an archive that can be read"):
            printed(f"{transport}:{tmp_path}/x.tar")


@pytest.mark.usefixtures("_bounded")
@pytest.mark.parametrize(
    ("pairs", "size", "said"), [("0,1", 1 << 62, "unpacks to more"), ("0,0," * 130_000 + "0,1", 9, "")]
)
def test_a_sparse_file_costs_no_more_than_what_is_stored(pairs: str, size: int, said: str, tmp_path: Path) -> None:
    records = (("map", pairs), ("numblocks", str((pairs.count(",") + 1) // 2)), ("size", str(size)))
    status, lines = printed(Layout(tmp_path, raw(sparse(*records, data=b"x"))()).write())
    assert status == bool(said)
    assert said in lines


def test_all_layers_together_unpack_to_no_more_than_they_may(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image, "_MOST_UNPACKED", 1 << 20)
    top = tarred([*ROOTS, Part("Files/x", bytes(1 << 20))])
    status, said = printed(Layout(tmp_path, [base(), top, top, top]).write())
    assert status == 1
    assert [line.count("(bomb; ") for line in said.splitlines()] == [1, 1, 0]
    assert ": layers[3]: refused: it is not checked" in said


def test_at_most_500_layers_are_checked(tmp_path: Path) -> None:
    layout = Layout(tmp_path, [base()])
    layout.manifest["layers"] *= 20_000
    status, said = printed(layout.write())
    assert status == 1
    assert "there are 20,000, of which the first 500 are checked" in said


@pytest.mark.usefixtures("_bounded")
@pytest.mark.parametrize("kind", "xLKg")
def test_a_header_of_8_gib_is_refused_before_it_is_read(kind: str, tmp_path: Path) -> None:
    info = tarfile.TarInfo("x")
    info.type, info.size = kind.encode(), (8 << 30) - 1
    layout = Layout(tmp_path, [base(), tarred(ROOTS)[:-1024] + info.tobuf(tarfile.USTAR_FORMAT) + bytes(4096)])
    status, said = printed(layout.write())
    assert status == 1
    assert "a header of 8,589,934,591 bytes" in said


@pytest.mark.usefixtures("_bounded")
def test_a_layer_with_too_many_paths_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tree, "MOST_ENTRIES", 100)
    layout = Layout(tmp_path, [base(), tarred([*ROOTS, *(Part(f"Files/{at}") for at in range(200))])])
    status, said = printed(layout.write())
    assert status == 1
    assert "there are more than 100; " in said


def test_a_path_of_many_parts_costs_no_more_than_its_length(tmp_path: Path) -> None:
    # Each is below the one before; to look at all parents of each would take hours.
    name, parts = "Files", list(ROOTS)
    for _ in range(2500):
        name += "/d"
        parts.append(directory(name, **RECORDS))
    status, said = printed(Layout(tmp_path, [base(), tarred(parts)]).write())
    assert (status, "good image" in said) == (0, True)


DEEP = '{"manifests":' + "[" * 200_000
WIDE = '{"manifests":[' + ",".join(["null"] * 1_000_000) + "]}"
JSON = {
    "deep": DEEP,
    "wide": WIDE,
    "number": '{"manifests":[{"digest":"x","size":' + "9" * 100_000 + "}]}",
    "bytes": "\xff\x00",
    "empty": "",
    "text": '"index"',
}


@pytest.mark.parametrize("text", JSON.values(), ids=JSON)
def test_invalid_or_huge_json_is_a_finding_or_an_error(text: str, tmp_path: Path) -> None:
    Layout(tmp_path, [base()]).write()
    (tmp_path / "index.json").write_text(text, "latin-1")
    try:
        assert printed(f"oci:{tmp_path}")[0] == 1
    except GeneratorError as error:
        assert "4,194,304 bytes" in str(error)  # noqa: PT017 - either will do


def test_nested_indexes_are_read_to_a_limited_depth(tmp_path: Path) -> None:
    layout = Layout(tmp_path, [base()])
    layout.write()
    listed = layout.index["manifests"]
    for _ in range(9):
        data = layout.blob(json.dumps({"schemaVersion": 2, "manifests": listed}).encode()).read_bytes()
        listed = [Layout.point(data, f"{OCI}index.v1+json")]
    layout.index["manifests"] = listed
    status, said = printed(layout.write())
    assert (status, "(index; " in said) == (1, True)


def test_links_and_pipes_in_a_layout_are_not_opened(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "image", [base()])
    name = layout.write()
    blob = layout.blob(layout.blobs[0])
    kept = blob.rename(tmp_path / "kept")
    blob.symlink_to(kept)
    assert "symlinks are not followed" in printed(name)[1]
    blob.unlink()
    os.mkfifo(blob)
    assert "not a regular file" in printed(name)[1]
    blob.unlink()
    kept.rename(blob)
    blobs = tmp_path / "image/blobs"
    blobs.rename(tmp_path / "blobs").relative_to(tmp_path)
    blobs.symlink_to(tmp_path / "blobs")
    assert printed(name)[0] == 1
    index = tmp_path / "image/index.json"
    index.rename(tmp_path / "index.json")
    index.symlink_to(tmp_path / "index.json")
    with pytest.raises(GeneratorError, match=r"index\.json cannot be read"):
        printed(name)


def archive(path: Path, *parts: Part) -> str:
    path.write_bytes(tarred(parts))
    return f"docker-archive:{path}"


def test_paths_in_an_archive_stay_in_it(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("{}")
    listed = json.dumps([{"Config": "../secret", "Layers": [f"{tmp_path}/secret", "a"]}]).encode()
    loop = [Part(name, b"", tarfile.SYMTYPE, target, {}) for name, target in (("a", "b"), ("b", "a"))]
    out = Part("secret", b"", tarfile.SYMTYPE, f"{tmp_path}/secret", {})
    status, said = printed(archive(tmp_path / "x.tar", Part("manifest.json", listed, records={}), out, *loop))
    assert status == 1
    assert said.count("(blob; ") == 3
    assert "links lead in a circle" in said


@pytest.mark.parametrize("data", [b"", b"x" * 5000, gzip.compress(b"x", mtime=0), bytes(1024)])
def test_an_invalid_archive_is_an_error(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "x.tar").write_bytes(data)
    for transport in ("oci-archive", "docker-archive"):
        with pytest.raises(GeneratorError):
            printed(f"{transport}:{tmp_path}/x.tar")


@pytest.mark.parametrize("name", ["", "oci:", "what:x", "oci:/nosuch", "oci-archive:/dev/zero", "-", "oci:a\0b", "A B"])
def test_an_invalid_name_is_an_error(name: str) -> None:
    with pytest.raises(GeneratorError):
        printed(name)


def test_documents_are_read_up_to_a_size_of_them_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = Layout(tmp_path, [base()]).write()
    monkeypatch.setattr(images, "MAX_DOCUMENTS", 500)
    status, said = printed(name)
    assert (status, "all documents have more than " in said) == (1, True)


@pytest.mark.parametrize("name", ["oci:" + "a" * 300, "a" * 300, "oci-archive:" + "a/" * 3000, "oci:\udcff", "oci:."])
def test_an_impossible_file_name_is_an_error_and_other_images_are_checked(name: str, tmp_path: Path) -> None:
    said: list[str] = []
    with pytest.raises(GeneratorError):
        command.report([name, Layout(tmp_path, [base()]).write()], say=said.append)
    assert "good image" in said[-1]


def test_a_folder_without_a_transport_is_an_error_that_names_it(tmp_path: Path) -> None:
    Layout(tmp_path, [base()]).write()
    with pytest.raises(GeneratorError, match=f"{tmp_path}: not an image: a folder; hint: oci:{tmp_path}$"):
        printed(str(tmp_path))
