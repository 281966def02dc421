/** Every way to sign in, with the real OpenSSH client: keys of each kind, certificates, passwords, codes, and chains of them. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { totpCode, totpStep } from '../../src/accounts/totp.ts';
import { fromBase32 } from '../accounts/base32.ts';
import { run, startServer, waybill, type TestServer } from './server.ts';
import { sshOptions } from './ssh-options.ts';
import { skipWithout } from './suite.ts';

const PASSWORD = 'correct horse battery staple 7';

describe('signing in with OpenSSH', { skip: skipWithout('sftp') }, () => {
  let server: TestServer;
  const at = (name: string): string => join(server.temporary, name);

  before(async () => {
    server = await startServer({ args: ['--penalties', 'false'] });
    // Answers a question by its text; ssh gives the question as the first argument.
    writeFileSync(
      at('askpass'),
      '#!/bin/sh\ncase "$1" in *code*) printf "%s\\n" "$CODE";; *) printf "%s\\n" "$PASSWORD";; esac\n',
    );
    chmodSync(at('askpass'), 0o700);
  });
  after(async () => {
    await server.remove();
  });

  async function account(login: string, ...chains: string[]): Promise<void> {
    await waybill(server, ['account', 'add', login, '--tenant', server.tenant, '--service']);
    await waybill(server, ['grant', 'add', login, server.folder.slice(1)]);
    if (chains.length > 0) await waybill(server, ['account', 'require', login, ...chains]);
  }

  async function enrol(login: string): Promise<Buffer> {
    const text = await waybill(server, ['account', 'totp', login]);
    const secret = /secret=([A-Z2-7]+)/.exec(text)?.[1];
    assert.ok(secret !== undefined, text);
    return fromBase32(secret);
  }

  async function keyPair(name: string, ...args: string[]): Promise<string> {
    await run('ssh-keygen', ['-q', '-N', '', '-f', at(name), ...args]);
    return at(name);
  }

  interface With {
    readonly key?: string;
    readonly password?: string;
    readonly code?: string;
    readonly options?: readonly string[];
  }

  function sftp(login: string, by: With): Promise<string> {
    const options = [
      'StrictHostKeyChecking=no',
      'UserKnownHostsFile=/dev/null',
      'LogLevel=ERROR',
      'IdentitiesOnly=yes',
      'BatchMode=no',
      ...(by.options ?? []),
    ];
    const identity = by.key === undefined ? ['-o', 'PubkeyAuthentication=no'] : ['-i', by.key];
    const args = [
      '-q',
      '-F',
      '/dev/null',
      ...options.flatMap((option) => ['-o', option]),
      ...identity,
      '-P',
      String(server.port),
      `${login}@${server.host}`,
    ];
    // Not -b: batch mode asks no questions. setsid: without a terminal ssh asks SSH_ASKPASS.
    return run('setsid', ['-w', 'sftp', ...args], {
      input: `ls ${server.folder}\nbye\n`,
      env: {
        SSH_ASKPASS: at('askpass'),
        SSH_ASKPASS_REQUIRE: 'force',
        DISPLAY: ':0',
        PASSWORD: by.password ?? '',
        CODE: by.code ?? '',
      },
    });
  }

  const refused = (login: string, by: With): Promise<void> =>
    assert.rejects(sftp(login, by), /denied|closed|disconnect/i);

  for (const [name, ...args] of [
    ['ed25519', '-t', 'ed25519'],
    ['ecdsa256', '-t', 'ecdsa', '-b', '256'],
    ['ecdsa384', '-t', 'ecdsa', '-b', '384'],
    ['ecdsa521', '-t', 'ecdsa', '-b', '521'],
    ['rsa', '-t', 'rsa', '-b', '3072'],
  ] as const) {
    test(`with a key of kind ${name}, until it is revoked`, async () => {
      await account(`by-${name}`);
      const key = await keyPair(name, ...args);
      await refused(`by-${name}`, { key });
      await waybill(server, ['key', 'add', `by-${name}`, `${key}.pub`]);
      await sftp(`by-${name}`, { key });
      await waybill(server, ['key', 'revoke', `${key}.pub`]);
      await refused(`by-${name}`, { key });
    });
  }

  test('with a certificate of the tenant: principal, validity, source address', async () => {
    await account('anna');
    const authority = await keyPair('authority', '-t', 'ed25519');
    await waybill(server, ['key', 'add-authority', server.tenant, `${authority}.pub`]);
    const certify = async (name: string, ...args: string[]): Promise<string> => {
      const key = await keyPair(name, '-t', 'ed25519');
      await run('ssh-keygen', ['-q', '-s', authority, '-I', name, ...args, `${key}.pub`]);
      return key;
    };
    await sftp('anna', { key: await certify('good', '-n', 'anna', '-V', '-1h:+1h') });
    await sftp('anna', { key: await certify('here', '-n', 'anna', '-O', 'source-address=127.0.0.0/8') });
    await refused('anna', { key: await certify('other-principal', '-n', 'otto') });
    await refused('anna', { key: await certify('no-principal') });
    await refused('anna', { key: await certify('expired', '-n', 'anna', '-V', '-2h:-1h') });
    await refused('anna', { key: await certify('elsewhere', '-n', 'anna', '-O', 'source-address=10.0.0.0/8') });
    await refused('anna', { key: await certify('forced', '-n', 'anna', '-O', 'force-command=id') });
  });

  test('with a password', async () => {
    await account('by-password', 'password');
    await waybill(server, ['account', 'password', 'by-password'], `${PASSWORD}\n`);
    await sftp('by-password', { password: PASSWORD });
    await refused('by-password', { password: 'wrong' });
  });

  test('with password and code over keyboard-interactive, each code once', async () => {
    await account('by-otp', 'password+totp');
    await waybill(server, ['account', 'password', 'by-otp'], `${PASSWORD}\n`);
    const secret = await enrol('by-otp');
    const code = totpCode(secret, totpStep(Date.now()));
    const options = ['PreferredAuthentications=keyboard-interactive'];
    await refused('by-otp', { password: PASSWORD, code: '000000' === code ? '111111' : '000000', options });
    await sftp('by-otp', { password: PASSWORD, code, options });
    await refused('by-otp', { password: PASSWORD, code, options });
  });

  test('with key and code, and with neither alone', async () => {
    await account('by-both', 'publickey+totp');
    const key = await keyPair('both', '-t', 'ed25519');
    await waybill(server, ['key', 'add', 'by-both', `${key}.pub`]);
    const secret = await enrol('by-both');
    await refused('by-both', { key, options: ['PreferredAuthentications=publickey'] });
    const code = totpCode(secret, totpStep(Date.now()));
    await refused('by-both', { code, options: ['PreferredAuthentications=keyboard-interactive'] });
    await sftp('by-both', { key, code });
  });

  test('a person needs a second step by default, as the policy of the tenant says', async () => {
    await waybill(server, ['tenant', 'add', 'persons']);
    await waybill(server, ['folder', 'add', 'persons/desk']);
    const key = await keyPair('person', '-t', 'ed25519');
    await waybill(server, ['account', 'add', 'person', '--tenant', 'persons', '--key', `${key}.pub`]);
    await waybill(server, ['grant', 'add', 'person', 'persons/desk']);
    const secret = await enrol('person');
    const listed = await waybill(server, ['account', 'list', 'persons']);
    assert.match(listed, /person +active.* publickey\+totp/);
    await refused('person', { key, options: ['PreferredAuthentications=publickey'] });
    const step = totpStep(Date.now());
    await sftp('person', { key, code: totpCode(secret, step) });
    await waybill(server, ['tenant', 'set-policy', 'persons', 'one-step']);
    await sftp('person', { key });
    const session = spawn('sftp', ['-q', ...sshOptions({ ...server, key }), `person@${server.host}`], {
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    const ended = once(session, 'exit');
    session.stdin.write('pwd\n');
    await once(session.stdout, 'data');
    await waybill(server, ['tenant', 'set-policy', 'persons', 'passkey']);
    assert.doesNotMatch(await waybill(server, ['session', 'list', '--json']), /person/);
    session.stdin.write('pwd\nls\n');
    assert.notEqual(((await ended) as [number | null])[0], 0);
    await refused('person', { key, code: totpCode(secret, step + 1) });
  });

  test('a suspended account is out at once, and its open session ends', async () => {
    await account('leaver');
    const key = await keyPair('leaver', '-t', 'ed25519');
    await waybill(server, ['key', 'add', 'leaver', `${key}.pub`]);
    const session = spawn('sftp', ['-q', ...sshOptions({ ...server, key }), `leaver@${server.host}`], {
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    const ended = once(session, 'exit');
    session.stdin.write('pwd\n');
    await new Promise<void>((resolve) => {
      session.stdout.on('data', (chunk: Buffer) => {
        if (chunk.includes('Remote working directory')) resolve();
      });
    });
    assert.match(await waybill(server, ['session', 'list', '--json']), /leaver/);
    await waybill(server, ['account', 'suspend', 'leaver']);
    session.stdin.write(`ls ${server.folder}\n`); // sftp hears of the end when it next asks something
    const [code] = (await ended) as [number | null];
    assert.notEqual(code, 0);
    assert.doesNotMatch(await waybill(server, ['session', 'list', '--json']), /leaver/);
    await refused('leaver', { key });
  });
});
