# SPDX-License-Identifier: Apache-2.0
"""Make a report as one HTML file with its data, style and scripts, and a content security policy.

The policy allows the style and the script by their hashes, so a browser runs nothing that comes from a layer, even if
it were injected into the page. Content of layers is text to Jinja, which escapes it, and data to the script.
"""

import base64
import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from markupsafe import Markup

from ..base.errors import GeneratorError
from ..base.reading import read_file
from ..views.regions import GROUPS, Regions
from . import page_data
from .colours import INK, LOOKS, PAPER
from .difference_table import differences
from .render import render

SCRIPTS: Final = ("read.js", "map.js", "tree.js", "details.js", "search.js", "page.js")  # each uses those before it
STYLES: Final = ("page.css", "view.css", "media.css")
MOST_FINDINGS: Final = 100

Facts = tuple[tuple[str, str, bool], ...]  # label, text, and whether it has a copy button


class Subject(NamedTuple):
    """A layer or hive in a report: its name, its regions, and facts about it; *damage* has a line per damage."""

    name: str
    regions: Regions
    facts: Facts
    damage: tuple[str, ...] = ()


class SizeHistory(NamedTuple):
    """The names of the layers, and the revisions that changed blobs, newest first.

    A row has the revision, its date, and the size in bytes of each layer's blob, None if it does not have the layer.
    """

    names: Sequence[str]
    rows: Sequence[tuple[str, str, Sequence[int | None]]]


def page(templates: Path, title: str, subjects: Sequence[Subject], history: SizeHistory | None = None) -> bytes:
    """Return the report of *subjects* as HTML, rendered from the directory *templates*."""
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
        "data": Markup(json_data(data)),  # noqa: S704 - contains no markup characters
        "looks": LOOKS,
        "used": {region.group for subject in subjects for region in subject.regions},
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
        "first": tour or 0,  # the view that is open at first
        "differences": differences([subject.regions for subject in subjects]),
        "history": history,
    }
    return render(templates, "page.html.jinja", context)


def json_data(data: object) -> str:
    """Return *data* as ASCII JSON without characters that could end its script element."""
    text = json.dumps(data, separators=(",", ":"), ensure_ascii=True)
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def policy(style: str, script: str) -> str:
    """Return the content security policy that allows only this style and this script."""
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
    """Return name, number of structures and number of bytes of each group."""
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
        raise GeneratorError(f"{shown}: contains '</', which would end its element in a report")
    return text
