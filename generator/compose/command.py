# SPDX-License-Identifier: Apache-2.0
"""The commands `rebase`, `outdated` and `index`: references by digest, and verdicts, on standard output."""

import sys
from collections.abc import Sequence
from typing import Any

from ..base import console
from ..base.console import Say, json_document
from ..base.errors import EXIT_OK, EXIT_STALE, GeneratorError
from ..image.options import pairs
from ..image.places import Hooks
from ..image.progress import shown
from . import index as indexing
from . import outdated as judging
from . import rebase as moving
from .index import IndexOptions
from .rebase import RebaseOptions


def rebase(options: dict[str, Any], *, say: Say = console.say, note: Say = console.note) -> int:
    """Move an image to another base, and print its references by digest; return 0."""
    others = {key: value for key, value in options.items() if key != "from"}
    moving.rebase(RebaseOptions(old=options["from"] or "", **others), _hooks("rebase", say, note))
    return EXIT_OK


def index(options: dict[str, Any], *, say: Say = console.say, note: Say = console.note) -> int:
    """Make an index of images, and print its references by digest; return 0."""
    annotation = pairs("annotation", options["annotation"])
    indexing.index(IndexOptions(**options | {"annotation": annotation}), _hooks("index", say, note))
    return EXIT_OK


def outdated(
    names: Sequence[str], as_json: bool, plain: Sequence[str], *, say: Say = console.say, note: Say = console.note
) -> int:
    """Print whether there is a newer base for each image; return 1 if there is one for any, else 0.

    All names are judged even if some cannot be. Their errors go to *note*, except the last one, which is raised as
    GeneratorError at the end.
    """
    if not names:
        raise GeneratorError("outdated: an image is required; hint: winscratch outdated docker://REF")
    verdicts: list[judging.Verdict] = []
    errors: list[GeneratorError] = []
    for name in names:
        try:
            for verdict in judging.outdated(name, plain):
                verdicts.append(verdict)
                if not as_json:
                    say(str(verdict))
        except GeneratorError as error:
            errors.append(error)
    if as_json:
        say(json_document([each._asdict() for each in verdicts]))
    for each in errors[:-1]:
        note(f"error: {each}")
    if errors:
        raise errors[-1]
    return EXIT_OK if all(each.fresh for each in verdicts) else EXIT_STALE


def _hooks(command: str, say: Say, note: Say) -> Hooks:
    if sys.stdout is None:
        raise GeneratorError(f"{command}: standard output is closed; hint: open it for the image's reference")
    return Hooks(note, shown, say)
