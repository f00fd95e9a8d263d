# SPDX-License-Identifier: Apache-2.0
"""Report the states of copies as text, as JSON, and as workflow commands of GitHub Actions."""

import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence

from ..base.console import json_document, workflow_error
from ..base.home import PROGRAM
from .find import stem
from .state import EDITED, FRESH, MISSING, NEWER, NO_COPY, OUTDATED, UNCHECKED, UNKNOWN, UNLISTED, UNPAIRED, Copy

Is = Callable[[Copy], bool]
_UNLIST = f"or take it off the list: {PROGRAM} vendored --update --lock PATH"
# The fix for copies for which the predicate is true; PATH stands for the paths on the command line.
_FIXES: tuple[tuple[Is, str], ...] = (
    (
        lambda copy: copy.state in {OUTDATED, UNLISTED} or (copy.state == MISSING and copy.made_from is not None),
        f"to fix: {PROGRAM} vendored --update PATH",
    ),
    (
        lambda copy: copy.state == EDITED and may_be_forced(copy),
        f"to fix, and lose the edits: {PROGRAM} vendored --update --force PATH",
    ),
    (
        lambda copy: copy.state == UNPAIRED or (copy.state == EDITED and not may_be_forced(copy)),
        f"to fix, overwriting the file: {PROGRAM} vendor --force LANGUAGE LAYER FILE",
    ),
    (lambda copy: copy.state == MISSING and copy.made_from is None, _UNLIST),
    (lambda copy: copy.state == NO_COPY, "to fix: name only copies, and folders that hold some"),
    (lambda copy: copy.state == UNCHECKED, "to fix: make the file smaller, or have git ignore it"),
    (lambda copy: copy.state in {UNKNOWN, NEWER}, "to fix: use the winscratch that made the copy, or a later one"),
)


def report(copies: list[Copy], paths: Sequence[str], as_json: bool, environment: Mapping[str, str]) -> Iterator[str]:
    """Yield the report on *copies*, found by searching *paths*, line by line."""
    if as_json:
        keys = ("path", "layer", "language", "state", "detail")
        yield json_document([{key: getattr(copy, key) for key in keys} for copy in copies])
        return
    if not copies:
        yield "no copies found"
    for copy in copies:
        yield str(copy)
    stale = [copy for copy in copies if copy.state != FRESH]
    if environment.get("GITHUB_ACTIONS") == "true":
        for copy in stale:
            yield workflow_error(copy.path, str(copy))
    given = shlex.join(map(_argument, paths))
    for is_meant, fix in _FIXES:
        meant = [copy for copy in stale if is_meant(copy)]
        if meant and fix is _UNLIST:
            yield from _bring_back(meant)
        if meant:
            yield fix.replace("PATH", given)


def may_be_forced(copy: Copy) -> bool:
    """Return whether --force regenerates an edited copy."""
    return copy.made_from is not None and copy.renewable


def _bring_back(missing: list[Copy]) -> Iterator[str]:
    """Yield the commands that restore the *missing* copies: one for all files of a copy."""
    commands: dict[object, tuple[str, str, str]] = {}
    for copy in missing:
        words = (copy.language, copy.layer, _argument(copy.path))
        commands.setdefault((copy.language, copy.layer, copy.file.real.with_name(stem(copy.file.real.name))), words)
    for words in commands.values():
        yield f"to fix: {PROGRAM} vendor {shlex.join(words)}"


def _argument(path: str) -> str:
    """Return *path* in a form that no program parses as an option."""
    return f"./{path}" if path.startswith("-") else path
