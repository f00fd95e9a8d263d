// SPDX-License-Identifier: Apache-2.0
// The page: a view for each tar or hive, the search over all of them, the tour, and the copy buttons.

/** @typedef {{format: Format, subjects: Made[], tour: {subject: number, steps: [number, string][]} | null}} Shown */

const HOLDING_STILL = 250; // milliseconds until a byte that keys move to is read aloud

/**
 * Return the only element that matches a selector.
 * @param {ParentNode} within
 * @param {string} selector
 */
function one(within, selector) {
  return /** @type {HTMLElement} */ (within.querySelector(selector));
}

/** Return the current colours, light or dark, from the legend. */
function looksOf(/** @type {Format} */ format) {
  const style = getComputedStyle(document.body);
  const groups = format.groups.map(({ pattern }, i) => ({
    colour: getComputedStyle(one(document, `.legend .g${i}`)).color,
    pattern,
  }));
  return { ink: style.color, paper: style.backgroundColor, font: style.fontFamily, groups };
}

class View {
  /**
   * @param {Format} format
   * @param {Made} made
   * @param {HTMLElement} section
   * @param {() => Looks} looks
   * @param {() => void} reveal callback that shows this view instead of another
   */
  constructor(format, made, section, looks, reveal) {
    this.reveal = reveal;
    this.subject = new Subject(format, made);
    this.here = one(section, ".here");
    this.spoken = one(section, ".spoken");
    this.later = 0;
    this.tree = new Tree(this.subject, one(section, ".tree"), (region) => this.go(this.subject.starts[region]));
    this.details = new Details(this.subject, one(section, ".details"), this.tree, (offset) => this.go(offset));
    this.map = new ByteMap(this.subject, one(section, ".map"), looks, (offset, how) => this.describe(offset, how));
    const listing = /** @type {HTMLDetailsElement} */ (one(section, ".listing"));
    listing.addEventListener(
      "toggle",
      () => new Listing(this.subject, listing, this.tree, (region) => this.go(this.subject.starts[region])),
      { once: true },
    );
    for (const found of section.querySelectorAll("[data-offset]")) {
      found.addEventListener("click", () => this.go(Number(found.getAttribute("data-offset"))));
    }
  }

  /**
   * Select a byte and scroll the map into view.
   * @param {number} offset
   */
  go(offset) {
    this.reveal();
    this.map.select(offset, "led");
    const box = this.map.box.getBoundingClientRect();
    if (box.top < 0 || box.bottom > innerHeight) this.map.box.scrollIntoView({ block: "nearest" });
  }

  /** Lay out the map, and select the beginning of the BCD store, of the first hive, or of all. */
  open() {
    this.map.arrange();
    if (this.map.caret >= 0) return;
    const { starts } = this.subject;
    const hives = [...starts].filter((_, i) => this.subject.structure(i).name === "base block");
    const store = hives.find((at) => /(^|\/)BCD$/i.test(this.subject.entryAt(at)?.[0] ?? ""));
    this.map.select(store ?? hives[0] ?? 0, "opened");
  }

  /**
   * Describe the byte that is pointed at or selected.
   * @param {number} offset
   * @param {string} how
   */
  describe(offset, how) {
    const text = describe(this.subject, this.tree, offset);
    this.here.textContent = text;
    if (how === "pointed") return;
    this.details.show(offset);
    this.tree.show(this.subject.regionAt(offset));
    clearTimeout(this.later);
    if (how === "opened") return;
    this.later = setTimeout(() => (this.spoken.textContent = text), HOLDING_STILL);
  }
}

/**
 * Return the line of a match: a button that leads to its byte, what was found, and where.
 * @param {View} view
 * @param {Found} match
 */
function result(view, { offset, before, hit, after }) {
  const { subject, tree } = view;
  const region = subject.regionAt(offset);
  const line = tree.lineAt(region);
  const label = `${visible(subject.made.name)}: ${subject.structure(region).name} at ${hex(offset)}`;
  const found = element("code", {}, visible(before), element("mark", {}, visible(hit)), visible(after));
  const where = element("span", { class: "note" }, line < 0 ? "" : tree.path(line));
  return element("li", {}, button(label, () => view.go(offset), { class: "line" }), " ", found, where);
}

/**
 * Make the form search all views.
 * @param {View[]} views
 */
