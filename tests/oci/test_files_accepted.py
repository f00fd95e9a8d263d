# SPDX-License-Identifier: Apache-2.0
"""Layers on top before other programs: unpackers, BuildKit's code, and the parser of Windows' own importers."""

import base64
import hashlib
import io
import os
import stat
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest
from helpers import layer_vectors
from helpers.importer import read_by_windows
from helpers.layer_vectors import Case
from helpers.support import lack, need

from generator.builder.wire import ROOT
from generator.oci import files

FACTS = files.facts()
TIME = "1700000000123456700"
OLD = "-2000000000"
APART = ["1600000001000000100", "1600000002000000200", "1600000003000000300", "-4"]
RAW = "010000801400000000000000000000000000000001010000000000051200000000000000"

# What every unpacker finds its way through: short names in ASCII.
PLAIN: list[Case] = [
    {"kind": "directory", "path": "app", "attributes": "6", "time": OLD},
    {"kind": "file", "path": "app/empty", "attributes": "128", "descriptor": "none"},
    {"kind": "file", "path": "app/bin/hello.exe", "size": "511", "attributes": "1"},
    {"kind": "file", "path": "app/bin/whole", "size": "512", "time": OLD},
    {"kind": "file-link", "path": "app/hello", "target": "bin/hello.exe"},
    {"kind": "directory-link", "path": "app/latest", "target": "bin", "attributes": "2"},
    {"kind": "file", "path": "data", "size": "100000", "time": APART, "descriptor": {"hex": RAW}},
    {"kind": "hard-link", "path": "again.exe", "target": "app/bin/hello.exe"},
    {"kind": "whiteout", "path": "removed/gone"},
]
# What needs records: long names, other scripts, long targets, names whose ASCII part is empty or cut at a slash.
WIDE: list[Case] = [
    {"kind": "file", "path": "n" * 200, "size": "3"},
    {"kind": "file", "path": "/".join(["d" * 60] * 6), "size": "4", "time": APART},
    {"kind": "file", "path": "Größe/日本/ファイル.txt", "size": "5", "descriptor": "user-owned"},
    {"kind": "directory", "path": "🦀"},
    {"kind": "file-link", "path": "long", "target": "/".join(["t" * 50] * 3)},
    {"kind": "file-link", "path": "wide", "target": "Größe/日本/ファイル.txt"},
    {"kind": "hard-link", "path": "second/" + "n" * 120, "target": "n" * 200},
    {"kind": "file", "path": "a" * 90 + "/日/本/語/b", "size": "6"},
]
# Links whose text means something to Windows alone, and a time that libarchive 3.6 reads as half a second before 1970.
WINDOWS: list[Case] = [
    {"kind": "file", "path": "old", "time": "-1500000000"},
    {"kind": "file-link", "path": "up", "target": "..\\x"},
    {"kind": "directory-link", "path": "drive", "target": "C:/Program Files"},
    {"kind": "directory-link", "path": "share", "target": "\\\\server\\share"},
    {"kind": "file-link", "path": "long form", "target": "\\\\?\\C:\\x"},
]


def layer(entries: list[Case]) -> bytes:
    (made,) = layer_vectors.by_python([{"time": TIME, "entries": entries}])
    assert isinstance(made, bytes)
    return made


def name(entry: Case) -> str:
    """Return an entry's name in the tar."""
    path: str = entry["path"]
    parent, slash, last = f"Files/{path}".rpartition("/")
    return parent + slash + (".wh." if entry["kind"] == "whiteout" else "") + last


def seconds(entry: Case) -> int:
    return layer_vectors.times(entry.get("time", TIME))[0] // 10**9


def directories(entries: list[Case]) -> dict[str, int]:
    """Return every directory with the seconds of its modification: the roots, those asked for, and parents."""
    found = {"Hives": seconds({}), "Files": seconds({})}
    for entry in entries:
        parts = name(entry).split("/")
        for end in range(1, len(parts)) if entry["kind"] != "whiteout" else ():
            found.setdefault("/".join(parts[:end]), seconds({}))
        if entry["kind"] == "directory":
            found[name(entry)] = seconds(entry)
    return found


