# SPDX-License-Identifier: Apache-2.0
"""Hives that hivex makes, by the reader: what it does right, and what must not be asked of it."""

import base64
import json
import random
import subprocess
from pathlib import Path

import pytest
from helpers.counts import count
from helpers.hive_maker import STORE, Node, make, records
from helpers.support import lack

from generator.builder.native import DEBIAN_PYTHON
from generator.hives.model import (
    EMPTY_HIVE,
    REG_BINARY,
    REG_DWORD,
    REG_MULTI_SZ,
    REG_NONE,
    REG_QWORD,
    REG_SZ,
    Hive,
    Key,
    Value,
)
from generator.hives.reader import check_hive, read_hive

PROJECT = Path(__file__).parents[2]


def rules(data: bytes) -> list[str]:
    """Return the rules that a hive breaks, in the order found."""
    return [finding.rule for finding in check_hive(data)]


HIVEX = """
import base64, json, os, sys
import hivex
def change(base, steps):
    with open(os.memfd_create("hive"), "r+b") as file:
        file.write(base64.b64decode(base))
        file.flush()
        hive = hivex.Hivex(f"/proc/self/fd/{file.fileno()}", write=True)
        nodes = {(): hive.root()}
        for step, path, *values in steps:
            path = tuple(path)
            if step == "add":
                nodes[path] = hive.node_add_child(nodes[path[:-1]], path[-1])
            elif step == "delete":
                hive.node_delete_child(nodes.pop(path))
            else:
                hive.node_set_values(nodes[path], [
                    {"key": name, "t": kind, "value": base64.b64decode(data)} for name, kind, data in values])
        hive.commit(None)
        file.seek(0)
        return base64.b64encode(file.read()).decode()
request = json.load(sys.stdin)
json.dump([change(request["base"], steps) for steps in request["hives"]], sys.stdout)
"""


@pytest.fixture(scope="module")
def python_with_hivex() -> str:
    """Return Debian's Python, if it has hivex."""
    try:
        command = [DEBIAN_PYTHON, "-s", "-E", "-c", "import hivex; hivex.Hivex"]
        done = subprocess.run(command, check=False, capture_output=True)
    except OSError:
        lack(f"{DEBIAN_PYTHON} not found")
    if done.returncode:
        lack("python3-hivex not found")
    return DEBIAN_PYTHON


Step = tuple[object, ...]


def add(*path: str) -> Step:
    """Return the step that adds a key."""
    return "add", path


def values(path: tuple[str, ...], *values: Value) -> Step:
    """Return the step that sets the values of a key."""
    return "set", path, *((v.name, v.type, base64.b64encode(v.data).decode()) for v in values)


def by_hivex(python: str, *hives: list[Step]) -> list[bytes]:
    """Return the hives that hivex makes by taking steps from an empty one."""
    request = {"base": base64.b64encode(make(Node("root")).data).decode(), "hives": hives}
    command = [python, "-s", "-E", "-c", HIVEX]
    done = subprocess.run(command, input=json.dumps(request), capture_output=True, text=True, check=True)
    return [base64.b64decode(data) for data in json.loads(done.stdout)]


def steps_to(hive: Hive) -> list[Step]:
    """Return the steps to make *hive* in its own order."""
    steps = []
    for key in hive:
        if key.path:
            steps.append(add(*key.path))
        if key.values:
            steps.append(values(key.path, *key.values))
    return steps


NUMBERS = {REG_DWORD: 4, REG_QWORD: 8}  # types whose data has one size only, in bytes


def random_hive(seed: int) -> Hive:
    """Return a random hive within what hivex does right: names of ASCII, data of 16,344 bytes at most."""
    chance = random.Random(seed)  # noqa: S311
    letters = "abcXYZ019 _-.{}[]^`~!@/"
    keys: dict[tuple[str, ...], Key] = {(): EMPTY_HIVE[0]}
    for _ in range(chance.randrange(40)):
        parent = chance.choice(list(keys))
        name = "".join(chance.choices(letters, k=chance.choice((1, 3, 8, 255))))
        if not any(path[:-1] == parent and path[-1].upper() == name.upper() for path in keys if path):
            keys[*parent, name] = Key((*parent, name))
    hive = []
    for path in keys:
        names = {f"{chance.choice(('', 'é', 'Ω', 'Name '))}{i}".lower() for i in range(chance.randrange(4))}
        if chance.random() < 0.2:
            names.add("")
        kinds = (REG_NONE, REG_SZ, REG_BINARY, REG_DWORD, REG_MULTI_SZ, REG_QWORD, 0xFFFF)
        sizes = (0, 1, 2, 3, 4, 5, 8, 100, 4060, 4064, 16343, 16344)
        values = []
        for name in sorted(names):
            kind = chance.choice(kinds)
            values.append(Value(name, kind, chance.randbytes(NUMBERS.get(kind, chance.choice(sizes)))))
        hive.append(Key(path, tuple(values)))
    return tuple(hive)


