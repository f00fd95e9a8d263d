# SPDX-License-Identifier: Apache-2.0
"""Tars and blobs: what four other programs read from them, and bytes that no Python version changes."""

import base64
import gzip
import hashlib
import io
import json
import os
import re
import struct
import subprocess
import sys
import tarfile
from itertools import accumulate
from pathlib import Path

import pytest
from helpers.support import need
from hypothesis import given
from hypothesis import strategies as st

from generator.base.errors import GeneratorError
from generator.builder.wire import ROOT
from generator.oci import blob as layer
from generator.oci.tar import split_name, walk_tar, write_tar

# Paths at the borders of the header's two fields, a file larger than a block, one that fills it, an empty one.
FILES = [
    ("Files/Windows/System32/config/SAM", b"regf" * 300),
    ("Files/Windows/System32/config/SYSTEM", b""),
    ("Files/block", b"x" * 512),
    ("n" * 100, b"1"),
    (f"{'p' * 54}/{'q' * 100}/{'n' * 100}", b"2"),
    (f"{'d' * 60}/{'e' * 60}/f", b"3"),
    ("UtilityVM/Files/EFI/Microsoft/Boot/BCD", b"store"),
]
DIRECTORIES = [
    "Files",
    "Files/Windows",
    "Files/Windows/System32",
    "Files/Windows/System32/config",
    "p" * 54,
    f"{'p' * 54}/{'q' * 100}",
    "d" * 60,
    f"{'d' * 60}/{'e' * 60}",
    "UtilityVM",
    "UtilityVM/Files",
    "UtilityVM/Files/EFI",
    "UtilityVM/Files/EFI/Microsoft",
    "UtilityVM/Files/EFI/Microsoft/Boot",
]
TAR = write_tar(FILES)
BLOBS = sorted((ROOT / "output/layers").glob("*.tar.gz"))
# Bytes that a blob may have at most; imgutil's are 1,206.
LIMITS = {"scratch": 1200, "hostprocess": 470, "legacy": 1080}


def blobs(name: str) -> bytes:
    return (ROOT / f"output/layers/{name}.tar.gz").read_bytes()


def tars() -> dict[str, bytes]:
    return {"sample": TAR} | {path.name: gzip.decompress(path.read_bytes()) for path in BLOBS}


TARS = tars()


@pytest.fixture(params=TARS)
def tar(request: pytest.FixtureRequest) -> bytes:
    return TARS[request.param]


def listed(tar: bytes) -> dict[str, bytes | None]:
    """Return what Python reads from *tar*: each path with a file's content, or None for a directory."""
    with tarfile.open(fileobj=io.BytesIO(tar), mode="r:") as archive:
        return {m.name: file.read() if (file := archive.extractfile(m)) else None for m in archive}


