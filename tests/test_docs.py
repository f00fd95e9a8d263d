# SPDX-License-Identifier: Apache-2.0
"""Code in the documents is a file that is built and run: what stands in the text is that file, and nothing else.

``python3 tests/test_docs.py`` puts the files into the documents anew; ``--check`` names those that it would change.
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
_INCLUDE = re.compile(r"^<!-- file: (?P<path>\S+) -->\n```(?P<kind>\w*)\n.*?^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\((?!\w+:|#)([^)#]+)")


def documents() -> list[Path]:
    return [path for path in (*sorted(ROOT.glob("*.md")), *sorted(ROOT.glob("docs/**/*.md"))) if path.is_file()]


def with_files(text: str) -> str:
    """Return a document's *text* with each block below a ``<!-- file: path -->`` as that file is now."""

    def block(match: re.Match[str]) -> str:
        path, kind = match["path"], match["kind"]
        return f"<!-- file: {path} -->\n```{kind}\n{(ROOT / path).read_text('utf-8')}```"

    return _INCLUDE.sub(block, text)


def outdated() -> list[str]:
    """Return the names of the documents whose code is not what its file holds."""
    return [path.name for path in documents() if (text := path.read_text("utf-8")) != with_files(text)]


def test_code_in_the_documents_is_the_file_that_is_run() -> None:
    assert outdated() == [], "run ./invokew fix"
    for path in documents():
        text = path.read_text("utf-8")
        assert text.count("<!-- file:") == len(_INCLUDE.findall(text)), f"{path.name}: a file without its block"


def test_links_between_the_documents_lead_somewhere() -> None:
    for path in documents():
        for link in _LINK.findall(path.read_text("utf-8")):
            assert (path.parent / link).exists(), f"{path.name}: {link}"


if __name__ == "__main__":
    if sys.argv[1:] == ["--check"]:
        sys.exit("\n".join(outdated()) or None)
    for document in documents():
        document.write_text(with_files(document.read_text("utf-8")), "utf-8")
