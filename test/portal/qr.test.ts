import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { qrCode } from '../../src/portal/qr.js';
import { NO_QR_READER, readQr } from './qr-reader.ts';

const SQUARE = 4;

/** PGM, with the margin of four squares. */
function imageOf(code: readonly (readonly boolean[])[]): Buffer {
  const size = SQUARE * (code.length + 8);
  const at = (of: number): number => Math.floor(of / SQUARE) - 4;
  const pixels = Buffer.alloc(size * size, 255);
  for (let y = 0; y < size; y++)
    for (let x = 0; x < size; x++) if (code[at(y)]?.[at(x)] === true) pixels[y * size + x] = 0;
  return Buffer.concat([Buffer.from(`P5 ${size} ${size} 255\n`), pixels]);
}

suite('QR codes', () => {
  test('the smallest version that holds the text, and none for what is too long', () => {
    // The most bytes of versions 1 to 10 with error correction M (ISO/IEC 18004, table 7).
    for (const [index, most] of [14, 26, 42, 62, 84, 106, 122, 152, 180, 213].entries()) {
      assert.equal(qrCode('x'.repeat(most))?.length, 21 + 4 * index);
      assert.equal(qrCode('x'.repeat(most + 1))?.length, index === 9 ? undefined : 25 + 4 * index);
    }
  });

  test('a reader that is not ours reads them, of every version', { skip: NO_QR_READER }, async () => {
    const texts = [14, 26, 42, 62, 84, 106, 122, 152, 180, 213].map((length) =>
      'otpauth://totp/Waybill:anna?secret=JBSWY3DPEHPK3PXP&issuer=Waybill&digits=6&period=30'
        .repeat(3)
        .slice(0, length),
    );
    for (const text of [...texts, 'A', 'Grüße ✓'])
      assert.equal(await readQr(imageOf(qrCode(text) ?? [])), text, String(text.length));
  });
});
