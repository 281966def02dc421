/** A real client whose read is held in the middle of a file, and goes on where it stopped once it is approved. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { Client } from 'ssh2';
import type { SFTPWrapper } from 'ssh2';
import { run, startServer, waybill } from './server.ts';
import { skipWithout } from './suite.ts';
import type { TestServer } from './server.ts';

const MiB = 2 ** 20;
/** 40 MiB in ten minutes. */
const FIGURES = '160M,10000,1000';

suite('held by a budget', { skip: skipWithout('sftp') }, () => {
  let server: TestServer;
  let large: Buffer;

  before(async () => {
    server = await startServer({ args: ['--budget-initial', FIGURES] });
    large = randomBytes(100 * MiB);
    writeFileSync(join(server.temporary, 'large'), large);
    await sftp(server, `put ${join(server.temporary, 'large')} large`);
  });
  after(() => server.remove());

  async function approve(): Promise<string> {
    const { holds } = JSON.parse(await waybill(server, ['approvals', '--json'])) as { holds: { reference: string }[] };
    assert.equal(holds.length, 1, 'one hold, however often the client asked');
    const reference = holds[0]?.reference ?? '';
    await waybill(server, ['approve', reference, '--amount', '48M']);
    return reference;
  }

  test('sftp gets what the budget allows, and reget the rest, approval after approval', async () => {
    const local = join(server.temporary, 'back');
    await assert.rejects(sftp(server, `get large ${local}`));
    const sizes = [statSync(local).size];
    assert.ok(sizes[0] !== undefined && sizes[0] <= 40 * MiB, `${sizes[0]} bytes came`);
    await assert.rejects(sftp(server, `reget large ${local}`), 'nothing changes by trying');
    assert.ok(statSync(local).size <= 40 * MiB);
    const references = new Set<string>();
    // What is read ahead when a read is held, and a part of a segment, count once more: segments are 8 MiB.
    for (let approvals = 0; ; approvals++) {
      assert.ok(approvals < 5, `still not there after ${approvals} approvals: ${sizes.join(', ')}`);
      references.add(await approve());
      const done = await sftp(server, `reget large ${local}`).then(
        () => true,
        () => false,
      );
      sizes.push(statSync(local).size);
      if (done) break;
    }
    assert.ok(readFileSync(local).equals(large));
    assert.ok(references.size >= 2, 'each went on for a while');
  });

  test('the text of the status names the reference', async () => {
    const failure = await readOver(server);
    assert.match(failure, /budget of this (account|tenant) .*reference H-[0-9A-Z]{5}-[0-9A-Z]{5}/);
    const { holds } = JSON.parse(await waybill(server, ['approvals', '--json'])) as { holds: { reference: string }[] };
    assert.ok(failure.includes(holds[0]?.reference ?? 'none'));
  });
});

function sftp({ key, port, login, host }: TestServer, command: string): Promise<string> {
  const options = ['IdentitiesOnly=yes', 'StrictHostKeyChecking=no', 'UserKnownHostsFile=/dev/null', 'LogLevel=ERROR'];
  const args = ['-F', '/dev/null', '-i', key, ...options.flatMap((option) => ['-o', option]), '-P', String(port)];
  return run('sftp', ['-q', ...args, '-b', '-', `${login}@${host}`], { input: command });
}

/** Reads the whole file again with another client library, and tells how that failed. */
function readOver(server: TestServer): Promise<string> {
  return new Promise((resolve, reject) => {
    const client = new Client();
    const read = (sftp: SFTPWrapper): void => {
      const stream = sftp.createReadStream('large');
      stream.on('data', () => undefined);
      stream.on('end', () => {
        client.end();
        reject(new Error('it was not held'));
      });
      stream.on('error', (error: Error) => {
        client.end();
        resolve(error.message);
      });
    };
    client.on('ready', () => {
      client.sftp((error, sftp) => {
        if (error) reject(error);
        else read(sftp);
      });
    });
    client.on('error', reject);
    client.connect({
      host: server.host,
      port: server.port,
      username: server.login,
      privateKey: readFileSync(server.key),
    });
  });
}
