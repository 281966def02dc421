/**
 * QR codes (ISO/IEC 18004) of short texts, for cameras of authenticator apps: byte mode, error correction M, versions 1
 * to 10. Pure. Squares are numbered from the top left; true is dark.
 */

/** Per version from 1: all codewords, error correction codewords of a block, blocks, centres of alignment patterns. */
const VERSIONS = /** @type {const} */ ([
  [26, 10, 1, []],
  [44, 16, 1, [6, 18]],
  [70, 26, 1, [6, 22]],
  [100, 18, 2, [6, 26]],
  [134, 24, 2, [6, 30]],
  [172, 16, 4, [6, 34]],
  [196, 18, 4, [6, 22, 38]],
  [242, 22, 4, [6, 24, 42]],
  [292, 22, 5, [6, 26, 46]],
  [346, 26, 5, [6, 28, 50]],
]);

/** Whether a square is turned over, by row and column. */
const MASKS = /** @type {readonly ((y: number, x: number) => boolean)[]} */ ([
  (y, x) => (y + x) % 2 === 0,
  (y) => y % 2 === 0,
  (_, x) => x % 3 === 0,
  (y, x) => (y + x) % 3 === 0,
  (y, x) => (Math.floor(y / 2) + Math.floor(x / 3)) % 2 === 0,
  (y, x) => ((y * x) % 2) + ((y * x) % 3) === 0,
  (y, x) => (((y * x) % 2) + ((y * x) % 3)) % 2 === 0,
  (y, x) => (((y + x) % 2) + ((y * x) % 3)) % 2 === 0,
]);

/** @typedef {boolean[][]} Squares rows of columns */

/**
 * @param {string} text
 * @returns {Squares | null} null when it is too long
 */
export function qrCode(text) {
  const bytes = [...new TextEncoder().encode(text)];
  const at = VERSIONS.findIndex((row, index) => 4 + countBits(index + 1) + 8 * bytes.length <= 8 * dataBytes(row));
  const row = VERSIONS[at];
  if (row === undefined) return null;
  const version = at + 1;
  const { squares, taken } = frame(version, row[3]);
  place(squares, taken, codewords(bytes, version, row));
  const masked = MASKS.map((mask, index) => finished(squares, taken, mask, index, version));
  return masked.reduce((best, one) => (penalty(one) < penalty(best) ? one : best));
}

/** @param {number} version */
const countBits = (version) => (version < 10 ? 8 : 16);
/** @param {(typeof VERSIONS)[number]} row */
const dataBytes = ([all, correction, blocks]) => all - correction * blocks;

/**
 * Mode, length, text, padding; in blocks, each with its error correction; one codeword of each block after the other.
 *
 * @param {readonly number[]} bytes
 * @param {number} version
 * @param {(typeof VERSIONS)[number]} row
 */
function codewords(bytes, version, row) {
  const [all, correction, blocks] = row;
  /** @type {number[]} */
  const bits = [];
  const push = (/** @type {number} */ value, /** @type {number} */ length) => {
    for (let bit = length - 1; bit >= 0; bit--) bits.push((value >> bit) & 1);
  };
  push(0b0100, 4);
  push(bytes.length, countBits(version));
  for (const byte of bytes) push(byte, 8);
  const room = 8 * dataBytes(row);
  push(0, Math.min(4, room - bits.length));
  push(0, (8 - (bits.length % 8)) % 8);
  for (let pad = 0xec; bits.length < room; pad ^= 0xec ^ 0x11) push(pad, 8);
  const data = Array.from({ length: room / 8 }, (_, index) =>
    bits.slice(8 * index, 8 * index + 8).reduce((value, bit) => 2 * value + bit, 0),
  );
  const short = Math.floor(all / blocks) - correction;
  const longer = all % blocks;
  const parts = Array.from({ length: blocks }, (_, index) => {
    const before = index * short + Math.max(0, index - (blocks - longer));
    return data.slice(before, before + short + (index < blocks - longer ? 0 : 1));
  });
  const divisor = generator(correction);
  const checks = parts.map((part) => remainder(part, divisor));
  return [...interleaved(parts), ...interleaved(checks)];
}

/** @param {readonly (readonly number[])[]} parts */
function interleaved(parts) {
  const longest = Math.max(...parts.map(({ length }) => length));
  return Array.from({ length: longest }, (_, index) => parts.flatMap((part) => part.slice(index, index + 1))).flat();
}

/**
 * In GF(2^8) by x^8 + x^4 + x^3 + x^2 + 1.
 *
 * @param {number} a
 * @param {number} b
 */
function times(a, b) {
  let product = 0;
  for (let bit = 7; bit >= 0; bit--) {
    product = (product << 1) ^ ((product >> 7) * 0x11d);
    product ^= ((b >> bit) & 1) * a;
  }
  return product;
}

/**
 * (x - 2^0)(x - 2^1)...; the first coefficient, 1, is left out.
 *
 * @param {number} degree
 */
function generator(degree) {
  let root = 1;
  let made = [1];
  for (let at = 0; at < degree; at++) {
    const next = [...made, 0];
    for (const [index, factor] of made.entries()) next[index + 1] = (next[index + 1] ?? 0) ^ times(factor, root);
    made = next;
    root = times(root, 2);
  }
  return made.slice(1);
}

/**
 * @param {readonly number[]} data
 * @param {readonly number[]} divisor
 */
function remainder(data, divisor) {
  let rest = divisor.map(() => 0);
  for (const byte of data) {
    const factor = byte ^ (rest[0] ?? 0);
    rest = [...rest.slice(1), 0].map((value, index) => value ^ times(divisor[index] ?? 0, factor));
  }
  return rest;
}

