// SPDX-License-Identifier: Apache-2.0
// The pane of the selected byte: its structure, the fields with their values, and links to their targets.

/**
 * Return a description of a byte in one line.
 * @param {Subject} subject
 * @param {Tree} tree
 * @param {number} offset
 */
function describe(subject, tree, offset) {
  const region = subject.regionAt(offset);
  const line = tree.lineAt(region);
  const parts = subject.parts(region);
  const part =
    parts[
      lastUpTo(
        parts.map((each) => each.offset),
        offset,
      )
    ];
  const field = part ? `${part.field.name}: ${visible(subject.text(part))}` : "";
  return [`byte ${hex(offset)}`, subject.structure(region).name, field, line < 0 ? "" : tree.path(line)]
    .filter(Boolean)
    .join(", ");
}

class Details {
  /**
   * @param {Subject} subject
   * @param {HTMLElement} box
   * @param {Tree} tree
   * @param {(offset: number) => void} go
   */
  constructor(subject, box, tree, go) {
    this.subject = subject;
    this.box = box;
    this.tree = tree;
    this.go = go;
    this.region = -1;
    /** @type {HTMLTableRowElement[]} */ this.rows = [];
    /** @type {Part[]} */ this.parts = [];
  }

  /**
   * Show the structure of a byte.
   * @param {number} offset
   */
  show(offset) {
    const region = this.subject.regionAt(offset);
    if (region !== this.region) this.showRegion(region);
    const chosen = lastUpTo(
      this.parts.map((part) => part.offset),
      offset,
    );
    this.rows.forEach((row, i) => row.classList.toggle("chosen", i === chosen));
    const row = this.rows[chosen];
    if (!row) return;
    const [box, at] = [this.box.getBoundingClientRect(), row.getBoundingClientRect()];
    if (at.top < box.top || at.bottom > box.bottom) this.box.scrollTop += at.top - box.top - box.height / 2;
  }

  /** @param {number} region */
  showRegion(region) {
    const { subject, tree } = this;
    const [start, length] = [subject.starts[region], subject.made.lengths[region]];
    const structure = subject.structure(region);
    const entry = subject.entryAt(start);
    const line = tree.lineAt(region);
    const owner = subject.ownerOf(region);
    this.region = region;
    this.parts = subject.parts(region);
    const head = [element("h4", {}, element("span", { class: `swatch g${structure.group}` }), structure.name)];
    const { meaning } = subject.format.groups[structure.group];
    const where = [`${grouped(length)} bytes at ${hex(start)}`];
    if (entry && entry[2] && start >= entry[2]) where.push(`${hex(start - entry[2])} in its hive or file`);
    const lines = [meaning, where.join(", ")];
    if (line >= 0) lines.push(tree.path(line), visible(subject.made.tree[line][3]));
    lines.push(visible(subject.made.notes[region] ?? ""));
    const paragraphs = lines.filter(Boolean).map((text) => element("p", {}, text));
    if (owner >= 0) {
      const back = button(`${subject.structure(owner).name} at ${hex(subject.starts[owner])}`, () =>
        this.go(subject.made.owners[region]),
      );
      paragraphs.push(element("p", {}, "pointed to by ", back));
    }
    const found = subject.made.findings.filter(([offset]) => offset >= start && offset < start + length);
    const wrong = found.map(([, level, message]) => element("p", { class: "wrong" }, `${level}: ${visible(message)}`));
    this.rows = this.parts.slice(0, MOST_PARTS).map((part) => this.row(part));
    const left = this.parts.length - this.rows.length;
    const head2 = element("tr", {}, element("th", { scope: "col" }, "field"), element("th", { scope: "col" }, "value"));
    const table = element("table", {}, element("thead", {}, head2), element("tbody", {}, ...this.rows));
    const more = left > 0 ? [element("p", {}, `and ${grouped(left)} fields more`)] : [];
    this.box.replaceChildren(...head, ...paragraphs, ...wrong, table, ...more);
    this.box.scrollTop = 0;
  }

  /** @param {Part} part */
  row(part) {
    const { subject } = this;
    const raw = subject.bytesOf(part);
    const target = subject.target(part);
    const value = element("td", {}, visible(subject.text(part)) || "nothing");
    if (target >= 0) {
      value.append(
        " ",
        button(`to ${subject.structure(target).name}`, () => this.go(subject.starts[target])),
      );
    }
    if (part.field.kind !== "bytes") {
      value.append(element("span", { class: "hex" }, hexBytes(raw.subarray(0, 8)) + (raw.length > 8 ? " …" : "")));
    }
    const name = element(
      "th",
      { scope: "row" },
      button(part.field.name, () => this.go(part.offset), { class: "line" }),
    );
    if (part.field.meaning) name.append(element("span", { class: "meaning" }, part.field.meaning));
    return element("tr", {}, name, value);
  }
}
