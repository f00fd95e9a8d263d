# SPDX-License-Identifier: Apache-2.0
"""What people pin by: the digests that CHANGELOG lists are those of the committed layers, and each change is listed."""

import gzip
import hashlib
import re
from typing import NamedTuple

from tooling import PROJECT

from generator import VERSION

TEXT = (PROJECT / "CHANGELOG.md").read_text("utf-8")
HEADING = re.compile(r"^## \[(.+?)\](?: - (\d{4}-\d\d-\d\d))?$", re.MULTILINE)
ROW = re.compile(r"^\| `(\w+)` \| (digest|diff ID) \| (?:`(\S+)`)? ?\| (?:`(\S+)`)? ?\|$", re.MULTILINE)
KINDS = {"Layers", "Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


class Listed(NamedTuple):
    """One row: what a digest was, empty for a new layer, and what it became, empty for one that is gone."""

    version: str
    old: str
    new: str


def sections() -> list[tuple[str, str]]:
    """Return each version and the text of its section, newest first."""
    _, *parts = re.split(r"^## \[(.+?)\].*$", TEXT, flags=re.MULTILINE)
    return list(zip(parts[::2], parts[1::2], strict=True))


def history() -> dict[tuple[str, str], list[Listed]]:
    """Return what each layer's digest and diff ID were, oldest first."""
    found: dict[tuple[str, str], list[Listed]] = {}
    for version, text in reversed(sections()):
        for layer, what, old, new in ROW.findall(text):
            found.setdefault((layer, what), []).append(Listed(version, old, new))
    return found


def committed() -> dict[tuple[str, str], str]:
    found = {}
    for path in sorted((PROJECT / "output/layers").iterdir()):
        blob = path.read_bytes()
        for what, data in (("digest", blob), ("diff ID", gzip.decompress(blob))):
            found[path.name.removesuffix(".tar.gz"), what] = f"sha256:{hashlib.sha256(data).hexdigest()}"
    return found


def test_the_committed_layers_are_those_that_the_changelog_lists_last() -> None:
    assert {key: rows[-1].new for key, rows in history().items() if rows[-1].new} == committed()


def test_each_change_of_a_digest_starts_from_what_it_was() -> None:
    for key, rows in history().items():
        assert [row.old for row in rows] == ["", *(row.new for row in rows[:-1])], key
        assert all(row.old != row.new for row in rows), key


def test_a_digest_changes_only_with_a_minor_version() -> None:
    for rows in history().values():
        for row in rows:
            assert row.version == "Unreleased" or re.fullmatch(r"\d+\.\d+\.0", row.version), row


def test_the_form_is_that_of_keep_a_changelog() -> None:
    versions = HEADING.findall(TEXT)
    assert [version for version, _ in versions] == re.findall(r"^## \[?([\w.]+)", TEXT, re.MULTILINE)
    assert all(date or version == "Unreleased" for version, date in versions)
    numbered = [tuple(map(int, version.split("."))) for version, _ in versions if version != "Unreleased"]
    assert numbered == sorted(numbered, reverse=True)
    assert VERSION in {version for version, _ in versions}
    assert {*re.findall(r"^### (.+)$", TEXT, re.MULTILINE)} <= KINDS
    listed = [digest for row in ROW.findall(TEXT) for digest in row[2:] if digest]
    assert len(listed) == TEXT.count("`sha256:"), "a row that the tests do not read"
