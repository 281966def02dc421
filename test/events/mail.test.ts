import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { after, before, describe, it } from 'node:test';
import fc from 'fast-check';
import { isMailAddress } from '../../src/base/mail-address.ts';
import type { OutgoingEvent, OutgoingTarget } from '../../src/events/calls.ts';
import { letterOf, Mail } from '../../src/events/sender/mail.ts';

interface Received {
  readonly from: string;
  readonly to: string[];
  readonly data: string;
}

/** The server's side of SMTP as far as a client needs it to hand over a letter. */
class SmtpServer {
  readonly letters: Received[] = [];
  private readonly server: Server = createServer((socket) => {
    this.serve(socket);
  });
  refuse = false;

  async listen(): Promise<number> {
    this.server.listen(0, '127.0.0.1');
    await once(this.server, 'listening');
    return (this.server.address() as AddressInfo).port;
  }

  close(): void {
    this.server.close();
  }

  private serve(socket: Socket): void {
    let [rest, from, data] = ['', '', false as string | false];
    let to: string[] = [];
    socket.on('error', () => undefined);
    socket.write('220 test\r\n');
    socket.on('data', (chunk: Buffer) => {
      rest += chunk.toString('latin1');
      for (let end = rest.indexOf('\r\n'); end >= 0; end = rest.indexOf('\r\n')) {
        const line = rest.slice(0, end);
        rest = rest.slice(end + 2);
        if (data !== false) {
          if (line !== '.') data += `${line}\n`;
          else {
            this.letters.push({ from, to, data });
            [data, to] = [false, []];
            socket.write('250 ok\r\n');
          }
        } else if (/^MAIL FROM:/i.test(line)) {
          from = line;
          socket.write(this.refuse ? '451 later\r\n' : '250 ok\r\n');
        } else if (/^RCPT TO:/i.test(line)) {
          to.push(line);
          socket.write('250 ok\r\n');
        } else if (/^DATA/i.test(line)) {
          data = '';
          socket.write('354 go on\r\n');
        } else if (/^QUIT/i.test(line)) socket.end('221 bye\r\n');
        else socket.write('250 ok\r\n');
      }
    });
  }
}

function event(message: string, kind = 'hold'): OutgoingEvent {
  return { id: `${'ab'.repeat(32)}_1`, kind, severity: 4, time: 1_700_000_000_000, message, json: '{}' };
}

const target: OutgoingTarget = {
  ...{ id: 't', kind: 'mail', address: 'soc@example.com', ca: null, certificate: null, clientKey: null, secrets: [] },
};

function headersOf({ data }: Received): string[] {
  return data
    .slice(0, data.indexOf('\n\n'))
    .replaceAll(/\n[ \t]+/g, ' ')
    .split('\n');
}

describe('mail', { timeout: 60_000 }, () => {
  const smtp = new SmtpServer();
  let mail: Mail;
  before(async () => {
    const port = await smtp.listen();
    mail = new Mail({ url: `smtp://127.0.0.1:${port}`, from: 'waybill@example.com', password: null, ca: null });
  });
  after(() => {
    smtp.close();
  });

  it('one letter tells of everything that waits', async () => {
    const answer = await mail.deliver(target, [event('H-1: anna asks'), event('A-1 waits', 'proposal')]);
    assert.deepEqual(answer, { delivered: 2, failure: null, retryAfter: null });
    const [letter] = smtp.letters.splice(0);
    assert.ok(letter !== undefined);
    assert.deepEqual(letter.to, ['RCPT TO:<soc@example.com>']);
    const headers = headersOf(letter);
    assert.ok(headers.includes('Subject: Waybill: 1 held, 1 waiting for approval'));
    assert.ok(headers.includes('Auto-Submitted: auto-generated'));
    assert.match(letter.data, /H-1: anna asks\n.*A-1 waits/);
  });

  it('nothing that somebody chose becomes a header, a recipient or a second letter', async () => {
    const evil = [
      'x\r\nBcc: victim@example.com',
      'x\n\nX: y',
      'x\r\n.\r\nMAIL FROM:<a@b>\r\n',
      '\u2028Bcc: v@e',
      '=?utf-8?q?=0aBcc:_v?=',
    ];
    await mail.deliver(
      target,
      evil.map((message) => event(message)),
    );
    assert.equal(smtp.letters.length, 1);
    const [letter] = smtp.letters.splice(0);
    assert.ok(letter !== undefined);
    const names = headersOf(letter).map((line) => line.split(':')[0]?.toLowerCase());
    const usual = [
      'from',
      'to',
      'subject',
      'date',
      'message-id',
      'mime-version',
      'content-type',
      'content-transfer-encoding',
    ];
    for (const name of names) assert.ok([...usual, 'auto-submitted'].includes(name ?? ''), `header ${name ?? ''}`);
    assert.deepEqual(letter.to, ['RCPT TO:<soc@example.com>']);
  });

  it('subjects hold counts alone, and texts one line an event, whatever events say', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'binary' }), { minLength: 1, maxLength: 150 }), (messages) => {
        const { subject, text } = letterOf(messages.map((message) => event(message)));
        assert.match(subject, /^Waybill: \d+ held$/);
        assert.doesNotMatch(text, /[\r\0\u2028\u2029\u0085]/);
        assert.ok(text.split('\n').length <= 106);
      }),
    );
  });

  it('an address is one address', () => {
    for (const good of ['a@b', 'soc@example.com', 'a.b+c@mail.example.co']) assert.ok(isMailAddress(good), good);
    const bad = [
      '',
      'a',
      'a@',
      '@b',
      'a@b,c@d',
      'a@b\r\nBcc: c@d',
      '<a@b>',
      '"a b"@c',
      'a@b c',
      'a b@c',
      '-oX@b',
      'a@b>',
      'ä@b',
    ];
    for (const text of bad) assert.equal(isMailAddress(text), false, text);
  });

  it('to another address nothing is sent, and a refusal is a failure', async () => {
    assert.equal((await mail.deliver({ ...target, address: 'a@b,c@d' }, [event('x')])).delivered, 0);
    smtp.refuse = true;
    const answer = await mail.deliver(target, [event('x')]);
    assert.equal(answer.delivered, 0);
    assert.match(answer.failure ?? '', /451/);
    assert.equal(smtp.letters.length, 0);
  });
});
