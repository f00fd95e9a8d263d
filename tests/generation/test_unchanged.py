# SPDX-License-Identifier: Apache-2.0
"""The manifest's text, which the quick check writes by itself to do without a library of JSON."""

import json

from hypothesis import given
from hypothesis import strategies as st

from generator.generation import unchanged

HASHES = st.dictionaries(st.text(max_size=20), st.text(max_size=20), max_size=4)


@given(inputs=HASHES, outputs=HASHES, jinja2=st.text(max_size=10))
def test_the_manifest_is_json_whatever_files_are_called(
    inputs: dict[str, str], outputs: dict[str, str], jinja2: str
) -> None:
    told = {"format": unchanged.FORMAT, "inputs": inputs, "jinja2": jinja2, "outputs": outputs}
    made = unchanged.document(inputs, outputs, jinja2).decode()
    assert made == json.dumps(told, indent=1, sort_keys=True) + "\n"
