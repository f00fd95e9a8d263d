# SPDX-License-Identifier: Apache-2.0
"""The table of what builders write for the same files."""

import pytest
from helpers import builder_comparison, image_runs
from helpers.counts import THOROUGH

pytestmark = [
    pytest.mark.timeout(2 * image_runs.BUILDING),
    pytest.mark.skipif(not THOROUGH, reason="builds builders from source; WINSCRATCH_THOROUGH=1 runs it"),
]


def test_the_comparison_of_builders_is_what_they_write() -> None:
    assert builder_comparison.document() == builder_comparison.DOCUMENT.read_text("utf-8")
