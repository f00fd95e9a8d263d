# SPDX-License-Identifier: Apache-2.0
"""Name the keys and values of a BCD store as bcdedit does, for views of its hive."""

from ..hives.cells import Buffer
from ..hives.model import Value
from ..hives.reader import Node, read
from . import decoding


class Notes:
    """bcdedit's words for a hive's keys and values; empty strings unless the hive is a BCD store."""

    def __init__(self, data: Buffer) -> None:
        """Read the hive *data*, if it may be a BCD store."""
        store = None
        if len(data) <= decoding.MAX_STORE and data.find(b"Objects") >= 0:
            store = decoding.read_store(read(data, keys=True).hive)
        self._objects = {each.guid: each for each in store or ()}
        self._elements = {
            (each.guid, f"{element.number:08x}"): element
            for each in self._objects.values()
            for element in each.elements
        }
        self._default = decoding.default_object(self._objects.values())

    def of_key(self, node: Node) -> str:
        """Return the title and name of an object's key, the name of an element's, else an empty string."""
        one = self._object(node)
        if one is None:
            return ""
        if len(node.path) == 2:
            named = decoding.identifier(one.guid, self._default)
            return f"{one.title} {named}" if named != one.guid else one.title
        element = self._element(one, node)
        return element.shown if element else ""

    def of_value(self, node: Node, value: Value) -> str:
        """Return the name of an object's type, the value of an element as bcdedit prints it, else an empty string."""
        one = self._object(node)
        if one is None:
            return ""
        if len(node.path) == 3 and value.name.lower() == "type":
            return one.type_name
        element = self._element(one, node)
        if element is None or value.name.lower() != "element":
            return ""
        words = " ".join(decoding.value_lines(element, self._default))
        return "" if words == element.value else words

    def _object(self, node: Node) -> decoding.BcdObject | None:
        path = node.path
        if len(path) < 2 or path[0].lower() != "objects":
            return None
        return self._objects.get(path[1].lower())

    def _element(self, one: decoding.BcdObject, node: Node) -> decoding.Element | None:
        return self._elements.get((one.guid, node.path[3].lower())) if len(node.path) == 4 else None
