# SPDX-License-Identifier: Apache-2.0
"""Files mistaken for hives or images: each kind is recognized by all commands, and hives never are mistaken."""

import bz2
import gzip
import io
import json
import lzma
import re
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

from generator.__main__ import main
from generator.base.errors import EXIT_ERROR, EXIT_OK
from generator.base.file_kinds import HEAD, HIVE, KINDS, LOG, file_kind
from generator.hives.check import report

EXPORT = 'Windows Registry Editor Version 5.00\r\n\r\n[HKEY_LOCAL_MACHINE\\X]\r\n"a"="b"\r\n'
SAMPLE = bytes(sample().data)


def _tar() -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        entry = tarfile.TarInfo("SYSTEM")
        entry.size = len(SAMPLE)
        archive.addfile(entry, io.BytesIO(SAMPLE))
    return file.getvalue()


def _zip() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("SYSTEM", SAMPLE)
    return file.getvalue()


def _sqlite() -> bytes:
    with sqlite3.connect(":memory:") as database:
        database.execute("create table t (a)")
        return bytes(database.serialize())


def _log(kind: int) -> bytes:
    """Return the start of a transaction log: a base block of its own type, then what the log's format puts there."""
    block = bytearray(SAMPLE[:512])
    block[28] = kind
    return bytes(block) + {1: b"DIRT", 2: b"DIRT", 6: b"HvLE"}[kind].ljust(4096, b"\xff")


FILES: dict[str, tuple[Callable[[], bytes], str]] = {
    "an export of Windows' editor": (lambda: b"\xff\xfe" + EXPORT.encode("utf-16-le"), "registry export"),
    "an export without the mark": (lambda: EXPORT.encode("utf-16-le"), "registry export"),
    "an export in UTF-8": (lambda: EXPORT.encode("utf-8-sig"), "registry export"),
    "an export of Windows NT 4": (lambda: b"REGEDIT4\r\n\r\n[HKEY_LOCAL_MACHINE\\X]\r\n", "registry export"),
    "gzip": (lambda: gzip.compress(SAMPLE), "gzip -dc"),
    "xz": (lambda: lzma.compress(SAMPLE), "xz -dc"),
    "bzip2": (lambda: bz2.compress(SAMPLE), "bzip2 -dc"),
    "zip": (_zip, "unzip"),
    "tar": (_tar, "tar -xf"),
    "a program of this system": (lambda: Path(sys.executable).resolve().read_bytes(), "(ELF)"),
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
    hive.write_bytes(SAMPLE)
    assert report([hive, path]) == EXIT_ERROR
    output = capsys.readouterr()
    assert output.out == f"{hive}: good hive, 21 keys, 8 values, {len(SAMPLE):,} bytes\n"
    assert output.err.startswith(f"{path}: not a hive: ")
    assert "; hint: " in output.err
    assert word in output.err
    assert output.err.count("\n") == 1
    assert report([path], as_json=True) == EXIT_ERROR
    (record,) = json.loads(capsys.readouterr().out)
    assert record == {"path": str(path), "good": False, "error": output.err.removeprefix(f"{path}: ").rstrip("\n")}


@pytest.mark.parametrize("what", [what for what in FILES if "export" in what])
@pytest.mark.parametrize("command", ["check-hive {0}", "inspect {0}", "diff {0} {0}", "check-image {0}"])
def test_every_command_recognizes_an_export_of_the_registry(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: str, what: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "e.reg").write_bytes(FILES[what][0]())
    assert main(command.format("e.reg").split()) == EXIT_ERROR
    output = capsys.readouterr()
    assert output.out == ""
    assert "the text of a registry export (.reg); hint: save the key as a hive: reg save " in output.err
    assert output.err.count("\n") == 1


def test_a_kind_is_recognized_only_by_all_of_its_magic_at_its_offset() -> None:
    for kind in KINDS:
        head = bytes(kind.offset) + kind.magic
        assert file_kind(head) == kind
        assert file_kind(b"\0" + head) is None
        assert file_kind(head[:-1]) is None


def test_every_hint_names_what_to_do() -> None:
    for kind in (LOG, *KINDS):
        for hint in (kind.hive_hint, kind.image_hint):
            assert re.match("[a-z]", hint)
            assert "{" not in hint.format("file")


def test_a_file_of_7zip_is_recognized(tmp_path: Path) -> None:
    hive = tmp_path / "hive"
    hive.write_bytes(SAMPLE)
    subprocess.run([need("7zz"), "a", tmp_path / "hive.7z", hive], capture_output=True, check=True)
    kind = file_kind((tmp_path / "hive.7z").read_bytes())
    assert kind is not None
    assert "7z x" in kind.hive_hint


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: f"{mutation.rule}: {mutation.what}")
def test_a_damaged_hive_is_still_checked_by_the_rules(mutation: Mutation) -> None:
    assert file_kind(mutation.hive()[:HEAD]) in {HIVE, None}


def test_a_hive_is_a_hive(tmp_path: Path) -> None:
    for name, (data, _) in committed_hives().items():
        (tmp_path / name.replace(":", "-")).write_bytes(data)
    assert report(tmp_path.iterdir(), say=lambda _: None) == EXIT_OK
