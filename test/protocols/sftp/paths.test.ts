import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { WaybillError } from '../../../src/base/errors.ts';
import { checkCreatable, expandTilde, related, resolvePath } from '../../../src/protocols/sftp/paths.ts';

const piece = fc.oneof(
  fc.constantFrom('..', '.', '', '...', '..\\', 'a', 'ä', 'a\u0308', ' ', '~', '%2e%2e', '\u2024\u2024'),
  fc.string({ unit: 'binary', maxLength: 8 }),
);
const anyPath = fc.oneof(
  fc.array(piece, { maxLength: 20 }).map((pieces) => Buffer.from(pieces.join('/'))),
  fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
);
const home = fc.constantFrom('/', '/a', '/inbox/deep/er');

/** The result, or null if it was refused with one of the two codes. */
function resolved(act: () => string): string | null {
  try {
    return act();
  } catch (error) {
    assert.ok(error instanceof WaybillError && ['name-invalid', 'path-too-long', 'not-found'].includes(error.code));
    return null;
  }
}

function assertNormal(path: string): void {
  assert.ok(path.startsWith('/'));
  if (path === '/') return;
  for (const name of path.slice(1).split('/')) {
    assert.ok(name !== '' && name !== '.' && name !== '..');
    assert.doesNotMatch(name, /[\u0000-\u001f\u007f-\u009f]/);
    assert.ok(Buffer.byteLength(name) <= 255);
  }
  assert.ok(Buffer.byteLength(path) <= 4096);
}

void describe('paths', () => {
  it('never escape, whatever the bytes', () => {
    fc.assert(
      fc.property(anyPath, home, (raw, base) => {
        for (const act of [() => resolvePath(raw, base), () => expandTilde(raw, base, 'maria')]) {
          const path = resolved(act);
          if (path !== null) assertNormal(path);
        }
      }),
      { numRuns: 2000 },
    );
  });

  it('resolving a result gives the result', () => {
    fc.assert(
      fc.property(anyPath, home, (raw, base) => {
        const path = resolved(() => resolvePath(raw, base));
        if (path !== null) assert.equal(resolvePath(Buffer.from(path), '/elsewhere'), path);
      }),
    );
  });

  it('names keep their bytes: composed and decomposed stay two names', () => {
    assert.notEqual(
      resolvePath(Buffer.from('é'.normalize('NFC')), '/'),
      resolvePath(Buffer.from('é'.normalize('NFD')), '/'),
    );
  });

  it('a byte order mark is part of a name', () => {
    assert.equal(resolvePath(Buffer.from('\ufeffa'), '/'), '/\ufeffa');
  });

  it('a tilde never leads out of home by its user part', () => {
    assert.throws(() => expandTilde(Buffer.from('~../x'), '/h', 'maria'), { code: 'not-found' });
    assert.equal(expandTilde(Buffer.from('~maria/../x'), '/h', 'maria'), '/x');
  });

  it('only the name that is created is judged for a backslash', () => {
    assert.equal(checkCreatable('/a\\b/c'), '/a\\b/c');
    assert.throws(() => checkCreatable('/a/b\\c'), { code: 'name-invalid' });
  });

  it('relation is by whole names', () => {
    assert.ok(related('/', '/a'));
    assert.ok(related('/a', '/a'));
    assert.ok(related('/a/b/c', '/a'));
    assert.ok(!related('/ab', '/a'));
    assert.ok(!related('/a', '/b'));
    assert.ok(!related('/a/b', '/a/c'));
  });
});
