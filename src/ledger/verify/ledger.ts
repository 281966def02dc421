/**
 * Verifies a whole ledger folder with nothing but the public key: every signature, every byte of every tile and entry,
 * every head, and how all of them fit together. The order is that of docs/verify.md.
 */
import { WaybillError } from '../../base/errors.ts';
import { checkpointPath, COSIGNED, HEADS, logFolder, logOrigin, VKEY } from '../core/layout.ts';
import { formatVerifierKey } from '../core/note.ts';
import type { VerifierKey } from '../core/note.ts';
import type { Policy } from '../core/policy.ts';
import { SumTree } from '../core/sum-tree.ts';
import { CHECKPOINT_FILE_MAX, openOwn, readCheckpoints } from './checkpoints.ts';
import { compareEarlier, openEarlier } from './earlier.ts';
import type { EarlierNote } from './earlier.ts';
import { Findings } from './findings.ts';
import type { Finding, Told } from './findings.ts';
import { HeadsReplay } from './heads-replay.ts';
import type { LedgerFiles } from './ledger-files.ts';
import { checkLeftovers } from './leftovers.ts';
import { TenantLog } from './tenant-log.ts';
import { checkAhead } from './unfinished.ts';
import { whyDamaged } from './wide-file.ts';
import { openCosigned } from './witnessed.ts';

export interface VerifyOptions {
  readonly key: VerifierKey;
  readonly earlier?: readonly EarlierNote[];
  readonly policy?: Policy | null;
  /** Told every 16,384 entries: what was read so far. */
  readonly onProgress?: (done: Progress) => void;
}

export interface Progress {
  readonly entries: number;
  readonly heads: number;
  readonly headsInAll: number;
}

export interface LogReport {
  readonly log: string;
  readonly tenant: string | null;
  readonly name: string | null;
  readonly size: number;
  readonly root: string;
}

export interface LedgerReport {
  readonly origin: string;
  readonly heads: { readonly size: number; readonly root: string; readonly time: number | null } | null;
  readonly logs: readonly LogReport[];
  readonly entries: number;
  /** Up to which head the witnesses of the policy have cosigned, and who. */
  readonly cosigned: { readonly size: number; readonly witnesses: readonly string[] } | null;
  readonly findings: readonly Finding[];
  readonly more: number;
  readonly told: readonly Told[];
}

const PROGRESS_ENTRIES = 16_384;

/** Throws `not-found` when there is no ledger at all; everything else is a finding. */
export async function verifyLedger(files: LedgerFiles, options: VerifyOptions): Promise<LedgerReport> {
  const findings = new Findings();
  const verification = new LedgerVerification(files, options, findings);
  return verification.run();
}

class LedgerVerification {
  private readonly files: LedgerFiles;
  private readonly options: VerifyOptions;
  private readonly findings: Findings;
  private readonly logs = new Map<string, TenantLog>();
  private cosigned: LedgerReport['cosigned'] = null;
  private headsReplay: HeadsReplay | null = null;
  private entries = 0;

  constructor(files: LedgerFiles, options: VerifyOptions, findings: Findings) {
    this.files = files;
    this.options = options;
    this.findings = findings;
  }

  async run(): Promise<LedgerReport> {
    const { files, findings, logs } = this;
    const { key } = this.options;
    await this.checkVkey();
    const checkpoints = await readCheckpoints(files, findings);
    if (checkpoints.heads === null && checkpoints.logs.size === 0)
      throw new WaybillError('not-found', `there is no ledger: ${checkpointPath(HEADS)} is missing`);
    const own = openOwn(checkpoints.heads, { log: HEADS, folder: HEADS, origin: key.name }, key, findings);
    for (const [log, bytes] of checkpoints.logs) {
      const place = { log, folder: logFolder(log), origin: logOrigin(key.name, log) };
      // A log that is only being made has no checkpoint yet; one that the heads commit is missed there.
      if (bytes === null && own !== null) continue;
      const tree = openOwn(bytes, place, key, findings);
      if (tree !== null) logs.set(log, new TenantLog(files, log, tree, findings, this.count));
    }
    const heads = own === null ? null : new HeadsReplay(files, own, logs, findings);
    await this.compareWithEarlier(heads);
    this.headsReplay = heads;
    await heads?.run();
    for (const log of logs.values()) await log.finish();
    this.progress();
    if (heads !== null) await this.compareWithHeads(heads);
    await checkLeftovers(files, this.series(heads), findings);
    return this.report(heads);
  }

  private readonly count = (): void => {
    this.entries++;
    if (this.entries % PROGRESS_ENTRIES === 0) this.progress();
  };

  private progress(): void {
    const stream = this.headsReplay?.stream;
    this.options.onProgress?.({ entries: this.entries, heads: stream?.size ?? 0, headsInAll: stream?.tree.size ?? 0 });
  }

