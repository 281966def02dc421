/** A real server gets its certificate from a real ACME server: proven by TLS, by HTTP, and not at all. */
import assert from 'node:assert/strict';
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { connect } from 'node:tls';
import type { ConnectionOptions, PeerCertificate } from 'node:tls';
import { makeCertificate } from '../../src/first-start/self-signed.ts';
import { makeAuthority } from '../events/certificates.ts';
import type { Authority } from '../events/certificates.ts';
import { portOf, startServer } from '../interop/server.ts';
import type { TestServer } from '../interop/server.ts';
import { skipWithout } from '../interop/suite.ts';
import { freePort, startPebble } from './pebble.ts';
import type { Pebble } from './pebble.ts';

const NAMES = ['files.example.test', 'sftp.example.test'];
const KEY_ID = 'kid-1';
const HMAC = 'zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W';

describe('a certificate by ACME', { skip: skipWithout('pebble'), timeout: 110_000 }, () => {
  let authority: Authority;
  let pebble: Pebble;
  let ports: { http: number; tls: number };
  const servers: TestServer[] = [];
  before(async () => {
    authority = makeAuthority();
    ports = { http: await freePort(), tls: await freePort() };
    pebble = await startPebble(authority, ports, { [KEY_ID]: HMAC });
    writeFileSync(path.join(authority.folder, 'eab'), `${KEY_ID}\n${HMAC}\n`);
  });
  after(async () => {
    for (const server of servers) await server.remove();
    await pebble.stop();
    authority.remove();
  });

  function acme(...more: string[]): string[] {
    const names = NAMES.flatMap((name) => ['--https-name', name]);
    const own = ['--acme-ca', authority.caFile, '--acme-eab-file', path.join(authority.folder, 'eab')];
    return ['--acme', pebble.directory, ...names, ...own, '--acme-contact', 'ops@example.com', ...more];
  }

  async function serve(args: readonly string[], temporary?: string): Promise<TestServer> {
    const server = await startServer({ args, ...(temporary === undefined ? {} : { temporary }) });
    servers.push(server);
    return server;
  }

  async function shown(port: number, more: ConnectionOptions = {}): Promise<PeerCertificate> {
    const socket = connect({ host: '127.0.0.1', port, servername: NAMES[0], rejectUnauthorized: false, ...more });
    await once(socket, 'secureConnect');
    const certificate = socket.getPeerCertificate();
    socket.destroy();
    return certificate;
  }

  async function logged(server: TestServer, text: string): Promise<void> {
    const end = performance.now() + 40_000;
    while (!server.log().includes(text)) {
      const failed = server.log().includes('could not be had') || performance.now() > end;
      if (failed) throw new Error(`no "${text}" in:\n${server.log()}\n${pebble.log()}`);
      await wait(50);
    }
  }

  const keyFile = (server: TestServer, name: string): string => path.join(server.data, 'keys', name);

  it('proven by TLS on the address of HTTPS itself; the key stays, and a restart asks for nothing', async () => {
    const args = ['--https', `127.0.0.1:${ports.tls}`, ...acme()];
    const server = await serve(args);
    const before = await shown(ports.tls);
    await logged(server, 'HTTPS has a new certificate');
    const ca = await pebble.root();
    // Checked as a browser does.
    const now = await shown(ports.tls, { ca, rejectUnauthorized: true });
    assert.deepEqual(now.pubkey, before.pubkey);
    const pem = readFileSync(keyFile(server, 'acme.crt'), 'utf8');
    for (const name of NAMES) assert.ok(new X509Certificate(pem).checkHost(name) !== undefined, name);
    for (const name of ['acme.crt', 'acme-account.key'])
      assert.equal(statSync(keyFile(server, name)).mode & 0o777, 0o600);
    // With the proof given, nobody is shown challenges any more.
    const late = connect({ host: '127.0.0.1', port: ports.tls, servername: NAMES[0], ALPNProtocols: ['acme-tls/1'] });
    const [error] = (await once(late, 'error')) as [Error];
    assert.match(error.message, /alert|reset|ECONNRESET|no application protocol/i);
    await server.stop();
    const orders = pebble.log().split('order').length;
    const again = await serve(args, server.temporary);
    const { serialNumber } = await shown(ports.tls, { ca, rejectUnauthorized: true });
    assert.equal(serialNumber, now.serialNumber);
    assert.equal(pebble.log().split('order').length, orders);
    await again.stop();
  });

  it('proven by HTTP, where nobody listens before and after; again when a third of its life is left', async () => {
    const args = ['--https', '127.0.0.1:0', ...acme('--acme-http', `127.0.0.1:${ports.http}`)];
    const server = await serve(args);
    await logged(server, 'HTTPS has a new certificate');
    const ca = await pebble.root();
    await shown(portOf(server, 'https'), { ca, rejectUnauthorized: true });
    await assert.rejects(fetch(`http://127.0.0.1:${ports.http}/.well-known/acme-challenge/x`));
    await server.stop();
    // One that was made 300 of its 397 days ago.
    const key = createPrivateKey(readFileSync(keyFile(server, 'tls.key')));
    const old = makeCertificate(NAMES, key, Date.now() - 300 * 86_400_000);
    writeFileSync(keyFile(server, 'acme.crt'), old);
    const again = await serve(args, server.temporary);
    await logged(again, 'HTTPS has a new certificate');
    await shown(portOf(again, 'https'), { ca, rejectUnauthorized: true });
    assert.notEqual(readFileSync(keyFile(server, 'acme.crt'), 'utf8'), old);
    await again.stop();
  });

  it('not proven: HTTPS goes on with what it had, and the log says why', async () => {
    // The authority looks where nobody is.
    const server = await serve(['--https', '127.0.0.1:0', ...acme('--metrics', '127.0.0.1:0')]);
    const before = await shown(portOf(server, 'https'));
    assert.equal(before.issuer.CN, 'Waybill');
    await logged(server, 'could not be had');
    assert.match(server.log(), /was not proven/);
    assert.equal((await shown(portOf(server, 'https'))).fingerprint256, before.fingerprint256);
    const [, port = ''] = /"metrics":\{"host":"127.0.0.1","port":(\d+)\}/.exec(server.log()) ?? [];
    const metrics = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
    assert.match(metrics, /waybill_acme_failures_total 1\n/);
    assert.match(metrics, /waybill_acme_certificate_end_seconds 0\n/);
    await server.stop();
  });

  it('options that do not go together are refused before anything is made', async () => {
    for (const [args, said] of [
      [['--https-name', 'a.example'], /need --acme/],
      [['--acme', pebble.directory], /--https-name/],
      [['--acme', 'http://localhost/dir', '--https-name', 'a.example'], /https/],
      [['--acme', pebble.directory, '--https-name', '*.example.com'], /host name/],
    ] as const)
      await assert.rejects(startServer({ args: ['--https', '127.0.0.1:0', ...args] }), said);
  });
});
