# SPDX-License-Identifier: Apache-2.0
"""JavaScript (ES2022 modules) and TypeScript: a module is one file, beside it another with its types."""

import re

from ..base.errors import GeneratorError
from .language import FUNCTIONS, Language, ModuleOptions, both_kinds


def _check(options: ModuleOptions) -> None:
    if not re.fullmatch(r"[A-Za-z0-9_+-][A-Za-z0-9_.+-]*", options.package):  # it stands in an import
        raise GeneratorError(
            f"{options.package}: not a plain file name; hint: end DEST in letters, digits, _ . + and -"
        )


LANGUAGE = Language(
    comment="//",
    modules=both_kinds("javascript/windows-{name}.js", "javascript/windows-{name}.d.ts"),
    shared=(("package.json.jinja", "javascript/package.json"),),
    takes={},
    follow="the file's name",
    api=FUNCTIONS,
    committed=lambda name: ModuleOptions(f"windows-{name}"),
    placed=lambda place: ModuleOptions(place.stem),
    check=_check,
    proof=lambda options: (
        f"""sed -n '/^const BLOB/,$s/.*"\\(.*\\)".*/\\1/p' {options.package}.js |""",
        "base64 -d | sha256sum",
    ),
    stem=lambda name, _: f"windows-{name}",
    alike=((".js", ".mjs"), (".d.ts", ".d.mts")),
)
