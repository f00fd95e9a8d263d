// SPDX-License-Identifier: Apache-2.0
// The data of the report: bytes and the offset of each structure, found by the reader of hives. Formats fields as text.

/**
 * A field of a structure; `size` is in bytes, 0 if variable, `shown` the format of the value.
 * @typedef {{name: string, size: number, kind: string, shown: string, meaning: string, signed?: boolean,
 *   names?: Record<string, string>}} Field
 * @typedef {{name: string, group: number, cell: boolean, fields: Field[], tail: Field[]}} Structure
 * @typedef {{groups: {name: string, pattern: string, meaning: string}[], cellSize: Field, inPlace: Field, unused: Field,
 *   structures: Structure[]}} Format
 * @typedef {[above: number, region: number, label: string, note: string]} Line
 * @typedef {{name: string, size: number, bytes: string, skipped: number[], hidden: number[], kinds: number[],
 *   shapes: number[], lengths: number[], owners: number[], entries: [string, number, number, number][], tree: Line[],
 *   notes: Record<string, string>, findings: [number, string, string][]}} Made
 * @typedef {{field: Field, offset: number, size: number}} Part
 */

const MOST_SHOWN = 400; // characters of a text
const MOST_PARTS = 300; // fields of a structure that are listed at once
const FIRST_BIN = 0x1000; // bytes from a hive's start; pointers count from there
const NOWHERE = 0xffffffffn;
const SECONDS_1601_TO_1970 = 11644473600n;
const UNSEEN = /[\p{C}\p{Zl}\p{Zp}]|(?! )\p{Zs}/gu;

/**
 * Return text with invisible and bidirectional characters escaped.
 * @param {string} text
 */
function visible(text) {
  const cut = text.length > MOST_SHOWN ? `${text.slice(0, MOST_SHOWN)}… (${grouped(text.length)} characters)` : text;
  return cut.replace(UNSEEN, (found) => `\\u{${(found.codePointAt(0) ?? 0).toString(16)}}`);
}

/**
 * Return a number with thousands separators.
 * @param {number | bigint} number
 */
function grouped(number) {
  return String(number).replace(/\B(?=(\d{3})+$)/g, ",");
}

/** @param {number} offset */
function hex(offset) {
  return `0x${offset.toString(16)}`;
}

/** @param {Uint8Array} bytes */
function hexBytes(bytes) {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(" ");
}

/**
 * Return the index of the last of sorted numbers that is at most a limit.
 * @param {ArrayLike<number>} sorted
 * @param {number} number
 */
function lastUpTo(sorted, number) {
  let low = 0;
  let high = sorted.length;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (sorted[middle] <= number) low = middle;
    else high = middle;
  }
  return low;
}

/**
 * Return all bytes of a subject, with zeros for the parts that are left out.
 * @param {Made} made
 */
function unpacked(made) {
  const kept = atob(made.bytes);
  const bytes = new Uint8Array(made.size);
  let from = 0;
  let to = 0;
  for (let i = 0; i <= made.skipped.length; i += 2) {
    const end = i < made.skipped.length ? made.skipped[i] : made.size;
    for (; to < end; to++) bytes[to] = kept.charCodeAt(from++);
    to += made.skipped[i + 1] ?? 0;
  }
  return bytes;
}

/** A tar or hive of the report. */
class Subject {
  /**
   * @param {Format} format
   * @param {Made} made
   */
  constructor(format, made) {
    this.format = format;
    this.made = made;
    this.bytes = unpacked(made);
    this.starts = new Uint32Array(made.lengths.length);
    let at = 0;
    made.lengths.forEach((length, i) => {
      this.starts[i] = at;
      at += length;
    });
    this.entryStarts = made.entries.map((entry) => entry[1]);
  }

  /** @param {number} offset */
  regionAt(offset) {
    return lastUpTo(this.starts, offset);
  }

  /** @param {number} region */
  structure(region) {
    return this.format.structures[this.made.kinds[region]];
  }

  /**
   * Return the entry that contains a byte, or null.
   * @param {number} offset
   */
  entryAt(offset) {
    const entry = this.made.entries[lastUpTo(this.entryStarts, offset)];
    return entry && entry[1] <= offset && offset < entry[2] + entry[3] ? entry : null;
  }

