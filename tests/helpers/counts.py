# SPDX-License-Identifier: Apache-2.0
"""How many random cases a test runs: few by default, many in a thorough run."""

import os

THOROUGH = os.environ.get("WINSCRATCH_THOROUGH") == "1"  # set by ``./invokew test --thorough``


def count(small: int, large: int) -> int:
    """Return *large* in a thorough run, else *small*."""
    return large if THOROUGH else small
