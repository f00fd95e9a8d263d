# SPDX-License-Identifier: Apache-2.0
"""The C modules in other people's programs: libarchive, a shared library, the examples."""

import tarfile
from pathlib import Path

import pytest
from helpers.committed_modules import LAYERS, OUTPUT, PROJECT, committed, dumped, run, write_layers_h
from helpers.support import lack, need

FLAGS = ("-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-I", str(OUTPUT / "c"))
COMPILERS = ("gcc", "clang")


@pytest.fixture
def libarchive() -> None:
    if not Path("/usr/include/archive.h").exists():
        lack("libarchive-dev not found")


def build(compiler: str, source: str, program: Path) -> Path:
    scratch = OUTPUT / "c/windows_scratch.c"
    run(need(compiler), *FLAGS, "-D_DEFAULT_SOURCE", PROJECT / source, scratch, "-larchive", "-o", program)
    return program


@pytest.mark.usefixtures("libarchive")
@pytest.mark.parametrize("compiler", COMPILERS)
def test_libarchive_writes_the_layer_and_reads_it_back(compiler: str, tmp_path: Path) -> None:
    program = build(compiler, "tests/languages/c/libarchive.c", tmp_path / "libarchive")
    said = run(program, tmp_path / "copy.tar")
    with tarfile.open(OUTPUT / "layers/scratch.tar.gz") as layer, tarfile.open(tmp_path / "copy.tar") as copy:
        assert copy.getnames() == layer.getnames()
        assert said == f"{len(layer.getnames())} entries\n"


@pytest.mark.parametrize("compiler", [*COMPILERS, "tcc"])
def test_a_shared_library_exports_the_layers(compiler: str, tmp_path: Path) -> None:
    library = tmp_path / "libwindows.so"
    run(need(compiler), *FLAGS, "-shared", "-fPIC", *sorted(OUTPUT.glob("c/*.c")), "-o", library)
    # Whatever made the library, any program can use it; gcc's is built as position-independent code.
    program = tmp_path / "dump"
    write_layers_h(tmp_path)
    run(need("gcc"), *FLAGS, "-I", tmp_path, "-fPIE", PROJECT / "tests/languages/c/dump.c", library, "-o", program)
    folder = tmp_path / "folder"
    folder.mkdir()
    run(program, folder, LD_LIBRARY_PATH=str(tmp_path))
    assert dumped(folder) == committed()


@pytest.mark.usefixtures("libarchive")
def test_the_example_writes_two_layers(tmp_path: Path) -> None:
    program = build("gcc", "examples/c/layers.c", tmp_path / "layers")
    run(program, cwd=tmp_path)
    assert (tmp_path / "base.tar.gz").read_bytes() == (OUTPUT / "layers/scratch.tar.gz").read_bytes()
    with tarfile.open(tmp_path / "application.tar.gz") as application:
        assert application.getnames() == ["Files", "Files/hello.txt", "Hives"]
    assert (tmp_path / "application.tar.gz").read_bytes()[4:8] == bytes(4), "gzip's header carries no time of the run"


@pytest.mark.usefixtures("libarchive")
def test_the_example_verifies_a_copy(tmp_path: Path) -> None:
    assert run(build("gcc", "examples/c/verify.c", tmp_path / "verify")) == "scratch: verified\n"


@pytest.mark.usefixtures("libarchive")
def test_the_example_finds_a_changed_copy(tmp_path: Path) -> None:
    text = (OUTPUT / "c/windows_scratch.c").read_text()
    changed = text.replace("'r', 'e', 'g', 'f'", "'r', 'e', 'g', 'F'", 1)
    assert changed != text
    (tmp_path / "windows_scratch.c").write_text(changed)
    program = tmp_path / "verify"
    sources = (PROJECT / "examples/c/verify.c", tmp_path / "windows_scratch.c")
    run(need("gcc"), *FLAGS, "-D_DEFAULT_SOURCE", *sources, "-larchive", "-o", program)
    assert run("sh", "-c", '"$0" 2>&1; test $? = 1', program) == "the layer was changed\n"


@pytest.mark.parametrize("layer", LAYERS)
def test_c_string_literals_stay_portable(layer: str) -> None:
    # C99 promises 4,095 characters; the payload is initialisers, so that even one is long enough to notice.
    literals = (OUTPUT / f"c/windows_{layer}.c").read_text().split('"')[1::2]
    assert max(map(len, literals), default=0) <= 4095
