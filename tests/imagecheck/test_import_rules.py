# SPDX-License-Identifier: Apache-2.0
"""check-image agrees with the table of Windows' import rules, and the table with the source that it names."""

import re
from pathlib import Path

import pytest
from helpers.image_checks import found
from helpers.import_rules import ROWS, folder_of
from helpers.import_sources import GO, SOURCES, Source
from helpers.import_table import Row
from helpers.layouts import Layout

from generator.imagecheck.rules import RULES


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.oddity.replace(" ", "-"))
def test_check_image_agrees_with_the_importers(row: Row, tmp_path: Path) -> None:
    assert found(Layout(tmp_path, row.layers())).keys() == set(row.rules)


def test_each_row_of_the_table_is_unique_and_each_source_used() -> None:
    oddities = [row.oddity for row in ROWS]
    assert len(oddities) == len(set(oddities)) > 150
    assert {row.source for row in ROWS} == SOURCES.keys()
    assert {rule for row in ROWS for rule in row.rules} <= RULES.keys()


@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
def test_a_source_has_the_words_on_the_line(source: Source) -> None:
    lines = (folder_of(source.module) / source.file).read_text("utf-8").splitlines()
    at = [number for number, line in enumerate(lines, 1) if squeezed(source.words) in squeezed(line)]
    if source.module == GO:  # of whatever version is here, where lines move
        assert at
    else:
        assert source.line in at


def squeezed(text: str) -> str:
    return re.sub(r"\s+", " ", text)
