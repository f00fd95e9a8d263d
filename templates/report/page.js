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
   */
  constructor(format, made, section, looks) {
    this.section = section;
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
    this.map.select(offset, "led");
    const box = this.map.box.getBoundingClientRect();
    if (box.top < 0 || box.bottom > innerHeight) this.map.box.scrollIntoView({ block: "nearest" });
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
    this.later = setTimeout(() => (this.spoken.textContent = text), HOLDING_STILL);
  }
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
    const found = views.flatMap((view) => search(view.subject, text, kind).map((offset) => ({ view, offset })));
    for (const { view, offset } of found.slice(0, MOST_FOUND)) {
      const label = `${visible(view.subject.made.name)}: ${describe(view.subject, view.tree, offset)}`;
      list.append(
        element(
          "li",
          {},
          button(label, () => view.go(offset), { class: "line" }),
        ),
      );
    }
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
  let now = -1;
  const back = /** @type {HTMLButtonElement} */ (one(box, ".back"));
  const next = /** @type {HTMLButtonElement} */ (one(box, ".next"));
  /** @type {(step: number) => void} */
  const go = (step) => {
    now = step;
    texts.forEach((text, i) => text.classList.toggle("now", i === now));
    one(box, ".step").textContent = `Step ${now + 1} of ${steps.length}`;
    back.disabled = now <= 0;
    next.disabled = now === steps.length - 1;
    next.textContent = "Next step";
    const [region, name] = steps[now];
    const part = view.subject.parts(region).find((each) => each.field.name === name);
    view.go(part ? part.offset : view.subject.starts[region]);
  };
  back.addEventListener("click", () => go(now - 1));
  next.addEventListener("click", () => go(now + 1));
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
  const views = report.subjects.map(
    (made, i) => new View(report.format, made, /** @type {HTMLElement} */ (sections[i]), current),
  );
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
