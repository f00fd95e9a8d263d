# SPDX-License-Identifier: Apache-2.0
"""The tar reader reads the tars of Python and GNU tar, and refuses damaged ones."""

import gzip
import io
import random
import tarfile
from pathlib import Path

import pytest
from helpers.committed_modules import run
from helpers.counts import count
from helpers.support import need

from generator.imageread.untar import TarError, TarReader

NAMES = ("a", "d/" + "b" * 95, "d" * 60 + "/" + "c" * 90, "e" * 300, "größe/日本/🦀", "x" * 99 + "/y")


def python_tar(kind: int) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=kind) as archive:
        for at, name in enumerate(NAMES):
            ustar = kind == tarfile.USTAR_FORMAT
            if ustar and ("e" in name[:1] or not name.isascii()):
                continue
            info = tarfile.TarInfo(name)
            info.size, info.mtime, info.mode = at * 300, 10**9 + at, 0o640
            archive.addfile(info, io.BytesIO(bytes([65 + at]) * info.size))
            for link, type_ in (
                (("s", tarfile.SYMTYPE), ("h", tarfile.LNKTYPE)) if not ustar or len(name) <= 100 else ()
            ):
                info = tarfile.TarInfo(f"{at}{link}")
                info.type, info.linkname = type_, name
                archive.addfile(info)
    return out.getvalue()


@pytest.mark.parametrize("kind", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_entries_and_data_are_those_that_python_reads(kind: int) -> None:
    tar = python_tar(kind)
    with tarfile.open(fileobj=io.BytesIO(tar)) as archive:
        wanted = [
            (
                each.name,
                each.type.decode(),
                each.size,
                each.linkname,
                each.mtime,
                (archive.extractfile(each) or io.BytesIO()).read() if each.isreg() else b"",
            )
            for each in archive
        ]
    reader = TarReader(io.BytesIO(tar))
    found = [
        (each.name, each.kind, each.size, each.target, each.time, b"".join(iter(lambda: reader.read(100), b"")))
        for each in reader
    ]
    assert found == wanted
    assert len(found) > 6


def test_output_of_gnu_tar_is_read_and_unread_data_skipped(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    (folder / "deep" / ("n" * 120)).mkdir(parents=True)
    (folder / "big").write_bytes(b"x" * 1_000_000)
    (folder / "link").symlink_to("big")
    for kind in ("gnu", "pax", "ustar", "v7"):
        out, long = tmp_path / f"{kind}.tar", kind in {"gnu", "pax"}
        run(
            need("tar"),
            f"--format={kind}",
            "-cf",
            out,
            "-C",
            folder,
            "big",
            "link",
            *(["deep"] if long else []),
        )
        with out.open("rb") as file:
            found = {each.name: each.kind for each in TarReader(file)}
        deep = {} if not long else {"deep/": "5", f"deep/{'n' * 120}/": "5"}
        assert found == {"big": "0", "link": "2"} | deep


def test_numbers_in_binary_and_an_end_without_zeros_are_read() -> None:
    info = tarfile.TarInfo("x")
    info.size, info.mtime = 5, -(1 << 40)
    tar = info.tobuf(tarfile.GNU_FORMAT) + b"hello" + bytes(507)
    (entry,) = TarReader(io.BytesIO(tar))
    assert (entry.size, entry.time) == (5, -(1 << 40))


def test_any_damage_is_a_tar_error_or_another_tar() -> None:
    chance = random.Random(3)  # noqa: S311 - the same damage for everybody
    offsets = []
    for kind in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        tar = python_tar(kind)
        for _ in range(count(80, 400)):
            data = bytearray(tar)
            for _ in range(chance.randint(1, 3)):
                data[chance.randrange(len(data))] = chance.randrange(256)
            del data[chance.randrange(len(data)) :]
            try:
                list(TarReader(io.BytesIO(data)))
            except TarError as error:
                offsets.append((error.offset, len(data)))
    assert len(offsets) > count(80, 400)
    assert all(0 <= offset <= size for offset, size in offsets)


@pytest.mark.parametrize("version", ["0.0", "0.1", "1.0"])
def test_sparse_files_of_gnu_tar_are_read_with_their_holes(version: str, tmp_path: Path) -> None:
    """What GNU tar stores without its holes has the size and data of the file on the disk."""
    with (tmp_path / "sparse").open("wb") as file:
        for at in (0, 300_000, 700_001):
            file.seek(at)
            file.write(b"data" * 100)
        file.truncate(1_000_000)
    (tmp_path / "after").write_bytes(b"after")
    tar = tmp_path / "x.tar"
    run(need("tar"), "--format=pax", f"--sparse-version={version}", "-Scf", tar, "-C", tmp_path, "sparse", "after")
    assert tar.stat().st_size < 100_000
    reader = TarReader(io.BytesIO(tar.read_bytes()), sparse=True)
    found = {each.name: (each.size, b"".join(iter(reader.read, b""))) for each in reader}
    assert found == {
        name: ((tmp_path / name).stat().st_size, (tmp_path / name).read_bytes()) for name in ("sparse", "after")
    }


def test_a_layer_of_umoci_which_lacks_its_last_padding_is_read(tmp_path: Path) -> None:
    program = need("umoci")
    (tmp_path / "file").write_bytes(b"hello")
    run(program, "init", "--layout", tmp_path / "image")
    run(program, "new", "--image", f"{tmp_path}/image:x")
    run(program, "insert", "--rootless", "--image", f"{tmp_path}/image:x", tmp_path / "file", "/Files/file")
    blobs = [path.read_bytes() for path in (tmp_path / "image/blobs/sha256").iterdir()]
    (tar,) = [gzip.decompress(blob) for blob in blobs if blob[:2] == b"\x1f\x8b"]
    for data in (tar, tar.rstrip(b"\0")):
        reader = TarReader(io.BytesIO(data))
        found = {each.name: b"".join(iter(reader.read, b"")) for each in reader}
        assert found["Files/file"] == b"hello"


def test_a_sparse_file_is_refused_rather_than_read_as_it_is_stored() -> None:
    info = tarfile.TarInfo("x")
    info.pax_headers = {"GNU.sparse.major": "1"}
    with pytest.raises(TarError, match="sparse"):
        list(TarReader(io.BytesIO(info.tobuf(tarfile.PAX_FORMAT))))
