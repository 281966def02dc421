/** What is read out of tiles: right for every size, and never a hash that the root does not commit to. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { readEntries, readEntry } from '../../../src/ledger/core/entry-reader.ts';
import { TileHashReader } from '../../../src/ledger/core/hash-reader.ts';
import { EMPTY_ROOT, leafHash, verifyConsistency, verifyInclusion } from '../../../src/ledger/core/merkle.ts';
import { TreeEdge } from '../../../src/ledger/core/tree-edge.ts';
import { tilePath, tilesFor } from '../../../src/ledger/core/tiles.ts';
import * as proofs from '../../../src/ledger/core/tree-proofs.ts';
import {
  entries,
  entryOf,
  flipped,
  naivePath,
  naiveProof,
  naiveRoot,
  naiveTiles,
  sourceOf,
  treeSize,
} from './naive.ts';

/** The tiles as a writer makes them: fast enough for trees with several levels. */
function written(sizes: readonly number[]): { files: Map<string, Buffer>; edge: TreeEdge } {
  const files = new Map<string, Buffer>();
  const edge = new TreeEdge();
  for (const size of sizes) {
    while (edge.size < size) edge.append(leafHash(entryOf(edge.size)));
    for (const tile of edge.takeTiles()) files.set(tilePath(tile), tile.bytes);
  }
  return { files, edge };
}

void describe('TileHashReader', () => {
  it('roots, frontiers and proofs of every size are those of the definition', async () => {
    await fc.assert(
      fc.asyncProperty(treeSize(700), fc.nat(), fc.nat(), async (size, a, b) => {
        const data = entries(size);
        const reader = new TileHashReader(sourceOf(naiveTiles(data)), size, naiveRoot(data));
        const part = 1 + (a % size);
        const some = data.slice(0, part);
        const index = b % part;
        assert.deepEqual(await proofs.rootFromTiles(reader, part), naiveRoot(some));
        assert.deepEqual((await proofs.frontierFromTiles(reader, part)).root(), naiveRoot(some));
        assert.deepEqual(await proofs.inclusionProof(reader, index, part), naivePath(index, some));
        assert.deepEqual(await proofs.consistencyProof(reader, part, size), naiveProof(part, data));
      }),
      { numRuns: 25 },
    );
  });

  it('three levels of tiles', async () => {
    const size = 66_000;
    const { files, edge } = written([size]);
    const root = edge.root();
    const reader = new TileHashReader(sourceOf(files), size, root);
    for (const index of [0, 1, 255, 256, 65_535, 65_536, 65_999]) {
      const proof = await proofs.inclusionProof(reader, index, size);
      verifyInclusion(proof, index, size, leafHash(entryOf(index)), root);
    }
    for (const old of [1, 255, 256, 257, 65_535, 65_536, 65_537, 65_999]) {
      const proof = await proofs.consistencyProof(reader, old, size);
      verifyConsistency(proof, old, size, await proofs.rootFromTiles(reader, old), root);
    }
  });

  it('the empty tree, one entry, and sizes it has not', async () => {
    const empty = new TileHashReader(sourceOf(new Map()), 0, EMPTY_ROOT);
    assert.deepEqual(await proofs.rootFromTiles(empty, 0), EMPTY_ROOT);
    assert.equal((await TreeEdge.load(sourceOf(new Map()), 0, EMPTY_ROOT)).size, 0);
    const data = entries(1);
    const one = new TileHashReader(sourceOf(naiveTiles(data)), 1, naiveRoot(data));
    assert.deepEqual(await proofs.inclusionProof(one, 0, 1), []);
    assert.deepEqual(await proofs.consistencyProof(one, 0, 1), []);
    assert.deepEqual(await proofs.consistencyProof(one, 1, 1), []);
    const invalid = { code: 'ledger-proof-invalid' };
    await assert.rejects(proofs.inclusionProof(one, 1, 1), invalid);
    await assert.rejects(proofs.inclusionProof(one, 0, 2), invalid);
    await assert.rejects(proofs.consistencyProof(one, 1, 0), invalid);
    await assert.rejects(proofs.rootFromTiles(one, 2), invalid);
    await assert.rejects(one.hashes([{ level: 1, index: 0 }]), { code: 'ledger-damaged' });
    await assert.rejects(one.tile(1, 0), { code: 'ledger-damaged' });
    await assert.rejects(new TileHashReader(sourceOf(new Map()), 0, naiveRoot(data)).rightEdge(), /empty tree/);
  });

  it('any flipped bit is found before a hash is used, and its tile named', async () => {
    const size = 66_000;
    const { files, edge } = written([size]);
    await fc.assert(
      fc.asyncProperty(fc.nat(), fc.nat(), async (which, bit) => {
        const names = [...files.keys()];
        const name = names[which % names.length] as string;
        const bad = new Map(files).set(name, flipped(files.get(name) as Buffer, bit));
        const reader = new TileHashReader(sourceOf(bad), size, edge.root());
        const readAll = async (): Promise<void> => {
          for (const { level, index } of tilesFor(0, size)) await reader.tile(level, index);
        };
        await assert.rejects(readAll(), (error: Error) => error.message.split(/[ ,]+/).includes(name));
      }),
      { numRuns: 15 },
    );
  });

  it('a missing tile, and one of a wrong length, is named', async () => {
    const { files, edge } = written([600]);
    for (const [name, bytes] of files) {
      for (const other of [null, bytes.subarray(1), Buffer.concat([bytes, bytes.subarray(0, 32)])]) {
        const bad = new Map(files);
        if (other === null) bad.delete(name);
        else bad.set(name, other);
        const reader = new TileHashReader(sourceOf(bad), 600, edge.root());
        await assert.rejects(
          (async () => {
            for (let index = 0; index < 3; index++) await reader.tile(0, index);
          })(),
          (error: Error & { code?: string }) => error.code === 'ledger-damaged' && error.message.includes(name),
        );
      }
    }
  });

  it('a root of another size or history is refused', async () => {
    const { files, edge } = written([500, 600]);
    for (const [size, root] of [
      [599, edge.root()],
      [600, naiveRoot(entries(599))],
      [500, edge.root()],
    ] as const)
      await assert.rejects(new TileHashReader(sourceOf(files), size, root).rightEdge(), { code: 'ledger-damaged' });
  });

  it('takes the full tile where the partial one is gone', async () => {
    const { files } = written([300, 1000]);
    const data = entries(300);
    files.delete('tile/0/001.p/44');
    files.set('tile/entries/000', naiveTiles(data).get('tile/entries/000') as Buffer);
    files.set('tile/entries/001', naiveTiles(entries(512)).get('tile/entries/001') as Buffer);
    const reader = new TileHashReader(sourceOf(files), 300, naiveRoot(data));
    assert.deepEqual(await proofs.inclusionProof(reader, 299, 300), naivePath(299, data));
    const read: Buffer[] = [];
    for await (const bundle of readEntries(sourceOf(files), reader, 250)) read.push(...bundle.entries);
    assert.deepEqual(read, data.slice(250));
  });

  it('keeps few tiles, and a failed read is tried again', async () => {
    const { files, edge } = written([66_000]);
    let reads = 0;
    let broken = true;
    const source = {
      read: (path: string): Promise<Uint8Array | null> => {
        reads++;
        return broken ? Promise.reject(new Error('away')) : Promise.resolve(files.get(path) ?? null);
      },
    };
    const reader = new TileHashReader(source, 66_000, edge.root());
    await assert.rejects(reader.tile(0, 0), /away/);
    broken = false;
    await reader.tile(0, 0);
    const before = reads;
    await reader.tile(0, 0);
    assert.equal(reads, before);
  });
});

