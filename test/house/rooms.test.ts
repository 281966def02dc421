import assert from 'node:assert/strict';
import path from 'node:path';
import { describe, it } from 'node:test';
import { checkRooms } from '../../tools/check-rooms.ts';
import { importsOf, sourceFiles } from '../../tools/imports.ts';
import type { Room } from '../../tools/rooms.ts';

const rooms: readonly Room[] = [
  { room: 'main.ts', imports: 'everything' },
  { room: 'top', imports: ['low'], types: ['side/promise.ts'] },
  { room: 'side', imports: ['low'] },
  { room: 'low', imports: [] },
];

function check(file: string, text: string): string[] {
  return checkRooms([{ file, text }], rooms);
}

describe('import directions', () => {
  it('hold over src/', () => {
    assert.deepEqual(checkRooms(sourceFiles(path.join(import.meta.dirname, '..', '..', 'src'))), []);
  });

  it('a forbidden import is told as a sentence that names file, line and rule', () => {
    assert.deepEqual(check('low/a.ts', "// one\nimport { b } from '../side/b.ts';\n"), [
      'src/low/a.ts:2: low must not import side (side/b.ts). It may import nothing of ours.',
    ]);
  });

  it('a room, its own files and what its row names are allowed', () => {
    assert.deepEqual(check('top/a.ts', "import './b.ts'; import '../low/c.ts'; import 'node:fs';"), []);
    assert.deepEqual(check('main.ts', "import './top/a.ts'; import './low/c.ts';"), []);
  });

  it('types may be named where code may not be used', () => {
    assert.deepEqual(check('top/a.ts', "import type { P } from '../side/promise.ts';"), []);
    assert.deepEqual(check('top/a.ts', "let p: import('../side/promise.ts').P;"), []);
    for (const line of ["import { P } from '../side/promise.ts';", "await import('../side/promise.ts');"]) {
      assert.match(check('top/a.ts', line)[0] ?? '', /may name only types/);
    }
    assert.match(check('top/a.ts', "import type { X } from '../side/other.ts';")[0] ?? '', /must not import side/);
  });

  it('names a file in no room, a way out of src/ and a package nobody argued for', () => {
    assert.match(check('attic/a.ts', '')[0] ?? '', /in no room/);
    assert.match(check('top/a.ts', "import '../../test/x.ts';")[0] ?? '', /outside src/);
    assert.match(check('top/a.ts', "import 'left-pad/sub.js';")[0] ?? '', /package left-pad/);
  });

  it('finds every form of import', () => {
    const text =
      "import a from 'a'; export * from 'b'; export type { C } from 'c'; import type D from 'd'; import('e');";
    assert.deepEqual(
      importsOf(text).map(({ specifier, typeOnly }) => [specifier, typeOnly]),
      [
        ['a', false],
        ['b', false],
        ['c', true],
        ['d', true],
        ['e', false],
      ],
    );
  });
});
