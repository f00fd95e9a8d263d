# SPDX-License-Identifier: Apache-2.0
"""Tables of the facts about layers on top, for the documents."""

from collections.abc import Callable, Iterable

from generator.oci.files import facts

KINDS = {
    "file": "a file",
    "directory": "a directory",
    "file-link": "a symlink to a file",
    "directory-link": "a symlink to a directory",
    "hard-link": "one more name of a file",
    "whiteout": "removes a file or directory of the layers below",
}
VALUES = {
    "created": "time of creation",
    "attributes": "attributes, see below",
    "descriptor": "the security descriptor in base64, padded",
    "accessed": "time of access",
    "changed": "time of change",
    "link": "the link name",
    "modified": "time of modification",
    "name": "the name",
    "size": "size",
}
CONDITIONS = {
    "always": "always",
    "own": "if the kind has attributes",
    "given": "if there is one",
    "long": "if it has more than 100 bytes or non-ASCII characters",
    "inexact": "if it has a fraction of a second, or its seconds are below 0 or need more than 11 octal digits",
    "large": "if it needs more than 11 octal digits (from 8 GiB)",
}
SOURCES = {
    "backuptar": "go-winio `backuptar/tar.go`",
    "pax": 'POSIX, pax, "Extended Header Keyword"',
}


def roots_table() -> Iterable[list[str]]:
    """Yield the directories that every layer on top begins with."""
    uses = {facts().users_root: "the entries, as `C:\\`", facts().hives_root: "changes of the registry; empty"}
    yield ["directory", "for"]
    for root in facts().roots:
        yield [f"`{root}`", uses.get(root, "")]


def entries_table() -> Iterable[list[str]]:
    """Yield the kinds of entries for people, with the attributes that each has by default."""
    known = facts()
    names = known.attributes.names()
    yield ["kind", "is", "attributes by default"]
    for name, kind in known.kinds.items():
        bits = (kind.attributes or 0) | kind.default
        words = [word.replace("_", "-") for bit, word in names.items() if bits & bit]
        yield [f"`{name}`", KINDS[name], ", ".join(words)]


def kinds_table() -> Iterable[list[str]]:
    """Yield the kinds of entries that a layer on top can have."""
    yield ["kind", "type", "mode", "attributes", "by default also"]
    for name, kind in facts().kinds.items():
        own = kind.attributes is not None
        yield [
            f"`{name}`",
            f"`{kind.type}`",
            f"`{kind.mode:07o}`",
            str(kind.attributes) if own else "",
            str(kind.default) if own else "",
        ]


def attributes_table() -> Iterable[list[str]]:
    """Yield the attributes that an entry of a layer on top can be given."""
    yield ["attribute", "number"]
    for name, bit in facts().attributes.settable.items():
        yield [name.replace("_", "-"), str(bit)]
    yield ["none", str(facts().attributes.normal)]


def descriptors_table() -> Iterable[list[str]]:
    """Yield the security descriptors that have names."""
    yield ["name", "of directories", "of everything else"]
    for name, both in facts().descriptors.items():
        yield [f"`{name}`", *(f"`{text}`" if text else "none" for text in (both.directory, both.file))]


def errors_table() -> Iterable[list[str]]:
    """Yield the codes of the writers' errors."""
    yield ["code", "what it says"]
    for code, reason in facts().reasons().items():
        yield [f"`{code}`", reason]


def limits_table() -> Iterable[list[str]]:
    """Yield the largest that a layer on top can have."""
    limits, root = facts().limits, facts().users_root
    yield ["", "from", "to"]
    for what, least, most in (
        (f"UTF-16 units of `{root}/` and a path", len(root) + 2, limits.path),
        ("parts of a path", 1, limits.parts),
        ("UTF-16 units of a part", 1, limits.part),
        ("UTF-16 units of a directory's part", 1, limits.directory),
        ("UTF-16 units of a symbolic link's target", 1, limits.target),
        ("names of a file", 1, limits.names),
        ("bytes of a security descriptor", 20, limits.descriptor),
        ("bytes of a file", 0, limits.size),
        ("a time, in nanoseconds", limits.time_least, limits.time_most),
        ("its steps", limits.time_step, limits.time_step),
        (f"the default time, {facts().default_date()}", limits.default_time, limits.default_time),
    ):
        yield [what, f"{least:,}", f"{most:,}"]


def devices_table() -> Iterable[list[str]]:
    """Yield the names of devices, which no file can have."""
    yield ["devices"]
    yield [" ".join(f"`{name}`" for name in facts().names.devices)]


def records_table() -> Iterable[list[str]]:
    """Yield the PAX records of an entry in their order."""
    yield ["key", "value", "when", "source"]
    for name, record in facts().records.items():
        yield [f"`{record.key}`", VALUES[name], CONDITIONS[record.when], SOURCES[record.source]]


def names_table() -> Iterable[list[str]]:
    """Yield the characters that paths and targets cannot have."""
    names = facts().names
    controls = f"and below U+{names.controls:04X}"
    yield ["code", "refused"]
    yield ["`character`", f"{_shown(names.characters)} {controls}"]
    yield ["`target-character`", f"{_shown(names.target_characters)} {controls}"]
    yield ["`ending`", f"{_shown(names.endings)} at the end of a part"]
    yield ["`marker`", f"`{facts().whiteout}` at the beginning of a part"]


def folding_table() -> Iterable[list[str]]:
    """Yield the version of Unicode that capitals come from, and their number."""
    yield ["Unicode", "runs", "capitals"]
    yield [facts().folding.unicode, str(len(facts().folding.runs)), str(len(facts().capitals()))]


def _shown(characters: str) -> str:
    """Return characters as code in a table, where a bar ends a cell."""
    return " ".join("a space" if each == " " else f"`{each}`".replace("|", "\\|") for each in characters)


TABLES: dict[str, Callable[[], Iterable[list[str]]]] = {
    "roots": roots_table,
    "entries": entries_table,
    "kinds": kinds_table,
    "attributes": attributes_table,
    "descriptors": descriptors_table,
    "errors": errors_table,
    "limits": limits_table,
    "devices": devices_table,
    "records": records_table,
    "names": names_table,
    "folding": folding_table,
}
