# SPDX-License-Identifier: Apache-2.0
"""All languages' modules carry the same bytes: those of the committed blobs, and what they unpack to."""

import base64
import functools
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from helpers import layer_vectors
from helpers.committed_modules import LAYERS, OPENED, OUTPUT, PROJECT, committed, dumped, run
from helpers.counts import slow
from helpers.support import lack
from languages.programs import USERS, c, python

from generator.languages import table
from generator.languages.language import LAYER
from generator.languages.table import LANGUAGES
from generator.oci.blob import read_blob

PYTHON_FLOOR = (3, 8)
MAX_MODULE = 80 * 1024  # bytes


@functools.cache
def interpreters() -> dict[str, Path]:
    """Return every CPython from the floor on that this machine has, by its version."""
    folders = [Path(folder) for folder in os.environ.get("PATH", "").split(os.pathsep)]
    candidates = [path for folder in folders for path in sorted(folder.glob("python3*")) if path.name != "python3"]
    candidates.append(Path("/usr/bin/python3"))
    roots = [os.environ.get("PYENV_ROOT"), str(Path.home() / ".pyenv")]
    for root in filter(None, roots):
        candidates += Path(root).glob("versions/*/bin/python")
    found: dict[str, Path] = {}
    known: set[Path] = set()
    ask = "import platform, sys; print(platform.python_implementation(), platform.python_version(), sys.executable)"
    for candidate in candidates:
        # Skip names such as python3.11-config, and shims without an interpreter.
        if candidate.name.endswith("config") or not os.access(candidate, os.X_OK) or candidate.resolve() in known:
            continue
        known.add(candidate.resolve())
        done = subprocess.run([candidate, "-I", "-c", ask], capture_output=True, text=True, check=False)
        implementation, version, path = (*done.stdout.strip().split(" ", 2), "", "", "")[:3]
        number = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
        if done.returncode == 0 and implementation == "CPython" and number >= PYTHON_FLOOR:
            same_place = found.get(version)
            found.setdefault(version if same_place in {None, Path(path)} else f"{version} ({path})", Path(path))
    return dict(sorted(found.items()))


def test_two_pythons_at_least_are_here() -> None:
    if len(interpreters()) < 2:
        lack(f"no CPython found besides {', '.join(interpreters())}")


@pytest.mark.parametrize("version", interpreters())
def test_every_python_reads_the_layers(version: str, tmp_path: Path) -> None:
    python.dump(interpreters()[version], tmp_path)
    assert dumped(tmp_path) == committed()


@pytest.mark.parametrize("version", interpreters())
def test_every_python_writes_the_same_layers_on_top(version: str) -> None:
    cases = layer_vectors.headers() + layer_vectors.layers()
    made = layer_vectors.by_program(python.files(interpreters()[version]), cases)
    assert [layer_vectors.summary(one) for one in made] == [layer_vectors.expected(case) for case in cases]


@pytest.mark.parametrize("language", USERS)
def test_every_language_reads_the_layers(language: str, tmp_path: Path) -> None:
    folder = tmp_path / "dump"
    folder.mkdir()
    USERS[language].dump(tmp_path, folder)
    opened = {path.name for path in folder.glob(f"*{OPENED}")}
    expected = {f"{name}.tar{ending}{OPENED}" for name in LAYERS for ending in ("", ".gz")}
    assert opened == (expected if "open" in LANGUAGES[language].api else set())
    assert dumped(folder) == committed()


DUMP = """import sys
from pathlib import Path
from _pytest.outcomes import Skipped
from languages.programs import USERS
try:
    USERS[sys.argv[1]].dump(*map(Path, sys.argv[2:]))
except Skipped as reason:
    print(reason)
    sys.exit(77)
"""


