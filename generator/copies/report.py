# SPDX-License-Identifier: Apache-2.0
"""What is said of copies: to a person, to a machine, and in the workflow commands of GitHub's runner."""

import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence

from ..console import json_document, workflow_error
from .state import EDITED, FRESH, MISSING, NEWER, OUTDATED, UNKNOWN, UNLISTED, UNPAIRED, Copy

Is = Callable[[Copy], bool]
# What to do about copies of which the first is true; PATH stands for the paths that were given.
_FIXES: tuple[tuple[Is, str], ...] = (
    (
        lambda copy: copy.state in {OUTDATED, UNLISTED} or (copy.state == MISSING and copy.made_from is not None),
        "to fix: winscratch vendored --update PATH",
    ),
    (
        lambda copy: copy.state == EDITED and copy.made_from is not None,
        "to fix, and lose the edits: winscratch vendored --update --force PATH",
    ),
    (
        lambda copy: copy.state == UNPAIRED or (copy.state == EDITED and copy.made_from is None),
        "to fix, and lose what is there: winscratch vendor --force LANGUAGE LAYER FILE",
    ),
    (
        lambda copy: copy.state == MISSING and copy.made_from is None,
        "to fix: bring back what is missing, or take it off the list: winscratch vendored --update --lock PATH",
    ),
    (lambda copy: copy.state in {UNKNOWN, NEWER}, "to fix: use the winscratch that made the copy, or a later one"),
)


def report(copies: list[Copy], paths: Sequence[str], as_json: bool, environment: Mapping[str, str]) -> Iterator[str]:
    """Yield the lines that tell of *copies*, which were found by *paths*."""
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
    given = shlex.join(f"./{path}" if path.startswith("-") else path for path in paths)
    for is_meant, fix in _FIXES:
        if any(map(is_meant, stale)):
            yield (fix.replace("PATH", given))
