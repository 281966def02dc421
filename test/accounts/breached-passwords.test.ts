import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import fc from 'fast-check';
import { openBreachedPasswords, OWN_LIST } from '../../src/accounts/breached-passwords.ts';
import { Scene } from './scene.ts';

const sum = (text: string): string => createHash('sha1').update(text).digest('hex').toUpperCase();

describe('lists of breached passwords', () => {
  let folder = '';
  before(async () => {
    folder = await mkdtemp(path.join(os.tmpdir(), 'waybill-breached-'));
  });
  after(() => rm(folder, { recursive: true }));

  async function listOf(passwords: readonly string[], form: (hash: string) => string, end = '\n'): Promise<string> {
    const file = path.join(folder, 'list');
    const lines = [...new Set(passwords.map(sum))].sort().map((hash) => form(hash) + end);
    await writeFile(file, lines.join(''));
    return file;
  }

  const FORMS: readonly ((hash: string) => string)[] = [
    (hash) => `${hash.slice(0, 5)}:${hash.slice(5)}:3`,
    (hash) => `${hash}:123456789`,
    (hash) => `${hash.slice(0, 5)}:${hash.slice(5).toLowerCase()}:1`,
  ];

  it('find each of theirs and nothing else, in every form and at every length', async () => {
    const words = fc.uniqueArray(fc.string({ minLength: 1, maxLength: 12 }), { minLength: 1, maxLength: 60 });
    await fc.assert(
      fc.asyncProperty(
        words,
        fc.string(),
        fc.constantFrom(...FORMS),
        fc.constantFrom('\n', '\r\n'),
        async (all, other, form, end) => {
          const list = await openBreachedPasswords([await listOf(all, form, end)]);
          for (const word of all) assert.equal(await list.contains(word), true, word);
          const known = new Set(all.map((word) => word.normalize('NFC')));
          assert.equal(await list.contains(other), known.has(other.normalize('NFC')) || all.includes(other));
        },
      ),
      { numRuns: 60 },
    );
  });

  it('ours is in order, and holds what everybody tries', async () => {
    const lines = (await readFile(OWN_LIST, 'utf8')).trimEnd().split('\n');
    assert.ok(lines.length > 5000);
    assert.deepEqual([...lines].sort(), lines);
    const list = await openBreachedPasswords([OWN_LIST]);
    for (const tried of ['Password123!', 'Summer2025!', 'qwertyuiop', '1234567890', 'Welcome2024'])
      assert.equal(await list.contains(tried), true, tried);
    assert.equal(await list.contains('correct horse battery staple'), false);
  });

  it('are refused when they are none, and when a line is damaged', async () => {
    const invalid = { code: 'option-invalid' };
    await assert.rejects(openBreachedPasswords([path.join(folder, 'none')]), invalid);
    const file = path.join(folder, 'other');
    await writeFile(file, 'password\nqwerty\n');
    await assert.rejects(openBreachedPasswords([file]), invalid);
    await writeFile(file, '');
    await assert.rejects(openBreachedPasswords([file]), invalid);
  });

  it('keep a password from being set', async () => {
    const scene = new Scene();
    try {
      await scene.account('ada', [['password', 'totp']]);
      const breached = await openBreachedPasswords([OWN_LIST]);
      const accounts = scene.accountsWith({ breached });
      await assert.rejects(accounts.setPassword('ada', 'Liverpool2019!'), {
        code: 'option-invalid',
        message: /breach/,
      });
      await accounts.setPassword('ada', 'tulip-radio-9');
      // What was set to stand beside a code may be short: it does not sign in alone later.
      await assert.rejects(accounts.setChains('ada', [['password']]), { code: 'option-invalid', message: /short/ });
      await accounts.setPassword('ada', 'tulip-radio-9-and-more');
      await accounts.setChains('ada', [['password']]);
      await assert.rejects(accounts.setPassword('ada', 'tulip-radio-9'), { message: /at least 15/ });
    } finally {
      scene.close();
    }
  });
});
