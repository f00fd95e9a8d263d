// SPDX-License-Identifier: Apache-2.0
// The byte map: a cell for each byte. Only the visible part is drawn, so a large hive costs no more.

const LEAST_FOLDED = 2; // whole rows of zeros that become one
// Sizes in units of the font size, so that they scale with it.
const FOLD_HEIGHT = 1.25;
const GUTTER = 3.75; // for offsets
const SMALL = 0.7; // letters
const MOST_CELL = 1.4;
const LEAST_CELL = 9; // pixels
const FRAME = 4; // pixels around the selected cell
const FADED = 0.38;
const SLICE = 400; // pixels of a map's height that stay together on paper
const MOST_PRINTED = 60000; // pixels of height; the rest is in the list of structures
const KEYS = new Set(["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "PageUp", "PageDown", "Home", "End"]);

/** @typedef {{ink: string, paper: string, font: string, groups: {colour: string, pattern: string}[]}} Looks */

class ByteMap {
  /**
   * @param {Subject} subject
   * @param {HTMLElement} box scrolls, takes the focus and holds the canvas and what makes the box as high as the map
   * @param {() => Looks} looks
   * @param {(offset: number, how: string) => void} report callback for the byte that is pointed at or selected
   */
  constructor(subject, box, looks, report) {
    this.subject = subject;
    this.box = box;
    this.looks = looks;
    this.report = report;
    this.canvas = /** @type {HTMLCanvasElement} */ (box.querySelector("canvas"));
    this.room = /** @type {HTMLElement} */ (box.querySelector(".room"));
    this.columns = 0;
    this.cell = 0;
    this.gutter = 0;
    this.letter = 0;
    this.fold = 0; // height of a bar
    this.caret = -1;
    this.waiting = false;
    this.height = 0;
    /** @type {number[]} */ this.rows = [];
    /** @type {number[]} */ this.tops = [];
    /** @type {CanvasPattern[]} */ this.patterns = [];
    this.marks = new Set(subject.made.findings.map(([offset]) => offset));
    box.addEventListener("scroll", () => this.soon(), { passive: true });
    box.addEventListener("keydown", (event) => this.pressed(event));
    this.canvas.addEventListener("pointermove", (event) => this.report(this.offsetAt(event), "pointed"));
    this.canvas.addEventListener("click", (event) => this.select(this.offsetAt(event), "selected"));
    new ResizeObserver(() => this.arrange()).observe(box);
    this.arrange();
  }

  /** Choose the number of columns by the width, and lay out the rows. */
  arrange() {
    const width = this.box.clientWidth;
    if (!width) return;
    const letter = parseFloat(getComputedStyle(document.documentElement).fontSize);
    const gutter = Math.round(GUTTER * letter);
    const columns = [64, 32].find((count) => width >= count * LEAST_CELL + gutter) ?? 16;
    this.gutter = columns > 16 ? gutter : FRAME;
    const cell = Math.max(
      LEAST_CELL,
      Math.min(Math.floor(MOST_CELL * letter), Math.floor((width - this.gutter) / columns)),
    );
    if (columns !== this.columns || cell !== this.cell || letter !== this.letter) {
      [this.columns, this.cell, this.letter, this.fold] = [columns, cell, letter, Math.round(FOLD_HEIGHT * letter)];
      this.layOut();
      if (this.caret >= 0) this.reveal();
    }
    this.repaint();
  }

  /** Divide the bytes into rows; consecutive rows of zeros in one structure become one. */
  layOut() {
    const { bytes, starts, made } = this.subject;
    [this.rows, this.tops] = [[], []];
    let [top, region] = [0, 0];
    for (let at = 0; at < bytes.length; ) {
      while (region + 1 < starts.length && starts[region + 1] <= at) region++;
      const stop = starts[region] + made.lengths[region];
      let end = at;
      while (end < stop && bytes[end] === 0) end++;
      const blank = Math.floor((end - at) / this.columns);
      const folded = blank >= LEAST_FOLDED;
      this.rows.push(at);
      this.tops.push(top);
      top += folded ? this.fold : this.cell;
      at += (folded ? blank : 1) * this.columns;
    }
    this.height = top;
    this.room.style.height = `${top}px`;
  }

  /**
   * Return the end of a row.
   * @param {number} row
   */
  endOf(row) {
    return this.rows[row + 1] ?? this.subject.bytes.length;
  }

  /** @param {number} row */
  isFolded(row) {
    return this.endOf(row) - this.rows[row] > this.columns;
  }

  /** @param {MouseEvent} event */
  offsetAt(event) {
    const at = this.canvas.getBoundingClientRect();
    const row = lastUpTo(this.tops, event.clientY - at.top + this.box.scrollTop);
    const column = Math.floor((event.clientX - at.left - this.gutter) / this.cell);
    if (this.isFolded(row)) return this.rows[row];
    return Math.min(this.rows[row] + Math.max(0, Math.min(this.columns - 1, column)), this.endOf(row) - 1);
  }

  /**
   * Select a byte and scroll it into view.
   * @param {number} offset
   * @param {string} how
   */
  select(offset, how) {
    this.caret = offset;
    this.reveal(how === "opened");
    this.soon();
    this.report(offset, how);
  }

  /** Scroll the selected byte into view, or to the top if *first*. */
  reveal(first = false) {
    const [top, view] = [this.tops[lastUpTo(this.rows, this.caret)], this.box.clientHeight];
    const [from, to] = [this.box.scrollTop + FRAME, this.box.scrollTop + view - this.fold];
    if (first || top < from || top > to) this.box.scrollTop = top - (first ? FRAME : view / 4);
  }

  /** @param {KeyboardEvent} event */
  pressed(event) {
    if (!KEYS.has(event.key) || event.altKey || event.metaKey) return;
    event.preventDefault();
    const { starts, bytes, made } = this.subject;
    const caret = Math.max(0, this.caret);
    const row = lastUpTo(this.rows, caret);
    const folded = this.isFolded(row);
    const region = this.subject.regionAt(caret);
    const column = folded ? 0 : caret - this.rows[row];
    const last = bytes.length - 1;
    /** @type {Record<string, () => number>} */
    const goals = {
      ArrowLeft: () => (folded ? this.rows[row] : caret) - 1,
      ArrowRight: () => (folded ? this.endOf(row) : caret + 1),
      ArrowUp: () => (row ? this.rows[row - 1] + column : caret),
      ArrowDown: () => (row + 1 < this.rows.length ? this.rows[row + 1] + column : caret),
      PageUp: () => starts[Math.max(0, region - 1)],
      PageDown: () => starts[Math.min(starts.length - 1, region + 1)],
      Home: () => (event.ctrlKey ? 0 : starts[region]),
      End: () => (event.ctrlKey ? last : starts[region] + made.lengths[region] - 1),
    };
    const goal = this.caret < 0 && event.key.startsWith("Arrow") ? 0 : Math.max(0, Math.min(last, goals[event.key]()));
    const there = lastUpTo(this.rows, goal);
    this.select(this.isFolded(there) && event.key.startsWith("Arrow") ? this.rows[there] : goal, "moved");
  }

  /** Schedule a redraw for the next frame. */
  soon() {
    if (this.waiting) return;
    this.waiting = true;
    requestAnimationFrame(() => {
      this.waiting = false;
      this.draw();
    });
  }

  /** Recreate the patterns after a change of colours or sizes, and draw. */
  repaint() {
    const context = this.canvas.getContext("2d");
    if (!context || !this.cell) return;
    const { groups, paper } = this.looks();
    const size = Math.round(this.cell * devicePixelRatio);
    this.patterns = [1, FADED].flatMap((strength) =>
      groups.map(({ colour, pattern }) => {
        const tile = document.createElement("canvas");
        tile.width = tile.height = size;
        const brush = /** @type {CanvasRenderingContext2D} */ (tile.getContext("2d"));
        brush.scale(size / this.cell, size / this.cell);
        brush.globalAlpha = strength;
        brush.fillStyle = colour;
        brush.fillRect(0, 0, this.cell - 1, this.cell - 1);
        brush.globalAlpha = strength === 1 ? 0.75 : 0.45;
        brush.fillStyle = strength === 1 ? paper : colour;
        brush.scale((this.cell - 1) / 8, (this.cell - 1) / 8);
        brush.fill(new Path2D(pattern));
        const made = /** @type {CanvasPattern} */ (context.createPattern(tile, "repeat"));
        made.setTransform(new DOMMatrix().scale(this.cell / size));
        return made;
      }),
    );
    this.draw();
  }

  /** Draw the visible part of the map. */
  draw() {
    if (this.cell) this.paint(this.canvas, this.box.scrollTop, this.box.clientHeight);
  }

  /**
   * Draw a part of the map onto a canvas.
   * @param {HTMLCanvasElement} canvas
   * @param {number} from
   * @param {number} height
   */
  paint(canvas, from, height) {
    const context = canvas.getContext("2d");
    if (!context) return;
    const [width, scale] = [this.box.clientWidth, devicePixelRatio];
    const [wide, high] = [Math.round(width * scale), Math.round(height * scale)];
    if (canvas.width !== wide || canvas.height !== high) {
      [canvas.width, canvas.height] = [wide, high];
      canvas.style.height = `${height}px`;
      canvas.style.marginBottom = `${-height}px`; // it lies over the room that makes the box scroll
    }
    const looks = this.looks();
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.clearRect(0, 0, width, height);
    for (let row = lastUpTo(this.tops, from); row < this.rows.length && this.tops[row] < from + height; row++) {
      const y = this.tops[row] - from;
      context.setTransform(scale, 0, 0, scale, this.gutter * scale, y * scale);
      if (this.isFolded(row)) this.drawFold(context, row, looks, this.columns * this.cell);
      else this.drawRow(context, row, looks);
      if (this.columns > 16 && (row % 2 === 0 || this.isFolded(row) || this.cell > SMALL * this.letter)) {
        context.font = `${SMALL * this.letter}px ${looks.font}`;
        context.fillStyle = looks.ink;
        context.textBaseline = "middle";
        context.textAlign = "right";
        const middle = (this.isFolded(row) ? this.fold : this.cell) / 2;
        context.fillText(this.rows[row].toString(16).padStart(5, "0"), -8, middle);
      }
    }
    const row = lastUpTo(this.rows, this.caret);
    if (this.caret < 0 || this.isFolded(row)) return;
    const left = this.gutter + (this.caret - this.rows[row]) * this.cell;
    context.setTransform(scale, 0, 0, scale, left * scale, (this.tops[row] - from) * scale);
    for (const [colour, away] of /** @type {[string, number][]} */ ([
      [looks.paper, 1],
      [looks.ink, FRAME - 1],
    ])) {
      context.strokeStyle = colour;
      context.lineWidth = 2;
      context.strokeRect(-away, -away, this.cell - 1 + 2 * away, this.cell - 1 + 2 * away);
    }
  }

  /**
   * @param {CanvasRenderingContext2D} context
   * @param {number} row
   * @param {Looks} looks
   */
  drawRow(context, row, looks) {
    const { subject, cell } = this;
    const { bytes } = subject;
    const [start, end] = [this.rows[row], this.endOf(row)];
    const chosen = this.caret < 0 ? -1 : subject.regionAt(this.caret);
    let region = subject.regionAt(start);
    for (let at = start; at < end; ) {
      const stop = Math.min(end, subject.starts[region] + subject.made.lengths[region]);
      const left = (at - start) * cell;
      const group = subject.structure(region).group;
      while (at < stop) {
        const [from, empty] = [at, bytes[at] === 0];
        while (at < stop && (bytes[at] === 0) === empty) at++;
        context.fillStyle = this.patterns[group + (empty ? looks.groups.length : 0)];
        context.fillRect((from - start) * cell, 0, (at - from) * cell, cell);
      }
      if (region === chosen) this.frame(context, looks, left, (stop - start) * cell - left, cell);
      region++;
    }
    for (let at = start; this.marks.size && at < end; at++) {
      if (this.marks.has(at)) this.flag(context, looks, at - start);
    }
  }

  /**
   * Frame the selected structure.
   * @param {CanvasRenderingContext2D} context
   * @param {Looks} looks
   * @param {number} left
   * @param {number} width
   * @param {number} height
   */
  frame(context, looks, left, width, height) {
    context.strokeStyle = looks.ink;
    context.lineWidth = 2;
    context.strokeRect(left, 0, width - 1, height - 1);
  }

  /**
   * Mark a byte that has a finding.
   * @param {CanvasRenderingContext2D} context
   * @param {Looks} looks
   * @param {number} column
   */
  flag(context, looks, column) {
    const left = column * this.cell;
    context.fillStyle = looks.paper;
    context.fillRect(left, 0, this.cell - 1, this.cell - 1);
    context.fillStyle = looks.ink;
    context.font = `bold ${this.cell + 2}px ${looks.font}`;
    context.textBaseline = "middle";
    context.textAlign = "center";
    context.fillText("!", left + this.cell / 2, this.cell / 2);
    context.strokeStyle = looks.ink;
    context.lineWidth = 1;
    context.strokeRect(left + 0.5, 0.5, this.cell - 2, this.cell - 2);
  }

  /**
   * @param {CanvasRenderingContext2D} context
   * @param {number} row
   * @param {Looks} looks
   * @param {number} width
   */
  drawFold(context, row, looks, width) {
    const { subject } = this;
    const [start, end] = [this.rows[row], this.endOf(row)];
    const region = subject.regionAt(start);
    const { colour } = looks.groups[subject.structure(region).group];
    context.globalAlpha = 0.2;
    context.fillStyle = colour;
    context.fillRect(0, 1, width - 1, this.fold - 3);
    context.globalAlpha = 1;
    context.fillStyle = colour;
    context.fillRect(0, 1, 5, this.fold - 3);
    const hidden = subject.made.hidden.some(
      (from, i, all) => i % 2 === 0 && from <= start && start < from + all[i + 1],
    );
    const what = hidden ? "bytes not held here" : "zero bytes";
    context.fillStyle = looks.ink;
    context.font = `${SMALL * this.letter}px ${looks.font}`;
    context.textBaseline = "middle";
    context.textAlign = "left";
    context.fillText(`${grouped(end - start)} ${what}, ${subject.structure(region).name}`, 12, this.fold / 2);
    if (this.caret >= start && this.caret < end) this.frame(context, looks, 1, width - 2, this.fold - 1);
  }

  /**
   * Draw the whole map for printing, in slices of one page each, or remove them.
   * @param {boolean} printing
   */
  print(printing) {
    this.arrange();
    for (const slice of this.box.querySelectorAll(".slice")) slice.remove();
    for (let row = 0, top = 0; printing && row < this.rows.length && top < MOST_PRINTED; ) {
      const next = this.tops.findIndex((each) => each > top + SLICE);
      const end = next < 0 ? this.height : this.tops[next];
      const slice = document.createElement("canvas");
      slice.className = "slice";
      this.paint(slice, top, end - top);
      this.box.append(slice);
      [row, top] = [next < 0 ? this.rows.length : next, end];
    }
  }
}
