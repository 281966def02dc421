import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { once } from 'node:events';
import { createServer } from 'node:tls';
import type { AddressInfo } from 'node:net';
import type { OutgoingEvent, OutgoingTarget } from '../../src/events/calls.ts';
import { syslogFrame } from '../../src/events/sender/rfc5424.ts';
import { Syslog } from '../../src/events/sender/syslog.ts';
import { makeAuthority } from './certificates.ts';
import type { Authority, Identity } from './certificates.ts';
import { syslogReceiver } from './receivers.ts';

function event(index: number, size = 10): OutgoingEvent {
  const json = JSON.stringify({ n: index, text: `é\u2028${'x'.repeat(size)}` });
  return { id: `${'ab'.repeat(32)}_${index}`, kind: 'hold', severity: 4, time: 1_700_000_000_123, message: 'm', json };
}

const batch = Array.from({ length: 300 }, (_, at) => event(at, 1000));
const parts = { allow: ['127.0.0.1'], hostname: 'node one' };

describe('syslog', { timeout: 60_000 }, () => {
  let authority: Authority;
  let identity: Identity;
  before(() => {
    authority = makeAuthority();
    identity = authority.issue('receiver', 'IP:127.0.0.1');
  });
  after(() => {
    authority.remove();
  });
  const target = (port: number, more: Partial<OutgoingTarget> = {}): OutgoingTarget => ({
    ...{ id: 't', kind: 'syslog', address: `127.0.0.1:${port}`, ca: authority.ca, certificate: null, clientKey: null },
    ...{ secrets: [], ...more },
  });

  it('writes RFC 5424 in counted frames, in ASCII', () => {
    const frame = syslogFrame(event(1), 'node one');
    const text = frame.toString('latin1');
    const [, length = '', rest = ''] = /^(\d+) (.*)$/s.exec(text) ?? [];
    assert.equal(Number(length), rest.length);
    assert.match(
      rest,
      /^<107>1 2023-11-14T22:13:20\.123Z nodeone waybill - hold - \{"n":1,"text":"\\u00e9\\u2028x{10}"\}$/,
    );
    assert.equal((JSON.parse(rest.slice(rest.indexOf('{'))) as { text: string }).text, `é\u2028${'x'.repeat(10)}`);
  });

  it('is delivered when the receiver has ended the connection in order', async () => {
    const receiver = await syslogReceiver(identity);
    const answer = await new Syslog(parts).deliver(target(receiver.port), batch);
    assert.deepEqual(answer, { delivered: 300, failure: null, retryAfter: null });
    assert.equal(receiver.lines.length, 300);
    await receiver.stop();
  });

  it('is not delivered when the receiver dies in the middle, or just before the end, however it dies', async () => {
    for (const [at, die] of [
      [100, 'reset'],
      [100, 'destroy'],
      [299, 'reset'],
      [299, 'destroy'],
    ] as const) {
      let count = 0;
      const receiver = await syslogReceiver(identity, {
        received: (_line, socket, reset) => {
          if (count++ !== at) return;
          if (die === 'reset') reset();
          else socket.destroy();
        },
      });
      const answer = await new Syslog(parts).deliver(target(receiver.port), batch);
      assert.equal(answer.delivered, 0, `${die} at ${at}: ${String(answer.failure)}`);
      assert.notEqual(answer.failure, null);
      await receiver.stop();
    }
  });

  it('is not delivered to one who ends the connection at once, or never', async () => {
    const eager = createServer({ ...identity }, (socket) => {
      socket.on('error', () => undefined);
      socket.resume();
      socket.end();
    });
    eager.listen(0, '127.0.0.1');
    await once(eager, 'listening');
    const early = await new Syslog(parts).deliver(target((eager.address() as AddressInfo).port), batch);
    assert.equal(early.delivered, 0);
    eager.close();
    const deaf = createServer({ ...identity, allowHalfOpen: true }, (socket) => {
      socket.on('error', () => undefined);
    });
    deaf.listen(0, '127.0.0.1');
    await once(deaf, 'listening');
    const never = await new Syslog({ ...parts, within: 500 }).deliver(
      target((deaf.address() as AddressInfo).port),
      batch,
    );
    assert.deepEqual([never.delivered, never.failure], [0, 'not confirmed in time']);
    deaf.close();
  });

  it('shows a client certificate where one is asked for, and refuses the wrong server', async () => {
    const client = authority.issue('client', 'DNS:waybill');
    const receiver = await syslogReceiver(identity, { ca: authority.ca });
    const certified = target(receiver.port, { certificate: client.cert, clientKey: client.key });
    assert.equal((await new Syslog(parts).deliver(certified, [event(1)])).delivered, 1);
    assert.equal((await new Syslog(parts).deliver(target(receiver.port), [event(2)])).delivered, 0);
    assert.deepEqual(receiver.lines.length, 1);
    await receiver.stop();
    const wrong = await syslogReceiver(authority.issue('other', 'DNS:other.example'));
    assert.match((await new Syslog(parts).deliver(target(wrong.port), [event(1)])).failure ?? '', /ALTNAME|altnames/);
    assert.match(
      (await new Syslog(parts).deliver(target(wrong.port, { ca: null }), [event(1)])).failure ?? '',
      /certificate/i,
    );
    assert.equal(wrong.lines.length, 0);
    await wrong.stop();
  });

  it('goes to no private address that is not allowed', async () => {
    const answer = await new Syslog({ ...parts, allow: [] }).deliver(target(6514), [event(1)]);
    assert.match(answer.failure ?? '', /private network/);
  });
});
