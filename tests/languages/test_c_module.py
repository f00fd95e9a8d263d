# SPDX-License-Identifier: Apache-2.0
"""The C modules by themselves: warnings of compilers and clang-tidy, MSVC's view, and names chosen to be slow."""

import functools
import itertools
import json
import re
import subprocess
import tarfile
from collections.abc import Iterable
from pathlib import Path

import pytest
from helpers.committed_modules import OUTPUT, PROJECT, run
from helpers.counts import thorough
from helpers.support import need

SOURCES = sorted(OUTPUT.glob("c/*.c"))
LANGUAGES = {"c": ("-x", "c", "-std=c99"), "c++": ("-x", "c++", "-std=c++17")}
WARNINGS = ("-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Wcast-qual", "-Werror")
ONLY_C = ("-Wc++-compat", "-Wmissing-prototypes", "-Wstrict-prototypes")
TIDY = "-*,bugprone-*,cert-*,misc-*"
HEADERS = PROJECT / "tests/languages/c/msvc"
MSVC = ("--target=x86_64-pc-windows-msvc", "-ffreestanding", "-isystem", str(HEADERS), "-Weverything", "-Werror")
# Taste: C++98 is old, structures have padding, C's casts and NULL are not C++'s, and one layer has fewer zeros.
MSVC_ALLOWS = (
    "c++98-compat",
    "c++98-compat-pedantic",
    "declaration-after-statement",
    "old-style-cast",
    "padded",
    "unsafe-buffer-usage",
    "unused-macros",
    "zero-as-null-pointer-constant",
)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_no_compiler_warns(compiler: str, language: str, tmp_path: Path) -> None:
    words = (*LANGUAGES[language], *WARNINGS, *(ONLY_C if language == "c" else ()))
    for source in SOURCES:
        run(need(compiler), *words, "-O2", "-c", source, "-o", tmp_path / "module.o")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_all_modules_compile_as_one_unit(compiler: str, language: str, tmp_path: Path) -> None:
    unit = tmp_path / "unit.c"
    unit.write_text("".join(f'#include "{source}"\n' for source in SOURCES))
    run(need(compiler), *LANGUAGES[language], *WARNINGS, "-c", unit, "-o", tmp_path / "unit.o")


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_all_names_of_a_file_have_a_prefix(source: Path, tmp_path: Path) -> None:
    """So that no name meets one of the project, or of a header such as <windows.h>, which has ERROR."""
    words = (need("clang"), *LANGUAGES["c"])
    tree = json.loads(run(*words, "-fsyntax-only", "-Xclang", "-ast-dump=json", source))
    own = [one for one in tree["inner"] if one.get("loc") and "includedFrom" not in one["loc"]]
    enumerators = (inner for one in own if one["kind"] == "EnumDecl" for inner in one["inner"])
    names = {one["name"] for one in (*own, *enumerators) if "name" in one}
    standard = tmp_path / "standard.c"
    standard.write_text("#include <stddef.h>\n#include <stdint.h>\n#include <string.h>\n")
    macros, known = (set(run(*words, "-dM", "-E", file).splitlines()) for file in (source, standard))
    names |= {line.split()[1] for line in macros - known}
    assert f"{source.stem}_{'add' if source.stem == 'windows_files' else 'verify'}" in names
    prefixes = f"{source.stem}_", f"{source.stem.upper()}_", "wf_", "WF_"
    assert {name for name in names if not name.startswith(prefixes)} == set()


@pytest.mark.parametrize("level", ["-O0", "-Os", "-O2"])
def test_a_call_needs_less_than_4_kib_of_stack(level: str, tmp_path: Path) -> None:
    words = (level, "-fcallgraph-info=su", "-c", OUTPUT / "c/windows_files.c", "-o", tmp_path / "files.o")
    run(need("gcc"), *LANGUAGES["c"], *words)
    graph = (tmp_path / "files.ci").read_text("utf-8")
    own = {name: int(size) for name, size in re.findall(r'title: "([^"]+)" label: "[^"]*?(\d+) bytes', graph)}
    calls = re.findall(r'sourcename: "([^"]+)" targetname: "([^"]+)"', graph)

    @functools.cache
    def most(function: str) -> int:
        """Return the bytes of a function's frame and of the deepest calls below it; a recursion is an error."""
        return own.get(function, 0) + max((most(below) for above, below in calls if above == function), default=0)

    assert 1024 < most("windows_files_add") == max(map(most, own)) < 4096


@thorough("analyses what compilers accept")
@pytest.mark.parametrize("language", LANGUAGES)
def test_clang_tidy_finds_nothing(language: str) -> None:
    words = (f"--checks={TIDY}", "--warnings-as-errors=*", "--quiet")
    run(need("clang-tidy"), *words, *SOURCES, "--", *LANGUAGES[language])


@thorough("analyses what compilers accept")
@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_clangs_analyzer_finds_nothing(source: Path, tmp_path: Path) -> None:
    words = ("--analyze", "-Xclang", "-analyzer-werror", *LANGUAGES["c"])
    run(need("clang"), *words, source, "-o", tmp_path / "report.plist")


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
@pytest.mark.parametrize("language", LANGUAGES)
def test_cpp_for_msvc_links_the_modules(language: str, source: Path, tmp_path: Path) -> None:
    """MSVC's C++ gives a variable without extern "C" another symbol than C does."""
    compiler = (need("clang"), *MSVC, *(f"-Wno-{name}" for name in MSVC_ALLOWS), "-Wno-unknown-warning-option")
    run(*compiler, *LANGUAGES[language], "-c", source, "-o", tmp_path / "module.obj")
    defined = symbols(tmp_path / "module.obj", "--defined-only", "--extern-only")
    assert {name for name in defined if name.startswith(f"{source.stem}_")} == defined != set()
    uses = ", ".join(f"(const void *)&{name}" for name in sorted(defined))
    user = tmp_path / "user.cpp"
    used = "const void *const used[]"
    user.write_text(f'#include "{source.stem}.h"\nextern {used};\n{used} = {{{uses}}};\n')
    run(*compiler, "-std=c++17", "-I", OUTPUT / "c", "-c", user, "-o", tmp_path / "user.obj")
    assert symbols(tmp_path / "user.obj", "--undefined-only") == defined


