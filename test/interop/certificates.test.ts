/** Certificates of our own authorities with the real OpenSSH, ssh-agent and rclone. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, describe, test } from 'node:test';
import { formatPpk } from '../../src/cli/key-files.ts';
import { SshAgent } from '../../src/cli/ssh-agent.ts';
import { parseCertificate } from '../../src/sshkeys/certificate.ts';
import { parsePrivateKey } from '../../src/sshkeys/private-key.ts';
import { run, startServer, waybill, type TestServer } from './server.ts';
import { sshOptions } from './ssh-options.ts';
import { content, skipWithout } from './suite.ts';

interface Issued {
  readonly issued: { readonly serial: string; readonly until: string };
}

describe('certificates of our own authority', { skip: skipWithout('sftp') }, () => {
  let server: TestServer;
  const at = (name: string): string => join(server.temporary, name);
  const args = ['--penalties', 'false', '--host-name', 'localhost', '--host-name', '127.0.0.1'];

  before(async () => {
    server = await startServer({ args });
  });
  after(async () => {
    await server.remove();
  });

  async function account(login: string, ...chains: string[]): Promise<void> {
    await waybill(server, ['account', 'add', login, '--tenant', server.tenant, '--service']);
    await waybill(server, ['grant', 'add', login, server.folder.slice(1)]);
    if (chains.length > 0) await waybill(server, ['account', 'require', login, ...chains]);
  }

  /** A new key pair, and a certificate for it beside. */
  async function certified(login: string, name: string, ...more: string[]): Promise<{ key: string } & Issued> {
    const key = at(name);
    await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', key]);
    const out = ['--out', `${key}-cert.pub`, '--json'];
    const answer = await waybill(server, ['key', 'issue', login, '--key', `${key}.pub`, ...out, ...more]);
    return { key, ...(JSON.parse(answer) as Issued) };
  }

  const sftp = (login: string, key: string, ...options: string[]): Promise<string> =>
    run('sftp', ['-b', '-', ...sshOptions({ ...server, key }, ...options), `${login}@${server.host}`], {
      input: `ls ${server.folder}\n`,
    });
  const refused = (login: string, key: string, ...options: string[]): Promise<void> =>
    assert.rejects(sftp(login, key, ...options), /denied|closed|disconnect/i);

  test('what ssh-keygen -L says of one', async () => {
    await account('shown');
    const { key, issued } = await certified('shown', 'shown', '--address', '127.0.0.1,::1');
    const said = (await run('ssh-keygen', ['-L', '-f', `${key}-cert.pub`])).split('\n').map((line) => line.trim());
    const [ca = ''] = readFileSync(join(server.data, 'keys', 'user_ca.pub'), 'utf8').split('\n');
    writeFileSync(at('ca.pub'), `${ca}\n`);
    const [, print = ''] = (await run('ssh-keygen', ['-l', '-f', at('ca.pub')])).split(' ');
    assert.ok(said.includes('Type: ssh-ed25519-cert-v01@openssh.com user certificate'), said.join('\n'));
    assert.ok(said.includes(`Signing CA: ED25519 ${print} (using ssh-ed25519)`));
    assert.ok(said.includes(`Key ID: "waybill shown ${issued.serial}"`));
    assert.ok(said.includes(`Serial: ${issued.serial}`));
    assert.deepEqual(said.slice(said.indexOf('Principals:'), said.indexOf('Extensions: (none)')), [
      'Principals:',
      'shown',
      'Critical Options:',
      'source-address 127.0.0.1,::1',
    ]);
  });

  test('signs in its account, and the ledger and lists tell of it', async () => {
    await account('anna');
    await account('otto');
    const { key, issued } = await certified('anna', 'anna');
    await sftp('anna', key);
    await refused('otto', key);
    const list = await waybill(server, ['key', 'issued', 'anna', '--json']);
    const [row] = (JSON.parse(list) as { certificates: { serial: string; state: string; lastUsed: string }[] })
      .certificates;
    assert.deepEqual([row?.serial, row?.state], [issued.serial, 'valid']);
    assert.ok(row?.lastUsed);
    assert.equal(await waybill(server, ['key', 'certificate', issued.serial]), readFileSync(`${key}-cert.pub`, 'utf8'));
  });

  test('ends', async () => {
    await account('brief');
    const { key, issued } = await certified('brief', 'brief', '--hours', '0.0015');
    await sftp('brief', key);
    const left = Date.parse(issued.until) - Date.now();
    // Time itself is what is tested here.
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, left) + 50));
    await refused('brief', key);
  });

  test('stops from another address, when it is withdrawn, and when the account is suspended', async () => {
    await account('carla');
    const { key } = await certified('carla', 'carla', '--address', '127.0.0.1');
    await sftp('carla', key);
    await refused('carla', key, 'BindAddress=127.0.0.2');
    const other = await certified('carla', 'carla-2');
    await sftp('carla', other.key, 'BindAddress=127.0.0.2');
    await waybill(server, ['key', 'withdraw', other.issued.serial]);
    await refused('carla', other.key);
    await sftp('carla', key);
    await waybill(server, ['account', 'suspend', 'carla']);
    await refused('carla', key);
    await assert.rejects(certified('carla', 'carla-3'), /suspended/);
  });

  test('issued by an administrator it is not more than a key', async () => {
    await account('strict', 'publickey+totp', 'password+totp');
    await waybill(server, ['account', 'totp', 'strict']);
    const { key } = await certified('strict', 'strict');
    await refused('strict', key, 'PreferredAuthentications=publickey');
  });

  test(
    'in a real ssh-agent: plain sftp works, and stops with the account',
    { skip: skipWithout('ssh-agent') },
    async () => {
      await account('agnes');
      const { key } = await certified('agnes', 'agnes', '--address', '127.0.0.1');
      const place = at('agent');
      const daemon = spawn('ssh-agent', ['-D', '-a', place], { stdio: ['ignore', 'pipe', 'inherit'] });
      try {
        await once(createInterface(daemon.stdout), 'line');
        const agent = await SshAgent.connect(place);
        const [, base64 = ''] = readFileSync(`${key}-cert.pub`, 'utf8').split(' ');
        const certificate = parseCertificate(Buffer.from(base64, 'base64'));
        const secret = parsePrivateKey(readFileSync(key, 'utf8')).key;
        await agent.add({ key: secret, certificate, comment: 'waybill agnes', lifetimeSeconds: 600 });
        // From here on it is in the agent alone.
        for (const file of [key, `${key}.pub`, `${key}-cert.pub`]) rmSync(file);
        const plain = (...options: string[]): Promise<string> => {
          const set = ['StrictHostKeyChecking=no', 'UserKnownHostsFile=/dev/null', 'LogLevel=ERROR', ...options];
          const words = ['-b', '-', '-F', '/dev/null', ...set.flatMap((one) => ['-o', one]), '-P', String(server.port)];
          const env = { SSH_AUTH_SOCK: place, HOME: server.temporary };
          return run('sftp', [...words, `agnes@${server.host}`], { input: `ls ${server.folder}\n`, env });
        };
        await plain();
        await assert.rejects(plain('BindAddress=127.0.0.2'), /denied/i);
        await waybill(server, ['account', 'suspend', 'agnes']);
        await assert.rejects(plain(), /denied/i);
        await waybill(server, ['account', 'activate', 'agnes']);
        await plain();
        await agent.remove(certificate);
        await assert.rejects(plain(), /denied/i);
        agent.close();
      } finally {
        daemon.kill();
      }
    },
  );

  test('PuTTY takes key and certificate from one file', { skip: skipWithout('psftp') }, async () => {
    await account('petra');
    const { key } = await certified('petra', 'petra');
    const [, base64 = ''] = readFileSync(`${key}-cert.pub`, 'utf8').split(' ');
    const certificate = parseCertificate(Buffer.from(base64, 'base64'));
    const secret = parsePrivateKey(readFileSync(key, 'utf8')).key;
    writeFileSync(at('petra.ppk'), formatPpk({ key: secret, certificate, comment: 'waybill petra' }), { mode: 0o600 });
    const [fingerprint = ''] = server.fingerprints;
    const psftp = (): Promise<string> =>
      run(
        'psftp',
        ['-batch', '-hostkey', fingerprint, '-i', at('petra.ppk'), '-P', String(server.port), `petra@${server.host}`],
        {
          input: `ls ${server.folder}\nquit\n`,
          env: { HOME: server.temporary },
        },
      );
    await psftp();
    await waybill(server, ['account', 'suspend', 'petra']);
    await assert.rejects(psftp());
  });

  test('machine keys: bound to an address and a day, rotated, listed with their last use', async () => {
    await account('machine');
    const [one, two] = ['machine-1', 'machine-2'].map(at) as [string, string];
    for (const key of [one, two]) await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', key]);
    await waybill(server, ['key', 'add', 'machine', `${one}.pub`, '--expires', '90d', '--address', '127.0.0.1']);
    await refused('machine', one, 'BindAddress=127.0.0.2');
    interface Listed {
      keys: { fingerprint: string; options: string[]; lastUsed: string | null }[];
    }
    const listed = async (): Promise<Listed['keys']> =>
      (JSON.parse(await waybill(server, ['key', 'list', 'machine', '--json'])) as Listed).keys;
    const [before] = await listed();
    assert.equal(before?.lastUsed, null);
    assert.deepEqual(
      before.options.map((option) => option.split('=')[0]),
      ['from', 'expiry-time'],
    );
    await sftp('machine', one);
    assert.ok((await listed())[0]?.lastUsed);
    await waybill(server, ['key', 'rotate', before.fingerprint, `${two}.pub`, '--overlap', '1h']);
    await sftp('machine', one);
    await sftp('machine', two);
    await refused('machine', two, 'BindAddress=127.0.0.2');
    const [old, fresh] = await listed();
    assert.equal(fresh?.options[0], 'from="127.0.0.1"');
    assert.notEqual(old?.options[1], before.options[1]);
  });

  test('rclone takes the key with its certificate file', { skip: skipWithout('rclone') }, async () => {
    await account('robot');
    const { key } = await certified('robot', 'robot', '--address', '127.0.0.0/8');
    writeFileSync(at('payload'), content('robot', 300_000));
    const place = `:sftp,host=${server.host},port=${server.port},user=robot,key_file='${key}',pubkey_file='${key}-cert.pub',shell_type=none,md5sum_command=none,sha1sum_command=none:${server.folder}`;
    const rclone = (...words: string[]): Promise<string> =>
      run('rclone', [...words, '--config', '/dev/null', '--retries', '1', '--low-level-retries', '1'], {
        env: { HOME: server.temporary },
      });
    await rclone('copyto', at('payload'), `${place}/payload`);
    await rclone('copyto', `${place}/payload`, at('payload.back'));
    assert.ok(readFileSync(at('payload.back')).equals(content('robot', 300_000)));
    await waybill(server, ['account', 'suspend', 'robot']);
    await assert.rejects(rclone('lsf', place), /unable to authenticate|handshake failed/);
  });

  test('host keys have certificates: a client that trusts the host authority asks nothing', async () => {
    const line = await waybill(server, ['key', 'host-ca']);
    assert.match(line, /^@cert-authority localhost,\[localhost\]:\*,127\.0\.0\.1,\[127\.0\.0\.1\]:\* ssh-ed25519 /);
    mkdirSync(at('known'));
    writeFileSync(at('known/good'), line);
    copyFileSync(server.key, at('first'));
    writeFileSync(
      at('known/other'),
      line.replace(
        /ssh-ed25519 \S+/,
        readFileSync(`${at('anna')}.pub`, 'utf8')
          .split(' ')
          .slice(0, 2)
          .join(' '),
      ),
    );
    const list = (known: string, host: string, ...more: string[]): Promise<string> => {
      const options = ['StrictHostKeyChecking=yes', `UserKnownHostsFile=${at(known)}`, 'IdentitiesOnly=yes', ...more];
      const words = ['-b', '-', '-F', '/dev/null', '-i', server.key, '-P', String(server.port)];
      return run('sftp', [...words, ...options.flatMap((one) => ['-o', one]), `${server.login}@${host}`], {
        input: 'pwd\n',
      });
    };
    await list('known/good', '127.0.0.1');
    for (const algorithm of ['ssh-ed25519', 'rsa-sha2-512', 'rsa-sha2-256'])
      await list(
        'known/good',
        'localhost',
        `HostKeyAlgorithms=${algorithm}-cert-v01@openssh.com`,
        'AddressFamily=inet',
      );
    await assert.rejects(list('known/other', '127.0.0.1'), /Host key verification failed/);
    // Who knows only the keys, or nothing, is served as before.
    const plain = await waybill(server, ['key', 'host', '--known-hosts', `[127.0.0.1]:${server.port}`]);
    writeFileSync(at('known/plain'), plain);
    await list('known/plain', '127.0.0.1');
  });

  test('a server whose authority is gone or another does not start', async () => {
    await server.stop();
    const file = join(server.data, 'keys', 'user_ca');
    const text = readFileSync(file, 'utf8');
    await run('mv', [file, `${file}.away`]);
    const again = (): Promise<TestServer> => startServer({ args, temporary: server.temporary });
    await assert.rejects(again(), /user_ca cannot be used: it is gone/);
    copyFileSync(join(server.data, 'keys', 'host_ca'), file);
    await assert.rejects(again(), /user_ca cannot be used: it is another key/);
    writeFileSync(file, text);
    server = await again();
    await sftp('anna', at('anna'));
  });
});
