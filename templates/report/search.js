// SPDX-License-Identifier: Apache-2.0
// Search names, values and bytes of all tars and hives of the report.

const MOST_FOUND = 100;
const NEAR = 24; // characters or bytes shown on either side of what was found

/** @typedef {{offset: number, before: string, hit: string, after: string}} Found */

/**
 * Return bytes with ASCII letters in lower case.
 * @param {number} byte
 */
function small(byte) {
  return byte >= 0x41 && byte <= 0x5a ? byte + 32 : byte;
}

/**
 * Yield the offsets at which bytes occur in others, optionally ignoring case.
 * @param {Uint8Array} bytes
 * @param {Uint8Array} wanted
 * @param {boolean} folded
 */
function* occurrences(bytes, wanted, folded) {
  /** @type {(byte: number) => number} */
  const fold = folded ? small : (byte) => byte;
  const sought = wanted.map(fold);
  for (let at = 0; at + sought.length <= bytes.length; at++) {
    let same = 0;
    while (same < sought.length && fold(bytes[at + same]) === sought[same]) same++;
    if (same === sought.length) yield at;
  }
}

/** @param {string} text */
function utf16(text) {
  const bytes = new Uint8Array(2 * text.length);
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    [bytes[2 * i], bytes[2 * i + 1]] = [unit & 0xff, unit >> 8];
  }
  return bytes;
}

/**
 * Return the bytes of hexadecimal digits, or null for invalid text.
 * @param {string} text
 */
function fromHex(text) {
  const digits = text.replace(/^0x|\s+/gi, "");
  if (!/^([0-9a-f]{2})+$/i.test(digits)) return null;
  return Uint8Array.from(digits.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

/**
 * Return a match of bytes with its surroundings in the same structure.
 * @param {Subject} subject
 * @param {number} at
 * @param {number} length
 * @param {(bytes: Uint8Array) => string} read
 * @param {number} unit bytes of a character
 * @returns {Found}
 */
function excerpt(subject, at, length, read, unit) {
  const region = subject.regionAt(at);
  const [start, end] = [subject.starts[region], subject.starts[region] + subject.made.lengths[region]];
  /** @type {(left: number) => number} */
  const near = (left) => unit * Math.max(0, Math.floor(Math.min(NEAR, left / unit)));
  const [before, after] = [near(at - start), near(end - at - length)];
  const [hit, next] = [subject.bytes.subarray(at, at + length), subject.bytes.subarray(at + length)];
  return {
    offset: at,
    before: read(subject.bytes.subarray(at - before, at)),
    hit: read(hit),
    after: read(next.subarray(0, after)),
  };
}

/**
 * Return the matches in a subject, the first of each structure, sorted by offset.
 * @param {Subject} subject
 * @param {string} text
 * @param {string} kind
 */
function search(subject, text, kind) {
  /** @type {Map<number, Found>} */
  const found = new Map();
  /** @type {(wanted: Uint8Array, folded: boolean, read: (bytes: Uint8Array) => string, unit?: number) => void} */
  const add = (wanted, folded, read, unit = 1) => {
    for (const at of occurrences(subject.bytes, wanted, folded)) {
      const region = subject.regionAt(at);
      if (!found.has(region)) found.set(region, excerpt(subject, at, wanted.length, read, unit));
    }
  };
  const bytes = kind === "hex" ? fromHex(text) : null;
  if (bytes) add(bytes, false, hexBytes);
  else if (kind !== "hex") {
    for (const [, region, label, note] of subject.made.tree) {
      const line = note ? `${label}: ${note}` : label;
      const at = line.toLowerCase().indexOf(text.toLowerCase());
      if (at < 0 || found.has(region)) continue;
      const [before, after] = [line.slice(Math.max(0, at - NEAR), at), line.slice(at + text.length)];
      const hit = line.slice(at, at + text.length);
      found.set(region, { offset: subject.starts[region], before, hit, after: after.slice(0, NEAR) });
    }
    /** @type {(encoding: string) => (raw: Uint8Array) => string} */
    const dotted = (encoding) => (raw) => new TextDecoder(encoding).decode(raw).replace(UNSEEN, "\u00b7");
    add(new TextEncoder().encode(text), true, dotted("utf-8"));
    add(utf16(text), true, dotted("utf-16le"), 2);
  }
  return [...found.values()].sort((one, other) => one.offset - other.offset);
}
