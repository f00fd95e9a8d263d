# SPDX-License-Identifier: Apache-2.0
"""The committed report in a browser: pointer, keyboard, touch, search, tour, print and colour schemes."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import pytest
from helpers.browser import COMMITTED, details, until, visit
from helpers.counts import thorough
from helpers.support import wait_until

from generator.builder.wire import ROOT
from generator.views.regions import Regions

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser, Page

pytestmark = thorough("runs a browser")
TAR = gzip.decompress((ROOT / "output/layers/scratch.tar.gz").read_bytes())
MOVES = """() => new PerformanceObserver(list => {
    for (const each of list.getEntries()) if (!each.hadRecentInput) window.moved = (window.moved ?? 0) + each.value;
}).observe({type: 'layout-shift', buffered: true})"""
DRAWN = "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"  # two frames
HEIGHTS = """[...document.querySelectorAll('.map')].map(map => [
    [...map.querySelectorAll('.slice')].reduce((sum, slice) => sum + parseInt(slice.style.height), 0),
    parseInt(map.querySelector('.room').style.height),
])"""


def test_hover_names_a_byte_and_click_lists_its_fields(shown: Page) -> None:
    canvas = shown.locator("canvas").first
    here = shown.locator(".here").first
    shown.locator(".map").first.press("Control+Home")
    opened = details(shown)
    canvas.hover(position={"x": 64, "y": 80})
    assert here.inner_text().startswith("byte 0x")
    assert details(shown) == opened
    canvas.hover(position={"x": 64, "y": 4})
    assert here.inner_text() == "byte 0x0, tar header, name: UtilityVM, UtilityVM"
    canvas.click(position={"x": 64, "y": 4})
    found = details(shown)
    assert (found[""], found["name"], found["mode"], found["magic"]) == ("tar header", "UtilityVM", "0000755", "ustar")
    assert shown.locator(".tree").first.locator("[aria-current]").inner_text() == "UtilityVM"
    chosen = shown.locator(".details").first.locator(".chosen th button")
    assert chosen.inner_text() == "name"


@pytest.mark.parametrize(("width", "height"), [(390, 844), (1280, 800), (2560, 1440)])
def test_the_map_and_the_tour_are_on_the_first_screen_opened_at_the_bcd(
    browser: Browser, width: int, height: int
) -> None:
    with visit(browser, COMMITTED, viewport={"width": width, "height": height}) as shown:
        boxes = {name: shown.locator(f".open {name}").bounding_box() for name in (".map", ".tour", ".details")}
        assert all(boxes.values())
        for name in (".map", ".tour"):
            box = boxes[name]
            assert box
            assert (box["x"] >= 0, box["y"] >= 0) == (True, True), name
            assert (box["x"] + box["width"] <= width, box["y"] + box["height"] <= height) == (True, True), name
        beside = boxes[".details"]["x"] >= boxes[".map"]["x"] + boxes[".map"]["width"]  # type: ignore[index]
        assert beside == (width >= 1000)
        assert shown.locator(".here").first.inner_text().startswith("byte 0xc00, base block, signature: regf")
        assert details(shown)[""] == "base block"
        assert shown.locator(".tour .step").inner_text() == "step 1 of 6"
        assert shown.locator(".map").first.evaluate("map => map.scrollTop") > 0
        assert shown.evaluate("document.activeElement.tagName") == "BODY"
        assert shown.evaluate("scrollY") == 0


def test_details_are_beside_the_map_from_1000_pixels(browser: Browser) -> None:
    for width in (999, 1000):
        with visit(browser, COMMITTED, viewport={"width": width, "height": 800}) as shown:
            left, right = (shown.locator(f".open {name}").bounding_box() for name in (".map", ".details"))
            assert left
            assert right
            assert (right["x"] > left["x"] + left["width"]) == (width == 1000)


def test_the_legend_is_one_row_of_the_groups_that_occur(browser: Browser) -> None:
    with visit(browser, COMMITTED, viewport={"width": 1280, "height": 800}) as shown:
        items = [item for item in shown.locator(".legend li").all() if item.is_visible()]
        boxes = [item.bounding_box() for item in items]
        assert len({box["y"] + box["height"] / 2 for box in boxes if box}) == 1
        names = [item.inner_text() for item in items]
        assert {"tar header", "base block", "key", "value", "paler: zero"} < set(names)
        assert not {"content", "unread", "finding"} & set(names)
        assert shown.locator(".legend").count() == 1


def test_tabs_show_one_layer_at_a_time(shown: Page) -> None:
    def state() -> tuple[list[str], list[bool]]:
        chosen = shown.locator("[role=tab][aria-selected=true]").all_inner_texts()
        return chosen, [view.is_visible() for view in shown.locator(".view").all()]

    assert state() == (["scratch"], [True, False, False])
    shown.get_by_role("tab", name="legacy").click()
    assert state() == (["legacy"], [False, False, True])
    assert shown.locator(".here").nth(2).inner_text().startswith("byte 0xc00, base block")
    for key, name in (("ArrowLeft", "hostprocess"), ("ArrowLeft", "scratch"), ("ArrowLeft", "legacy")):
        shown.keyboard.press(key)
        assert state()[0] == [name]
        assert shown.evaluate("document.activeElement.textContent") == name
    shown.keyboard.press("Home")
    assert state() == (["scratch"], [True, False, False])
    shown.keyboard.press("Tab")
    assert shown.evaluate("document.activeElement.name") == "text"


def test_the_selected_cell_is_framed_and_in_view(browser: Browser) -> None:
    frame = """map => {
        const canvas = map.querySelector('canvas');
        return [...canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data].filter((byte, i) =>
            i % 4 === 0 && byte === 0x1b).length;
    }"""
    with visit(browser, COMMITTED, viewport={"width": 1280, "height": 800}) as shown:
        box = shown.locator(".map").first
        box.press("Control+Home")
        for key in ("PageDown", "ArrowDown", "ArrowRight"):
            box.press(key)
        shown.evaluate(DRAWN)
        assert box.evaluate(frame) > 0
        box.press("Control+End")
        shown.evaluate(DRAWN)
        shown.set_viewport_size({"width": 700, "height": 500})  # other rows: the selection stays in view
        shown.evaluate(DRAWN)
        shown.evaluate(DRAWN)
        assert box.evaluate("map => map.scrollTop + map.clientHeight + 2 >= map.scrollHeight")


def test_tree_lines_and_pointers_lead_to_structures(shown: Page) -> None:
    tree = shown.locator(".tree").first
    tree.get_by_role("button", name="FirmwareModified", exact=True).click()
    found = details(shown)
    assert (found[""], found["name"], found["type"]) == ("value", "FirmwareModified", "4 (REG_DWORD)")
    assert found["data"] == "01 00 00 00"
    tree.get_by_role("button", name="KeyName", exact=True).click()
    shown.locator(".details").first.get_by_role("button", name="to value data").click()
    assert details(shown)[""] == "value data"
    assert tree.locator("[aria-current]").inner_text() == "KeyName"
    shown.locator(".details").first.get_by_role("button", name="value at").click()
    assert details(shown)["name"] == "KeyName"
    twist = tree.get_by_role("button", name="below UtilityVM", exact=True)
    twist.click()
    assert not tree.get_by_role("button", name="KeyName", exact=True).is_visible()
    twist.press("Enter")
    assert tree.get_by_role("button", name="KeyName", exact=True).is_visible()


def test_arrow_and_page_keys_move_and_are_announced(shown: Page) -> None:
    box = shown.locator(".map").first
    here = shown.locator(".here").first
    box.focus()
    for key, starts in (
        ("Control+Home", "byte 0x0, tar header, name: UtilityVM"),
        ("ArrowRight", "byte 0x1, tar header, name"),
        ("ArrowDown", "byte 0x41, tar header, name"),
        ("End", "byte 0x1ff, tar header, unused"),
        ("ArrowRight", "byte 0x200, tar header, name: UtilityVM/Files"),
        ("ArrowUp", "byte 0x180, tar header"),  # a fold is one step
        ("ArrowDown", "byte 0x200, tar header, name: UtilityVM/Files"),
        ("PageDown", "byte 0x400, tar header, name: UtilityVM/Files/EFI"),
        ("Control+End", f"byte {len(TAR) - 1:#x}, end of the tar"),
        ("PageUp", f"byte {[*Regions(TAR)][-2].offset:#x}, free cell"),
        ("Control+Home", "byte 0x0, tar header"),
        ("ArrowLeft", "byte 0x0, tar header"),
    ):
        box.press(key)
        assert here.inner_text().startswith(starts), key
    until(shown, "document.querySelector('.spoken').textContent.startsWith('byte 0x0, tar header')")
    assert shown.evaluate("document.activeElement.className") == "map"


def test_tab_reaches_every_control(shown: Page) -> None:
    shown.keyboard.press("Tab")
    assert shown.evaluate("document.activeElement.textContent") == "Skip to the map"
    reached = set()
    for _ in range(40):
        shown.keyboard.press("Tab")
        reached.add(shown.evaluate("document.activeElement.className || document.activeElement.tagName"))
    assert {"INPUT", "SELECT", "map", "next", "tree"} <= reached


def test_touch_selects_a_byte(browser: Browser) -> None:
    with visit(browser, COMMITTED, viewport={"width": 400, "height": 800}, has_touch=True, is_mobile=True) as shown:
        canvas = shown.locator("canvas").first
        canvas.scroll_into_view_if_needed()
        canvas.tap(position={"x": 70, "y": 5})
        assert shown.locator(".details .chosen").count() == 1
        touched = shown.locator(".here").first.inner_text()
        canvas.tap(position={"x": 70, "y": 95})
        assert shown.locator(".here").first.inner_text() != touched


def test_search_finds_names_values_and_bytes(shown: Page) -> None:
    def search(text: str, kind: str) -> tuple[str, list[str]]:
        shown.fill("input[name=text]", text)
        shown.select_option("select", kind)
        shown.click("form button")
        return shown.inner_text(".found [role=status]"), shown.locator(".found li").all_inner_texts()

    count, found = search("WINSCRATCH", "text")
    assert count == "4 structures found."
    assert [text.partition(":")[0] for text in found] == ["scratch", "scratch", "legacy", "legacy"]
    assert set(shown.locator(".found mark").all_inner_texts()) == {"winscratch"}
    assert "Element: REG_SZ: winscratch" in found[0]
    assert found[0].endswith("12000004 \u203a Element")
    shown.locator(".found li button").first.click()
    assert details(shown)[""] in {"value", "value data"}
    shown.locator(".found li button").last.click()  # in another tab
    assert shown.locator("[role=tab][aria-selected=true]").inner_text() == "legacy"
    assert details(shown, 2)[""] == "value data"
    count, found = search("72 65 67 66", "hex")  # regf
    assert count == "12 structures found."
    assert all("base block" in text for text in found)
    assert set(shown.locator(".found mark").all_inner_texts()) == {"72 65 67 66"}
    assert search("nothing such", "text") == ("0 structures found.", [])
    assert search("7g", "hex")[0].startswith("Type pairs of hexadecimal digits")
    assert search("0x0000", "hex")[0].endswith("of which 100 are listed.")


def test_a_button_copies_a_digest(browser: Browser) -> None:
    with visit(browser, COMMITTED, permissions=["clipboard-read", "clipboard-write"]) as shown:
        button = shown.get_by_role("button", name="Copy the diff ID of scratch")
        button.click()
        until(shown, "document.querySelector('.copied').textContent")
        assert shown.evaluate("navigator.clipboard.readText()") == shown.locator(".facts code").first.inner_text()


def test_the_tour_has_six_steps(shown: Page) -> None:
    seen = []
    view = next(i for i in range(3) if shown.locator(".view").nth(i).locator(".tour").count())
    for step in range(6):
        if step:
            shown.locator(".tour .next").click()
        seen.append((details(shown, view)[""], shown.locator(".tour .step").inner_text()))
    titles = ["base block", "bin header", "key", "hash leaf", "value", "value data"]
    assert seen == [(title, f"step {i} of 6") for i, title in enumerate(titles, 1)]
    assert shown.locator(".tour .next").is_disabled()
    assert "{6a6c1f1b-59d4-11ea-9438-9402e6abd998}" in shown.locator(".details").nth(view).inner_text()
    shown.locator(".tour .back").click()
    assert details(shown, view)[""] == "value"
    assert shown.locator(".tour li.now").count() == 1


def pixels(shown: Page) -> str:
    """Return the first map as a data URL."""
    found: str = shown.locator("canvas").first.evaluate("canvas => canvas.toDataURL()")
    return found


def test_colours_follow_the_preferred_scheme(shown: Page) -> None:
    light = pixels(shown)
    assert shown.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    shown.emulate_media(color_scheme="dark")
    until(shown, "getComputedStyle(document.body).backgroundColor == 'rgb(20, 23, 26)'")
    wait_until(lambda: pixels(shown) != light)
    shown.emulate_media(color_scheme="light")
    wait_until(lambda: pixels(shown) == light)


@pytest.mark.parametrize(("width", "height"), [(320, 640), (768, 1024), (3840, 2160)])
def test_the_page_fits_every_width_without_layout_shifts(browser: Browser, width: int, height: int) -> None:
    with visit(browser, COMMITTED, viewport={"width": width, "height": height}) as shown:
        shown.evaluate(MOVES)
        assert shown.evaluate("document.documentElement.scrollWidth") <= width
        shown.locator(".tour .next").click()
        shown.locator(".map").first.focus()
        for key in ("PageDown", "PageDown", "ArrowDown"):
            shown.keyboard.press(key)
        shown.evaluate(DRAWN)
        assert shown.evaluate("document.documentElement.scrollWidth") <= width
        assert shown.evaluate("window.moved ?? 0") == 0
        assert shown.locator("canvas").first.bounding_box() is not None


def test_the_whole_map_is_printed(browser: Browser, tmp_path: Path) -> None:
    with visit(browser, COMMITTED, viewport={"width": 1280, "height": 900}, color_scheme="dark") as shown:
        assert shown.locator(".slice").count() == 0
        shown.evaluate("dispatchEvent(new Event('beforeprint'))")
        assert all(drawn == all_of_it > 0 for drawn, all_of_it in shown.evaluate(HEIGHTS))
        assert shown.locator(".map:visible").count() == 3
        shown.evaluate("dispatchEvent(new Event('afterprint'))")
        assert shown.locator(".slice").count() == 0
        shown.pdf(path=tmp_path / "report.pdf", format="A4")
        assert 20_000 < (tmp_path / "report.pdf").stat().st_size < 5_000_000


def test_without_scripts_the_page_shows_its_text(browser: Browser) -> None:
    context = browser.new_context(java_script_enabled=False)
    shown = context.new_page()
    shown.goto(COMMITTED.as_uri())
    text = shown.inner_text("main")
    assert "need scripts" in shown.inner_text("header")
    assert "sha256:" in text
    assert "Differences" in text
    assert not shown.locator(".map").first.is_visible()
    context.close()
