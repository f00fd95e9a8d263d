# SPDX-License-Identifier: Apache-2.0
"""The writers of layers on top: the same bytes and the same errors from every language, and from Go's archive/tar."""

import functools
import subprocess
from pathlib import Path

import pytest
from helpers import layer_vectors
from helpers.layer_vectors import AT_RANDOM, SEED, Case, Made, Refused, differences
from helpers.support import need
from languages.programs import USERS, WRITERS, Command, User, c

from generator.builder.wire import ROOT
from generator.oci import files

HEADERS = layer_vectors.headers()
LAYERS = layer_vectors.layers()

# Codes that no list of entries brings about: those of data, of what the layer is written to, and of the program's own.
ELSEWHERE = {"data", "output", "memory", "closed", "kind"}


@functools.cache
def random_cases() -> list[Case]:
    return layer_vectors.at_random(SEED, AT_RANDOM)


@functools.cache
def random_answers() -> list[Made]:
    return layer_vectors.by_python(random_cases())


def test_every_error_that_entries_can_bring_about_has_a_case() -> None:
    codes = {case["error"]["code"] for case in HEADERS + LAYERS if "error" in case}
    assert codes == set(files.facts().errors) - ELSEWHERE


def test_every_name_is_given_once() -> None:
    names = [case["name"] for case in HEADERS + LAYERS]
    assert len(set(names)) == len(names) >= 80


def test_the_random_cases_are_layers_and_errors_of_many_kinds() -> None:
    answers = random_answers()
    refused = [answer for answer in answers if isinstance(answer, Refused)]
    assert AT_RANDOM // 4 < len(refused) < AT_RANDOM * 3 // 4
    assert len({answer.code for answer in refused}) >= 12


@pytest.fixture(scope="module", params=WRITERS)
def asked(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[User, Command]:
    """Return a language, and the program in it that answers cases."""
    user = USERS[request.param]
    return user, user.files(tmp_path_factory.mktemp(request.param))


def test_every_language_makes_what_the_cases_say(asked: tuple[User, Command]) -> None:
    user, command = asked
    cases = [case for case in HEADERS + LAYERS if user.can_ask(case)]
    assert len(cases) >= 80
    assert differences(cases, layer_vectors.by_program(command, cases)) == []


def test_every_language_agrees_with_python_on_random_layers(asked: tuple[User, Command]) -> None:
    assert layer_vectors.by_program(asked[1], random_cases()) == random_answers()


# ---------------------------------------------------------------------------------------------
# Go

# archive/tar's headers have less information, so Prepare refuses less: a directory's name may end in a slash; sizes of
# directories and links are ignored; a name that begins with .wh. is a whiteout; headers have no creation time.
PREPARE_TAKES = {
    "a slash behind",
    "a slash alone",
    "a name that would be a whiteout",
    "one time of four too late",
    "a directory with data",
    "a hard link with data",
}


def test_gos_own_tar_writer_makes_the_same_headers(tmp_path: Path) -> None:
    cases = [case for case in HEADERS if USERS["go"].can_ask(case)]
    found = differences(cases, layer_vectors.by_program([*USERS["go"].files(tmp_path), "prepared"], cases))
    assert set(found) == PREPARE_TAKES


# ---------------------------------------------------------------------------------------------
# C

COMPILERS = {
    "gcc": ("gcc", ("-std=c99", *c.SANITIZED)),
    "clang": ("clang", ("-std=c99", "-Wconversion", "-O2")),
    "g++": ("g++", ("-std=c++17", "-x", "c++", *c.SANITIZED)),
    "clang++": ("clang++", ("-std=c++20", "-x", "c++")),
    "tcc": ("tcc", ("-std=c99",)),
}


@pytest.mark.parametrize("name", COMPILERS)
def test_c_makes_what_the_cases_say(name: str, tmp_path: Path) -> None:
    cases = [case for case in HEADERS + LAYERS if c.can_ask(case)]
    assert {case["name"] for case in HEADERS + LAYERS if not c.can_ask(case)} == {
        "a time too late",
        "one time of four too late",
        "the path's fault comes first",
        "time: the last time",
    }
    compiler, flags = COMPILERS[name]
    assert differences(cases, layer_vectors.by_program([c.files(compiler, tmp_path, *flags)], cases)) == []


@pytest.mark.parametrize(("words", "entry"), [(1, 0), (1 + 7, 1), (1 + 2 * 7, 1), (1 + 3 * 7, None)])
def test_c_says_when_its_memory_is_full(words: int, entry: int | None, tmp_path: Path) -> None:
    """A name of up to four bytes takes seven words; here are two directories and a file."""
    program = c.files("gcc", tmp_path, "-std=c99", f"-DWORDS={words}", *c.SANITIZED)
    case: Case = {"entries": [{"kind": "directory", "path": "a"}, {"kind": "file", "path": "a/b/c"}]}
    (made,) = layer_vectors.by_program([program], [case])
    assert made == (layer_vectors.by_python([case])[0] if entry is None else Refused("memory", entry))


def test_c_calls_nothing_that_allocates_memory(tmp_path: Path) -> None:
    built = tmp_path / "files.o"
    source = ROOT / "output/c/windows_files.c"
    subprocess.run([need("gcc"), "-std=c99", "-O0", "-c", source, "-o", built], check=True)
    said = subprocess.run([need("nm"), "-u", built], capture_output=True, text=True, check=True).stdout
    called = {line.split()[-1] for line in said.splitlines()}
    assert called <= {"memchr", "memcmp", "memcpy", "memset", "strchr", "strlen", "__stack_chk_fail"}
