import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { openAuthorityKey } from '../../src/first-start/authority-keys.ts';
import { generateHostKey } from '../../src/sshkeys/host-key.ts';
import { formatPrivateKey, parsePrivateKey } from '../../src/sshkeys/private-key.ts';

describe('keys of our own authorities', () => {
  let folder: string;
  let file: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'waybill-ca-'));
    file = join(folder, 'user_ca');
  });
  afterEach(() => {
    rmSync(folder, { recursive: true, force: true });
  });
  const unusable = (used: Buffer | null, why: RegExp): Promise<void> =>
    assert.rejects(openAuthorityKey(folder, 'user', used), { code: 'data-folder-invalid', message: why });

  it('are made when first asked for, once, for their owner alone, and found again', async () => {
    const key = await openAuthorityKey(folder, 'user', null);
    assert.ok(key.current === null);
    assert.ok(!existsSync(file));
    const [one, two] = await Promise.all([key.take(), key.take()]);
    assert.deepEqual(one.public.blob, two.public.blob);
    assert.equal(statSync(file).mode & 0o777, 0o600);
    assert.deepEqual(parsePrivateKey(readFileSync(file, 'utf8')).public.blob, one.public.blob);
    assert.match(readFileSync(`${file}.pub`, 'utf8'), /^ssh-ed25519 \S+ waybill user certificate authority\n$/);
    const again = await openAuthorityKey(folder, 'user', one.public.blob);
    assert.deepEqual((await again.take()).public.blob, one.public.blob);
  });

  it('that were used and are gone, are others, are damaged, or can be read by others, stop the start', async () => {
    const { public: used } = await (await openAuthorityKey(folder, 'user', null)).take();
    const text = readFileSync(file, 'utf8');
    rmSync(file);
    await unusable(used.blob, /it is gone.*Put it back/);
    const other = async (kind: 'ed25519' | 'ecdsa') => formatPrivateKey(await generateHostKey(kind), '');
    writeFileSync(file, await other('ed25519'), { mode: 0o600 });
    await unusable(used.blob, /another key/);
    writeFileSync(file, await other('ecdsa'));
    await unusable(null, /type ssh-ed25519/);
    writeFileSync(file, `${text.slice(0, 200)}AAAA${text.slice(204)}`);
    await unusable(used.blob, /private key|another/);
    writeFileSync(file, text);
    chmodSync(file, 0o640);
    await unusable(used.blob, /chmod 600/);
    chmodSync(file, 0o600);
    await openAuthorityKey(folder, 'user', used.blob);
  });

  it('that an operator put there are taken', async () => {
    const text = formatPrivateKey(await generateHostKey('ed25519'), 'mine');
    writeFileSync(file, text, { mode: 0o600 });
    const key = await openAuthorityKey(folder, 'user', null);
    assert.deepEqual((await key.take()).public.blob, parsePrivateKey(text).public.blob);
    assert.equal(readFileSync(file, 'utf8'), text);
  });
});
