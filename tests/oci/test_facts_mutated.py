# SPDX-License-Identifier: Apache-2.0
"""No fact about layers on top is written anywhere but in files.toml: change one, and every writer changes.

Each fact is changed alone. Either the table is refused, because it contradicts itself then, or the code of every
language's writer differs, comments apart.
"""

import copy
import re
import tomllib
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from helpers import fact_tables
from helpers.counts import count

from generator.builder.wire import ROOT
from generator.languages import render
from generator.languages.language import FILES
from generator.languages.table import LANGUAGES
from generator.oci import files, files_checks
from generator.oci.files_table import Facts

TABLE: dict[str, Any] = tomllib.loads(files.FACTS.read_text("utf-8"))
# Only documents state these: the sources of facts, and the version of the runs, which are in the table themselves.
DOCUMENTED = re.compile(r"records\.\w+\.source|folding\.unicode")
# Go returns the errors of an io.Writer as they are, and does not survive a lack of memory.
NEVER_IN_GO = {"errors.output", "errors.memory"}
Key = tuple[str | int, ...]


def scalars(value: Any, key: Key = ()) -> Iterator[tuple[Key, Any]]:
    """Yield the key and the value of each text and number in a table; of folding, a few runs stand for all."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from scalars(inner, (*key, name))
    elif isinstance(value, list):
        few = count(3, len(value)) if key == ("folding", "runs") else len(value)
        for number in range(0, len(value), max(1, len(value) // few)):
            yield from scalars(value[number], (*key, number))
    else:
        yield key, value


def others(value: Any) -> list[Any]:
    """Return other values than *value* of its type, of which some may be nonsense."""
    if isinstance(value, int):
        made: list[Any] = [value + 1, value - 1, value + 100, value - 1000, value * 2]
    else:
        made = [value + "x", value[:-1], value.swapcase(), value + value[:1]]
    return [other for other in made if other != value]


def changed(key: Key, value: Any) -> dict[str, Any]:
    """Return the table with *value* at *key*."""
    table = copy.deepcopy(TABLE)
    inside: Any = table
    for part in key[:-1]:
        inside = inside[part]
    inside[key[-1]] = value
    return table


def shuffled(name: str) -> dict[str, Any]:
    """Return the table with the last two rows of a part of it in the other order."""
    *path, last = name.split(".")
    table = copy.deepcopy(TABLE)
    inside: Any = table
    for part in path:
        inside = inside[part]
    rows = inside[last]
    if isinstance(rows, list):
        rows[-2:] = rows[:-3:-1]
    else:
        moved = list(rows)[-2]
        rows[moved] = rows.pop(moved)
    return table


def accepted(table: dict[str, Any]) -> Facts | None:
    """Return the facts of a table, or None if it is refused."""
    try:
        found = msgspec.convert(table, Facts)
        files_checks.check(found)
    except (ValueError, KeyError, OverflowError):
        return None
    return found


def code(language: str, text: str) -> str:
    """Return a module without its comments and documentation."""
    if language == "python":
        return re.sub(r'"""(?:[^"]|"(?!""))*"""|^\s*#.*$|  # .*$', "", text, flags=re.MULTILINE)
    return re.sub(r"/\*(?:[^*]|\*(?!/))*\*/|^\s*//.*$|\s// .*$", "", text, flags=re.MULTILINE)


def writers(facts: Facts, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Return the code of each language's writer, made from *facts*."""
    monkeypatch.setattr(files, "facts", lambda: facts)
    return {
        language: "".join(
            code(language, render.module(ROOT / "templates" / language, template, FILES, None, row.committed(FILES)))
            for template, _ in row.modules[FILES]
        )
        for language, row in LANGUAGES.items()
        if FILES in row.modules
    }


@pytest.fixture(scope="module")
def made() -> dict[str, str]:
    """Return the code of each language's writer as it is committed."""
    with pytest.MonkeyPatch.context() as patch:
        return writers(files.facts(), patch)


def same(table: dict[str, Any], made: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the languages whose writers are the same with another table, none if it is refused."""
    facts = accepted(table)
    if facts is None:
        return []
    found = writers(facts, monkeypatch)
    return [language for language, text in made.items() if found[language] == text]


SCALARS = {".".join(map(str, key)): (key, value) for key, value in scalars(TABLE)}
FACTS = {name: fact for name, fact in SCALARS.items() if not DOCUMENTED.fullmatch(name)}


@pytest.mark.parametrize("name", FACTS)
def test_a_changed_fact_changes_every_writer(name: str, made: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    key, value = FACTS[name]
    left = {language for other in others(value) for language in same(changed(key, other), made, monkeypatch)}
    assert left == ({"go"} if name in NEVER_IN_GO else set()), name


def documented(facts: Facts, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the tables that documents have of *facts*."""
    monkeypatch.setattr(fact_tables, "facts", lambda: facts)
    return str([list(rows()) for rows in fact_tables.TABLES.values()])


@pytest.mark.parametrize("name", [name for name in SCALARS if not name.startswith("folding.runs")])
def test_a_changed_fact_changes_the_documents(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    key, value = SCALARS[name]
    before = documented(files.facts(), monkeypatch)
    for other in [*others(value), *({"pax", "backuptar"} - {value})]:
        facts = accepted(changed(key, other))
        assert facts is None or documented(facts, monkeypatch) != before, f"{name}: {other!r}"


ORDERS = ("roots", "records", "attributes.settable", "kinds", "descriptors", "names.devices", "folding.runs")


@pytest.mark.parametrize("name", ORDERS)
def test_another_order_changes_every_writer(name: str, made: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert same(shuffled(name), made, monkeypatch) == []


# Facts that are changed together, so that the table stays one that is accepted.
TOGETHER: dict[str, dict[Key, Any]] = {
    "an attribute more": {("attributes", "settable", "compressed"): 2048},
    "an attribute less, which no kind has": {("attributes", "settable"): {"hidden": 2, "archive": 32}},
    "another bit of links": {
        ("attributes", "reparse_point"): 4096,
        ("kinds", "file-link", "attributes"): 4096,
        ("kinds", "directory-link", "attributes"): 4112,
    },
    "users below Hives": {("users_root",): "Hives", ("hives_root",): "Files"},
    "another root": {("roots",): ["Hives", "Data"], ("users_root",): "Data"},
    "a root more": {("roots",): ["Hives", "Files", "More"]},
    "a device more": {("names", "devices"): [*TABLE["names"]["devices"], "CLOCK$"]},
    "a descriptor more": {("descriptors", "open"): {"directory": "O:BAG:SY", "file": "O:BAG:SY"}},
    **{
        f"{name} under another key": {("records", name, "key"): key}
        for name, key in {
            "created": "AAA",
            "attributes": "MSWINDOWS.flags",
            "descriptor": "MSWINDOWS.sd",
            "accessed": "btime",
            "changed": "dtime",
            "link": "linktext",
            "modified": "ntime",
            "name": "place",
            "size": "tsize",
        }.items()
    },
    "a record that moves to the end": {
        ("records",): {
            **{name: record for name, record in TABLE["records"].items() if name != "created"},
            "created": {**TABLE["records"]["created"], "key": "time.created"},
        }
    },
}


@pytest.mark.parametrize("name", TOGETHER)
def test_facts_that_change_together_change_every_writer(
    name: str, made: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    table = copy.deepcopy(TABLE)
    for key, value in TOGETHER[name].items():
        inside: Any = table
        for part in key[:-1]:
            inside = inside[part]
        inside[key[-1]] = value
    assert accepted(table) is not None
    assert same(table, made, monkeypatch) == []
