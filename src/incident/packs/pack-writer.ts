/** Writes a pack to a file: whole and verified under its name, or not at all. */
import { createHash } from 'node:crypto';
import { open, rename, rm } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import path from 'node:path';
import { syncFolder } from '../../base/durable-file.ts';
import { WaybillError } from '../../base/errors.ts';
import type { VerifierKey } from '../../ledger/core/note.ts';
import { findingText } from '../../ledger/verify/findings.ts';
import { PackFile } from '../../ledger/verify/pack/bytes.ts';
import { encodeManifest, MANIFEST, manifestDigest, SIGNATURE } from '../../ledger/verify/pack/form.ts';
import type { Manifest, Member } from '../../ledger/verify/pack/form.ts';
import { END, header, padding } from '../../ledger/verify/pack/tar.ts';
import { verifyPack } from '../../ledger/verify/pack/verify-pack.ts';
import type { PackReport } from '../../ledger/verify/pack/verify-pack.ts';

/** A part in memory, or one that is made again when it is written. */
export interface Part {
  readonly name: string;
  readonly content: Buffer | (() => AsyncIterable<Buffer>);
}

export interface PackOutput {
  readonly file: string;
  /** Signs the digest of the manifest (64 hexadecimal digits): ledger/verify/pack/form.ts, signPack. Without it, unsigned. */
  readonly sign?: ((digest: string) => Promise<string>) | null;
  /** Milliseconds since 1970, for the manifest. */
  readonly made?: number;
}

export async function memberOf({ name, content }: Part): Promise<Member> {
  const digest = createHash('sha256');
  let size = 0;
  for await (const bytes of partsOf(content)) {
    digest.update(bytes);
    size += bytes.length;
  }
  return { name, size, sha256: digest.digest('hex') };
}

async function* partsOf(content: Part['content']): AsyncGenerator<Buffer> {
  if (Buffer.isBuffer(content)) yield content;
  else yield* content();
}

/** `members` are those of the parts, in the same order. Resolves with the report of the verification that it passed. */
export async function writePack(
  manifest: Manifest,
  parts: readonly Part[],
  { file, sign }: PackOutput,
  key: VerifierKey,
): Promise<PackReport> {
  const draft = `${file}.new`;
  const bytes = encodeManifest(manifest);
  const signature = await sign?.(manifestDigest(bytes));
  const handle = await open(draft, 'w', 0o600);
  try {
    await writeMember(handle, MANIFEST, bytes.length, bytes);
    for (const [at, { name, content }] of parts.entries())
      await writeMember(handle, name, manifest.members[at]?.size ?? 0, content);
    if (signature !== undefined) {
      const note = Buffer.from(signature);
      await writeMember(handle, SIGNATURE, note.length, note);
    }
    await handle.appendFile(END);
    await handle.sync();
  } finally {
    await handle.close();
  }
  const report = await verifyFile(draft, key);
  if (report.findings.length > 0) {
    await rm(draft, { force: true });
    const why = report.findings.map(findingText).join('; ');
    throw new WaybillError('ledger-proof-invalid', `the pack does not verify, and was not written: ${why}`);
  }
  await rename(draft, file);
  await syncFolder(path.dirname(path.resolve(file)));
  return report;
}

async function writeMember(handle: FileHandle, name: string, size: number, content: Part['content']): Promise<void> {
  await handle.appendFile(header(name, size));
  for await (const bytes of partsOf(content)) await handle.appendFile(bytes);
  await handle.appendFile(padding(size));
}

async function verifyFile(file: string, key: VerifierKey): Promise<PackReport> {
  const source = await PackFile.open(file);
  try {
    return await verifyPack(source, { key });
  } finally {
    await source.close();
  }
}