/**
 * What is in every code of a version; `taken` is where no data goes.
 *
 * @param {number} version
 * @param {readonly number[]} centres
 */
function frame(version, centres) {
  const size = 17 + 4 * version;
  const empty = () => Array.from({ length: size }, () => Array.from({ length: size }, () => false));
  const [squares, taken] = [empty(), empty()];
  const set = (/** @type {number} */ y, /** @type {number} */ x, /** @type {boolean} */ dark) => {
    const [row, used] = [squares[y], taken[y]];
    if (row === undefined || used === undefined || x < 0 || x >= size) return;
    row[x] = dark;
    used[x] = true;
  };
  for (let at = 0; at < size; at++) {
    set(6, at, at % 2 === 0);
    set(at, 6, at % 2 === 0);
  }
  const rings = (/** @type {number} */ y, /** @type {number} */ x, /** @type {number} */ reach) => {
    for (let dy = -reach; dy <= reach; dy++)
      for (let dx = -reach; dx <= reach; dx++) {
        const ring = Math.max(Math.abs(dy), Math.abs(dx));
        set(y + dy, x + dx, reach === 4 ? ring !== 2 && ring !== 4 : ring !== 1);
      }
  };
  for (const y of centres)
    for (const x of centres) {
      const corner = (y === 6 && x === 6) || (y === 6 && x === size - 7) || (y === size - 7 && x === 6);
      if (!corner) rings(y, x, 2);
    }
  rings(3, 3, 4);
  rings(3, size - 4, 4);
  rings(size - 4, 3, 4);
  for (const [y, x] of formatPlaces(size).flat()) set(y, x, false);
  set(size - 8, 8, true);
  if (version >= 7)
    for (const [index, dark] of bitsOf(withCheck(version, 12, 0x1f25), 18).entries()) {
      const [a, b] = [Math.floor(index / 3), size - 11 + (index % 3)];
      set(a, b, dark);
      set(b, a, dark);
    }
  return { squares, taken };
}

/**
 * The 15 squares of the format, the lowest bit first; twice.
 *
 * @param {number} size
 * @returns {[number, number][][]}
 */
function formatPlaces(size) {
  const near = [0, 1, 2, 3, 4, 5, 7, 8];
  return [
    [...near.map((y) => [y, 8]), ...[7, 5, 4, 3, 2, 1, 0].map((x) => [8, x])],
    [...[1, 2, 3, 4, 5, 6, 7, 8].map((x) => [8, size - x]), ...[7, 6, 5, 4, 3, 2, 1].map((y) => [size - y, 8])],
  ].map((places) => places.map(([y = 0, x = 0]) => /** @type {[number, number]} */ ([y, x])));
}

/**
 * A value and its check bits (BCH).
 *
 * @param {number} value
 * @param {number} checks
 * @param {number} divisor
 */
function withCheck(value, checks, divisor) {
  let rest = value << checks;
  for (let bit = 31 - Math.clz32(rest); bit >= checks; bit = 31 - Math.clz32(rest)) rest ^= divisor << (bit - checks);
  return (value << checks) | rest;
}

/**
 * The lowest first.
 *
 * @param {number} value
 * @param {number} length
 */
function bitsOf(value, length) {
  return Array.from({ length }, (_, bit) => ((value >> bit) & 1) === 1);
}

/**
 * Two columns at a time, from the right, up and down in turn.
 *
 * @param {Squares} squares
 * @param {Squares} taken
 * @param {readonly number[]} bytes
 */
function place(squares, taken, bytes) {
  const size = squares.length;
  let bit = 0;
  for (let right = size - 1, upward = true; right > 0; right -= 2, upward = !upward) {
    if (right === 6) right = 5;
    for (let step = 0; step < size; step++)
      for (const x of [right, right - 1]) {
        const y = upward ? size - 1 - step : step;
        const row = squares[y];
        if (row === undefined || taken[y]?.[x] !== false) continue;
        row[x] = (((bytes[bit >> 3] ?? 0) >> (7 - (bit & 7))) & 1) === 1;
        bit++;
      }
  }
}

/**
 * @param {Squares} squares
 * @param {Squares} taken
 * @param {(y: number, x: number) => boolean} mask
 * @param {number} index
 * @param {number} version
 * @returns {Squares}
 */
function finished(squares, taken, mask, index, version) {
  const made = squares.map((row, y) => row.map((dark, x) => (taken[y]?.[x] === true ? dark : dark !== mask(y, x))));
  // Error correction M is 00.
  const format = bitsOf(withCheck(index, 10, 0x537) ^ 0x5412, 15);
  for (const places of formatPlaces(17 + 4 * version))
    for (const [bit, [y, x]] of places.entries()) {
      const row = made[y];
      if (row !== undefined) row[x] = format[bit] === true;
    }
  return made;
}

/**
 * How hard a code is to read: long runs, blocks, what looks like a corner, unevenness (section 7.8.3).
 *
 * @param {Squares} squares
 */
function penalty(squares) {
  const lines = [...squares, ...squares.map((_, x) => squares.map((row) => row[x] === true))].map((line) =>
    line.map((dark) => (dark ? '1' : '0')).join(''),
  );
  let sum = 0;
  for (const line of lines) {
    for (const [run] of line.matchAll(/0{5,}|1{5,}/g)) sum += run.length - 2;
    sum += 40 * [...line.matchAll(/(?=10111010000|00001011101)/g)].length;
  }
  const dark = squares.flat().filter(Boolean).length;
  for (const [y, row] of squares.entries())
    for (const [x, one] of row.entries())
      if (row[x + 1] === one && squares[y + 1]?.[x] === one && squares[y + 1]?.[x + 1] === one) sum += 3;
  return sum + 10 * Math.floor(Math.abs((20 * dark) / squares.length ** 2 - 10));
}
