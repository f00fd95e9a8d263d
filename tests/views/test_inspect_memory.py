# SPDX-License-Identifier: Apache-2.0
"""Memory use of `inspect`, `diff` and `report` stays within a limit; decompression bombs are refused in one line."""

import gzip
import hashlib
import io
import json
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from helpers.counts import THOROUGH, count, thorough
from helpers.views import printed

from generator.base.errors import GeneratorError
from generator.builder.wire import ROOT
from generator.views import unpacked_layers

MEMORY = 150 << 20  # bytes that a command may use; Python and its modules use a fifth
LARGE = 160 << 20  # bytes of a file in a layer
MIB = 1 << 20
# Prints the peak memory of a grandchild: the system counts the memory of the parent for a child until it calls exec.
WATCH = """
import resource, subprocess, sys
status = subprocess.run(sys.argv[1:], check=False).returncode
print(status, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr)
"""
FORMS: dict[str, tuple[str, ...]] = {
    "tree": ("inspect",),
    "json": ("inspect", "--json"),
    "textconv": ("inspect", "--textconv"),
    "hex": ("inspect", "--hex", ".", "--offset", "104857600", "--length", "64"),
    "hex of a file": ("inspect", "--hex", "Files/large", "--length", "64"),
    "bcd": ("inspect", "--bcd"),
    "reg": ("inspect", "--reg", "Files/large"),
    "diff": ("diff", "--json"),
    "report": ("report", "--to", "report.html"),
}


def header(name: str, size: int) -> bytes:
    """Return the header of a file in a tar."""
    entry = tarfile.TarInfo(name)
    entry.size = size
    return entry.tobuf(tarfile.GNU_FORMAT)


