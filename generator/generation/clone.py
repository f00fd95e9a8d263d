# SPDX-License-Identifier: Apache-2.0
"""Find files that a clone of this checkout would lack or have with other content.

A file edited after it was staged is not a finding. Staged content is compared only if the manifest is staged unchanged:
then all other files should be too.
"""

import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from ..base.console import Say
from ..base.errors import GeneratorError
from ..base.git import git
from ..base.reading import read_file
from . import git_index
from .manifest import IGNORED, OTHER, REMOVED, REWRITTEN, UNTRACKED, Finding, Record, Seen
from .unchanged import MANIFEST, TRACKED

_NOTE = "git failed, so files that a clone would lack are not reported"
_CONFIG = "[core]\n\trepositoryFormatVersion = 0\n"
_UNSET = ("unspecified", "unset")


def findings(root: Path, seen: Seen, record: Record, made: Iterable[str], note: Say) -> list[Finding]:
    """Return a finding for each file that a clone of *root* would lack or have otherwise; none without ``.git``.

    *made* are the paths of all outputs. A failure of git is noted once.
    """
    folder = git_index.git_folder(str(root))
    if folder is None:
        return []
    tracked = git_index.read(folder, TRACKED)
    if tracked is None:
        listed = git(root, "ls-files", "-s", "-z", "--", *TRACKED)
        tracked = None if listed is None else _parse(listed)
    if tracked is None:
        note(_NOTE)
        return []
    staged = _is_staged(root, seen, tracked)
    found = _differing(seen, record, tracked) if staged else {}
    ignored = _ignored_or_rewritten(root, folder, {*seen.ids, *made, MANIFEST}, tracked, staged=staged)
    if ignored is None:
        note(_NOTE)
    return [Finding(path, why) for path, why in sorted((found | (ignored or {})).items())]


def _parse(listed: str) -> dict[str, bytes]:
    """Parse the output of ``git ls-files -s -z`` to the result of git_index.read()."""
    tracked: dict[str, bytes] = {}
    for line in listed.split("\0")[:-1]:
        fields, _, path = line.partition("\t")
        mode, digest, stage = fields.split()
        tracked[path] = bytes.fromhex(digest) if mode.startswith("100") and stage == "0" else b""
    return tracked


def _is_staged(root: Path, seen: Seen, tracked: Mapping[str, bytes]) -> bool:
    """Return True if staged files should be fresh: the manifest is staged unchanged, or was left out."""
    if MANIFEST not in seen.ids:
        return False
    if MANIFEST not in tracked:
        return bool(tracked) or git(root, "rev-parse", "--verify", "--quiet", "HEAD") is not None
    return tracked[MANIFEST] in seen.ids[MANIFEST]


def _differing(seen: Seen, record: Record, tracked: Mapping[str, bytes]) -> dict[str, str]:
    """Return the files whose staged content differs or is missing, each with the reason."""
    recorded = {**record.inputs, **record.outputs}
    now = {**seen.inputs, **seen.outputs}
    found = {}
    for path in (MANIFEST, *(path for path in recorded if recorded[path] == now.get(path))):
        if path not in tracked:
            found[path] = UNTRACKED
        # In a repository with SHA-256, the names alone can be compared.
        elif tracked[path] not in seen.ids[path] and len(tracked[path]) != 32:
            found[path] = OTHER
    for path in tracked.keys() - seen.ids.keys() - recorded.keys() - {*git_index.ATTRIBUTES}:
        if "__pycache__" not in path.split("/"):
            found[path] = REMOVED
    return found


def _ignored_or_rewritten(
    root: Path, folder: str, paths: set[str], tracked: dict[str, bytes], *, staged: bool
) -> dict[str, str] | None:
    """Return those of *paths* that git ignores or rewrites, each with the reason; None if git fails."""
    found: dict[str, str] = {}
    if asked := sorted(paths - tracked.keys()):
        ignored = git(root, "check-ignore", "-z", "--stdin", stdin="\0".join(asked), good=(0, 1))
        if ignored is None:
            return None
        found = dict.fromkeys(ignored.split("\0")[:-1], IGNORED)
    answers: list[str | None] = []
    if not staged:  # the effect of git add; once staged, the digests show it
        answers.append(_attributes(root, sorted(paths)))
    if not git_index.keeps_content(str(root), tracked):
        answers.append(_attributes_of_clone(root, folder, sorted(paths)))
    for answer in answers:
        if answer is None:
            return None
        found = dict(_rewritten(root, answer)) | found
    return found


def _attributes(root: Path, paths: list[str], *options: str, own: Mapping[str, str] | None = None) -> str | None:
    command = ("check-attr", "-z", "--stdin", *options, *git_index.REWRITING)
    return git(root, *command, stdin="\0".join(paths), environment=own)


def _attributes_of_clone(root: Path, folder: str, paths: list[str]) -> str | None:
    """Return the attributes of *paths* in a clone, which only has the tracked .gitattributes files."""
    try:
        common = Path(folder, os.fsdecode(read_file(f"{folder}/commondir", "commondir")).strip())
    except GeneratorError:
        common = Path(folder)
    with tempfile.TemporaryDirectory(prefix="winscratch-") as name:
        for inner in ("objects", "refs"):
            Path(name, inner).mkdir()
        Path(name, "HEAD").write_text("ref: refs/heads/main\n")
        Path(name, "config").write_text(_CONFIG)
        environment = {
            "GIT_DIR": name,
            "GIT_WORK_TREE": str(root.absolute()),
            "GIT_INDEX_FILE": str(Path(folder, "index").absolute()),
            "GIT_OBJECT_DIRECTORY": str((common / "objects").absolute()),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_ATTR_NOSYSTEM": "1",
            "XDG_CONFIG_HOME": name,
        }
        return _attributes(root, paths, "--cached", own=environment)


def _rewritten(root: Path, answer: str) -> Iterator[tuple[str, str]]:
    """Yield the paths whose content git attributes change on checkout, each with the reason."""
    fields = answer.split("\0")[:-1]
    values: dict[str, dict[str, str]] = {}
    for path, name, value in zip(fields[::3], fields[1::3], fields[2::3], strict=True):
        values.setdefault(path, {})[name] = value
    for path, held in values.items():
        if name := _rewriting(root / path, held):
            yield path, f"{REWRITTEN} {name}={held[name]}"


def _rewriting(file: Path, held: Mapping[str, str]) -> str:
    """Return the attribute through which git rewrites *file*, other than its line ends, or ""."""
    if held["filter"] not in {*_UNSET, "set", ""}:
        return "filter"
    if held["working-tree-encoding"].upper() not in {"UNSPECIFIED", "UTF-8", "UTF8"}:
        return "working-tree-encoding"
    if held["ident"] == "set" and file.is_file() and b"$Id" in read_file(file, str(file)):
        return "ident"
    name = "text" if held["text"] != "unspecified" else "crlf"
    if file.suffix == ".gz" and held["eol"] != "lf":
        if held[name] == "set":
            return name
        if held[name] == "unspecified" and held["eol"] == "crlf":
            return "eol"
    return ""