@pytest.mark.parametrize(("compiler", "language"), [("gcc", "c"), ("g++", "c++")])
def test_the_example_in_the_header_writes_a_layer(compiler: str, language: str, tmp_path: Path) -> None:
    header = (OUTPUT / "c/windows_files.h").read_text()
    example = re.findall(r"^//  (.*)\n", header[header.index("// To write a layer, ") :], re.MULTILINE)
    function, body = "\n".join(example[:3]), "\n".join(example[3:])
    before = "static uint32_t names[100000];\n"
    given = "FILE *file = stdout;\nconst char data[] = {'M', 'Z'};\nconst size_t size = sizeof data;\n"
    source = tmp_path / "user.c"
    source.write_text(
        f'#include "windows_files.h"\n#include <stdio.h>\n{before}static {function.strip()}\n'
        f"int main(void) {{\n{given}{body}\nreturn 0;\n}}\n"
    )
    words = (*LANGUAGES[language], *WARNINGS, "-I", OUTPUT / "c", source, OUTPUT / "c/windows_files.c")
    run(need(compiler), *words, "-o", tmp_path / "user")
    with (tmp_path / "user.tar").open("wb") as made:
        subprocess.run([tmp_path / "user"], stdout=made, check=True)
    with tarfile.open(tmp_path / "user.tar") as layer:
        assert layer.getnames() == ["Hives", "Files", "Files/app", "Files/app/hello.exe"]
        program = layer.extractfile("Files/app/hello.exe")
        assert program is not None
        assert program.read() == b"MZ"


def symbols(built: Path, *words: str) -> set[str]:
    """Return the symbols of an object file for Windows."""
    lines = run(need("x86_64-w64-mingw32-nm"), *words, built).splitlines()
    names = {line.split()[-1] for line in lines if line} - {"@feat.00", "_fltused"}
    return {name for name in names if not name.startswith("??_C@")}  # of texts


# ---------------------------------------------------------------------------------------------
# Names chosen to slow the writer down

NUMBER = 1 << 15
# Of each pair, both have the same FNV-1a hash behind those before, in 32 bits and in capitals.
PAIRS = (
    "lzorfs/zbymeq zzuqni/vauupt qzvmlb/csbajs hyxzxo/zldpfx hixkvy/tgnryu ahuzti/dpjuoq yfaszw/aexcub ngmjbw/efjfll "
    "eevhew/sihgfu dxbqez/zdvgta ywnrda/tiqrkd bpwlvw/vhujng yjlalj/tiecje jqogvn/uecyul foyegs/beovrg"
)
PAIRED = [tuple(pair.split("/")) for pair in PAIRS.split()]
PLAIN = [f"{number:090}" for number in range(NUMBER)]
CHOSEN = ["".join(parts) for parts in itertools.product(*PAIRED)]
# Names that share as much as they can with many others that end at each character.
DEEP = ["a" * size + "b" for size in range(200)] + ["a" * 200 + f"{number:05}" for number in range(NUMBER - 200)]
FLOODS = {"colliding": CHOSEN, "nested": DEEP, "falling": PLAIN[::-1]}


def fnv(text: str, state: int = 2166136261 * 16777619 % 2**32) -> int:
    """Return the hash of a text, from the state behind what came before."""
    return functools.reduce(lambda hashed, byte: (hashed ^ byte) * 16777619 % 2**32, text.upper().encode(), state)


@pytest.fixture(scope="module")
def flooded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the program that counts what the writer does, in basic blocks."""
    folder = tmp_path_factory.mktemp("flood")
    module = folder / "module.o"
    words = ("-std=c99", "-O1", "-fsanitize-coverage=trace-pc", "-c", OUTPUT / "c/windows_files.c", "-o", module)
    run(need("gcc"), *words)
    source = PROJECT / "tests/languages/c/flood.c"
    run(need("gcc"), "-std=c99", "-I", OUTPUT / "c", source, module, "-o", folder / "flood")
    return folder / "flood"


def steps(program: Path, names: Iterable[str]) -> int:
    """Return how many basic blocks the writer runs for files of these names."""
    done = subprocess.run([program], input="\n".join(names) + "\n", capture_output=True, text=True, check=True)
    return int(done.stdout)


def test_the_chosen_names_collide() -> None:
    assert len({fnv(name) for name in CHOSEN[:: NUMBER // 64]}) == 1
    assert len(set(CHOSEN)) == len(set(DEEP)) == NUMBER


@pytest.mark.parametrize("flood", FLOODS)
def test_a_name_costs_the_same_whatever_names_came_before(flood: str, flooded: Path) -> None:
    names = FLOODS[flood]
    few, many = steps(flooded, names[: NUMBER // 8]), steps(flooded, names)
    assert many < 8 * 1.25 * few, "8 times the names"
    assert many < 2.5 * steps(flooded, PLAIN), "than names of the same number and about the same size"
