/** OpenSSH's sftp shows no texts of failures: what a person has to know goes beside the stream too. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { WaybillError } from '../../../src/base/errors.ts';
import { FXF } from '../../../src/protocols/sftp/wire.ts';
import { Client, statusOf } from './client.ts';

function refusing(client: Client, refuse: () => WaybillError): void {
  client.files.gate = () => Promise.reject(refuse());
}

void describe('notices', () => {
  it('tell of a hold, with its reference, once', async () => {
    const client = Client.ready();
    const handle = await client.open('/inbox/hello.txt', FXF.READ);
    refusing(client, () => new WaybillError('held', 'too much; reference H-ABCDE-12345'));
    for (let times = 0; times < 3; times++) {
      const { message } = statusOf(await client.read(handle, 0, 5));
      assert.match(message, /reference H-ABCDE-12345/);
    }
    assert.equal(client.channel.notices.length, 1);
    assert.match(client.channel.notices[0] ?? '', /^waybill: too much; reference H-ABCDE-12345\. Held: /);
  });

  it('are bounded, and other failures give none', async () => {
    const client = Client.ready();
    const handle = await client.open('/inbox/hello.txt', FXF.READ);
    refusing(client, () => new WaybillError('store-full', 'full'));
    await client.read(handle, 0, 5);
    assert.deepEqual(client.channel.notices, []);
    let count = 0;
    refusing(client, () => new WaybillError('held', `reference ${count++}`));
    for (let times = 0; times < 100; times++) await client.read(handle, 0, 5);
    assert.equal(client.channel.notices.length, 20);
  });
});
