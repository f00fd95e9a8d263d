# SPDX-License-Identifier: Apache-2.0
"""Read the facts about layers on top from files.toml, check them, and hand them to the writers' templates.

A layer on top holds an image's files, above a base layer. The writers of such layers in every language are rendered
from these facts; docs/layer-format.md documents the resulting bytes.
"""

import base64
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from ..base import toml
from ..base.errors import GeneratorError
from . import files_checks
from .files_table import Facts

FACTS = Path(__file__).with_name("files.toml")
SHOWN = f"generator/oci/{FACTS.name}"


@cache
def facts() -> Facts:
    """Return the facts of this checkout; raise GeneratorError with the file and the problem."""
    return parse(FACTS.read_bytes(), SHOWN)


def parse(raw: bytes, shown: str) -> Facts:
    """Return the facts in a TOML document; *shown* is its path in errors."""
    try:
        found = msgspec.convert(toml.parse(raw, shown), Facts)
        files_checks.check(found)
    except (ValueError, KeyError, OverflowError) as error:
        raise GeneratorError(f"{shown}: {error}; hint: see the comments there") from error
    return found


def context() -> dict[str, Any]:
    """Return the variables of the writers' templates, which docs/add-a-language.md lists."""
    known = facts()
    # As in their PAX record: base64, padded.
    encoded = {name: [base64.b64encode(one).decode("ascii") for one in both] for name, both in known.compiled().items()}
    return {
        "facts": known,
        "kinds": known.kinds,
        "records": known.records,
        "roots": known.roots,
        "root": f"{known.users_root}/",
        "bits": known.attributes,
        "settable": known.attributes.settable,
        "mask": known.attributes.mask,
        "limits": known.limits,
        "names": known.names,
        "reasons": known.reasons(),
        "descriptors": encoded,
        "default": next(iter(encoded)),
        "default_date": known.default_date(),
    }