void describe('entries', () => {
  it('come out as they went in, and not one that was changed', async () => {
    const data = entries(520);
    const files = naiveTiles(data);
    const reader = new TileHashReader(sourceOf(files), 520, naiveRoot(data));
    assert.deepEqual(await readEntry(sourceOf(files), reader, 300), data[300]);
    const bad = new Map(files);
    const bundle = Buffer.from(files.get('tile/entries/001') as Buffer);
    bundle[bundle.indexOf('entry 300') + 8] = 0x39;
    bad.set('tile/entries/001', bundle);
    await assert.rejects(readEntry(sourceOf(bad), reader, 301), /tile\/entries\/001: entry 300 is not what/);
    bad.set('tile/entries/001', bundle.subarray(1));
    await assert.rejects(readEntry(sourceOf(bad), reader, 301), /tile\/entries\/001: a bundle/);
    await assert.rejects(readEntry(sourceOf(files), reader, 520), { code: 'ledger-proof-invalid' });
  });
});

void describe('TreeEdge', () => {
  it('writes the tiles of the definition in any steps, and starts again from them', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 0, max: 300 }), { minLength: 1, maxLength: 5 }), async (steps) => {
        let edge = new TreeEdge();
        const files = new Map<string, Buffer>();
        for (const step of steps) {
          const from = edge.size;
          const failed = edge.clone();
          for (let i = 0; i < step; i++) edge.append(leafHash(entryOf(from + i)));
          failed.append(leafHash(Buffer.from('lost')));
          const tiles = edge.takeTiles();
          assert.deepEqual(tiles.map(tilePath), [...tilesFor(from, from + step)].map(tilePath));
          for (const tile of tiles) files.set(tilePath(tile), tile.bytes);
          assert.deepEqual(edge.takeTiles(), []);
          assert.deepEqual(edge.root(), naiveRoot(entries(edge.size)));
          edge = await TreeEdge.load(sourceOf(files), edge.size, edge.root());
        }
        const expected = naiveTiles(entries(edge.size));
        for (const [name, bytes] of expected)
          if (!name.includes('entries')) assert.deepEqual(files.get(name), bytes, name);
      }),
      { numRuns: 20 },
    );
  });

  it('starts again at a full tile and across levels', async () => {
    for (const size of [255, 256, 257, 65_536, 65_537]) {
      const { files, edge } = written([size]);
      const again = await TreeEdge.load(sourceOf(files), size, edge.root());
      for (const each of [edge, again]) for (let i = 0; i < 300; i++) each.append(leafHash(entryOf(size + i)));
      assert.deepEqual(again.root(), edge.root());
      assert.deepEqual(again.takeTiles(), edge.takeTiles());
    }
  });
});
