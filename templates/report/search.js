// SPDX-License-Identifier: Apache-2.0
// Search names, values and bytes of all tars and hives of the report.

const MOST_FOUND = 100;

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
 * Return the offsets of the matches in a subject, the first of each structure, sorted.
 * @param {Subject} subject
 * @param {string} text
 * @param {string} kind
 */
function search(subject, text, kind) {
  /** @type {Map<number, number>} */
  const found = new Map();
  /** @type {(offset: number) => void} */
  const add = (offset) => {
    const region = subject.regionAt(offset);
    if (!found.has(region)) found.set(region, offset);
  };
  const bytes = kind === "hex" ? fromHex(text) : null;
  if (bytes) {
    for (const at of occurrences(subject.bytes, bytes, false)) add(at);
  } else if (kind !== "hex") {
    const wanted = text.toLowerCase();
    for (const [, region, label, note] of subject.made.tree) {
      if (`${label}\n${note}`.toLowerCase().includes(wanted)) add(subject.starts[region]);
    }
    for (const encoded of [new TextEncoder().encode(text), utf16(text)]) {
      for (const at of occurrences(subject.bytes, encoded, true)) add(at);
    }
  }
  return [...found.values()].sort((one, other) => one - other);
}