def tree(entries: list[Case]) -> dict[str, tuple[Any, ...]]:
    """Return what an unpacker has to make of *entries*: kind, size or target, and seconds of modification."""
    found: dict[str, tuple[Any, ...]] = {path: ("directory", 0, time) for path, time in directories(entries).items()}
    for entry in entries:
        if entry["kind"] in {"file", "whiteout"}:
            found[name(entry)] = ("file", int(entry.get("size", "0")), seconds(entry))
        elif entry["kind"] == "hard-link":
            found[name(entry)] = found["Files/" + entry["target"]]
        elif entry["kind"] != "directory":
            found[name(entry)] = ("link", entry["target"], seconds(entry))
    if any(entry["kind"] == "whiteout" for entry in entries):  # its parents have no entry, and the time of unpacking
        found["Files/removed"] = ("directory", 0, None)
    return found


def unpacked(folder: Path, wanted: dict[str, tuple[Any, ...]]) -> dict[str, tuple[Any, ...]]:
    """Return what lies in *folder*, in the words of tree(), with no time where none is *wanted*."""
    found: dict[str, tuple[Any, ...]] = {}
    for path in folder.rglob("*"):
        known = path.lstat()
        what: tuple[Any, ...] = ("directory", 0)
        if stat.S_ISLNK(known.st_mode):
            what = ("link", str(path.readlink()))
        elif stat.S_ISREG(known.st_mode):
            data = path.read_bytes()
            assert data == b"x" * len(data)
            what = ("file", len(data))
        inside = path.relative_to(folder).as_posix()
        timed = inside in wanted and wanted[inside][2] is not None
        found[inside] = (*what, known.st_mtime_ns // 10**9 if timed else None)
    return found


def run(*command: str) -> None:
    """Run an unpacker, which must succeed without a word of complaint."""
    environment = os.environ | {"LC_ALL": "C.UTF-8"}
    done = subprocess.run(command, capture_output=True, check=False, env=environment)
    assert (done.returncode, done.stderr.decode("utf-8", "replace")) == (0, "")


UNPACKERS = {
    "GNU tar": ("tar", "--warning=no-unknown-keyword", "--warning=no-timestamp", "-xf", "{tar}", "-C", "{to}"),
    "bsdtar": ("bsdtar", "-xf", "{tar}", "-C", "{to}"),
    "busybox": ("busybox", "tar", "-xf", "{tar}", "-C", "{to}"),
    "7z": ("7zz", "x", "-snh", "-snl", "-bso0", "-bsp0", "-o{to}", "{tar}"),
}


@pytest.mark.parametrize("unpacker", UNPACKERS)
def test_unpackers_find_the_same_tree(unpacker: str, tmp_path: Path) -> None:
    # busybox passes over records, and with them over long names and those beyond ASCII.
    entries = PLAIN if unpacker == "busybox" else PLAIN + WIDE
    tar, folder = tmp_path / "layer.tar", tmp_path / "to"
    folder.mkdir()
    tar.write_bytes(layer(entries))
    command = [part.format(tar=tar, to=folder) for part in UNPACKERS[unpacker]]
    run(need(command[0]), *command[1:])
    wanted = tree(entries)
    if unpacker == "busybox":  # it sets times only for files, and none before 1970 without a record
        wanted = {path: (*what[:2], max(0, what[2]) if what[0] == "file" else None) for path, what in wanted.items()}
    assert unpacked(folder, wanted) == wanted
    assert (folder / "Files/again.exe").samefile(folder / "Files/app/bin/hello.exe")


def test_pythons_tarfile_finds_the_same_tree_and_every_record() -> None:
    entries = PLAIN + WIDE + WINDOWS
    found: dict[str, tuple[Any, ...]] = {}
    with tarfile.open(fileobj=io.BytesIO(layer(entries)), errorlevel=2) as archive:
        for member in archive:
            kind = "directory" if member.isdir() else "link" if member.issym() else "file"
            what = member.linkname if member.issym() else member.size
            found[member.name] = (kind, what, int(member.mtime // 1))
            assert {"LIBARCHIVE.creationtime", "atime", "ctime"} <= set(member.pax_headers)
            if member.islnk():
                found[member.name] = found[member.linkname]
    assert found == {path: what for path, what in tree(entries).items() if path != "Files/removed"}


LISTERS = {
    "GNU tar": ("tar", "--warning=no-unknown-keyword", "--utc", "-tvf"),
    "bsdtar": ("bsdtar", "-tvf"),
}


@pytest.mark.parametrize("lister", LISTERS)
def test_sizes_beyond_the_headers_own_are_read(lister: str, tmp_path: Path) -> None:
    """The data are a hole in the file, which takes no room and no time."""
    sizes = [8 << 30, 16 << 30]
    cases: list[Case] = [{"entry": {"kind": "file", "path": f"f{size}", "size": str(size)}} for size in sizes]
    tar = tmp_path / "layer.tar"
    with tar.open("wb") as out:
        for size, header in zip(sizes, layer_vectors.by_python(cases), strict=True):
            assert isinstance(header, bytes)
            out.write(header)
            out.truncate(out.seek(size, os.SEEK_CUR))
        out.write(bytes(1024))
    command = LISTERS[lister]
    done = subprocess.run([need(command[0]), *command[1:], tar], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    listed = [line.split() for line in done.stdout.splitlines()]
    assert [words[-1] for words in listed] == [f"Files/f{size}" for size in sizes]
    assert [str(size) in words for size, words in zip(sizes, listed, strict=True)] == [True, True]
    with tarfile.open(tar) as archive:
        assert [member.size for member in archive] == sizes


def test_buildkit_unpacks_them_on_linux(tmp_path: Path) -> None:
    """Files becomes the root, hard links stay links, and targets of whiteouts are removed."""
    if os.geteuid() != 0:
        lack("only root may give files to root, as BuildKit does")
    program, tar, folder = tmp_path / "buildkit", tmp_path / "layer.tar", tmp_path / "to"
    subprocess.run([need("go"), "build", "-o", program, "."], cwd=ROOT / "tests/interop/buildkit", check=True)
    folder.mkdir()
    data = layer(PLAIN + WIDE)
    tar.write_bytes(data)
    done = subprocess.run([program, tar, folder], capture_output=True, text=True, check=True)
    assert done.stdout == f"sha256:{hashlib.sha256(data).hexdigest()}\n"
    (root,) = folder.iterdir()
    # containerd has no time before 1970, and a whiteout's parents are made, without a time of their own.
    wanted = {
        path.removeprefix("Files/"): (*what[:2], what[2] and max(0, what[2]))
        for path, what in tree(PLAIN + WIDE).items()
        if path.startswith("Files/") and "/.wh." not in path
    }
    assert unpacked(root, wanted) == wanted
    assert (root / "again.exe").samefile(root / "app/bin/hello.exe")


# ---------------------------------------------------------------------------------------------
# The parser of Windows' importers


def meant(entry: Case) -> dict[str, Any]:
    """Return what an entry is to mean to Windows, in the words of tests/languages/go/backuptar."""
    kind = entry["kind"]
    bits = int(entry.get("attributes", "0")) & ~128
    own = {"file": 0, "directory": 16, "file-link": 0x400, "directory-link": 0x410}.get(kind)
    default = 32 if kind in {"file", "file-link"} and "attributes" not in entry else 0
    descriptor = entry.get("descriptor", "users-read")
    raw = (
        bytes.fromhex(descriptor["hex"])
        if isinstance(descriptor, dict)
        else FACTS.compiled()[descriptor][0 if own and own & 16 else 1]
    )
    symbolic = kind in {"file-link", "directory-link"}
    target = entry.get("target", "").replace("/", "\\") if symbolic else ""
    steps = [time // 100 * 100 for time in layer_vectors.times(entry.get("time", TIME))]
    return {
        "name": name(entry),
        "hardLink": "Files/" + entry["target"] if kind == "hard-link" else "",
        "size": int(entry.get("size", "0")),
        "attributes": 0 if own is None else (own | bits | default) or 128,
        "times": steps,
        "descriptor": "" if own is None else base64.b64encode(raw).decode(),
        "data": base64.b64encode(b"x" * int(entry.get("size", "0"))).decode(),
        "target": target,
        "junction": False,
        "relative": symbolic and not target.startswith("\\\\") and target[1:2] != ":",
    }


def test_windows_importers_read_what_was_meant(tmp_path: Path) -> None:
    """With go-winio's parser, built for Windows: attributes, all four times, descriptor, data and kind of link."""
    entries = PLAIN + WIDE + WINDOWS
    found = read_by_windows(layer(entries), tmp_path)
    assert [entry.pop("type") for entry in found[:2]] == ["5", "5"]
    roots, rest = found[:2], {entry["name"]: entry for entry in found[2:]}
    for root, path in zip(roots, FACTS.roots, strict=True):
        wanted = meant({"kind": "directory", "path": "", "descriptor": "none"}) | {"name": path}
        assert root == wanted
    asked = {name(entry): meant(entry) for entry in entries}
    parents = {
        path: meant({"kind": "directory", "path": path.removeprefix("Files/")})
        for path in directories(entries)
        if path not in {*FACTS.roots, *asked}
    }
    for entry in rest.values():
        del entry["type"]
    assert rest == asked | parents
