# SPDX-License-Identifier: Apache-2.0
"""The table of what builders write for the same files."""

import pytest
from helpers import builder_comparison, image_runs
from helpers.counts import thorough

pytestmark = [
    pytest.mark.timeout(2 * image_runs.BUILDING),
    thorough("builds builders from source"),
]


def test_the_comparison_of_builders_is_what_they_write() -> None:
    assert builder_comparison.document() == builder_comparison.DOCUMENT.read_text("utf-8")
