/** Where a certified key is kept on this machine: in ssh-agent, or in files; and how it is taken away again. */
import { mkdir, readdir } from 'node:fs/promises';
import path from 'node:path';
import { WaybillError } from '../../base/errors.ts';
import { isCertificateBlob } from '../../sshkeys/certificate.ts';
import { isOurKeyFile, removeKeyFiles, writeKeyFiles } from '../key-files.ts';
import type { CertifiedKey } from '../key-files.ts';
import { SshAgent } from '../ssh-agent.ts';

export type Keeping =
  { readonly kind: 'agent'; readonly socket: string } | { readonly kind: 'file'; readonly file: string };

const PREFIX = 'waybill-';
const MARK = 'waybill ';

export function commentOf(login: string, host: string): string {
  return `${MARK}${login}@${host}`;
}

/** A file of its own for each server, beside the other keys of whoever runs this. */
export function usualFile(home: string, host: string): string {
  return path.join(home, '.ssh', PREFIX + host.replaceAll(':', '_'));
}

/** Before anybody is asked to sign in: is there an agent at all? */
export async function requireAgent(socket: string): Promise<void> {
  const agent = await connect(socket);
  try {
    await agent.list();
  } finally {
    agent.close();
  }
}

/** Answers the files that were written. */
export async function keep(keeping: Keeping, key: CertifiedKey, lifetimeSeconds: number): Promise<string[]> {
  if (keeping.kind === 'file') {
    await mkdir(path.dirname(path.resolve(keeping.file)), { recursive: true, mode: 0o700 });
    return writeKeyFiles(keeping.file, key);
  }
  const agent = await connect(keeping.socket);
  try {
    const earlier = (await agent.list()).filter(({ comment }) => comment === key.comment);
    await agent.add({ ...key, lifetimeSeconds });
    for (const identity of earlier) await agent.remove(identity);
  } finally {
    agent.close();
  }
  return [];
}

/** Of one server, or of all. Answers what was taken out. */
export async function forgetInAgent(socket: string, host: string | null): Promise<string[]> {
  const agent = await connect(socket);
  try {
    const ours = (await agent.list()).filter(
      ({ blob, comment }) =>
        comment.startsWith(MARK) && isCertificateBlob(blob) && (host === null || comment.endsWith(`@${host}`)),
    );
    for (const identity of ours) await agent.remove(identity);
    return ours.map(({ comment }) => comment);
  } finally {
    agent.close();
  }
}

/** Files where login puts them when nobody says otherwise. */
export async function usualFiles(home: string, host: string | null): Promise<string[]> {
  if (host !== null) return [usualFile(home, host)];
  const folder = path.join(home, '.ssh');
  const names = await readdir(folder).catch(() => []);
  const likely = names.filter((name) => name.startsWith(PREFIX)).map((name) => path.join(folder, name));
  const ours = await Promise.all(likely.map((file) => isOurKeyFile(file)));
  return likely.filter((_, at) => ours[at]);
}

export async function forgetFiles(files: readonly string[]): Promise<string[]> {
  const removed: string[] = [];
  for (const file of files) removed.push(...(await removeKeyFiles(file)));
  return removed;
}

async function connect(socket: string): Promise<SshAgent> {
  try {
    return await SshAgent.connect(socket);
  } catch (error) {
    if (!(error instanceof WaybillError)) throw error;
    throw new WaybillError('option-invalid', `${error.message}; give --file FILE to have the key in a file`, {
      cause: error,
    });
  }
}
