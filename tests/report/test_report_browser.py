# SPDX-License-Identifier: Apache-2.0
"""The report in a browser: all of it is found by pointer, keyboard, finger and search, and by whoever reads it."""

from __future__ import annotations

import gzip
import random
from typing import TYPE_CHECKING

import pytest
from helpers.browser import COMMITTED, SCRIPTS, chromium, until, visit
from helpers.hive_maker import Node, make, sample
from helpers.support import wait_until

from generator.builder.wire import ROOT
from generator.hives.model import REG_BINARY, REG_DWORD, REG_SZ, Value
from generator.report import page_data
from generator.report.page import Subject, page
from generator.views.regions import Regions

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

TAR = gzip.decompress((ROOT / "output/layers/scratch.tar.gz").read_bytes())
MOVES = """() => new PerformanceObserver(list => {
    for (const each of list.getEntries()) if (!each.hadRecentInput) window.moved = (window.moved ?? 0) + each.value;
}).observe({type: 'layout-shift', buffered: true})"""
DRAWN = "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"  # what was asked for before
HEIGHTS = """[...document.querySelectorAll('.map')].map(map => [
    [...map.querySelectorAll('.slice')].reduce((sum, slice) => sum + parseInt(slice.style.height), 0),
    parseInt(map.querySelector('.room').style.height),
])"""
HOSTILE = (
    "<script>window.harm=1</script><img src=x onerror=window.harm=1>",
    "\"'><svg/onload=window.harm=1>",
    "]]></script><!--",
    "\x1b[31m\x07\r\n\t",
    "\u202eesrever\u202c\u2066\u200b\ufeff",
    "{{ 7*7 }}{% raw %}",
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture
def shown(browser: Browser) -> Iterator[Page]:
    with visit(browser, COMMITTED, viewport={"width": 1600, "height": 1000}) as opened:
        yield opened


def report_of(folder: Path, **data: bytes) -> Path:
    """Write the report of tars and hives by name."""
    path = folder / "report.html"
    path.write_bytes(page(ROOT / "templates", "Test", [Subject(n, Regions(bytes(d)), ()) for n, d in data.items()]))
    return path


def details(shown: Page, view: int = 0) -> dict[str, str]:
    """Return the title of what is selected, as "", and what each of its fields says."""
    box = shown.locator(".details").nth(view)
    rows = box.locator("tbody tr")
    names = rows.locator("th button").all_inner_texts()
    says = [text.partition("\n")[0] for text in rows.locator("td").all_inner_texts()]
    return {"": box.locator("h4").inner_text(), **dict(zip(names, says, strict=True))}


def test_a_pointer_names_what_it_points_at_and_a_click_its_fields(shown: Page) -> None:
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


def test_the_tree_leads_to_bytes_and_a_pointer_to_what_it_points_to(shown: Page) -> None:
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


def test_keys_go_from_byte_to_byte_and_are_read_aloud(shown: Page) -> None:
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


def test_every_control_is_reached_by_tab(shown: Page) -> None:
    shown.keyboard.press("Tab")
    assert shown.evaluate("document.activeElement.textContent") == "Skip to the first map"
    reached = set()
    for _ in range(40):
        shown.keyboard.press("Tab")
        reached.add(shown.evaluate("document.activeElement.className || document.activeElement.tagName"))
    assert {"INPUT", "SELECT", "copy", "next", "tree"} <= reached


def test_a_finger_selects(browser: Browser) -> None:
    with visit(browser, COMMITTED, viewport={"width": 400, "height": 800}, has_touch=True, is_mobile=True) as shown:
        canvas = shown.locator("canvas").first
        canvas.scroll_into_view_if_needed()
        canvas.tap(position={"x": 5, "y": 5})
        assert details(shown)["name"] == "UtilityVM"


def test_a_search_finds_names_values_and_bytes(shown: Page) -> None:
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


def test_a_digest_is_copied(browser: Browser) -> None:
    with visit(browser, COMMITTED, permissions=["clipboard-read", "clipboard-write"]) as shown:
        button = shown.get_by_role("button", name="Copy the diff ID of scratch")
        button.click()
        until(shown, "document.querySelector('.copied').textContent")
        assert shown.evaluate("navigator.clipboard.readText()") == shown.locator(".facts code").first.inner_text()


def test_the_tour_goes_through_the_store_in_six_steps(shown: Page) -> None:
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
    """Return the first map as a picture."""
    found: str = shown.locator("canvas").first.evaluate("canvas => canvas.toDataURL()")
    return found


def test_light_and_dark_follow_the_reader_s_choice(shown: Page) -> None:
    light = pixels(shown)
    assert shown.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    shown.emulate_media(color_scheme="dark")
    until(shown, "getComputedStyle(document.body).backgroundColor == 'rgb(20, 23, 26)'")
    wait_until(lambda: pixels(shown) != light)
    shown.emulate_media(color_scheme="light")
    wait_until(lambda: pixels(shown) == light)


@pytest.mark.parametrize(("width", "height"), [(320, 640), (768, 1024), (3840, 2160)])
def test_the_page_fits_every_width_and_nothing_moves(browser: Browser, width: int, height: int) -> None:
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


def test_on_paper_the_whole_map_is_there(browser: Browser, tmp_path: Path) -> None:
    with visit(browser, COMMITTED, viewport={"width": 1280, "height": 900}, color_scheme="dark") as shown:
        assert all(drawn == 0 < all_of_it for drawn, all_of_it in shown.evaluate(HEIGHTS))
        shown.evaluate("dispatchEvent(new Event('beforeprint'))")
        assert all(drawn == all_of_it for drawn, all_of_it in shown.evaluate(HEIGHTS))
        shown.evaluate("dispatchEvent(new Event('afterprint'))")
        assert shown.locator(".slice").count() == 0
        shown.pdf(path=tmp_path / "report.pdf", format="A4")
        assert 20_000 < (tmp_path / "report.pdf").stat().st_size < 5_000_000


def test_without_scripts_the_page_says_what_there_is(browser: Browser) -> None:
    context = browser.new_context(java_script_enabled=False)
    shown = context.new_page()
    shown.goto(COMMITTED.as_uri())
    text = shown.inner_text("main")
    assert "need scripts" in shown.inner_text("header")
    assert "sha256:" in text
    assert "How they differ" in text
    assert not shown.locator(".map").first.is_visible()
    context.close()


def test_the_page_writes_each_field_as_the_reader_does(browser: Browser) -> None:
    hive = sample()
    hive.poke("key Alpha", 4, "<Q", 0x01D6_3C12_3456_789A)
    regions = Regions(bytes(hive.seal()))
    made = {"format": page_data.structures(), "subject": page_data.subject("", regions)}
    source = (SCRIPTS / "read.js").read_text("utf-8")
    script = f"""({{format, subject}}) => {{ {source}
        const read = new Subject(format, subject);
        return subject.kinds.map((_, region) =>
            read.parts(region).map(part => [part.field.name, part.offset, part.size, read.text(part)]));
    }}"""
    with visit(browser, COMMITTED) as shown:
        found = shown.evaluate(script, made)
    assert found == [
        [[part.field.name, part.offset, part.size, part.text] for part in regions.parts(region)] for region in regions
    ]


def test_hostile_names_and_values_do_no_harm(browser: Browser, tmp_path: Path) -> None:
    keys = [
        Node(name.replace("\\", "/"), values=[Value(name, REG_SZ, f"{name}\0".encode("utf-16-le"))]) for name in HOSTILE
    ]
    long = Value("long", REG_SZ, ("<b>" * 350_000).encode("utf-16-le"))
    hive = bytes(make(Node("root", subkeys=keys, values=[long])).data)
    path = report_of(tmp_path, **{"<b onclick=window.harm=1>\u202ename</b>": hive, "other": hive[:9000]})
    text = path.read_text("utf-8")
    assert "\u202e" not in text
    assert "\x1b" not in text
    with visit(browser, path) as shown:
        elements = shown.evaluate("document.querySelectorAll('script, img, b').length")
        tree = shown.locator(".tree").first
        for button in tree.locator(".line").all():
            button.click()
        shown.fill("input[name=text]", "harm")
        shown.click("form button")
        assert shown.locator(".found li").count() >= 2
        assert shown.evaluate("window.harm") is None
        assert shown.evaluate("document.querySelectorAll('script, img, b').length") == elements
        told = shown.inner_text("body")
        assert "\\u{202e}esrever" in told
        assert "\\u{1b}[31m" in told
        assert "1,050,000 characters" in told
        assert not {char for char in told if not char.isprintable()} - set("\n\t\xa0")


def large() -> bytes:
    """Return a hive of 5 MB."""
    chance = random.Random(5)  # noqa: S311

    def values(key: int) -> list[Value]:
        return [
            Value("Number", REG_DWORD, bytes(4)),
            Value("Text", REG_SZ, f"text of {key}\0".encode("utf-16-le")),
            Value("Bytes", REG_BINARY, chance.randbytes(600)),
        ]

    groups = [
        Node(f"Group{i:02}", subkeys=[Node(f"Key{i}-{j:03}", values=values(j)) for j in range(200)]) for i in range(26)
    ]
    return bytes(make(Node("root", subkeys=groups)).data)


def test_a_hive_of_5_mb_can_be_used(browser: Browser, tmp_path: Path) -> None:
    hive = large()
    assert 4_500_000 < len(hive) < 6_000_000
    path = report_of(tmp_path, large=hive)
    with visit(browser, path, viewport={"width": 1600, "height": 1000}) as shown:
        drawn = shown.evaluate("performance.getEntriesByName('drawn')[0].startTime")
        assert drawn < 5000
        tree = shown.locator(".tree").first
        shown.fill("input[name=text]", "Key25-199")
        shown.click("form button")
        shown.locator(".found li button").first.click()
        assert tree.locator("[aria-current]").inner_text() == "Key25-199"
        assert details(shown)["name"] == "Key25-199"
        box = shown.locator(".map").first
        box.press("Control+End")
        until(
            shown,
            "(m => m.scrollTop + m.clientHeight >= parseInt(m.querySelector('.room').style.height))"
            "(document.querySelector('.map'))",
        )
        took = shown.evaluate(
            "() => new Promise(done => { const map = document.querySelector('.map'); const start = performance.now();"
            " map.scrollTop /= 2; requestAnimationFrame(() => setTimeout(() => done(performance.now() - start))); })"
        )
        assert took < 1000
        shown.locator(".listing summary").click()
        assert "page 1 of" in shown.inner_text(".listing [role=status]")


def test_the_committed_layers_are_painted_within_a_second(browser: Browser) -> None:
    times = []
    for _ in range(3):  # the machine may be busy once
        with visit(browser, COMMITTED, viewport={"width": 1600, "height": 1000}) as shown:
            until(shown, "performance.getEntriesByName('first-contentful-paint').length")
            times.append(
                shown.evaluate(
                    "Math.max(performance.getEntriesByName('first-contentful-paint')[0].startTime,"
                    " performance.getEntriesByName('drawn')[0].startTime)"
                )
            )
    assert min(times) < 1000


def test_what_check_hive_finds_is_marked_and_led_to(browser: Browser, tmp_path: Path) -> None:
    hive = sample()
    hive.poke("key Alpha", 0, "<2s", b"xx")
    with visit(browser, report_of(tmp_path, damaged=bytes(hive.seal()))) as shown:
        finding = shown.locator(".findings li").filter(has_text="key-signature").first
        assert "a key begins with" in finding.inner_text()
        finding.get_by_role("button").click()
        assert "key-signature" in shown.inner_text(".details .wrong")


def test_a_cut_tar_is_shown_up_to_the_cut(browser: Browser, tmp_path: Path) -> None:
    with visit(browser, report_of(tmp_path, cut=TAR[:13000])) as shown:
        shown.get_by_role("button", name="(root key)").click()
        assert details(shown)[""] == "key"
        assert "unread" in shown.locator(".legend").inner_text()
