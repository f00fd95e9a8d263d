# SPDX-License-Identifier: Apache-2.0
"""Colours, pattern and explanation of each group of structures in the byte map.

Each colour has a contrast of at least 3 to 1 to its background, and all are distinguishable with any kind of colour
blindness; tests check both. No two groups share a pattern. A pattern is an SVG path in a cell of 8 by 8.
"""

from typing import Final, NamedTuple

INK: Final = ("#1b1f24", "#e8eaed")  # text, on light and on dark
PAPER: Final = ("#ffffff", "#14171a")
FADED: Final = 0.38  # opacity of a zero byte


class Look(NamedTuple):
    """A group's colours on light and on dark, its pattern, and the meaning of its bytes."""

    light: str
    dark: str
    pattern: str
    meaning: str


LOOKS: Final[dict[str, Look]] = {
    "tar header": Look("#585758", "#7a797a", "M1 1h6v2H1z", "name, kind and size of an entry of the tar"),
    "base block": Look("#4c3084", "#a2a6ff", "M1 1h2v6H1z", "the beginning of a hive: version, size, checksum"),
    "bin header": Look(
        "#7b3d95", "#cc94d5", "M1 1h6v1H2v5H1z", "the header of a bin, an area of 4,096 bytes or a multiple"
    ),
    "key": Look("#007cc3", "#2396f6", "M3 3h2v2H3z", "a key of the registry, which is like a folder"),
    "value": Look(
        "#58724c", "#43cea1", "M4 1l3 3-3 3-3-3z", "a value of a key: its name, its type, a pointer to its data"
    ),
    "list": Look("#a47815", "#efc22b", "M1 2h6v1H1zM1 5h6v1H1z", "pointers from a key to its subkeys or values"),
    "security": Look("#c539ab", "#fd7b70", "M3 1h2v2h2v2H5v2H3V5H1V3h2z", "access rights to keys"),
    "data": Look("#ab4f05", "#ff9957", "M1 1h2v2H1zM5 5h2v2H5z", "the data of a value"),
    "free": Look("#7d7d7d", "#8f8991", "M1 6l5-5h1v1l-5 5H1z", "unused space in a hive"),
    "padding": Look("#8e8f8f", "#9f9f9d", "M3 3h1v1H3z", "zeros up to the next multiple of 512, and at the end"),
    "content": Look("#007380", "#37dde3", "M2 1h1v6H2zM5 1h1v6H5z", "the content of a file other than a hive"),
    "unread": Look(
        "#af0301",
        "#f95c40",
        "M1 1h1l2 2 2-2h1v1L5 4l2 2v1H6L4 5 2 7H1V6l2-2-2-2z",
        "bytes after damage, which cannot be parsed",
    ),
}
