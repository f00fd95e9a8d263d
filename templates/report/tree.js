// SPDX-License-Identifier: Apache-2.0
// Trees of entries, keys and values, built as they are expanded; and the paged list of all structures.

const MOST_LINES = 200; // lines of one level that are made at once

/**
 * Return a new element with properties and children; text is never parsed as markup.
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Record<string, string>} attributes
 * @param {...(Node | string)} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
function element(tag, attributes, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

/**
 * Return a button with an action.
 * @param {string} label
 * @param {() => void} act
 * @param {Record<string, string>} attributes
 */
function button(label, act, attributes = {}) {
  const made = element("button", { type: "button", ...attributes }, label);
  made.addEventListener("click", act);
  return made;
}

class Tree {
  /**
   * @param {Subject} subject
   * @param {HTMLElement} box
   * @param {(region: number) => void} go
   */
  constructor(subject, box, go) {
    this.subject = subject;
    this.box = box;
    this.go = go;
    /** @type {Map<number, number[]>} */ this.below = new Map();
    /** @type {Map<number, number>} */ this.lineOf = new Map();
    /** @type {Map<number, HTMLLIElement>} */ this.items = new Map();
    subject.made.tree.forEach(([above, region], line) => {
      const lines = this.below.get(above);
      if (lines) lines.push(line);
      else this.below.set(above, [line]);
      if (!this.lineOf.has(region)) this.lineOf.set(region, line);
    });
    const list = element("ul", {});
    box.append(list);
    this.fill(list, -1, 0);
    // A small tree is fully expanded, for printing too.
    if (subject.made.tree.length < MOST_LINES) subject.made.tree.forEach((_, line) => this.open(line));
  }

  /**
   * Return the path of a line as text.
   * @param {number} line
   */
  path(line) {
    const names = [];
    for (let at = line; at >= 0; at = this.subject.made.tree[at][0]) {
      names.unshift(visible(this.subject.made.tree[at][2]));
    }
    return names.filter(Boolean).join(" \u203a ");
  }

  /**
   * Return the line of a region, or of its nearest owner that has one, or -1.
   * @param {number} region
   */
  lineAt(region) {
    for (let at = region, steps = 0; at >= 0 && steps < 64; at = this.subject.ownerOf(at), steps++) {
      const line = this.lineOf.get(at);
      if (line !== undefined) return line;
    }
    const entry = this.subject.entryAt(this.subject.starts[region]);
    return entry ? (this.lineOf.get(this.subject.regionAt(entry[1])) ?? -1) : -1;
  }

  /**
   * Build the lines of one level.
   * @param {HTMLElement} list
   * @param {number} above
   * @param {number} from
   * @param {number} most
   */
  fill(list, above, from, most = MOST_LINES) {
    const lines = this.below.get(above) ?? [];
    for (const line of lines.slice(from, from + most)) list.append(this.item(line));
    const left = lines.length - from - most;
    if (left > 0) {
      const item = element("li", {});
      item.append(
        button(`${grouped(left)} more`, () => {
          item.remove();
          this.fill(list, above, from + most);
        }),
      );
      list.append(item);
    }
  }

  /** @param {number} line */
  item(line) {
    const [, region, label, note] = this.subject.made.tree[line];
    const item = element("li", {});
    const name = visible(label) || "hive";
    if (this.below.has(line)) {
      const twist = button("", () => this.open(line, twist.getAttribute("aria-expanded") === "false"), {
        class: "twist",
        "aria-expanded": "false",
        "aria-label": `below ${name}`,
      });
      item.append(twist);
    }
    item.append(button(name, () => this.go(region), { class: "line" }));
    if (note) item.append(element("span", { class: "note" }, visible(note)));
    this.items.set(line, item);
    return item;
  }

