# SPDX-License-Identifier: Apache-2.0
"""Compare the writers of layers on top with each language's tar writer: python bench/writers.py [FILES [ROUNDS]].

Each writes the same small files with the same records to nowhere: Python beside tarfile, Go beside archive/tar, C
beside libarchive, Rust beside the crate tar, JavaScript beside tar-stream, Java beside commons-compress. The figures
are medians of runs taken in turn: of the time that the program prints, which is JavaScript's and Java's on the
processor, or of Rust's whole program on the processor. Java's is the fifth round of a program, when it is compiled.
"""

import io
import os
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from table import medians, show

sys.path.insert(0, str(Path(__file__).absolute().parents[1] / "output/python"))
sys.path.insert(0, str(Path(__file__).absolute().parents[1] / "tests"))
sys.path.insert(0, str(Path(__file__).absolute().parents[1]))
import windows_files
from helpers.maven import jars
from languages.programs import java, javascript

ROOT = Path(__file__).absolute().parents[1]
DATA = b"x" * 100
GOALS = {"Python": 3.0, "Go": 1.0, "C": 1.0, "Rust": 1 / 1.5, "JavaScript": 1 / 1.5, "Java": 1.0}


class Nowhere(io.RawIOBase):
    """A file that keeps nothing but how much was written."""

    def __init__(self) -> None:
        self.size = 0

    def write(self, data: Any) -> int:
        self.size += len(data)
        return len(data)

    def tell(self) -> int:
        return self.size


def paths(number: int) -> list[str]:
    return [f"app/dir{n // 1000}/file{n:06}.txt" for n in range(number)]


def python_ours(names: list[str]) -> None:
    with windows_files.Writer(Nowhere()) as layer:
        for name in names:
            layer.add(name, DATA)


def python_theirs(names: list[str]) -> None:
    records = {
        "LIBARCHIVE.creationtime": "0",
        "MSWINDOWS.fileattr": "32",
        "MSWINDOWS.rawsd": windows_files.DESCRIPTORS["users-read"][1],
        "atime": "0",
        "ctime": "0",
    }
    with tarfile.open(fileobj=Nowhere(), mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name in names:
            entry = tarfile.TarInfo("Files/" + name)
            entry.size, entry.pax_headers = len(DATA), dict(records)
            archive.addfile(entry, io.BytesIO(DATA))


def python_seconds(write: Callable[[list[str]], None], names: list[str]) -> float:
    start = time.perf_counter()
    write(names)
    return time.perf_counter() - start


def program_seconds(program: Path, which: str, number: int) -> float:
    """Return what a program that says its own seconds took."""
    return seconds_of(program, which, str(number))


def node_seconds(which: str, number: int) -> float:
    """Return the processor time of a run of files.js."""
    module = {
        "ours": ROOT / "output/javascript/windows-files.js",
        "theirs": javascript.packages() / "tar-stream/index.js",
    }
    return seconds_of("node", ROOT / "bench/files.js", which, str(number), module[which])


def java_seconds(classes: Path, which: str, number: int) -> float:
    """Return the processor time of the fifth round of Files.java."""
    return seconds_of("java", "-cp", f"{classes}:{jars()}", "Files", which, str(number), "5")


def seconds_of(*command: str | Path) -> float:
    return float(subprocess.run(command, capture_output=True, check=True, text=True, timeout=600).stdout)


def processor_seconds(program: Path, which: str, number: int) -> float:
    """Return the processor's time of a program, in its own code and the system's."""
    before = os.times()
    subprocess.run([program, which, str(number)], check=True, timeout=600)
    after = os.times()
    return sum(after[2:4]) - sum(before[2:4])


def built(folder: Path) -> tuple[Path, Path, Path]:
    """Return the Go, the C and the Rust program."""
    go, c = folder / "go", folder / "c"
    subprocess.run(["go", "build", "-o", go, "./bench"], cwd=ROOT / "tests/languages/go", check=True)
    sources = [ROOT / "bench/files.c", ROOT / "output/c/windows_files.c"]
    flags = ["-std=c99", "-D_POSIX_C_SOURCE=200809L", "-O2", "-I", str(ROOT / "output/c")]
    subprocess.run(["gcc", *flags, *sources, "-larchive", "-o", c], check=True)
    target = folder / "rust"
    command = ["cargo", "build", "--release", "--locked", "--quiet", "--target-dir", str(target)]
    subprocess.run(command, cwd=ROOT / "bench/rust", check=True)
    return go, c, target / "release/writers"


def main(number: int = 100_000, rounds: int = 3) -> None:
    """Take all measures and print them."""
    names = paths(number)
    with tempfile.TemporaryDirectory() as folder:
        go, c, rust = built(Path(folder))
        classes = java.compiled(Path(folder), ROOT / "bench/Files.java", path=jars())
        found = medians(
            {
                "Python": lambda: python_seconds(python_ours, names),
                "Python tarfile": lambda: python_seconds(python_theirs, names),
                "Go": lambda: program_seconds(go, "ours", number),
                "Go archive/tar": lambda: program_seconds(go, "theirs", number),
                "C": lambda: program_seconds(c, "ours", number),
                "C libarchive": lambda: program_seconds(c, "theirs", number),
                "Rust": lambda: processor_seconds(rust, "ours", number),
                "Rust tar": lambda: processor_seconds(rust, "theirs", number),
                "JavaScript": lambda: node_seconds("ours", number),
                "JavaScript tar-stream": lambda: node_seconds("theirs", number),
                "Java": lambda: java_seconds(classes, "ours", number),
                "Java commons-compress": lambda: java_seconds(classes, "theirs", number),
            },
            rounds,
        )
    rows = []
    for name, taken in found.items():
        language = name.partition(" ")[0]
        ratio = "" if name == language else f"{taken / found[language]:.1f} times (goal {GOALS[language]:.2g})"
        rows.append([name, f"{taken:.3f} s", f"{taken / number * 1e6:.2f} µs", ratio])
    show(f"{number:,} files", ("time", "a file", "ratio"), rows)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