def as_sets(hive: Hive) -> dict[tuple[str, ...], tuple[Value, ...]]:
    """Return the keys of a hive without their order."""
    found = {key.path: key.values for key in hive}
    assert len(found) == len(hive)
    return found


def test_random_hives_of_hivex_are_good_and_have_the_requested_content(python_with_hivex: str) -> None:
    hives = [random_hive(seed) for seed in range(count(20, 60))]
    for hive, data in zip(hives, by_hivex(python_with_hivex, *map(steps_to, hives)), strict=True):
        assert check_hive(data) == []
        assert as_sets(read_hive(data)) == as_sets(hive)


def test_hivex_sorts_keys_added_in_any_order(python_with_hivex: str) -> None:
    names = ["ab", "a_b", "Zz", "zZ1", "{1}", "[x", "^", "`", "A-", "b"]
    (data,) = by_hivex(python_with_hivex, [add(name) for name in names])
    assert [key.path[0] for key in read_hive(data) if key.path] == sorted(names, key=str.upper)


def test_hivex_leaves_no_cell_behind(python_with_hivex: str) -> None:
    long = Value("long", REG_BINARY, bytes(1000))
    rewritten, deleted = by_hivex(
        python_with_hivex,
        [add("a"), values(("a",), long, Value("b", REG_SZ, b"")), values(("a",), long), values((), long), values(())],
        [add("a"), add("a", "b"), values(("a", "b"), long), add("c"), ("delete", ("a",))],
    )
    assert read_hive(rewritten) == (Key(()), Key(("a",), (long,)))
    assert read_hive(deleted) == (Key(()), Key(("c",)))


# What hivex gets wrong, and what it lets pass: the builder must not ask it for these.
BEYOND_HIVEX: dict[str, tuple[list[Step], list[str]]] = {
    "data of 16,345 bytes, for which it makes no segments": (
        [values((), Value("", REG_BINARY, bytes(16345)))],
        ["big-signature"],
    ),
    "a key beyond ASCII, which it hashes by its bytes in UTF-8": ([add("é")], ["subkey-hash"]),
    "a key beyond Latin-1": ([add("Ω")], ["subkey-hash"]),
    "a key with a capital beyond ASCII, which it does not sort by": (
        [add("ÿ"), add("ā")],
        ["subkey-hash", "subkey-order", "subkey-hash"],
    ),
    "a key of 256 characters": ([add("x" * 256)], ["key-name-length"]),
    "a key with a backslash": ([add("a\\b")], ["key-name-backslash"]),
    "513 levels": ([add(*["k"] * level) for level in range(1, 513)], ["key-depth"]),
    "values that differ in case": (
        [values((), Value("a", REG_NONE, b""), Value("A", REG_NONE, b""))],
        ["value-duplicate"],
    ),
    "a value of 16,384 characters": ([values((), Value("x" * 16384, REG_NONE, b""))], ["value-name-length"]),
    "the last subkey deleted, whose list it leaves": ([add("a"), ("delete", ("a",))], ["list-nil"]),
}


@pytest.mark.parametrize("what", BEYOND_HIVEX)
def test_hives_that_hivex_writes_wrongly_are_refused(python_with_hivex: str, what: str) -> None:
    steps, expected = BEYOND_HIVEX[what]
    (data,) = by_hivex(python_with_hivex, steps)
    assert rules(data) == expected


def test_the_builder_s_hives_are_good(python_with_hivex: str) -> None:
    hives = {"empty": EMPTY_HIVE, "store": records(STORE), "random": random_hive(7)}
    request = {
        "format": 1,
        "hives": {
            name: {
                "keys": [
                    {
                        "path": key.path,
                        "values": [
                            {"name": v.name, "type": v.type, "data": base64.b64encode(v.data).decode()}
                            for v in key.values
                        ],
                    }
                    for key in hive
                ]
            }
            for name, hive in hives.items()
        },
    }
    command = [python_with_hivex, "-s", "-E", "-B", "-m", "hivebuilder"]
    done = subprocess.run(
        command, input=json.dumps(request), cwd=PROJECT / "generator", capture_output=True, text=True, check=True
    )
    for name, hive in json.loads(done.stdout)["hives"].items():
        data = base64.b64decode(hive["data"])
        assert check_hive(data) == []
        assert as_sets(read_hive(data)) == as_sets(hives[name])
