import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { openHostKeys } from '../../src/first-start/host-keys.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'waybill-host-keys-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

const open = () => openHostKeys(folder, Date.now());
const file = (name: string): string => path.join(folder, name);

describe('host keys', () => {
  it('are made once, readable by the owner alone, and found again', async () => {
    const made = await open();
    assert.deepEqual(
      made.map(({ kind, key, made: fresh }) => [kind, key.public.type, fresh]),
      [
        ['ed25519', 'ssh-ed25519', true],
        ['ecdsa', 'ecdsa-sha2-nistp256', true],
        ['rsa', 'ssh-rsa', true],
      ],
    );
    for (const { file: name } of made) assert.equal(statSync(name).mode & 0o777, 0o600);
    const found = await open();
    assert.deepEqual(
      found.map(({ key }) => key.public.blob),
      made.map(({ key }) => key.public.blob),
    );
    assert.ok(found.every(({ made: fresh }) => !fresh));
  });

  it('a start that was killed before all were there is completed; those that were keep', async () => {
    const [ed25519] = await open();
    rmSync(file('host_rsa'));
    writeFileSync(file('host_rsa.new'), 'half a k', { mode: 0o644 });
    const again = await open();
    assert.deepEqual(again[0]?.key.public.blob, ed25519?.key.public.blob);
    assert.equal(again[2]?.made, true);
    assert.equal(statSync(file('host_rsa')).mode & 0o777, 0o600);
    assert.ok(!readdirSync(folder).some((name) => name.endsWith('.new')));
  });

  it('one that cannot be used stops the start, and the message names the file and what to do', async () => {
    await open();
    chmodSync(file('host_rsa'), 0o640);
    await assert.rejects(open(), { code: 'data-folder-invalid', message: /host_rsa.*chmod 600/ });
    chmodSync(file('host_rsa'), 0o600);
    const text = readFileSync(file('host_ecdsa'), 'utf8');
    writeFileSync(file('host_ecdsa'), text.slice(0, 100));
    await assert.rejects(open(), { code: 'data-folder-invalid', message: /host_ecdsa cannot be used/ });
    writeFileSync(file('host_ecdsa'), readFileSync(file('host_ed25519')));
    await assert.rejects(open(), { code: 'data-folder-invalid', message: /holds a key of type ssh-ed25519/ });
  });
});
