# SPDX-License-Identifier: Apache-2.0
"""Writers find a name among hundreds: known or new, in any case, in nested directories, and as a hard link's target."""

import functools
import random

import pytest
from helpers import layer_vectors
from helpers.counts import count
from helpers.layer_vectors import Case, Made, Refused
from languages.programs import USERS, WRITERS, Command

from generator.oci import files

SEED = 2026
NUMBER = 300  # entries of a layer
# Few characters, so that names share beginnings: letters of two cases, one, or none, in one to four bytes.
CHARACTERS = "aAbB01_éÉßσςΣ€ꙁꙀ𐐨𐐀"
CAPITALS = files.facts().capitals()


def folded(path: str) -> str:
    """Return a path in capitals; no character outside of 16 bits has one."""
    return "".join(chr(CAPITALS.get(ord(character), ord(character))) for character in path)


def layer(chance: random.Random) -> Case:
    """Return a layer of many names without a conflict, and a last entry that may have one."""
    known: dict[str, str] = {"": ""}  # directories, by their path in capitals
    taken = {""}
    entries: list[Case] = []
    plain: list[str] = []  # files
    while len(entries) < NUMBER:
        name = "".join(chance.choices(CHARACTERS, k=chance.randint(1, 6)))
        path = chance.choice(list(known.values())) + name
        if folded(path) in taken:
            continue
        taken.add(folded(path))
        kind = chance.choice(("directory", "file", "file", "hard-link")) if plain else "file"
        entries.append({"kind": kind, "path": path} | ({"target": chance.choice(plain)} if kind == "hard-link" else {}))
        if kind == "directory":
            known[folded(path)] = path + "/"
        else:
            plain.append(path)
    path = chance.choice(entries)["path"]
    last: list[Case] = [
        {"kind": "file", "path": path},
        {"kind": "file", "path": path.swapcase()},
        {"kind": "file", "path": path + "/x"},
        {"kind": "whiteout", "path": path},
        {"kind": "hard-link", "path": "new", "target": path},
        {"kind": "hard-link", "path": "new", "target": path.swapcase()},
        {"kind": "hard-link", "path": "new", "target": path + "/" + path},
    ]
    return {"entries": [*entries, chance.choice(last)]}


@pytest.fixture(scope="module", params=WRITERS)
def asked(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Command:
    """Return the program that answers cases in a language."""
    return USERS[request.param].files(tmp_path_factory.mktemp(request.param))


@functools.cache
def cases() -> list[Case]:
    chance = random.Random(SEED)  # noqa: S311 - the same cases for everybody
    return [layer(chance) for _ in range(count(20, 400))]


@functools.cache
def expected() -> list[Made]:
    return layer_vectors.by_python(cases())


def test_only_the_last_entry_conflicts() -> None:
    made = expected()
    assert {each.entry for each in made if isinstance(each, Refused)} == {NUMBER}
    codes = {each.code for each in made if isinstance(each, Refused)}
    assert codes == {"case", "repeated", "parent", "whiteout", "target-missing"}
    assert any(not isinstance(each, Refused) for each in made)


def test_every_language_finds_names_as_python_does(asked: Command) -> None:
    assert layer_vectors.by_program(asked, cases()) == expected()
