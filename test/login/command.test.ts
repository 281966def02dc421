/** The machine's side of `waybill login`: what it takes from a server, and what it makes of it. */
import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import type { z } from 'zod';
import { WaybillError } from '../../src/base/errors.ts';
import type { ErrorCode } from '../../src/base/errors.ts';
import type { Ask, HttpsClient } from '../../src/cli/https-client.ts';
import { opener } from '../../src/cli/login/browser.ts';
import { awaitCertificate, checkAnswer, lifetimeSeconds, startLogin } from '../../src/cli/login/exchange.ts';
import type { Answered, Started } from '../../src/cli/login/exchange.ts';
import { forgetFiles, keep, usualFile, usualFiles } from '../../src/cli/login/keeping.ts';
import { knownHostsLines } from '../../src/cli/login/known-hosts.ts';
import { commandLine, configuration } from '../../src/cli/login/use.ts';
import { readOptions } from '../../src/config/read-options.ts';
import { certificateLine, signCertificate } from '../../src/sshkeys/certificate-sign.ts';
import type { Certificate } from '../../src/sshkeys/certificate.ts';
import { publicKeyFrom, publicKeyLine } from '../../src/sshkeys/public-key.ts';

const authority = generateKeyPairSync('ed25519');
const own = generateKeyPairSync('ed25519');
const wish = { publicKey: own.publicKey, login: null, hours: null };

interface Lies {
  readonly key?: KeyObject;
  readonly principals?: readonly string[];
  readonly role?: 'user' | 'host';
}

function certified({ key = own.publicKey, principals = ['anna'], role = 'user' }: Lies = {}): Certificate {
  const [from, until] = [Date.now(), Date.now() + 3_600_000];
  const signer = { key: authority.privateKey, public: publicKeyFrom(authority.publicKey) };
  const what = { serial: 7n, keyId: 'x', principals, from, until, addresses: role === 'user' ? '127.0.0.1' : null };
  return signCertificate(signer, { role, key: publicKeyFrom(key), ...what });
}

function answered(certificate: Certificate, login = 'anna'): Answered {
  const until = new Date(Date.now() + 3_600_000).toISOString();
  const about = { serial: '7', login, tenant: 'acme', until, address: '127.0.0.1', sftpPort: 2022 };
  return { certificate: certificateLine(certificate), hostCa: null, hostKeys: [], ...about };
}

const STARTED: Started = {
  deviceCode: 'wbd_x',
  userCode: 'BCDF-GHJK',
  fingerprint: 'SHA256:x',
  page: 'https://files.example.com/device',
  pageWithCode: 'https://files.example.com/device#BCDF-GHJK',
  expires: new Date().toISOString(),
  interval: 2,
};

type Answer = Answered | Started | ErrorCode;

/** A server that says these, one after the other. */
function serverOf(...answers: Answer[]) {
  const asked: unknown[] = [];
  const waits: number[] = [];
  const client: Pick<HttpsClient, 'ask'> = {
    ask: <T extends z.ZodType>({ body, answer }: Ask<T>) => {
      asked.push(body);
      const next = answers.shift();
      if (typeof next === 'string') return Promise.reject(new WaybillError(next, next));
      return Promise.resolve(answer.parse(next));
    },
  };
  const clock = {
    now: Date.now,
    wait: (milliseconds: number) => {
      waits.push(milliseconds);
      return Promise.resolve();
    },
  };
  return { client, clock, asked, waits };
}

