/** Every route, asked by its own description, wrongly and rightly: see fuzz.ts. test/long has hours of it. */
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { OPERATIONS } from '../../src/api/operations.ts';
import { operationsOf } from './document.ts';
import type { Described, Document } from './document.ts';
import { faultsOfLog, fuzz, report } from './fuzz.ts';
import { openFuzzScene } from './fuzz-scene.ts';
import type { FuzzScene } from './fuzz-scene.ts';
import { Judge, Secrets } from './judge.ts';
import type { Answer, RealServer } from './real-server.ts';

const SEED = Number(process.env['FUZZ_SEED'] ?? 20_261_123);
const MILLISECONDS = Number(process.env['FUZZ_MILLISECONDS'] ?? 6000);

suite('every route of the API, fuzzed by its own description', () => {
  let scene: FuzzScene;
  before(async () => {
    scene = await openFuzzScene();
  });
  after(() => scene.server.close());

  test('the judge sees what is wrong', async () => {
    const { document, described, answer } = await anAnswer(scene.server);
    const judge = new Judge(document);
    const secrets = new Secrets();
    secrets.add('wbt_secret');
    assert.equal(judge.fault(described, answer), null);
    assert.equal(secrets.leak(answer, ''), null);
    const changed = (more: Partial<Answer>): string | null => judge.fault(described, { ...answer, ...more });
    const json = (value: unknown): Partial<Answer> => ({ text: JSON.stringify(value) });
    assert.match(String(changed({ status: 500 })), /500/);
    assert.match(String(changed({ status: 202 })), /202 is not documented/);
    assert.match(String(changed(json({ kind: 'file' }))), /not of the documented form/);
    assert.match(String(changed({ headers: { ...answer.headers, 'content-type': 'text/html' } })), /content type/);
    assert.match(String(changed({ headers: { ...answer.headers, 'x-content-type-options': '' } })), /nosniff|header/);
    assert.match(String(changed({ headers: { ...answer.headers, 'set-cookie': ['a=b'] } })), /cookie/);
    assert.match(String(secrets.leak({ ...answer, text: 'x wbt_secret x' }, '')), /a secret/);
    assert.match(String(secrets.leak({ ...answer, text: 'Error\n    at open (node:fs:1)' }, '')), /shows/);
  });

  test('no failure of the server, no answer that is not documented, nothing given away', async (context) => {
    context.diagnostic(`seed ${SEED}`);
    const fuzzed = await fuzz(scene.server, { ...scene, seed: SEED, milliseconds: MILLISECONDS });
    context.diagnostic(report(fuzzed).split('\n')[0] ?? '');
    assert.equal(fuzzed.findings.length, 0, report(fuzzed));
    assert.deepEqual(await faultsOfLog(scene.server), []);
    for (const id of Object.keys(OPERATIONS)) assert.ok((fuzzed.answers.get(id)?.size ?? 0) > 0, `${id} was not asked`);
    // On a machine that is busy with other tests the time is over before everybody has asked for much.
    const enough = fuzzed.sent > 5 * fuzzed.answers.size;
    for (const { name } of enough ? scene.roles : [])
      assert.ok((fuzzed.successes.get(name) ?? 0) > 0, `${name} got nothing at all`);
    assert.equal((await scene.server.ask('GET', '/api')).status, 200);
  });
});

async function anAnswer(server: RealServer): Promise<{ document: Document; described: Described; answer: Answer }> {
  const document = JSON.parse((await server.ask('GET', '/api/v1/openapi.json')).text) as Document;
  const described = operationsOf(document).find(({ id }) => id === 'files.get');
  assert.ok(described !== undefined);
  const answer = await server.ask('GET', '/api/v1/files/exchange/a', { by: await server.token('first') });
  return { document, described, answer };
}
