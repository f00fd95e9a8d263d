# SPDX-License-Identifier: Apache-2.0
"""A report as one HTML file: what it shows, its style and its scripts, and a policy that lets nothing else in.

The policy names the style and the script by their hashes, so that a browser runs nothing that came from a layer even if
a layer could have it written here. Whatever a layer holds is text to Jinja, which escapes it, and data to the script.
"""

import base64
import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from markupsafe import Markup

from ..base.errors import GeneratorError
from ..base.reading import read_file
from ..views.regions import GROUPS, Regions
from . import page_data
from .colours import INK, LOOKS, PAPER
from .difference_table import differences
from .render import render

SCRIPTS: Final = ("read.js", "map.js", "tree.js", "details.js", "search.js", "page.js")  # each knows those before it
STYLES: Final = ("page.css", "view.css", "media.css")
MOST_FINDINGS: Final = 100

Facts = tuple[tuple[str, str, bool], ...]  # each with its label, and whether it is there to be copied


@dataclass(frozen=True, slots=True)
class Subject:
    """What a report shows: its name, its regions, and facts about it.

    *damage* holds a line for each place from which on it could not be read.
    """

    name: str
    regions: Regions
    facts: Facts
    damage: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Revision:
    """The sizes in bytes of the layers' blobs at a revision, None where it has none of that name."""

    revision: str
    date: str
    sizes: tuple[int | None, ...]


@dataclass(frozen=True, slots=True)
class SizeHistory:
    """The revisions that changed blobs, the newest first, and the names of the layers."""

    names: tuple[str, ...]
    rows: tuple[Revision, ...]


def page(templates: Path, title: str, subjects: Sequence[Subject], history: SizeHistory | None = None) -> bytes:
    """Return the report of *subjects* as an HTML file, made of what is in the folder *templates*."""
    made = [page_data.subject(subject.name, subject.regions) for subject in subjects]
    tours = [page_data.tour(subject.regions) for subject in subjects]
    tour = next((i for i, steps in enumerate(tours) if steps), None)
    data = {
        "format": page_data.structures(),
        "subjects": made,
        "tour": None if tour is None else {"subject": tour, "steps": tours[tour]},
    }
    style = _colours() + "\n".join(_source(templates, name) for name in STYLES)
    script = "\n".join(_source(templates, name) for name in SCRIPTS)
    context = {
        "title": title,
        "policy": policy(style, script),
        "style": Markup(style),  # noqa: S704 - ours
        "script": Markup(script),  # noqa: S704 - ours
        "data": Markup(json_data(data)),  # noqa: S704 - holds no character of markup
        "looks": LOOKS,
        "views": [
            {
                "name": subject.name,
                "facts": subject.facts,
                "damage": subject.damage,
                "findings": view["findings"],
                "shares": _shares(subject.regions),
                "size": len(subject.regions.data),
            }
            for subject, view in zip(subjects, made, strict=True)
        ],
        "most_findings": MOST_FINDINGS,
        "tour": tour,
        "differences": differences([subject.regions for subject in subjects]),
        "history": history,
    }
    return render(templates, "page.html.jinja", context)


def json_data(data: object) -> str:
    """Return *data* as JSON in ASCII, in which nothing can end the element that it stands in."""
    text = json.dumps(data, separators=(",", ":"), ensure_ascii=True)
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def policy(style: str, script: str) -> str:
    """Return the content security policy that lets in this style and this script, and nothing else."""
    hashes = [base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode() for text in (style, script)]
    return (
        f"default-src 'none'; style-src 'sha256-{hashes[0]}'; script-src 'sha256-{hashes[1]}'; "
        "base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
    )


def _colours() -> str:
    lines = [f"body {{ color: light-dark({INK[0]}, {INK[1]}); background: light-dark({PAPER[0]}, {PAPER[1]}); }}"]
    lines += [f".g{i} {{ color: light-dark({look.light}, {look.dark}); }}" for i, look in enumerate(LOOKS.values())]
    return "\n".join(lines) + "\n"


def _shares(regions: Regions) -> list[tuple[str, int, int]]:
    """Return how many structures of each group there are, and how many bytes they have."""
    counts: Counter[str] = Counter()
    sizes: Counter[str] = Counter()
    for region in regions:
        counts[region.group] += 1
        sizes[region.group] += region.length
    return [(name, counts[name], sizes[name]) for name in GROUPS if counts[name]]


def _source(templates: Path, name: str) -> str:
    shown = f"templates/report/{name}"
    text = read_file(templates / "report" / name, shown).decode("utf-8").replace("\r\n", "\n")
    if "</" in text:
        raise GeneratorError(f"{shown}: holds '</', which would end its element in a report; write it otherwise")
    return text
