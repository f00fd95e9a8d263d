# SPDX-License-Identifier: Apache-2.0
"""Files mistaken for hives: real ones of each kind are recognized, and hives, damaged or not, never are."""

import bz2
import gzip
import io
import json
import lzma
import sqlite3
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from helpers.hive_maker import sample
from helpers.mutations import MUTATIONS, Mutation
from helpers.random_hives import committed_hives
from helpers.support import need

from generator.base.errors import EXIT_ERROR, EXIT_OK
from generator.hives.check import report
from generator.hives.kinds import HEAD, KINDS, not_a_hive

EXPORT = 'Windows Registry Editor Version 5.00\r\n\r\n[HKEY_LOCAL_MACHINE\\X]\r\n"a"="b"\r\n'
HIVE = bytes(sample().data)


def _tar() -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        entry = tarfile.TarInfo("SYSTEM")
        entry.size = len(HIVE)
        archive.addfile(entry, io.BytesIO(HIVE))
    return file.getvalue()


def _zip() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("SYSTEM", HIVE)
    return file.getvalue()


def _sqlite() -> bytes:
    with sqlite3.connect(":memory:") as database:
        database.execute("create table t (a)")
        return bytes(database.serialize())


def _log(kind: int) -> bytes:
    """Return the start of a transaction log: a base block of its own type, then what the log's format puts there."""
    block = bytearray(HIVE[:512])
    block[28] = kind
    return bytes(block) + {1: b"DIRT", 2: b"DIRT", 6: b"HvLE"}[kind].ljust(4096, b"\xff")


FILES: dict[str, tuple[Callable[[], bytes], str]] = {
    "an export of Windows' editor": (lambda: b"\xff\xfe" + EXPORT.encode("utf-16-le"), "registry export"),
    "an export without the mark": (lambda: EXPORT.encode("utf-16-le"), "registry export"),
    "an export in UTF-8": (lambda: EXPORT.encode("utf-8-sig"), "registry export"),
    "an export of Windows NT 4": (lambda: b"REGEDIT4\r\n\r\n[HKEY_LOCAL_MACHINE\\X]\r\n", "registry export"),
    "gzip": (lambda: gzip.compress(HIVE), "gzip -dc"),
    "xz": (lambda: lzma.compress(HIVE), "xz -dc"),
    "bzip2": (lambda: bz2.compress(HIVE), "bzip2 -dc"),
    "zip": (_zip, "unzip"),
    "tar": (_tar, "tar -xf"),
    "a program of this system": (lambda: Path(sys.executable).resolve().read_bytes(), "ELF program"),
    "a database": (_sqlite, "SQLite"),
    **{f"a log of type {kind}": (partial(_log, kind), "transaction log") for kind in (1, 2, 6)},
    "a log that was cut": (lambda: _log(6)[:512], "transaction log"),
}


@pytest.mark.parametrize("what", FILES)
def test_another_file_is_reported_in_one_line_with_what_to_give(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], what: str
) -> None:
    make, word = FILES[what]
    path, hive = tmp_path / "file", tmp_path / "hive"
    path.write_bytes(make())
    hive.write_bytes(HIVE)
    assert report([hive, path]) == EXIT_ERROR
    output = capsys.readouterr()
    assert output.out == f"{hive}: good hive, 21 keys, 8 values, {len(HIVE):,} bytes\n"
    assert output.err.startswith(f"{path}: not a hive: ")
    assert "; hint: " in output.err
    assert word in output.err
    assert output.err.count("\n") == 1
    assert report([path], as_json=True) == EXIT_ERROR
    (record,) = json.loads(capsys.readouterr().out)
    assert record == {"path": str(path), "good": False, "error": output.err.removeprefix(f"{path}: ").rstrip("\n")}
    assert not_a_hive(make()[:HEAD]) == record["error"]


def test_every_kind_is_found_where_its_mark_is_and_nowhere_else() -> None:
    for kind in KINDS:
        head = bytes(kind.offset) + kind.magic
        assert not_a_hive(head) == f"not a hive: {kind.name}; hint: {kind.hint}"
        assert not_a_hive(b"\0" + head) == ""
        assert not_a_hive(head[:-1]) == ""


def test_a_file_of_7zip_is_recognized(tmp_path: Path) -> None:
    hive = tmp_path / "hive"
    hive.write_bytes(HIVE)
    subprocess.run([need("7zz"), "a", tmp_path / "hive.7z", hive], capture_output=True, check=True)
    assert "7z x" in not_a_hive((tmp_path / "hive.7z").read_bytes())


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: f"{mutation.rule}: {mutation.what}")
def test_a_damaged_hive_is_still_checked_by_the_rules(mutation: Mutation) -> None:
    assert not_a_hive(mutation.hive()) == ""


def test_a_hive_is_a_hive(tmp_path: Path) -> None:
    for name, (data, _) in committed_hives().items():
        (tmp_path / name.replace(":", "-")).write_bytes(data)
    assert report(tmp_path.iterdir(), say=lambda _: None) == EXIT_OK
