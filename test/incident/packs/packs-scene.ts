/** A ledger of five tenants over two days, with a thief in one of them, on disk. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Event } from '../../../src/ledger/core/kinds.ts';
import { NODE, openScene } from '../../ledger/verify/ledger-scene.ts';
import type { MemoryFiles, Scene } from '../../ledger/verify/ledger-scene.ts';

const HOUR = 3_600_000;
export const DAY = Date.UTC(2026, 5, 2);
/** The period that is asked about: six hours of the second day. */
export const FROM = DAY + 10 * HOUR;
export const TO = DAY + 16 * HOUR;
export const SEGMENT = 8 * 1024 * 1024;
export const THIEF = { credential: 'c0'.repeat(16), address: '198.51.100.7' };

export interface Tenant {
  readonly id: string;
  readonly name: string;
  readonly login: string;
  readonly account: string;
  readonly folder: string;
  readonly path: string;
}

export const TENANTS: readonly Tenant[] = ['acme', 'bolt', 'cove', 'dune', 'elm'].map((name, at) => ({
  id: `a${at}`.repeat(16),
  name: `${name} company`,
  login: `${name}-login`,
  account: `b${at}`.repeat(16),
  folder: `f${at}`.repeat(16),
  path: `/secret ${name}/plan.pdf`,
}));
export const [ACME, BOLT, COVE, DUNE, ELM] = TENANTS as [Tenant, Tenant, Tenant, Tenant, Tenant];

export interface PacksScene extends Scene {
  readonly folder: string;
  /** Of the heads, before the period. */
  readonly kept: Buffer;
  write(files: MemoryFiles): void;
}

export function signIn(
  tenant: Tenant,
  session: string,
  more: Partial<Extract<Event, { kind: 'sign-in' }>> = {},
): Event {
  return {
    ...{
      kind: 'sign-in',
      session,
      account: tenant.account,
      login: tenant.login,
      protocol: 'sftp',
      address: '192.0.2.10',
    },
    ...{
      client: 'SSH-2.0-OpenSSH_9.9',
      run: NODE.run,
      node: NODE.name,
      software: NODE.software,
      factors: ['publickey'],
    },
    ...{ credentials: [`d${tenant.id}`.slice(0, 32)], descriptions: [`SHA256:key of ${tenant.login}`], firsts: [] },
    ...more,
  };
}

export function release(tenant: Tenant, session: string, reading: string, first: number, count: number): Event {
  const { folder, path } = tenant;
  const file = `e${tenant.id}`.slice(0, 32);
  const version = `9${tenant.id}`.slice(0, 32);
  return { kind: 'release', session, reading, folder, file, version, first, count, bytes: count * SEGMENT, path };
}

export function sent(
  tenant: Tenant,
  session: string,
  reading: string,
  ranges: readonly (readonly [number, number])[],
): Event {
  const bytes = ranges.reduce((sum, [, length]) => sum + length, 0);
  const file = `e${tenant.id}`.slice(0, 32);
  return { kind: 'sent', session, reading, file, version: `9${tenant.id}`.slice(0, 32), known: true, bytes, ranges };
}

const END = { kind: 'session-end', reason: 'closed by the client', gap: false } as const;

export async function openPacksScene(): Promise<PacksScene> {
  const scene = await openScene((id) => TENANTS.find((tenant) => tenant.id === id)?.name ?? '');
  const session = (number: number): string => number.toString(16).padStart(32, '5');
  // The first day: everybody but elm.
  scene.setTime(DAY - 12 * HOUR);
  for (const [at, tenant] of [ACME, BOLT, COVE, DUNE].entries()) {
    await scene.record(tenant.id, {
      kind: 'changed',
      action: 'folder.add',
      actor: 'ada',
      approvedBy: '',
      account: null,
      folder: tenant.folder,
      credential: '',
      detail: { name: `docs of ${tenant.login}` },
    });
    await scene.record(
      tenant.id,
      signIn(tenant, session(at)),
      release(tenant, session(at), 'aa'.repeat(16), 0, 1),
      sent(tenant, session(at), 'aa'.repeat(16), [[0, 100]]),
      { ...END, session: session(at) },
    );
  }
  await scene.seal();
  scene.setTime(FROM - HOUR);
  await scene.record(null, { kind: 'listed', session: null, folder: null, count: 0, path: '/' });
  await scene.seal();
  const kept = Buffer.from(scene.files.files.get('heads/checkpoint') ?? '');
  // The period: the thief reads at acme, bolt works as always, cove and dune are quiet.
  scene.setTime(FROM + HOUR);
  await scene.record(ACME.id, {
    kind: 'sign-in-failed',
    account: ACME.account,
    login: ACME.login,
    protocol: 'sftp',
    address: THIEF.address,
    client: 'SSH-2.0-OpenSSH_9.9',
    run: NODE.run,
    factors: ['password'],
    tries: 1,
    reason: 'wrong password',
  });
  const thief = {
    address: THIEF.address,
    credentials: [THIEF.credential],
    descriptions: ['SHA256:stolen'],
    firsts: ['address'],
  };
  await scene.record(ACME.id, signIn(ACME, session(10), thief), {
    kind: 'listed',
    session: session(10),
    folder: ACME.folder,
    count: 12,
    path: '/',
  });
  await scene.record(
    ACME.id,
    release(ACME, session(10), 'ab'.repeat(16), 0, 2),
    release(ACME, session(10), 'ab'.repeat(16), 4, 1),
  );
  await scene.seal();
  scene.setTime(FROM + 2 * HOUR);
  await scene.record(
    ACME.id,
    sent(ACME, session(10), 'ab'.repeat(16), [
      [0, 9_000_000],
      [4 * SEGMENT, 5],
    ]),
  );
  // Its front died in this one.
  await scene.record(ACME.id, release(ACME, session(10), 'ac'.repeat(16), 7, 1), {
    kind: 'session-end',
    session: session(10),
    reason: 'its node died',
    gap: true,
  });
  await scene.record(ACME.id, signIn(ACME, session(11)), release(ACME, session(11), 'ad'.repeat(16), 9, 1), {
    ...END,
    session: session(11),
  });
  await scene.record(BOLT.id, signIn(BOLT, session(12)), release(BOLT, session(12), 'ae'.repeat(16), 0, 1), {
    ...END,
    session: session(12),
  });
  await scene.seal();
  // After it: cove comes back, elm is new.
  scene.setTime(TO + HOUR);
  await scene.record(COVE.id, signIn(COVE, session(13)), { ...END, session: session(13) });
  await scene.record(ELM.id, signIn(ELM, session(14)), { ...END, session: session(14) });
  await scene.seal();
  const folder = mkdtempSync(join(tmpdir(), 'waybill-packs-'));
  const write = (files: MemoryFiles): void => {
    for (const [file, bytes] of files.files) {
      mkdirSync(dirname(join(folder, file)), { recursive: true });
      writeFileSync(join(folder, file), bytes);
    }
  };
  write(scene.files);
  const close = async (): Promise<void> => {
    await scene.close();
    rmSync(folder, { recursive: true, force: true });
  };
  return { ...scene, folder, kept, write, close };
}