  private async checkVkey(): Promise<void> {
    const place = { path: VKEY };
    const expected = formatVerifierKey(this.options.key);
    const bytes = await this.read(VKEY);
    if (bytes === null) this.findings.add('missing', place, 'the file with the public key is missing');
    else if (bytes.toString('latin1') !== `${expected}\n`)
      this.findings.add(
        'signature',
        place,
        'the public key of the ledger is not the one that was given',
        expected,
        bytes.toString('latin1').trim().slice(0, 500),
      );
  }

  private async read(file: string): Promise<Buffer | null> {
    try {
      return await this.files.read(file, CHECKPOINT_FILE_MAX);
    } catch (error) {
      this.findings.add('damaged', { path: file }, whyDamaged(error));
      return null;
    }
  }

  private async compareWithEarlier(heads: HeadsReplay | null): Promise<void> {
    const { key, policy = null, earlier = [] } = this.options;
    const { findings } = this;
    const bytes = await this.read(COSIGNED);
    if (bytes === null && policy !== null && policy.quorum !== null)
      findings.add('witness', { log: HEADS, path: COSIGNED }, 'no checkpoint is cosigned');
    const witnessed = bytes === null ? null : openCosigned({ path: COSIGNED, bytes }, key, policy, findings);
    if (witnessed !== null && heads !== null) {
      const { checkpoint, witnesses } = witnessed;
      compareEarlier({ name: COSIGNED, log: HEADS, checkpoint }, heads.stream, findings);
      this.cosigned = { size: checkpoint.size, witnesses };
    }
    for (const note of earlier) {
      const opened = openEarlier(note, key, findings);
      if (opened === null) continue;
      const stream = opened.log === HEADS ? heads?.stream : this.logs.get(opened.log)?.stream;
      if (stream !== undefined) compareEarlier(opened, stream, findings);
      else
        findings.add(
          'rolled-back',
          { log: opened.log, path: opened.name },
          'the log of the earlier checkpoint is not there',
        );
    }
  }

  private async compareWithHeads(heads: HeadsReplay): Promise<void> {
    const { findings, logs, files } = this;
    const ahead: TenantLog[] = [];
    for (const tenant of logs.values()) {
      const { log, stream, committed } = tenant;
      const { size, root } = stream.tree;
      if (committed === null || size > committed.size) ahead.push(tenant);
      else if (size < committed.size)
        findings.add(
          'rolled-back',
          { log, head: committed.head },
          'the heads commit more entries of the log than it has',
          `${committed.size} entries`,
          `${size} entries`,
        );
      else if (!root.equals(committed.root))
        findings.add(
          'mismatch',
          { log, head: committed.head },
          'the heads commit another root of the log',
          committed.root,
          root,
        );
    }
    if (!heads.lost && !heads.stream.broken) await checkAhead(files, heads.stream.tree.size, ahead, findings);
    else this.compareLastHead(heads);
  }

  /** What the changes cannot tell any more: at least the last head must be of these logs. */
  private compareLastHead({ last }: HeadsReplay): void {
    if (last === null) return;
    const leaves = [...this.logs.values()].map(({ log, stream }) => ({
      id: Buffer.from(log, 'hex'),
      size: stream.tree.size,
      root: stream.tree.root,
    }));
    const { hash, sum } = new SumTree(leaves).root();
    if (!hash.equals(last.sumRoot))
      this.findings.add(
        'mismatch',
        { log: HEADS },
        'the last head is not over the logs that are here',
        `${last.total} entries, ${last.sumRoot.toString('hex')}`,
        `${sum} entries, ${hash.toString('hex')}`,
      );
  }

  private series(heads: HeadsReplay | null): { log: string; folder: string; size: number }[] {
    const all = [...this.logs.values()].map(({ log, stream }) => ({
      log,
      folder: logFolder(log),
      size: stream.tree.size,
    }));
    return heads === null ? all : [...all, { log: HEADS, folder: HEADS, size: heads.stream.tree.size }];
  }

  private report(heads: HeadsReplay | null): LedgerReport {
    const { findings, cosigned } = this;
    const logs = [...this.logs.values()].map(({ log, tenant, name, stream }) => ({
      log,
      tenant,
      name,
      size: stream.tree.size,
      root: stream.tree.root.toString('hex'),
    }));
    const tree = heads?.stream.tree;
    return {
      origin: this.options.key.name,
      heads:
        tree === undefined
          ? null
          : { size: tree.size, root: tree.root.toString('hex'), time: heads?.last?.time ?? null },
      logs,
      entries: logs.reduce((sum, { size }) => sum + size, 0),
      cosigned,
      findings: findings.findings,
      more: findings.more,
      told: findings.told,
    };
  }
}