def members(size: int, content: bytes) -> bytes:
    """Return a gzip file of a layer with a file of *size* bytes that repeats *content*, a MiB."""
    start = header("Files/a", 0) + header("Files/large", size)
    return gzip.compress(start) + gzip.compress(content) * (size // MIB) + gzip.compress(bytes(1024))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a directory with large layers (bare and compressed, of zeros and of text), two images, and bombs."""
    folder = tmp_path_factory.mktemp("large")
    with (folder / "zeros.tar").open("wb") as file:
        file.write(header("Files/a", 0) + header("Files/large", LARGE))
        file.truncate(LARGE + 2048)
    (folder / "text.gz").write_bytes(members(LARGE, bytes(range(1, 129)) * (MIB // 128)))
    (folder / "bomb.gz").write_bytes(members(2 << 30, bytes(MIB)))
    (folder / "hive.gz").write_bytes(gzip.compress(b"regf" + bytes(MIB - 4)) + gzip.compress(bytes(MIB)) * 2048)
    for name, layer in (("image", "text.gz"), ("bomb", "bomb.gz")):
        image(folder / name, (folder / layer).read_bytes())
    with tarfile.open(folder / "image.tar", "w") as tar:
        tar.add(folder / "image", ".")
    return folder


def image(folder: Path, layer: bytes) -> None:
    """Write an OCI layout with one compressed *layer* and without diff IDs."""
    blobs = folder / "blobs/sha256"
    blobs.mkdir(parents=True)

    def blob(data: bytes, kind: str) -> dict[str, object]:
        digest = hashlib.sha256(data).hexdigest()
        (blobs / digest).write_bytes(data)
        return {"mediaType": f"application/vnd.oci.image.{kind}", "digest": f"sha256:{digest}", "size": len(data)}

    settings = {"os": "windows", "architecture": "amd64", "rootfs": {"type": "layers", "diff_ids": []}}
    manifest = {
        "schemaVersion": 2,
        "config": blob(json.dumps(settings).encode(), "config.v1+json"),
        "layers": [blob(layer, "layer.v1.tar+gzip")],
    }
    listed = blob(json.dumps(manifest).encode(), "manifest.v1+json")
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [listed]}))
    (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')


def run(form: str, *names: str, place: Path, memory: int = MEMORY) -> tuple[int, str, list[str]]:
    """Return status, output and errors of a command; fail if it uses more *memory*."""
    command = [sys.executable, "-B", "-m", "generator", *FORMS[form], "--", *names]
    done = subprocess.run(
        [sys.executable, "-c", WATCH, *command],
        cwd=place,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
        timeout=500,
    )
    *errors, last = done.stderr.splitlines()
    status, most = map(int, last.split())
    assert most << 10 < memory, f"{form} of {names} uses {most >> 10} MiB"
    return status, done.stdout, errors


ALL = [
    *((form, "text.gz") for form in FORMS),
    *((form, "zeros.tar") for form in ("tree", "diff", "hex")),
    *((form, "oci:image") for form in ("json", "hex", "report")),
    ("tree", "image.tar"),
]
SOME = [("tree", "text.gz"), ("diff", "zeros.tar"), ("json", "oci:image")]


@pytest.mark.parametrize(("form", "name"), ALL if THOROUGH else SOME)
def test_large_layers_are_shown_in_little_memory(form: str, name: str, place: Path) -> None:
    other = [name.replace("text", "zeros").replace(".gz", ".tar")] if form == "diff" else []
    status, shown, errors = run(form, name, *other, place=place)
    if form in {"bcd", "reg", "report"}:
        assert (status, len(errors)) == (2, 1)
        problem = {"bcd": "no BCD store", "reg": "is not a registry hive", "report": "16,777,216 bytes in all"}
        assert problem[form] in errors[0]
    else:
        assert status == (1 if form == "diff" and name == "text.gz" else 0), errors
        assert shown


@pytest.mark.parametrize(
    ("form", "name"),
    [*((form, "bomb.gz") for form in FORMS if form not in {"bcd", "reg"}), ("tree", "oci:bomb")]
    if THOROUGH
    else [("tree", "oci:bomb"), ("report", "bomb.gz")],
)
def test_bombs_are_refused_in_one_line(form: str, name: str, place: Path) -> None:
    status, shown, errors = run(form, *([name] * 2 if form == "diff" else [name]), place=place)
    problem = "16,777,216 bytes in all" if form == "report" else "bytes unpack to more than 1,073,741,824"
    if form == "textconv":
        assert (status, shown.count("\n")) == (0, 1)
        assert problem in shown
    else:
        assert (status, shown, len(errors)) == (2, "", 1)
        assert problem in errors[0]


@thorough("looks at large images")
def test_a_hive_that_is_a_bomb_is_refused_in_one_line(place: Path) -> None:
    status, shown, errors = run("tree", "hive.gz", place=place)
    assert (status, shown, len(errors)) == (2, "", 1)


@pytest.mark.parametrize("form", ["tree", "json", "hex", "diff", "report"] if THOROUGH else ["tree"])
def test_memory_for_entries_depends_on_their_number_alone(form: str, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "many.tar", "w", format=tarfile.USTAR_FORMAT) as tar:
        for number in range(count(2_000, 10_000)):
            tar.addfile(tarfile.TarInfo(f"Files/{number}"), io.BytesIO())
    with tarfile.open(tmp_path / "few.tar", "w", format=tarfile.USTAR_FORMAT) as tar:
        tar.addfile(tarfile.TarInfo("Files/0"), io.BytesIO())
    names = ["few.tar"] * (form == "diff")
    status, shown, errors = run(form, *names, "many.tar", place=tmp_path)
    assert status == {"diff": 1, "hex": 2}.get(form, 0)
    assert shown or "is beyond '.'" in errors[0]


def test_a_too_large_hive_in_a_layer_is_damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpacked_layers, "MAX_HIVE", 1 << 20)
    size = 3 << 20
    (tmp_path / "layer.tar").write_bytes(
        header("Files/a", 0) + header("Files/hive", size) + b"regf" + bytes(size + 1020)
    )
    shown = printed("inspect", tmp_path / "layer.tar", status=1)
    assert "  the layer is damaged: Files/hive is a hive of 3,145,728 bytes; the limit is 1,048,576" in shown
    (tmp_path / "hive").write_bytes(b"regf" + bytes(size))
    with pytest.raises(GeneratorError, match=r"hive: a hive larger than 1,048,576 bytes$"):
        printed("inspect", tmp_path / "hive")


@thorough("looks at large images")
def test_a_hive_beyond_the_limit_is_refused_in_bounded_memory(tmp_path: Path) -> None:
    with (tmp_path / "hive").open("wb") as file:
        file.write(b"regf")
        file.truncate(300 << 20)
    status, shown, errors = run("tree", "hive", place=tmp_path, memory=MEMORY + (256 << 20))
    assert (status, shown) == (2, "")
    assert errors == ["error: hive: a hive larger than 268,435,456 bytes"]
