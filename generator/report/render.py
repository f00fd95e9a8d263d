# SPDX-License-Identifier: Apache-2.0
"""Render the templates of a report; all values are escaped."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from ..base.errors import shorten, visible
from ..languages import render as renderer

_MOST_TEXT: Final = 400  # characters of one text from a layer in the page itself


def render(templates: Path, name: str, context: Mapping[str, Any]) -> bytes:
    """Return the rendered template *name* of the directory *templates*; raise GeneratorError for a template's error."""
    return renderer.render(templates / "report", name, context, (plain,), escape=True).encode("utf-8")


def plain(text: object) -> str:
    """Return *text* as one line, cut if long, with invisible and bidirectional characters escaped."""
    return visible(shorten(str(text), _MOST_TEXT))