describe('waybill login on the machine', () => {
  it('asks with the public key, then until there is an answer, more slowly when it is told so', async () => {
    const certificate = certified();
    const server = serverOf(
      STARTED,
      'login-pending',
      'login-too-fast',
      'server-unreachable',
      'login-pending',
      answered(certificate),
    );
    const started = await startLogin(server.client, { ...wish, login: 'anna', hours: 2 });
    const answer = await awaitCertificate(server.client, started, server.clock);
    assert.ok(checkAnswer(answer, wish).parsed.blob.equals(certificate.blob));
    assert.deepEqual(server.asked[0], {
      publicKey: publicKeyLine(publicKeyFrom(own.publicKey)),
      login: 'anna',
      hours: 2,
    });
    assert.deepEqual(server.asked[1], { deviceCode: 'wbd_x' });
    assert.deepEqual(server.waits, [2000, 2000, 7000, 7000, 7000]);
  });

  it('ends with what the server says, and with one that is gone', async () => {
    for (const code of ['login-denied', 'login-expired', 'login-elsewhere', 'server-untrusted', 'internal'] as const) {
      const server = serverOf('login-pending', code);
      await assert.rejects(awaitCertificate(server.client, STARTED, server.clock), { code });
    }
    const gone = serverOf(...Array<ErrorCode>(9).fill('server-unreachable'));
    await assert.rejects(awaitCertificate(gone.client, STARTED, gone.clock), { code: 'server-unreachable' });
    assert.equal(gone.waits.length, 5);
    // Neither never nor always.
    const odd = serverOf('login-denied', 'login-denied');
    for (const interval of [0, 86_400])
      await assert.rejects(awaitCertificate(odd.client, { ...STARTED, interval }, odd.clock));
    assert.deepEqual(odd.waits, [1000, 60_000]);
  });

  it('opens no page that is not one of HTTPS', async () => {
    for (const pageWithCode of [
      'file:///etc/passwd',
      'javascript:alert(1)',
      'http://x/',
      'https://a:b@x/',
      '-x',
      'x',
    ]) {
      const server = serverOf({ ...STARTED, pageWithCode });
      await assert.rejects(startLogin(server.client, wish), pageWithCode);
    }
  });

  it('takes a certificate for its own key and one person only', () => {
    const other = generateKeyPairSync('ed25519').publicKey;
    const refused = (answer: Answered, code = 'internal', login: string | null = null): void => {
      assert.throws(() => checkAnswer(answer, { ...wish, login }), { code });
    };
    refused(answered(certified({ key: other })));
    refused(answered(certified({ role: 'host' })));
    refused(answered(certified({ principals: ['anna', 'root'] })));
    refused(answered(certified(), 'otto'));
    refused(answered(certified({ principals: ['$(id)'] }), '$(id)'));
    refused({ ...answered(certified()), certificate: 'ssh-ed25519-cert-v01@openssh.com AAAA' });
    refused(answered(certified()), 'permission-denied', 'otto');
    checkAnswer(answered(certified()), { ...wish, login: 'anna' });
  });

  it('lets the agent forget it in time, whatever clock this machine has', () => {
    const certificate = certified();
    const end = Number(certificate.validBefore);
    const whole = end - Number(certificate.validAfter);
    assert.equal(lifetimeSeconds(certificate, (end - 100) * 1000), 100);
    assert.equal(lifetimeSeconds(certificate, 0), whole);
    assert.equal(lifetimeSeconds(certificate, (end + 86_400) * 1000), whole);
  });

  it('opens a browser only where somebody sits in front of one', () => {
    assert.deepEqual(opener('linux', { DISPLAY: ':0' }), ['xdg-open']);
    assert.deepEqual(opener('linux', { DISPLAY: '', WAYLAND_DISPLAY: 'wayland-0' }), ['xdg-open']);
    assert.equal(opener('linux', {}), null);
    assert.equal(opener('linux', { DISPLAY: ':10', SSH_CONNECTION: '192.0.2.7 1 192.0.2.8 22' }), null);
    assert.deepEqual(opener('darwin', {}), ['open']);
  });
});

describe('what the server is known by afterwards', () => {
  const place = { host: 'files.example.com', port: 2022 };
  const key = publicKeyLine(publicKeyFrom(authority.publicKey));

  it('its authority, where its certificates are for this name; otherwise its keys', () => {
    const names = 'files.example.com,[files.example.com]:*';
    const hostCa = `@cert-authority ${names} ${key} comment`;
    const other = { hostCa, hostKeys: [key, key] };
    assert.deepEqual(knownHostsLines(place, other), [`@cert-authority [files.example.com]:2022 ${key} waybill login`]);
    assert.deepEqual(knownHostsLines({ host: '192.0.2.7', port: 22 }, { hostCa, hostKeys: [key] }), [
      `192.0.2.7 ${key} waybill login`,
    ]);
    assert.deepEqual(knownHostsLines(place, { hostCa: null, hostKeys: [] }), []);
  });

  it('a server cannot say that it is every other host, nor write lines of its own', () => {
    for (const hostCa of [
      `@cert-authority * ${key}`,
      `@cert-authority *,files.example.com ${key}`,
      `@cert-authority files.example.com ${key} x\n@cert-authority * ${key}`,
    ])
      for (const line of knownHostsLines(place, { hostCa, hostKeys: [`${key}\n* ${key}`] })) {
        assert.match(line, /^(@cert-authority )?\[files\.example\.com\]:2022 ssh-ed25519 \S+ waybill login$/);
      }
    for (const line of ['', 'ssh-ed25519', 'ssh-ed25519 !!!!', 'x y z'])
      assert.deepEqual(
        knownHostsLines(place, { hostCa: `@cert-authority files.example.com ${line}`, hostKeys: [line] }),
        [],
      );
  });
});

