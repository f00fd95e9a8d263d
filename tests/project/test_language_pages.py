# SPDX-License-Identifier: Apache-2.0
"""Each language with a writer has a page, and what the page names is in the language's modules and examples."""

import re

import pytest
from helpers import language_pages
from languages.programs import USERS, WRITERS

from generator.languages.language import API, FILES, LAYER
from generator.languages.table import LANGUAGES

ROOT = language_pages.ROOT
# What writers' tables name besides: of the standard library, and what reads better spelled out.
ELSEWHERE = {"System", "IO", "DirFS", "FileAttributes", "Blob", "ReadableStream", "Uint8Array", "Read", "NANOSECONDS"}


def committed(language: str, kind: str) -> str:
    """Return the text of the committed modules of a kind."""
    files = LANGUAGES[language].modules[kind]
    names = {"name": FILES, "Name": FILES.capitalize()} if kind == FILES else {"name": "scratch", "Name": "Scratch"}
    return "".join((ROOT / "output" / path.format(**names)).read_text("utf-8") for _, path in files)


def test_every_language_with_a_writer_has_a_page_and_no_other() -> None:
    pages = {path.stem for path in language_pages.PAGES.glob("*.md")}
    assert pages == set(WRITERS) == {path.stem for path in language_pages.pages()}
    assert set(language_pages.WORDS) == set(API)


@pytest.mark.parametrize("language", WRITERS)
def test_a_page_names_what_the_modules_have(language: str) -> None:
    page = (language_pages.PAGES / f"{language}.md").read_text("utf-8")
    layer, writer = re.split(r"^## ", page, flags=re.MULTILINE)[2:4]
    for section, kind in ((layer, LAYER), (writer, FILES)):
        rows = re.findall(r"^\| .+? \| (.+) \|$", section, re.MULTILINE)
        code = " ".join(re.findall(r"`([^`]+)`", " ".join(rows)))
        names = set(re.findall(r"\b[A-Z]\w+|\b\w+(?=\()", code)) - ELSEWHERE
        assert len(names) >= 5
        text = committed(language, kind)
        assert {name for name in names if not re.search(rf"\b{name}\b", text)} == set()


@pytest.mark.parametrize("language", WRITERS)
def test_a_page_shows_the_example_that_the_tests_run(language: str) -> None:
    page = (language_pages.PAGES / f"{language}.md").read_text("utf-8")
    assert f"[{USERS[language].source}]" in page
    (shown,) = re.findall(r"^The part that makes the image:\n\n```\w+\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    assert 10 <= len(shown.splitlines()) <= 40
    source = (ROOT / USERS[language].source).read_text("utf-8")
    assert re.sub(r"\s+", " ", shown) in re.sub(r"\s+", " ", source)
    assert page.count("good image") == 1