def headers(tar: bytes) -> list[bytes]:
    """Return the 512 bytes of each entry's header."""
    found, offset = [], 0
    while tar[offset]:
        found.append(tar[offset : offset + 512])
        offset += 512 + -(-int(found[-1][124:135], 8) // 512) * 512
    return found


# ---------------------------------------------------------------------------------------------
# The tar


def test_each_directory_comes_once_and_before_what_it_holds(tar: bytes) -> None:
    with tarfile.open(fileobj=io.BytesIO(tar)) as archive:
        names = archive.getnames()
    assert len({name.lower() for name in names}) == len(names)
    for place, name in enumerate(names):
        assert "/" not in name or name.rpartition("/")[0] in names[:place]


def test_python_reads_what_was_written() -> None:
    assert listed(TAR) == dict(FILES) | dict.fromkeys(DIRECTORIES)


def test_headers_are_ustar_with_nothing_that_depends_on_time_or_place(tar: bytes) -> None:
    for header in headers(tar):
        directory = header[156:157] == b"5"
        assert directory or header[156:157] == b"0"
        assert header[100:124] == (b"0000755\0" if directory else b"0000644\0") + b"0000000\0" * 2
        assert header[136:148] == b"00000000000\0", "the time"
        assert header[257:265] == b"ustar\x0000"
        assert header[157:257] + header[265:329] + header[500:] == bytes(176), "links and names of owners"
        blanked = header[:148] + b" " * 8 + header[156:]
        assert header[148:156] == b"%06o\0 " % sum(blanked)


def test_directory_names_end_in_no_slash(tar: bytes) -> None:
    names = [header[:100].rstrip(b"\0") for header in headers(tar)]
    assert not [name for name in names if name.endswith(b"/")]


def test_the_archive_ends_in_two_zero_blocks_and_no_more(tar: bytes) -> None:
    with tarfile.open(fileobj=io.BytesIO(tar)) as archive:
        last = archive.getmembers()[-1]
    assert len(tar) == last.offset_data + (last.size + 511) // 512 * 512 + 1024
    assert tar[-1024:] == bytes(1024)


@pytest.mark.parametrize("program", ["tar", "bsdtar"])
def test_other_tar_programs_list_and_extract_the_same(program: str, tar: bytes, tmp_path: Path) -> None:
    archive = tmp_path / "layer.tar"
    archive.write_bytes(tar)
    wanted = listed(tar)
    tool = need(program)
    done = subprocess.run([tool, "-tf", archive], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    # GNU tar shows a slash after a directory whether the archive has one or not.
    assert [name.rstrip("/") for name in done.stdout.splitlines()] == list(wanted)
    out = tmp_path / "out"
    out.mkdir()
    done = subprocess.run([tool, "-xpf", archive, "-C", out], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    found = {p.relative_to(out).as_posix(): p.read_bytes() if p.is_file() else None for p in out.rglob("*")}
    assert found == wanted
    assert {oct(p.stat().st_mode & 0o777) for p in out.rglob("*") if p.is_dir()} == {"0o755"}
    assert {oct(p.stat().st_mode & 0o777) for p in out.rglob("*") if p.is_file()} == {"0o644"}


GO_READER = """package main

import (
	"archive/tar"
	"encoding/json"
	"io"
	"os"
)

func main() {
	reader := tar.NewReader(os.Stdin)
	entries := []map[string]any{}
	for {
		h, err := reader.Next()
		if err == io.EOF {
			break
		} else if err != nil {
			panic(err)
		}
		data, err := io.ReadAll(reader)
		if err != nil {
			panic(err)
		}
		entries = append(entries, map[string]any{
			"name": h.Name, "type": string(h.Typeflag), "mode": h.Mode, "time": h.ModTime.Unix(),
			"owner": h.Uname + h.Gname, "ids": h.Uid + h.Gid, "format": h.Format.String(), "data": data,
		})
	}
	json.NewEncoder(os.Stdout).Encode(entries)
}
"""


@pytest.fixture(scope="module")
def go_reader(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("go")
    (folder / "main.go").write_text(GO_READER)
    subprocess.run([need("go"), "build", "-o", folder / "reader", folder / "main.go"], cwd=folder, check=True)
    return folder / "reader"


def test_gos_reader_finds_the_same_entries_with_names_that_end_in_no_slash(go_reader: Path) -> None:
    for tar in TARS.values():
        done = subprocess.run([go_reader], input=tar, capture_output=True, check=True)
        found = json.loads(done.stdout)
        wanted = listed(tar)
        assert [entry["name"] for entry in found] == list(wanted)
        for entry in found:
            content = wanted[entry["name"]]
            assert base64.b64decode(entry["data"]) == (content or b"")
            assert (entry["type"], entry["mode"]) == (("5", 0o755) if content is None else ("0", 0o644))
            assert (entry["time"], entry["owner"], entry["ids"], entry["format"]) == (0, "", 0, "USTAR")


NAMES = st.text("abCD.-_", min_size=1, max_size=90)


@given(st.lists(st.tuples(st.lists(NAMES, min_size=1, max_size=4), st.binary(max_size=1500)), max_size=8))
def test_any_files_come_back_from_the_tar(files: list[tuple[list[str], bytes]]) -> None:
    chosen = {f"{n}/{'/'.join(path)}": data for n, (path, data) in enumerate(files)}
    chosen = {
        path: data
        for path, data in chosen.items()
        if all(split_name(part) for part in accumulate(path.split("/"), "{}/{}".format))
    }
    tar = write_tar(chosen.items())
    assert {path: data for path, data in listed(tar).items() if data is not None} == chosen
    assert [(p, tar[o : o + s]) for p, o, s in walk_tar(tar, "x")] == list(chosen.items())


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("n" * 100, ("", "n" * 100)),
        ("n" * 101, None),
        (f"{'p' * 155}/{'n' * 100}", ("p" * 155, "n" * 100)),
        (f"{'p' * 156}/{'n' * 100}", None),
        (f"{'p' * 155}/{'n' * 101}", None),
        (f"a/{'n' * 99}", ("a", "n" * 99)),
        (f"/{'n' * 100}", None),
    ],
)
def test_a_long_path_is_split_at_a_slash_or_not_at_all(path: str, names: tuple[str, str] | None) -> None:
    assert split_name(path) == names


def test_a_path_too_long_for_a_header_is_refused() -> None:
    with pytest.raises(GeneratorError, match="too long for a tar header; hint: shorten it"):
        write_tar([("n" * 101, b"")])


# ---------------------------------------------------------------------------------------------
# The blob


@pytest.mark.parametrize(("name", "limit"), LIMITS.items())
def test_a_committed_blob_is_no_larger_than_promised(name: str, limit: int) -> None:
    assert len(blobs(name)) <= limit


def test_a_blob_unpacks_to_its_tar_under_a_header_without_time_and_name() -> None:
    blob = layer.compress(TAR)
    # ID, deflate, no flags, no time, slowest algorithm, OS unknown.
    assert blob[:10] == b"\x1f\x8b\x08\x00" + bytes(4) + b"\x02\xff"
    assert struct.unpack("<I", blob[-4:]) == (len(TAR),)
    assert gzip.decompress(blob) == TAR


@pytest.mark.parametrize("name", LIMITS)
def test_a_committed_blob_has_the_same_header(name: str) -> None:
    assert blobs(name)[:10] == b"\x1f\x8b\x08\x00" + bytes(4) + b"\x02\xff"


def test_a_blob_is_smaller_than_gzips_best() -> None:
    for path in BLOBS:
        tar = gzip.decompress(path.read_bytes())
        assert len(path.read_bytes()) < len(gzip.compress(tar, 9))


def test_what_is_known_of_a_blob_is_what_it_holds() -> None:
    compressed = layer.compress(TAR)
    blob = layer.read_blob(compressed, "x")
    assert (blob.compressed, blob.tar) == (compressed, TAR)
    assert blob.digest == "sha256:" + hashlib.sha256(compressed).hexdigest()
    assert blob.diff_id == "sha256:" + hashlib.sha256(TAR).hexdigest()
    assert blob.bcd is not None
    assert TAR[blob.bcd[0] :][: blob.bcd[1]] == b"store"


def test_a_layer_without_a_store_has_none() -> None:
    assert layer.read_blob(blobs("hostprocess"), "x").bcd is None


GOOD = layer.compress(TAR)
NEGATIVE = TAR[:124] + b"-0000001000" + TAR[135:]
ENDLESS = TAR[:124] + b"77777777777" + TAR[135:]


DAMAGED = {
    "nothing": (b"", "truncated"),
    "text": (b"text", "not a gzip blob"),
    "cut": (GOOD[:-1], "truncated"),
    "one byte more": (GOOD + b"\0", "more than one gzip member"),
    "twice": (GOOD + GOOD, "more than one gzip member"),
    "a wrong checksum": (GOOD[:-8] + bytes(4) + GOOD[-4:], "not a gzip blob"),
    "no tar": (layer.compress(b"x" * 1024), "no ustar header at byte 0 of the tar"),
    "a negative size": (layer.compress(NEGATIVE), "no ustar header at byte 0 of the tar"),
    "a size beyond the end": (layer.compress(ENDLESS), "ends beyond it"),
}


@pytest.mark.parametrize(("damaged", "words"), DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_blob_is_refused_in_one_line(damaged: bytes, words: str) -> None:
    with pytest.raises(GeneratorError) as refused:
        layer.read_blob(damaged, "a.tar.gz")
    assert re.match(f"a.tar.gz: .*{words}", str(refused.value))


WRITE = """
import sys
sys.path.insert(0, sys.argv[1])
from generator.oci import blob as layer
from generator.oci.tar import split_name, walk_tar, write_tar
tar = write_tar((path, path.encode() * 99) for path in sys.argv[2:])
print(layer.sha256(tar))
"""


def pythons() -> list[str]:
    """Return every Python of 3.11 or later that this machine has."""
    versions = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    candidates = [*versions.glob("3.*/bin/python"), Path("/usr/bin/python3")]
    test = "import sys; sys.exit(sys.version_info < (3, 11))"
    return [str(p) for p in candidates if p.exists() and not subprocess.run([p, "-c", test], check=False).returncode]


def test_every_python_writes_the_same_tar(tmp_path: Path) -> None:
    program = tmp_path / "write.py"
    program.write_text(WRITE)
    paths = [path for path, _ in FILES]
    written = {
        python: subprocess.run([python, "-B", program, ROOT, *paths], capture_output=True, text=True, check=True).stdout
        for python in {*pythons(), sys.executable}
    }
    print("written by:", *sorted(written))
    assert len(set(written.values())) == 1
    tar = write_tar((path, path.encode() * 99) for path in paths)
    assert written[sys.executable] == layer.sha256(tar) + "\n"