describe('what to type', () => {
  it('is what a shell takes as it was meant', () => {
    const use = { place: { host: 'files.example.com', port: 2022 }, login: 'anna', keyFile: null, family: null };
    assert.equal(commandLine(use), 'sftp -P 2022 anna@files.example.com');
    assert.equal(commandLine({ ...use, place: { host: '2001:db8::7', port: 22 } }), 'sftp anna@[2001:db8::7]');
    assert.equal(commandLine({ ...use, family: 4 }), 'sftp -4 -P 2022 anna@files.example.com');
    assert.equal(commandLine({ ...use, place: null }), null);
    const keyFile = "/home/o'brien/my keys/$(id) `id` key";
    const line = commandLine({ ...use, keyFile }) ?? '';
    const words = execFileSync('sh', ['-c', `printf '%s\\n' ${line}`], { encoding: 'utf8' })
      .trimEnd()
      .split('\n');
    assert.deepEqual(words, ['sftp', '-P', '2022', '-i', keyFile, 'anna@files.example.com']);
  });

  it('is a block that OpenSSH reads', () => {
    const keyFile = '/home/anna/my keys/100%h';
    const use = { place: { host: 'files.example.com', port: 2022 }, login: 'anna', keyFile, family: 6 } as const;
    const folder = mkdtempSync(join(tmpdir(), 'waybill-login-'));
    writeFileSync(join(folder, 'config'), configuration(use).join('\n'));
    const read = execFileSync('ssh', ['-G', '-F', join(folder, 'config'), 'files.example.com'], { encoding: 'utf8' });
    rmSync(folder, { recursive: true });
    for (const line of [
      'user anna',
      'port 2022',
      'addressfamily inet6',
      'identitiesonly yes',
      'identityfile /home/anna/my keys/100%%h',
    ])
      assert.ok(
        read.split('\n').some((one) => one.startsWith(line)),
        line,
      );
    assert.ok(read.includes(`certificatefile /home/anna/my keys/100%%h-cert.pub`));
    assert.deepEqual(configuration({ ...use, keyFile: null, family: null }).length, 3);
  });
});

describe('networks from which the browser may be elsewhere', () => {
  it('are addresses and networks, and nothing that asks a name server', () => {
    const read = (text: string) => readOptions({ 'login-elsewhere': text }, {})['login-elsewhere'];
    assert.deepEqual(read('192.0.2.0/24'), [{ address: '192.0.2.0', family: 'ipv4', length: 24 }]);
    assert.deepEqual(readOptions({}, {})['login-elsewhere'], []);
    for (const text of ['files.example.com', '192.0.2.0/33', '192.0.2.*', '']) assert.throws(() => read(text), text);
  });
});

describe('keys in files', () => {
  let home: string;
  beforeEach(() => {
    home = mkdtempSync(join(tmpdir(), 'waybill-login-'));
  });
  afterEach(() => {
    rmSync(home, { recursive: true });
  });

  it('are taken away again by logout, and nothing of anybody else', async () => {
    const files = ['files.example.com', '2001:db8::7'].map((host) => usualFile(home, host));
    for (const file of files)
      await keep(
        { kind: 'file', file },
        { key: own.privateKey, certificate: certified(), comment: 'waybill anna@x' },
        60,
      );
    const foreign = join(home, '.ssh', 'waybill-mine');
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', 'mine', '-f', foreign]);
    writeFileSync(join(home, '.ssh', 'other'), 'x');
    assert.deepEqual((await usualFiles(home, null)).sort(), files.toSorted());
    assert.deepEqual(await usualFiles(home, 'files.example.com'), [files[0]]);
    const removed = await forgetFiles(files);
    assert.equal(removed.length, 6);
    assert.ok(files.every((file) => !existsSync(file)));
    assert.deepEqual(await forgetFiles(files), []);
    await assert.rejects(forgetFiles([foreign]), { code: 'already-exists' });
    assert.match(readFileSync(foreign, 'utf8'), /PRIVATE KEY/);
  });
});
