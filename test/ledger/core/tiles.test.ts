/** Paths and tiles of tlog-tiles: the examples of the specification, and the definition for any size. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { bundlesFor, parseTilePath, tilePath, tilesFor, tileWidth } from '../../../src/ledger/core/tiles.ts';
import type { Tile } from '../../../src/ledger/core/tiles.ts';
import { treeSize } from './naive.ts';

const paths = (tiles: Iterable<Tile>): string[] => [...tiles].map(tilePath);

/** Every tile of a tree of this size, by the definition. */
function allTiles(size: number): Set<string> {
  const all = new Set<string>();
  for (let level = 0; 256 ** level <= size; level++) {
    const count = Math.floor(size / 256 ** level);
    for (let index = 0; index < Math.floor(count / 256); index++) all.add(tilePath({ level, index, width: 256 }));
    if (count % 256 > 0) all.add(tilePath({ level, index: Math.floor(count / 256), width: count % 256 }));
  }
  return all;
}

void describe('tile paths', () => {
  it('are those of the specification', () => {
    assert.equal(tilePath({ level: 0, index: 1234067, width: 256 }), 'tile/0/x001/x234/067');
    assert.equal(tilePath({ level: 63, index: 0, width: 1 }), 'tile/63/000.p/1');
    assert.equal(tilePath({ level: 'entries', index: 1000, width: 255 }), 'tile/entries/x001/000.p/255');
  });

  it('come back from their text', () => {
    const level = fc.oneof(fc.integer({ min: 0, max: 63 }), fc.constant('entries' as const));
    const index = fc.oneof(fc.nat(2000), fc.maxSafeNat());
    fc.assert(
      fc.property(fc.record({ level, index, width: fc.integer({ min: 1, max: 256 }) }), (tile) => {
        assert.deepEqual(parseTilePath(tilePath(tile)), { ...tile });
      }),
    );
  });

  it('have one form only', () => {
    for (const path of [
      '',
      'tile',
      'tile/0',
      'tile/0/',
      'tile/0/00',
      'tile/0/0000',
      'tile/00/000',
      'tile/64/000',
      'tile/-1/000',
      'tile/0/x000/000',
      'tile/0/000/000',
      'tile/0/x001/x000',
      'tile/0/X001/000',
      'tile/0/000.p/0',
      'tile/0/000.p/256',
      'tile/0/000.p/01',
      'tile/0/000.p/',
      'tile/0/000.p',
      '/tile/0/000',
      'tile/0/000/',
      'tile/data/000',
      'tile/0/000\n',
      'tile/0/../000',
      'tile/0/x999/x999/x999/x999/x999/999',
      'tile/entries/0',
      `tile/0/${'x001/'.repeat(400)}000`,
    ])
      assert.equal(parseTilePath(path), null, path);
  });

  it('are refused for what is no tile', () => {
    for (const tile of [
      { level: 64, index: 0, width: 1 },
      { level: -1, index: 0, width: 1 },
      { level: 0, index: -1, width: 1 },
      { level: 0, index: 0.5, width: 1 },
      { level: 0, index: 2 ** 53, width: 1 },
      { level: 0, index: 0, width: 0 },
      { level: 0, index: 0, width: 257 },
    ])
      assert.throws(() => tilePath(tile), { code: 'ledger-damaged' });
  });
});

void describe('tiles of a growing tree', () => {
  it('the example of 70,000', () => {
    const tiles = [...tilesFor(0, 70_000)];
    assert.equal(tiles.filter(({ level, width }) => level === 0 && width === 256).length, 273);
    assert.deepEqual(
      tiles.filter(({ width }) => width < 256),
      [
        { level: 0, index: 273, width: 112 },
        { level: 1, index: 1, width: 17 },
        { level: 2, index: 0, width: 1 },
      ],
    );
    assert.equal(tiles.length, 277);
    assert.deepEqual(paths(tilesFor(255, 256)), ['tile/0/000', 'tile/1/000.p/1']);
    assert.deepEqual(paths(tilesFor(256, 257)), ['tile/0/001.p/1']);
    assert.deepEqual(paths(bundlesFor(250, 515)), ['tile/entries/000', 'tile/entries/001', 'tile/entries/002.p/3']);
    assert.deepEqual(paths(tilesFor(0, 0)), []);
    assert.deepEqual(paths(tilesFor(7, 7)), []);
    assert.deepEqual(paths(tilesFor(8, 7)), []);
  });

  it('are exactly those that were not there before', () => {
    fc.assert(
      fc.property(treeSize(200_000), fc.nat(3000), (size, more) => {
        const before = allTiles(size);
        const expected = [...allTiles(size + more)].filter((path) => !before.has(path));
        assert.deepEqual(paths(tilesFor(size, size + more)).toSorted(), expected.toSorted());
      }),
      { numRuns: 100 },
    );
  });

  it('reach the largest size', () => {
    const max = Number.MAX_SAFE_INTEGER;
    const levels = [...tilesFor(max - 1, max)].map(({ level, width }) => [level, width]);
    assert.deepEqual(levels, [[0, 255]]);
    assert.equal(tileWidth(6, 0, max), 31);
    assert.equal(tileWidth(0, 0, max), 256);
    assert.equal(tileWidth(7, 0, max), 0);
  });
});
