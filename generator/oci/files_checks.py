# SPDX-License-Identifier: Apache-2.0
"""Check that the facts about layers on top do not contradict one another.

A fact that passes is one that the writers' templates can render: they know the names of kinds, records and errors, and
take everything else from the table. Each error is a ValueError that begins with the key.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from itertools import chain

import msgspec

from .files_table import Facts

# What the writers know by name: kinds with their types, and records with the one condition that their value allows.
TYPES = {"file": "0", "directory": "5", "file-link": "2", "directory-link": "2", "hard-link": "1", "whiteout": "0"}
CONDITIONS = {
    "created": "always",
    "attributes": "own",
    "descriptor": "given",
    "accessed": "always",
    "changed": "always",
    "link": "long",
    "modified": "inexact",
    "name": "long",
    "size": "large",
}
ERRORS = frozenset(
    """empty unicode part character ending device marker part-long path-long parts target target-empty target-character
    target-long target-missing kind attributes descriptor time size repeated case parent whiteout names data output
    memory closed""".split()  # noqa: SIM905 - words are easier read so
)
_NAME = re.compile(r"[A-Za-z0-9]{1,14}")  # of a root: one that every system takes, and that no rule for names refuses
_KEY = re.compile(r"[A-Za-z][A-Za-z0-9.]*")  # of a record: no character that ends it
_WORD = re.compile(r"[a-z]+(_[a-z]+)*")  # of an attribute: each language makes its own form of name from it
_REASON = re.compile(r"[a-z][ !#-\[\]-z|~]+")  # of an error: it stands in string literals as it is
_MOST = (1 << 63) - 1


def check(facts: Facts) -> None:
    """Raise ValueError with the key of the first fact that contradicts another, or that no writer can have."""
    parts = (_roots, _records, _attributes, _kinds, _limits, _folding, _names, _descriptors, _errors)
    for problem in chain.from_iterable(part(facts) for part in parts):
        raise ValueError(problem)


def _same(key: str, found: Mapping[str, object], wanted: Collection[str]) -> Iterator[str]:
    """Yield a problem unless *found* has the keys *wanted*: no writer knows another, or does without one."""
    for name in wanted:
        if name not in found:
            yield f"{key}.{name}: missing"
    for name in found:
        if name not in wanted:
            yield f"{key}.{name}: unknown to the writers"


def _roots(facts: Facts) -> Iterator[str]:
    if len(set(facts.roots)) != len(facts.roots) or not all(map(_NAME.fullmatch, facts.roots)):
        yield "roots: not different names of letters and digits"
    for key in ("users_root", "hives_root"):
        if getattr(facts, key) not in facts.roots:
            yield f"{key}: not one of roots"
    if facts.users_root == facts.hives_root:
        yield "hives_root: the same as users_root"
    if not re.fullmatch(r"\.[a-z]+\.", facts.whiteout):
        yield "whiteout: not letters between dots"


def _records(facts: Facts) -> Iterator[str]:
    yield from _same("records", facts.records, CONDITIONS)
    for name, record in facts.records.items():
        if record.when != CONDITIONS[name]:
            yield f"records.{name}.when: not {CONDITIONS[name]}, as this value demands"
        if not _KEY.fullmatch(record.key):
            yield f"records.{name}.key: not letters, digits and dots"
    keys = [record.key for record in facts.records.values()]
    for (name, record), least in zip(facts.records.items(), ["", *keys], strict=False):
        if record.key <= least:
            yield f"records.{name}.key: not in the order of the keys' bytes, or twice"


def _attributes(facts: Facts) -> Iterator[str]:
    bits = facts.attributes
    seen: dict[int, str] = {}
    fixed = {name: getattr(bits, name) for name in ("directory", "reparse_point", "normal")}
    for name, bit in {**fixed, **{f"settable.{name}": bit for name, bit in bits.settable.items()}}.items():
        if not 0 < bit < 1 << 32 or bit & (bit - 1):
            yield f"attributes.{name}: not one bit of 32"
        if bit in seen:
            yield f"attributes.{name}: the same bit as {seen[bit]}"
        seen[bit] = name
    for name in bits.settable:
        if not _WORD.fullmatch(name) or name in fixed:
            yield f"attributes.settable.{name}: not words of small letters with _ between, or a name that is taken"


def _kinds(facts: Facts) -> Iterator[str]:
    yield from _same("kinds", facts.kinds, TYPES)
    bits = facts.attributes
    for name, kind in facts.kinds.items():
        if kind.type != TYPES[name]:
            yield f"kinds.{name}.type: not {TYPES[name]}, which a tar has for it"
        if not 0 <= kind.mode <= 0o777:
            yield f"kinds.{name}.mode: not permissions of three octal digits"
        if name in {"hard-link", "whiteout"}:
            if (kind.attributes, kind.default) != (None, 0):
                yield f"kinds.{name}.attributes: such entries create no file of their own"
            continue
        always = bits.directory * name.startswith("directory") + bits.reparse_point * name.endswith("link")
        if kind.attributes != always:
            yield f"kinds.{name}.attributes: not {always}, the bits of attributes for this kind"
        if kind.default & ~bits.mask:
            yield f"kinds.{name}.default: not a sum of settable attributes"


def _limits(facts: Facts) -> Iterator[str]:
    limits = facts.limits
    for name, value in msgspec.structs.asdict(limits).items():
        if not (0 if name == "time_least" else 1) <= abs(value) <= _MOST or (value < 0 and name != "time_least"):
            yield f"limits.{name}: not from 1 to {_MOST}"
    inside = {"parts": limits.path, "part": limits.path, "directory": limits.part}
    for name, most in inside.items():
        if getattr(limits, name) > most:
            yield f"limits.{name}: above the limit of what it is in, {most}"
    if limits.path <= len(facts.users_root) + 1:
        yield "limits.path: no room for a path below users_root"
    if limits.descriptor < 20:
        yield "limits.descriptor: a security descriptor has at least 20 bytes"
    for name in ("time_least", "time_most", "default_time"):
        if getattr(limits, name) % limits.time_step:
            yield f"limits.{name}: not a multiple of time_step"
    if not limits.time_least <= limits.default_time <= limits.time_most:
        yield "limits.default_time: not between time_least and time_most"


def _names(facts: Facts) -> Iterator[str]:
    names = facts.names
    if not 0 < names.controls <= 32:
        yield "names.controls: not from 1 to 32"
    for key in ("characters", "target_characters", "endings"):
        text = getattr(names, key)
        if not text or len(set(text)) != len(text) or not all(" " <= one <= "~" for one in text) or "/" in text:
            yield f"names.{key}: not different printable ASCII characters other than /"
    if not {*names.target_characters} <= {*names.characters}:
        yield "names.target_characters: more than those of names.characters"
    capitals = facts.capitals()
    for device in names.devices:
        if not device or "." in device or device[-1] == " " or device != device.translate(capitals):
            yield f"names.devices: {device!r} is not a name in capitals without a dot"
    if len(set(names.devices)) != len(names.devices):
        yield "names.devices: a name is there twice"


def _descriptors(facts: Facts) -> Iterator[str]:
    for name, both in facts.descriptors.items():
        if not re.fullmatch(r"[a-z]+(-[a-z]+)*", name):
            yield f"descriptors.{name}: not words of small letters with - between"
        if bool(both.directory) != bool(both.file):
            yield f"descriptors.{name}: only one of two has a text"
    if not facts.descriptors:
        yield "descriptors: empty"
    for name, (directory, other) in facts.compiled().items():
        if max(len(directory), len(other)) > facts.limits.descriptor:
            yield f"descriptors.{name}: larger than limits.descriptor"


def _errors(facts: Facts) -> Iterator[str]:
    yield from _same("errors", facts.errors, ERRORS)
    for code, reason in facts.reasons().items():
        if not _REASON.fullmatch(reason):
            yield f"errors.{code}: not printable ASCII that needs no escapes, or not small at its start"


def _folding(facts: Facts) -> Iterator[str]:
    before = -1
    for number, (first, last, step, capital) in enumerate(facts.folding.runs):
        if not (before < first <= last and step in {1, 2} and (last - first) % step == 0):
            yield f"folding.runs[{number}]: not in order, or no step of 1 or 2 from the first to the last"
        end = capital + last - first
        if first <= 0xDFFF <= last or (last <= 0xDFFF and last >= 0xD800) or (capital <= 0xDFFF and end >= 0xD800):
            yield f"folding.runs[{number}]: holds a surrogate"
        if end > 0xFFFF:
            yield f"folding.runs[{number}]: leads beyond 16 bits"
        before = last
    capitals = facts.capitals()
    if set(capitals) & set(capitals.values()):
        yield "folding.runs: a capital has a capital"
