# SPDX-License-Identifier: Apache-2.0
"""The tar reader against Go's archive/tar and go-winio, on random odd tars.

TARS and SEED in the environment compare more of them, or others.
"""

import io
import json
import os
import re
import subprocess
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from helpers.counts import count, thorough
from helpers.odd_tars import Writer
from helpers.support import need
from helpers.wine import on_windows

from generator.hives.rules import Level
from generator.imagecheck import records
from generator.imagecheck.rules import RULES
from generator.imageread.untar import FILE, GLOBAL, HARD_LINK, TarEntry, TarError, TarReader

GO = Path(__file__).parents[1] / "languages/go"
MANY = int(os.environ.get("TARS", count(600, 6000)))  # tars for archive/tar
SOME = MANY // 3  # and for go-winio, which wine runs
SEED = int(os.environ.get("SEED", "1"))
MOST = 1 << 22  # bytes of a file that are compared, as in tests/languages/go/tars

# Where the reader refuses what archive/tar reads: its words, and why.
STRICTER = {
    "a sparse file, which no layer has": (
        "type S becomes an empty file on Windows, because go-winio reads data of type 0 only; archive/tar "
        "accepts other entries with records of sparse files of an unknown version"
    ),
    "a sparse file of an unknown format": (
        "archive/tar reads the map as if it was the file's data, so that Windows would get another file than was meant"
    ),
}
# Where check-image refuses a record that go-winio reads: what it says, and why.
REFUSED = {
    r"fileattr is \d+ for a (file|directory)$": "Windows would make a file of a directory, or the reverse",
    r"is out of range$": "FILETIME, or Go's nanoseconds, do not hold it: Windows would set another time",
    r"rawsd is .*: (?!not padded base64)": "the bytes are no security descriptor, which Windows refuses later",
    r"mountpoint is on an entry other than a symbolic link$": "go-winio ignores it, and no mount point is made",
}


def ours(data: bytes) -> tuple[list[tuple[TarEntry, int | None]], str]:
    """Return the entries of a tar with the CRC-32 of files, and the reader's error."""
    found: list[tuple[TarEntry, int | None]] = []
    reader = TarReader(io.BytesIO(data), sparse=True)
    try:
        for entry in reader:
            found.append((entry, None))
            if entry.kind == FILE and entry.size <= MOST:
                total = 0
                while part := reader.read():
                    total = zlib.crc32(part, total)
                found[-1] = (entry, total)
    except TarError as error:
        return found, str(error)
    return found, ""


def theirs(tars: list[bytes], program: Path, folder: Path | None = None) -> Iterator[Any]:
    """Yield the result of archive/tar for each tar; with *folder*, the program runs in wine."""
    data = b"".join(len(tar).to_bytes(8, "big") + tar for tar in tars)
    if folder is None:
        done = subprocess.run([program], input=data, capture_output=True, check=True, timeout=900)
    else:
        done = on_windows(program, folder=folder, data=data)
    assert done.returncode == 0, done.stderr[-2000:]
    return map(json.loads, done.stdout.splitlines())


def build(folder: Path, **environment: str) -> Path:
    program = folder / "tars.exe"
    command = [need("go"), "build", "-o", str(program), "./tars"]
    subprocess.run(command, cwd=GO, env=os.environ | environment, check=True, timeout=900)
    return program


def text(value: str) -> str:
    return bytes.fromhex(value).decode("utf-8", "surrogateescape")


def nanoseconds(value: list[int] | None) -> int | None:
    return None if value is None else value[0] * 10**9 + value[1]


def told(entry: TarEntry, total: int | None, size: int) -> dict[str, Any]:
    """Return an entry of ours with the names of archive/tar; *size* is its size for entries without data."""
    if entry.kind == GLOBAL:
        return {"name": entry.name, "kind": entry.kind}
    return {
        "name": entry.name,
        "kind": entry.kind,
        "records": dict(entry.records),
        "size": size if entry.kind in "123456" else entry.size,
        "target": entry.target,
        "mode": entry.mode,
        "times": [entry.modified, entry.accessed, entry.changed],
        "sum": total,
    }


