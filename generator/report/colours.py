# SPDX-License-Identifier: Apache-2.0
"""What the byte map tells apart: groups of structures, each with its colours, its pattern and a sentence for newcomers.

The colours were searched for: each stands out from its background by 3 to 1, and no two are alike to people who lack
any one of the three kinds of cones. No two groups share a pattern, so that none has to be told by colour. A pattern is
a path, in the syntax of SVG, in a cell of 8 by 8.
"""

from typing import Final, NamedTuple

INK: Final = ("#1b1f24", "#e8eaed")  # text, on light and on dark
PAPER: Final = ("#ffffff", "#14171a")
FADED: Final = 0.38  # how much of the colour is left where a byte is zero


class Look(NamedTuple):
    """How a group looks on light and on dark, its pattern, and what its bytes are."""

    light: str
    dark: str
    pattern: str
    meaning: str


LOOKS: Final[dict[str, Look]] = {
    "tar header": Look("#585758", "#7a797a", "M1 1h6v2H1z", "name, kind and size of an entry of the tar"),
    "base block": Look("#4c3084", "#a2a6ff", "M1 1h2v6H1z", "what a hive begins with: version, size, checksum"),
    "bin header": Look("#7b3d95", "#cc94d5", "M1 1h6v1H2v5H1z", "the head of a bin, a room of a hive of 4,096 bytes"),
    "key": Look("#007cc3", "#2396f6", "M3 3h2v2H3z", "a key of the registry, which is like a folder"),
    "value": Look("#58724c", "#43cea1", "M4 1l3 3-3 3-3-3z", "a value of a key: its name, its type, where its data is"),
    "list": Look("#a47815", "#efc22b", "M1 2h6v1H1zM1 5h6v1H1z", "what leads from a key to its subkeys or values"),
    "security": Look("#c539ab", "#fd7b70", "M3 1h2v2h2v2H5v2H3V5H1V3h2z", "who may do what with keys"),
    "data": Look("#ab4f05", "#ff9957", "M1 1h2v2H1zM5 5h2v2H5z", "the data of a value"),
    "free": Look("#7d7d7d", "#8f8991", "M1 6l5-5h1v1l-5 5H1z", "room in a hive that nothing uses"),
    "padding": Look("#8e8f8f", "#9f9f9d", "M3 3h1v1H3z", "zeros up to the next multiple of 512, and at the end"),
    "content": Look("#007380", "#37dde3", "M2 1h1v6H2zM5 1h1v6H5z", "the content of a file that is no hive"),
    "unread": Look(
        "#af0301",
        "#f95c40",
        "M1 1h1l2 2 2-2h1v1L5 4l2 2v1H6L4 5 2 7H1V6l2-2-2-2z",
        "what lies behind damage and cannot be told",
    ),
}