function startSearch(views) {
  const form = /** @type {HTMLFormElement} */ (one(document, "form.search"));
  const list = one(document, ".found ol");
  const count = one(document, ".found [role=status]");
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const fields = new FormData(form);
    const [text, kind] = [String(fields.get("text")), String(fields.get("kind"))];
    list.replaceChildren();
    if (!text) return void (count.textContent = "");
    if (kind === "hex" && !fromHex(text)) {
      return void (count.textContent = "Type pairs of hexadecimal digits, such as 6e 6b.");
    }
    const found = views.flatMap((view) => search(view.subject, text, kind).map((match) => ({ view, match })));
    list.append(...found.slice(0, MOST_FOUND).map(({ view, match }) => result(view, match)));
    const more = found.length > MOST_FOUND ? `, of which ${MOST_FOUND} are listed` : "";
    count.textContent = `${grouped(found.length)} ${found.length === 1 ? "structure" : "structures"} found${more}.`;
  });
}

/**
 * Run the tour in one view.
 * @param {View} view
 * @param {[number, string][]} steps
 */
function startTour(view, steps) {
  const box = one(document, ".tour");
  const texts = [...box.querySelectorAll("li")];
  let now = 0;
  const back = /** @type {HTMLButtonElement} */ (one(box, ".back"));
  const next = /** @type {HTMLButtonElement} */ (one(box, ".next"));
  /** @type {(step: number) => void} */
  const go = (step) => {
    now = step;
    texts.forEach((text, i) => text.classList.toggle("now", i === now));
    one(box, ".step").textContent = `step ${now + 1} of ${steps.length}`;
    back.disabled = now <= 0;
    next.disabled = now === steps.length - 1;
    const [region, name] = steps[now];
    const part = view.subject.parts(region).find((each) => each.field.name === name);
    view.go(part ? part.offset : view.subject.starts[region]);
  };
  back.addEventListener("click", () => go(now - 1));
  next.addEventListener("click", () => go(now + 1));
}

/**
 * Make the tabs show one view each; return the function that shows a view.
 * @param {Element[]} sections
 * @param {(view: number) => void} shown
 */
function startTabs(sections, shown) {
  const tabs = /** @type {HTMLElement[]} */ ([...document.querySelectorAll("[role=tab]")]);
  /** @type {(view: number) => void} */
  const open = (view) => {
    sections.forEach((section, i) => section.classList.toggle("open", i === view));
    tabs.forEach((tab, i) => {
      tab.setAttribute("aria-selected", String(i === view));
      tab.tabIndex = i === view ? 0 : -1;
    });
    shown(view);
  };
  tabs.forEach((tab, i) => {
    tab.addEventListener("click", () => open(i));
    tab.addEventListener("keydown", (event) => {
      /** @type {Record<string, number>} */
      const goals = { ArrowLeft: i - 1, ArrowRight: i + 1, Home: 0, End: -1 };
      if (!(event.key in goals)) return;
      event.preventDefault();
      const there = (goals[event.key] + tabs.length) % tabs.length;
      tabs[there].focus();
      open(there);
    });
  });
  return open;
}

/**
 * Copy the text before a button.
 * @param {HTMLElement} pressed
 */
async function copy(pressed) {
  const source = one(/** @type {HTMLElement} */ (pressed.parentElement), "code");
  const status = one(document, ".copied");
  try {
    await navigator.clipboard.writeText(source.textContent ?? "");
    status.textContent = `copied ${source.textContent}`;
  } catch {
    getSelection()?.selectAllChildren(source);
    status.textContent = "selected; copy it with the keyboard";
  }
  pressed.textContent = status.textContent.startsWith("copied") ? "Copied" : "Selected";
}

function start() {
  /** @type {Shown} */
  const report = JSON.parse(one(document, "#report").textContent ?? "");
  /** @type {Looks | null} */
  let looks = null;
  const current = () => (looks ??= looksOf(report.format));
  const sections = [...document.querySelectorAll(".view")];
  const reveal = startTabs(sections, (view) => views[view].open());
  const views = report.subjects.map(
    (made, i) => new View(report.format, made, /** @type {HTMLElement} */ (sections[i]), current, () => reveal(i)),
  );
  views[report.tour?.subject ?? 0].open();
  const repaint = () => {
    looks = null;
    for (const view of views) view.map.repaint();
  };
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);
  /** @type {(printing: boolean) => void} */
  const print = (printing) => {
    document.documentElement.classList.toggle("printing", printing);
    looks = null;
    for (const view of views) view.map.print(printing);
  };
  addEventListener("beforeprint", () => print(true));
  addEventListener("afterprint", () => print(false));
  startSearch(views);
  if (report.tour) startTour(views[report.tour.subject], report.tour.steps);
  for (const pressed of document.querySelectorAll("button.copy")) {
    pressed.addEventListener("click", () => void copy(/** @type {HTMLElement} */ (pressed)));
  }
  requestAnimationFrame(() => setTimeout(() => performance.mark("drawn")));
}

start();