def read(entry: dict[str, Any]) -> dict[str, Any]:
    """Return an entry of archive/tar in the same words."""
    kind = chr(entry["type"])
    if kind == GLOBAL:  # hcsshim makes an empty file of it, whatever its records
        return {"name": text(entry["name"]), "kind": kind}
    return {
        "name": text(entry["name"]),
        "kind": kind,
        "records": {text(key): text(value) for key, value in entry["records"].items()},
        "size": entry["size"],
        "target": text(entry["target"]),
        "mode": entry["mode"],
        "times": [nanoseconds(entry[key]) for key in ("modified", "accessed", "changed")],
        "sum": entry["sum"],
    }


def compare(tar: bytes, found: Any) -> str:
    """Return the reason why the reader is stricter, or nothing; fail if the table lists no reason."""
    mine, error = ours(tar)
    both = min(len(mine), len(found["entries"]))
    for at in range(both):
        entry, total = mine[at]
        last = (error or found["error"]) and at == both - 1
        wanted = read(found["entries"][at])
        got = told(entry, total, found["entries"][at]["size"])
        if last:  # its data may be what the error is about
            got["sum"] = wanted["sum"] = None
        if entry.kind == GLOBAL and not found["entries"][at]["records"]:
            got["name"] = wanted["name"]  # archive/tar drops all of its records if one is invalid
        assert got == wanted, tar
    if bool(error) == bool(found["error"]):
        if not error:
            assert len(mine) == len(found["entries"]), tar
        return ""
    assert not found["error"], (found["error"], tar)
    return next((reason for words, reason in STRICTER.items() if words in error), f"no reason: {error} {tar!r}")


def compare_many(seed: int, number: int, program: Path) -> Counter[str]:
    writer = Writer(seed)
    found: Counter[str] = Counter()
    while number > 0:
        tars = [writer.tar() for _ in range(min(number, 5000))]
        number -= len(tars)
        for tar, each in zip(tars, theirs(tars, program), strict=True):
            reason = compare(tar, each)
            assert not reason.startswith("no reason"), reason
            found[reason or ("refused" if each["error"] else "read")] += 1
    return found


def test_archive_tar_reads_and_refuses_the_same(tmp_path: Path) -> None:
    found = compare_many(SEED, MANY, build(tmp_path))
    assert found["read"] > MANY / 4
    assert found["refused"] > MANY / 4
    assert set(found) - {"read", "refused"} == set(STRICTER.values())  # each of them comes up


def compare_records(entry: TarEntry, windows: dict[str, Any]) -> list[str]:
    """Return the reasons for which an entry is refused that go-winio takes."""
    faults: list[str] = []
    attributes = records.check(
        entry, False, lambda rule, what: faults.append(what) if RULES[rule].level == Level.REFUSED else None
    )
    if windows["error"]:
        assert faults, (windows["error"], entry)
        return ["go-winio refuses it"]
    reasons = [
        next((why for words, why in REFUSED.items() if re.search(words, fault)), f"no reason: {fault} {entry}")
        for fault in faults
    ]
    if not faults:
        assert windows["attributes"] == attributes, entry
        assert windows["size"] == (entry.size if entry.kind == FILE else 0), entry
    return reasons


@thorough("runs go-winio in wine")
def test_go_winio_takes_and_refuses_the_same_records(tmp_path: Path) -> None:
    program = build(tmp_path, GOOS="windows", GOARCH="amd64")
    writer = Writer(-SEED)
    tars = [writer.tar() for _ in range(SOME)]
    found: Counter[str] = Counter()
    for tar, each in zip(tars, theirs(tars, program, tmp_path), strict=True):
        for (entry, _), windows in zip(ours(tar)[0], each["entries"], strict=False):
            if entry.kind not in {HARD_LINK, GLOBAL}:  # of which hcsshim asks for no records, or that it does not know
                found.update(compare_records(entry, windows["windows"]))
    assert not [reason for reason in found if reason.startswith("no reason")]
    assert set(found) == {*REFUSED.values(), "go-winio refuses it"}