  /**
   * Expand or collapse a line.
   * @param {number} line
   * @param {boolean} open
   */
  open(line, open = true) {
    const item = this.items.get(line);
    const twist = item?.querySelector(":scope > .twist");
    if (!item || !twist) return;
    twist.setAttribute("aria-expanded", String(open));
    let list = /** @type {HTMLElement | null} */ (item.querySelector(":scope > ul"));
    if (open && !list) {
      list = element("ul", {});
      this.fill(list, line, 0);
      item.append(list);
    }
    if (list) list.hidden = !open;
  }

  /**
   * Mark the line of a region and expand its ancestors.
   * @param {number} region
   */
  show(region) {
    const line = this.lineAt(region);
    this.box.querySelector("[aria-current]")?.removeAttribute("aria-current");
    if (line < 0) return;
    /** @type {number[]} */
    const way = [];
    for (let at = line; at >= 0; at = this.subject.made.tree[at][0]) way.unshift(at);
    way.forEach((step, depth) => {
      if (!this.items.has(step)) this.fillTo(depth ? way[depth - 1] : -1, step);
      if (step !== line) this.open(step);
    });
    const found = this.items.get(line)?.querySelector(".line");
    if (!found) return;
    found.setAttribute("aria-current", "true");
    const [box, at] = [this.box.getBoundingClientRect(), found.getBoundingClientRect()];
    if (at.top < box.top || at.bottom > box.bottom) this.box.scrollTop += at.top - box.top - box.height / 3;
  }

  /**
   * Build the lines below one up to a given one, as the button "more" does.
   * @param {number} above
   * @param {number} line
   */
  fillTo(above, line) {
    const list = above < 0 ? this.box.querySelector("ul") : this.items.get(above)?.querySelector(":scope > ul");
    const made = list ? list.children.length - 1 : -1;
    const wanted = (this.below.get(above) ?? []).indexOf(line);
    if (!list || wanted < made || made < 0) return;
    list.lastElementChild?.remove();
    this.fill(/** @type {HTMLElement} */ (list), above, made, wanted - made + MOST_LINES);
  }
}

/** The list of all structures, the map as text. */
class Listing {
  /**
   * @param {Subject} subject
   * @param {HTMLElement} box
   * @param {Tree} tree
   * @param {(region: number) => void} go
   */
  constructor(subject, box, tree, go) {
    this.subject = subject;
    this.tree = tree;
    this.go = go;
    this.page = 0;
    this.pages = Math.ceil(subject.starts.length / MOST_LINES);
    this.body = element("tbody", {});
    this.place = element("span", { role: "status" });
    const head = element(
      "tr",
      {},
      ...["offset", "bytes", "what", "of"].map((word) => element("th", { scope: "col" }, word)),
    );
    const caption = element("caption", {}, "All structures in the order of the bytes");
    const table = element("table", {}, caption, element("thead", {}, head), this.body);
    const turns = element(
      "p",
      { class: "turns" },
      button("Back", () => this.turn(-1)),
      button("Next", () => this.turn(1)),
      this.place,
    );
    box.append(
      element("div", { class: "wide", tabindex: "0", role: "group", "aria-label": "All structures" }, table),
      turns,
    );
    turns.hidden = this.pages < 2;
    this.turn(0);
  }

  /** @param {number} by */
  turn(by) {
    this.page = Math.max(0, Math.min(this.pages - 1, this.page + by));
    const first = this.page * MOST_LINES;
    const rows = [];
    for (let i = first; i < Math.min(first + MOST_LINES, this.subject.starts.length); i++) {
      const line = this.tree.lineAt(i);
      rows.push(
        element(
          "tr",
          {},
          element(
            "td",
            {},
            button(hex(this.subject.starts[i]), () => this.go(i)),
          ),
          element("td", { class: "number" }, grouped(this.subject.made.lengths[i])),
          element("td", {}, this.subject.structure(i).name),
          element("td", {}, line < 0 ? "" : this.tree.path(line)),
        ),
      );
    }
    this.body.replaceChildren(...rows);
    this.place.textContent = `page ${this.page + 1} of ${this.pages}`;
  }
}