  /**
   * Return the region that holds the pointer to a region, or -1.
   * @param {number} region
   */
  ownerOf(region) {
    const at = this.made.owners[region];
    return at ? this.regionAt(at) : -1;
  }

  /**
   * Return the fields of a region, from its first byte to its last, as the reader of hives does.
   * @param {number} region
   */
  parts(region) {
    const structure = this.structure(region);
    const [shape, end] = [this.made.shapes[region], this.starts[region] + this.made.lengths[region]];
    const [count, inPlace, latin] = [shape >>> 2, shape & 2, shape & 1];
    /** @type {Part[]} */
    const parts = [];
    let at = this.starts[region];
    /** @type {(field: Field, size?: number) => boolean} */
    const fits = (field, size = field.size) => {
      if (at + size > end) return false;
      if (size) parts.push({ field, offset: at, size });
      at += size;
      return true;
    };
    const fixed = structure.fields.map((field) => (inPlace && field.name === "data" ? this.format.inPlace : field));
    if ((!structure.cell || fits(this.format.cellSize)) && fixed.every((field) => fits(field))) {
      const [field] = structure.tail;
      if (field && !field.size) fits(latin ? { ...field, shown: "latin-1" } : field, count);
      else for (let i = 0; field && i < count && structure.tail.every((one) => fits(one)); i++);
    }
    if (at < end) fits(this.format.unused, end - at);
    return parts;
  }

  /** @param {Part} part */
  bytesOf(part) {
    return this.bytes.subarray(part.offset, part.offset + part.size);
  }

  /** @param {Part} part */
  number(part) {
    const read = this.bytesOf(part).reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
    return part.field.signed ? BigInt.asIntN(8 * part.size, read) : read;
  }

  /**
   * Return the value of a field as text, formatted as by the reader of hives, not escaped.
   * @param {Part} part
   */
  text(part) {
    const { kind, shown, names = {} } = part.field;
    const raw = this.bytesOf(part);
    if (kind === "bytes") return hexBytes(raw.subarray(0, 16)) + (raw.length > 16 ? " …" : "");
    if (kind === "text") return decoded(raw, shown);
    const value = this.number(part);
    const number = shown === "number" ? grouped(value) : `0x${value.toString(16)}`;
    let words = names[String(value)] ?? "";
    if (shown === "time") words = time(value);
    else if (shown === "pointer") words = value === NOWHERE ? "nowhere" : "";
    else if (shown === "flags") {
      const set = Object.entries(names).filter(([bit]) => value & BigInt(bit));
      words = set.map(([, name]) => name).join(", ");
    }
    return words ? `${number} (${words})` : number;
  }

  /**
   * Return the region that a pointer leads to, or -1 for other fields and invalid pointers.
   * @param {Part} part
   */
  target(part) {
    const entry = this.entryAt(part.offset);
    if (part.field.shown !== "pointer" || !entry) return -1;
    const at = entry[2] + FIRST_BIN + Number(this.number(part));
    const region = this.regionAt(at);
    return this.starts[region] === at ? region : -1;
  }
}

/**
 * @param {Uint8Array} raw
 * @param {string} encoding
 */
function decoded(raw, encoding) {
  const text =
    encoding === "latin-1"
      ? Array.from(raw, (byte) => String.fromCharCode(byte)).join("")
      : new TextDecoder(encoding.replace("16-le", "16le"), { ignoreBOM: true }).decode(raw);
  return text.replace(/\0+$/, "");
}

/**
 * Return a time in units of 100 ns since 1601 as ISO 8601, empty for 0 and after the year 9999.
 * @param {bigint} ticks
 */
function time(ticks) {
  const microseconds = ticks / 10n;
  const seconds = microseconds / 1000000n - SECONDS_1601_TO_1970;
  const date = new Date(Number(seconds) * 1000);
  if (!ticks || !(date.getUTCFullYear() <= 9999)) return "";
  const fraction = microseconds % 1000000n;
  return `${date.toISOString().slice(0, 19)}${fraction ? `.${String(fraction).padStart(6, "0")}` : ""}+00:00`;
}
