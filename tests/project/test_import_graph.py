# SPDX-License-Identifier: Apache-2.0
"""Imports between files: no circles, and between rooms only downwards, lazy imports included."""

from helpers import import_graph


def test_files_do_not_import_each_other_in_a_circle() -> None:
    assert import_graph.circle(import_graph.files()) == []


def test_rooms_import_only_rooms_on_lower_floors() -> None:
    graph, floors = import_graph.files(), import_graph.layers()
    assert import_graph.upward(graph, floors) == []
    assert {room for room in import_graph.rooms() if room != "hivebuilder"} == {
        room for floor in floors for room in floor
    } - {"__main__"}


def test_circles_and_upward_imports_are_found() -> None:
    graph = {"base.a": {"base.b"}, "base.b": {"cli.c"}, "cli.c": {"base.a"}, "image.d": {"views.e"}}
    assert {*import_graph.circle(graph)} == {"base.a", "base.b", "cli.c"}
    assert import_graph.upward(graph, [["cli"], ["image", "views"], ["base"]]) == [
        "base.b -> cli.c",
        "image.d -> views.e",
    ]


def test_lazy_imports_are_seen() -> None:
    assert "cli.parser" in import_graph.files()["__main__"], "imported in a function"
