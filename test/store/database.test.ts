import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { Database } from '../../src/store/sqlite/database.ts';

let folder: string;
let database: Database;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'waybill-database-'));
  database = new Database(join(folder, 'waybill.db'));
  database.define('CREATE TABLE IF NOT EXISTS t (n INTEGER PRIMARY KEY) STRICT');
});

afterEach(() => {
  database.close();
  rmSync(folder, { recursive: true, force: true });
});

function put(n: number): Promise<void> {
  return database.write(() => {
    database.sql.prepare('INSERT INTO t VALUES (?)').run(n);
  });
}

function numbers(of: Database = database): unknown[] {
  return of.sql
    .prepare('SELECT n FROM t ORDER BY n')
    .all()
    .map((row) => row['n']);
}

test('writes of one turn share a commit, in order; each sees those before it', async () => {
  const seen: unknown[][] = [];
  await Promise.all(
    [1, 2, 3].map((n) => {
      const done = put(n);
      void database.write(() => seen.push(numbers()));
      return done;
    }),
  );
  assert.deepEqual(seen, [[1], [1, 2], [1, 2, 3]]);
});

test('an action that throws leaves nothing, and its group goes on', async () => {
  const results = await Promise.allSettled([
    put(1),
    database.write(() => {
      database.sql.exec('INSERT INTO t VALUES (2)');
      throw new Error('no');
    }),
    put(1),
    put(3),
  ]);
  assert.deepEqual(
    results.map(({ status }) => status),
    ['fulfilled', 'rejected', 'rejected', 'fulfilled'],
  );
  assert.deepEqual(numbers(), [1, 3]);
});

test('what was resolved is there for another reader, and nothing before', async () => {
  const reader = new Database(join(folder, 'waybill.db'), { readOnly: true });
  try {
    const done = put(1);
    assert.deepEqual(numbers(reader), []);
    await done;
    assert.deepEqual(numbers(reader), [1]);
    await assert.rejects(
      reader.write(() => {
        reader.sql.exec('INSERT INTO t VALUES (9)');
      }),
    );
  } finally {
    reader.close();
  }
});

test('when the commit itself fails, nobody hears success and the next group works', async () => {
  database.sql.exec(`CREATE TABLE child (n INTEGER REFERENCES t (n) DEFERRABLE INITIALLY DEFERRED)`);
  const bad = database.write(() => {
    database.sql.exec('INSERT INTO child VALUES (77)');
  });
  const with_ = put(5);
  await assert.rejects(bad, /FOREIGN KEY/);
  await assert.rejects(with_, /FOREIGN KEY/);
  assert.deepEqual(numbers(), []);
  await put(5);
  assert.deepEqual(numbers(), [5]);
});

test('a full disk has its own code, and the next group works once there is room', async () => {
  database.define('CREATE TABLE big (bytes BLOB)');
  const fill = (): Promise<void> =>
    database.write(() => {
      database.sql.exec('INSERT INTO big VALUES (zeroblob(1000000))');
    });
  database.sql.exec('PRAGMA max_page_count = 20');
  const results = await Promise.allSettled([put(1), fill(), put(2)]);
  for (const result of results)
    if (result.status === 'rejected') assert.equal((result.reason as { code: string }).code, 'store-full');
  assert.equal(results[1].status, 'rejected');
  database.sql.exec('PRAGMA max_page_count = 100000');
  await fill();
  await put(3);
  assert.ok(numbers().includes(3));
});

test('closing commits what is queued', async () => {
  const done = put(1);
  database.close();
  await done;
  database = new Database(join(folder, 'waybill.db'));
  assert.deepEqual(numbers(), [1]);
});
