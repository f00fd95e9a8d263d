# SPDX-License-Identifier: Apache-2.0
"""The writers' calls mean the same in every language: closing twice, calls after an error, several faults at once."""

import itertools

import pytest
from helpers import layer_vectors
from helpers.layer_vectors import Case, Refused
from languages.programs import USERS, WRITERS, Command, User

END = bytes(1024)

FILE: Case = {"kind": "file", "path": "a/b", "size": "3"}
EMPTY: Case = {"kind": "file", "path": "empty"}
DIRECTORY: Case = {"kind": "directory", "path": "c"}
LINK: Case = {"kind": "file-link", "path": "d", "target": "a"}
HARD: Case = {"kind": "hard-link", "path": "e", "target": "a/b"}
REMOVED: Case = {"kind": "whiteout", "path": "f"}
AGAIN: Case = {"kind": "file", "path": "A/b"}
BROKEN: Case = {"kind": "file", "path": "x:y", "size": "5"}
CLOSE: Case = {"kind": "close"}

# Calls, and their results: `-` for success, else an error's code.
CALLS: dict[str, tuple[list[Case], str]] = {
    "closed at once": ([CLOSE], "-"),
    "closed": ([FILE, EMPTY, CLOSE], "- - -"),
    "closed twice": ([FILE, CLOSE, CLOSE], "- - -"),
    "closed three times, with nothing in it": ([CLOSE, CLOSE, CLOSE], "- - -"),
    "never closed": ([FILE, DIRECTORY, LINK, HARD, REMOVED], "- - - - -"),
    "entries after the end": (
        [FILE, CLOSE, EMPTY, DIRECTORY, LINK, HARD, REMOVED],
        "- - closed closed closed closed closed",
    ),
    "closed again after an entry after the end": ([FILE, CLOSE, DIRECTORY, CLOSE], "- - closed -"),
    "a broken entry after the end": ([FILE, CLOSE, BROKEN, CLOSE], "- - closed -"),
    "closed after an error": ([FILE, AGAIN, CLOSE, CLOSE], "- case case case"),
    "entries after an error": ([FILE, AGAIN, EMPTY, DIRECTORY, LINK, HARD, REMOVED, CLOSE], "- " + "case " * 7),
    "the first error stays": ([FILE, BROKEN, AGAIN, BROKEN, CLOSE], "- character character character character"),
    "an error at once": ([BROKEN, FILE, CLOSE], "character character character"),
}

# One fault each, in the order in which they are looked for; several make one directory that has them all.
FAULTS: dict[str, Case] = {
    "character": {"path": "x:y"},
    "target": {"target": "elsewhere"},
    "attributes": {"attributes": "16"},
    "descriptor": {"descriptor": "nobody"},
    "time": {"time": "-9223372036854775808"},
    "size": {"size": "1"},
}


def faulty(number: int) -> list[Case]:
    """Return an entry for each choice of *number* faults; the first one is to be reported."""
    made = []
    for codes in itertools.combinations(FAULTS, number):
        entry: Case = {"kind": "directory", "path": "g"}
        for code in codes:
            entry |= FAULTS[code]
        made.append({"name": codes[0], "entry": entry})
    return made


# An entry that conflicts with an earlier one, and has a fault of its own, which is to be reported.
CONFLICTS: list[Case] = [
    {"name": code, "entries": [FILE, entry | FAULTS[code]]}
    for code, entry in itertools.product(
        ("attributes", "descriptor", "time"),
        (FILE, AGAIN, {"kind": "directory", "path": "A"}, {"kind": "file", "path": "a/b/c"}),
    )
] + [
    {"name": "time", "entries": [FILE, {"kind": kind, "path": "h", "target": "missing"} | FAULTS["time"]]}
    for kind in ("hard-link",)
]


@pytest.fixture(scope="module", params=WRITERS)
def asked(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[User, Command]:
    """Return a language, and the program in it that answers cases."""
    user = USERS[request.param]
    return user, user.files(tmp_path_factory.mktemp(request.param))


def test_calls_come_to_the_same_in_every_language(asked: tuple[User, Command]) -> None:
    user, command = asked
    # Where closing consumes a writer, nothing can be called after it.
    cut = {
        name: calls.index(CLOSE) + 1 if user.consumes and CLOSE in calls else None for name, (calls, _) in CALLS.items()
    }
    cases: list[Case] = [{"calls": calls[: cut[name]]} for name, (calls, _) in CALLS.items()]
    for (name, (calls, results)), made in zip(CALLS.items(), layer_vectors.called(command, cases), strict=True):
        assert made.results == tuple(results.split())[: cut[name]], name
        done = [call for call, result in zip(calls, made.results, strict=False) if result == "-"]
        (whole,) = layer_vectors.by_python([{"entries": [call for call in done if call != CLOSE]}])
        assert isinstance(whole, bytes)
        nothing = [b""] if not done else []  # a writer may write the roots when it first writes
        assert made.data in [whole if CLOSE in done else whole.removesuffix(END), *nothing], name


@pytest.mark.parametrize("number", range(2, len(FAULTS) + 1))
def test_the_first_of_several_faults_is_reported(number: int, asked: tuple[User, Command]) -> None:
    cases = faulty(number)
    assert layer_vectors.by_program(asked[1], cases) == [Refused(case["name"]) for case in cases]


def test_an_entrys_own_fault_is_reported_before_a_conflict(asked: tuple[User, Command]) -> None:
    assert layer_vectors.by_program(asked[1], CONFLICTS) == [Refused(case["name"], 1) for case in CONFLICTS]


@pytest.mark.parametrize("times", [["0"] * 4, ["0", "1", "1", "1"], ["1", "0", "0", "0"], ["7", "0", "7", "0"]])
def test_zero_is_a_time_like_any_other(times: list[str], asked: tuple[User, Command]) -> None:
    stamps = [f"{int(time) * 100}" for time in times]
    entry: Case = FILE | {"time": stamps}
    cases: list[Case] = [{"entries": [entry]}, {"entries": [FILE], "time": stamps}, {"entry": entry}]
    assert layer_vectors.by_program(asked[1], cases) == layer_vectors.by_python(cases)
    (made,) = layer_vectors.by_python([{"entry": entry}])
    assert isinstance(made, bytes)
    shown = {"0": "0", "1": "0.0000001", "7": "0.0000007"}
    keys = ("mtime", "atime", "ctime", "LIBARCHIVE.creationtime")
    for key, time in zip(keys, times, strict=True):
        assert (f" {key}={shown[time]}\n".encode() in made) is (key != "mtime" or time != "0")
