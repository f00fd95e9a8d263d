# SPDX-License-Identifier: Apache-2.0
"""`check-hive`: its output, its exit status, and files that it refuses."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.hive_maker import Made, Node, make, sample
from helpers.support import HANG

from generator.base.errors import EXIT_ERROR, EXIT_OK, EXIT_STALE, one_line
from generator.builder.wire import ROOT
from generator.hives.check import load, report
from generator.hives.reader import check_hive


def dirty() -> Made:
    """Make a hive whose last write did not end."""
    hive = sample()
    hive.poke("", 4, "<I", 8)
    return hive


def test_check_hive_prints_one_line_for_a_good_hive(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "hive"
    path.write_bytes(sample().data)
    assert report([path]) == EXIT_OK
    assert capsys.readouterr() == (f"{path}: good hive, 21 keys, 8 values, 45,056 bytes\n", "")


def test_check_hive_prints_a_line_for_each_finding_and_a_verdict(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good, bad = tmp_path / "good", tmp_path / "b\na\td"
    good.write_bytes(sample().data)
    hive = sample()
    hive.poke("", 24, "<I", 7)
    hive.data.extend(bytes(4096))
    bad.write_bytes(hive.seal())
    assert report([bad, good, str(good)]) == EXIT_STALE
    name = one_line(str(bad))
    assert capsys.readouterr().out.splitlines() == [
        f"{name}: refused: offset 0x18: found: the minor version is 7; allowed: the minor version is 3, 4, 5 or 6"
        " (base-minor; cmlib hiveinit.c; regf: base block)",
        f"{name}: normal on a live system: 4,096 bytes follow the bins",
        f"{name}: hive that Windows refuses or repairs, 21 keys, 8 values, 49,152 bytes",
        *[f"{good}: good hive, 21 keys, 8 values, 45,056 bytes"] * 2,
    ]


def test_check_hive_accepts_hives_that_windows_reads(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "hive"
    hive = make(Node("root", subkeys=[Node(f"{i:02}") for i in range(30)]))
    for i in range(30):
        hive.poke(f"key {i:02}", 24, "<I", 1)
    path.write_bytes(hive.data)
    assert report([path]) == EXIT_OK
    live, verdict = capsys.readouterr().out.splitlines()
    assert live == f"{path}: normal on a live system: counts of volatile subkeys in 30 keys"
    assert report([path], as_json=True) == EXIT_OK
    (record,) = json.loads(capsys.readouterr().out)
    assert [each["rule"] for each in record["findings"]] == ["key-volatile-count"] * 10
    assert record["more"] == {"key-volatile-count": 20}
    assert verdict == f"{path}: hive that Windows reads, 31 keys, 0 values, {len(hive.data):,} bytes"


def test_check_hive_prints_other_findings_beside_what_is_normal_on_a_live_system(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "hive"
    hive = make(Node("root", subkeys=[Node(f"{i:02}") for i in range(30)]))
    for i in range(30):
        hive.poke(f"key {i:02}", 24, "<I", 1)
    hive.poke("key 07", 2, "<H", 0x8020)  # a flag that no Windows sets
    path.write_bytes(hive.data + bytes(512))
    assert report([path]) == EXIT_OK
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(": ")[1] for line in lines[:-1]] == ["unusual"] * (len(lines) - 2) + ["normal on a live system"]
    assert "(key-flags; " in lines[0]
    assert lines[-2].endswith(": 512 bytes follow the bins, counts of volatile subkeys in 30 keys")


def test_check_hive_accepts_a_dirty_hive(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "hive"
    path.write_bytes(dirty().seal())
    assert report([path]) == EXIT_OK
    first, verdict = capsys.readouterr().out.splitlines()
    assert first.startswith(f"{path}: dirty: offset 0x4: found: the sequence numbers are 8 and 7; allowed: ")
    assert verdict == f"{path}: hive that Windows reads with its log, 21 keys, 8 values, 45,056 bytes"


def test_check_hive_prints_the_same_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good, bad, old = tmp_path / "good", tmp_path / "bad", tmp_path / "old"
    good.write_bytes(sample().data)
    bad.write_bytes(b"regf")
    old.write_bytes(dirty().seal())
    assert report([good, bad, old, tmp_path / "missing"], as_json=True) == EXIT_ERROR
    counts = {"keys": 21, "values": 8, "bytes": 45056}

    def found(data: bytes, offset: int, rule: str, level: str) -> list[dict[str, object]]:
        (finding,) = check_hive(data)
        return [{"offset": offset, "rule": rule, "level": level, "message": finding.message}]

    small = {"keys": 0, "values": 0, "bytes": 4, "findings": found(b"regf", 0, "file-size", "refused"), "more": {}}
    assert json.loads(capsys.readouterr().out) == [
        {"path": str(good), "good": True, **counts, "findings": [], "more": {}},
        {"path": str(bad), "good": False, **small},
        {
            "path": str(old),
            "good": True,
            **counts,
            "findings": found(dirty().seal(), 4, "base-sequence", "dirty"),
            "more": {},
        },
        {"path": str(tmp_path / "missing"), "good": False, "error": "No such file or directory"},
    ]


# Files that are refused


@pytest.mark.timeout(HANG)
@pytest.mark.parametrize("name", ["missing", "", "nul\0byte", "pipe", "socket", "link", "sparse"])
def test_check_hive_reports_unreadable_files_and_checks_the_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    bad = tmp_path / "bad"
    bad.write_bytes(b"regf")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("/dev/zero")
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(4 << 40)  # to read it would take hours
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.path.relpath(tmp_path / "socket"))
        assert report([f"{tmp_path}/{name}", bad]) == EXIT_ERROR
    output = capsys.readouterr()
    assert output.out.startswith(f"{bad}: refused: offset 0x0: found: the file has 4 bytes; ")
    assert output.err.count("\n") == 1
    assert ": cannot be read: " in output.err


def test_check_hive_has_the_size_limit_of_the_format(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "large"
    path.write_bytes(sample().data)
    os.truncate(path, 4096 + (2 << 30))
    assert report([path]) == EXIT_OK
    assert "2,147,442,688 bytes follow the bins" in capsys.readouterr().out
    os.truncate(path, 4097 + (2 << 30))
    assert report([path]) == EXIT_ERROR


@pytest.mark.parametrize("size", [0, 1, 8192, 1 << 20, 3 << 20])
def test_load_returns_the_bytes_of_small_and_mapped_files(tmp_path: Path, size: int) -> None:
    path = tmp_path / "file"
    content = (b"regf" * (size // 4 + 1))[:size]
    path.write_bytes(content)
    assert load(path)[:] == content


CHECK = """
import resource, sys
from generator.hives import check
resource.setrlimit(resource.RLIMIT_DATA, (int(sys.argv[1]),) * 2)
sys.exit(check.report(sys.argv[2:]))
"""


def test_check_hive_needs_less_memory_than_a_large_hive_has_bytes(tmp_path: Path) -> None:
    path = tmp_path / "hive"
    path.write_bytes(make(Node("root", subkeys=[Node("free")]), bin_size=64 << 20).data)
    command = [sys.executable, "-c", CHECK, str(48 << 20), str(path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout == f"{path}: good hive, 2 keys, 0 values, 67,112,960 bytes\n", done.stderr