@pytest.mark.parametrize("language", [slow(n, "starts Java often") if n == "java" else n for n in LANGUAGES])
def test_verify_refuses_a_damaged_copy(language: str, tree: Path) -> None:
    """The program that reads the layers verifies them first; in a copy of the checkout, one layer is damaged."""
    for name in ("tests", "examples"):
        shutil.copytree(
            PROJECT / name, tree / name, ignore=shutil.ignore_patterns("__pycache__", "node_modules", "target")
        )

    def is_good() -> bool:
        folder = Path(tempfile.mkdtemp(dir=tree))
        folder.joinpath("dump").mkdir()
        environment = os.environ | {"PYTHONPATH": f"{tree}:{tree / 'tests'}"}
        command: list[str | Path] = [sys.executable, "-c", DUMP, language, folder, folder / "dump"]
        done = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, check=False)
        if done.returncode == 77:
            lack(done.stdout.strip())
        assert done.returncode in {0, 1}, done.stderr
        return done.returncode == 0

    assert is_good()
    files = [file.path for file in table.committed(["scratch"]) if (file.language, file.kind) == (language, LAYER)]
    texts = {tree / "output" / path: (tree / "output" / path).read_text("utf-8") for path in files}
    for damage, (right, wrong) in damages("".join(texts.values())).items():
        for path, text in texts.items():
            path.write_text(text.replace(right, wrong), "utf-8", newline="\n")
        assert not is_good(), damage
        for path, text in texts.items():
            path.write_text(text, "utf-8", newline="\n")


def damages(text: str) -> dict[str, tuple[str, str]]:
    """Return what damages a module with that *text*, and still is source code: each of its digests, and its data."""
    blob = read_blob((OUTPUT / "layers/scratch.tar.gz").read_bytes(), "scratch")
    found = {"diff ID": blob.diff_id, "digest": blob.digest}
    made = {name: (digest, digest[:-1] + ("1" if digest[-1] == "0" else "0")) for name, digest in found.items()}
    lines = re.findall(r"[A-Za-z0-9+/]{40,}", text)
    encoded = [line for line in lines if line in base64.b64encode(blob.compressed).decode()]
    word = next((word for word in ("SYSTEM", "'S', 'Y', 'S', 'T', 'E', 'M'") if word in text), "")
    if word and not encoded:
        return made | {"data": (word, word.replace("M", "N"))}
    line = encoded[len(encoded) // 2]
    return made | {"data": (line, line[:20] + ("B" if line[20] == "A" else "A") + line[21:])}


STANDARDS = {
    "gcc": ("c99", "c11", "c2x"),
    "clang": ("c99", "c11", "c2x"),
    "g++": ("c++17", "c++20"),
    "clang++": ("c++17", "c++20"),
    "tcc": ("c99", "c11"),
    "x86_64-w64-mingw32-gcc": ("c99", "c11", "c2x"),
}


@pytest.mark.parametrize(
    ("compiler", "standard"), [(compiler, standard) for compiler, names in STANDARDS.items() for standard in names]
)
def test_every_c_compiler_reads_the_layers(compiler: str, standard: str, tmp_path: Path) -> None:
    program = c.dump(compiler, tmp_path, f"-std={standard}", *(["-x", "c++"] if "++" in compiler else []))
    if "mingw32" in compiler:
        assert program.read_bytes()[:2] == b"MZ"  # it runs on Windows only
        return
    folder = tmp_path / "dump"
    folder.mkdir()
    run(program, folder)
    assert dumped(folder) == committed()


@pytest.mark.parametrize("layer", LAYERS)
def test_modules_are_small_enough_to_review(layer: str) -> None:
    sizes = {file.path: (OUTPUT / file.path).stat().st_size for file in table.committed([layer]) if file.kind}
    assert max(sizes.values()) < MAX_MODULE, sizes


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_line_of_a_head_is_longer_than_80_columns(language: str) -> None:
    """Formatters break longer comments: clang-format finds such a module badly formatted."""
    row = LANGUAGES[language]
    for name in ("scratch", "files"):
        for _, path in row.modules[row.kind(name)]:
            module = OUTPUT / path.format(name=name, Name=name.capitalize())
            head = module.read_text("utf-8").partition("winscratch:{")[0] if module.exists() else ""
            assert [line for line in head.split("\n") if len(line) > 80] == [], path


@pytest.mark.parametrize("language", [slow("java", "starts a slow formatter"), "python"])
def test_the_languages_formatter_finds_nothing_to_change_in_writers(language: str) -> None:
    row = LANGUAGES[language]
    ((_, path),) = row.modules["files"]
    program, *arguments = USERS[language].formatter
    writer = OUTPUT / path.format(name="files", Name="Files")
    assert run(*USERS[language].program(program), *arguments, writer) == ""
