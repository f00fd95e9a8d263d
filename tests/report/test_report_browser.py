# SPDX-License-Identifier: Apache-2.0
"""The committed report in a browser: pointer, keyboard, touch, search, tour, print and colour schemes."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import pytest
from helpers.browser import COMMITTED, details, until, visit
from helpers.support import wait_until
from helpers.views import thorough

from generator.builder.wire import ROOT
from generator.views.regions import Regions

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser, Page

pytestmark = thorough
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
    canvas.hover(position={"x": 64, "y": 4})
    assert here.inner_text() == "byte 0x0, tar header, name: UtilityVM, UtilityVM"
    assert details_are_empty(shown)
    canvas.click(position={"x": 64, "y": 4})
    found = details(shown)
    assert (found[""], found["name"], found["mode"], found["magic"]) == ("tar header", "UtilityVM", "0000755", "ustar")
    assert shown.locator(".tree").first.locator("[aria-current]").inner_text() == "UtilityVM"
    chosen = shown.locator(".details").first.locator(".chosen th button")
    assert chosen.inner_text() == "name"


def details_are_empty(shown: Page) -> bool:
    return shown.locator(".details").first.inner_text() == "Select a byte or a line of the tree."


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
        ("ArrowRight", "byte 0x0, tar header, name: UtilityVM"),
        ("ArrowRight", "byte 0x1, tar header, name"),
        ("ArrowDown", "byte 0x41, tar header, name"),
        ("End", "byte 0x1ff, tar header, unused"),
        ("ArrowRight", "byte 0x200, tar header, name: UtilityVM/Files"),
        ("ArrowUp", "byte 0x180, tar header"),  # a fold is one step
        ("ArrowDown", "byte 0x200, tar header, name: UtilityVM/Files"),
        ("PageDown", "byte 0x400, tar header, name: UtilityVM/Files/EFI"),
        ("Control+End", f"byte {len(TAR) - 1:#x}, end of the tar"),
        ("PageUp", f"byte {Regions(TAR)[-2].offset:#x}, free cell"),
        ("Control+Home", "byte 0x0, tar header"),
        ("ArrowLeft", "byte 0x0, tar header"),
    ):
        box.press(key)
        assert here.inner_text().startswith(starts), key
    until(shown, "document.querySelector('.spoken').textContent.startsWith('byte 0x0, tar header')")
    assert shown.evaluate("document.activeElement.className") == "map"


def test_tab_reaches_every_control(shown: Page) -> None:
    shown.keyboard.press("Tab")
    assert shown.evaluate("document.activeElement.textContent") == "Skip to the first map"
    reached = set()
    for _ in range(40):
        shown.keyboard.press("Tab")
        reached.add(shown.evaluate("document.activeElement.className || document.activeElement.tagName"))
    assert {"INPUT", "SELECT", "copy", "next", "tree"} <= reached


def test_touch_selects_a_byte(browser: Browser) -> None:
    with visit(browser, COMMITTED, viewport={"width": 400, "height": 800}, has_touch=True, is_mobile=True) as shown:
        canvas = shown.locator("canvas").first
        canvas.scroll_into_view_if_needed()
        canvas.tap(position={"x": 5, "y": 5})
        assert details(shown)["name"] == "UtilityVM"


def test_search_finds_names_values_and_bytes(shown: Page) -> None:
    def search(text: str, kind: str) -> tuple[str, list[str]]:
        shown.fill("input[name=text]", text)
        shown.select_option("select", kind)
        shown.click("form button")
        return shown.inner_text(".found [role=status]"), shown.locator(".found li").all_inner_texts()

    count, found = search("WINSCRATCH", "text")
    assert count == "4 structures found."
    assert [text.partition(":")[0] for text in found] == ["scratch", "scratch", "legacy", "legacy"]
    shown.locator(".found li button").first.click()
    assert details(shown)[""] in {"value", "value data"}
    count, found = search("72 65 67 66", "hex")  # regf
    assert count == "12 structures found."
    assert all("base block" in text for text in found)
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
    for _ in range(6):
        shown.locator(".tour .next").click()
        seen.append((details(shown, view)[""], shown.locator(".tour .step").inner_text()))
    titles = ["base block", "bin header", "key", "hash leaf", "value", "value data"]
    assert seen == [(title, f"Step {i} of 6") for i, title in enumerate(titles, 1)]
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
        assert all(drawn == 0 < all_of_it for drawn, all_of_it in shown.evaluate(HEIGHTS))
        shown.evaluate("dispatchEvent(new Event('beforeprint'))")
        assert all(drawn == all_of_it for drawn, all_of_it in shown.evaluate(HEIGHTS))
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
