import { stat } from 'node:fs/promises';
import path from 'node:path';
import { WaybillError } from '../../base/errors.ts';
import { parsePolicy } from '../../ledger/core/policy.ts';
import { findingText, placeText } from '../../ledger/verify/findings.ts';
import type { Finding, Told } from '../../ledger/verify/findings.ts';
import { verifyLedger } from '../../ledger/verify/ledger.ts';
import type { LedgerReport } from '../../ledger/verify/ledger.ts';
import { LedgerFolder } from '../../ledger/verify/ledger-files.ts';
import { answerText } from '../../ledger/verify/pack/answer-text.ts';
import { PackFile } from '../../ledger/verify/pack/bytes.ts';
import { verifyPack } from '../../ledger/verify/pack/verify-pack.ts';
import type { PackReport, VerifyPackOptions } from '../../ledger/verify/pack/verify-pack.ts';
import { command } from '../command.ts';
import { EXIT } from '../exit-codes.ts';
import { formatTable, printable } from '../output.ts';
import type { Output } from '../output.ts';
import { ProgressLine } from '../progress.ts';
import { readVerifierKey } from '../verifier-key.ts';

export const VERIFY_COMMAND = command({
  name: 'verify',
  doc: 'Verify a ledger folder or an evidence pack with nothing but the public key; no server is asked.',
  details: [
    'The key is the line that waybill ledger key prints. Get it from somebody you trust, not from the folder that you verify.',
    `Exit code ${EXIT.ledger.code} when anything does not verify; each finding names the log, the file and the entry.`,
    'What the findings mean, and what a clean answer does not prove: docs/verify.md.',
  ],
  arguments: { what: { doc: 'A ledger folder, a data folder with one in it, or an evidence pack (a file).' } },
  options: {
    key: { value: 'VKEY|FILE', required: true, doc: 'The public key of the ledger, or a file that holds it.' },
    against: {
      value: 'FILE',
      many: true,
      doc: 'A checkpoint that you kept: what it covers must still be there, unchanged. May be given more than once.',
    },
    policy: { value: 'FILE', doc: 'A C2SP tlog-policy: the witnesses that must have cosigned.' },
  },
  local: 'nobody else is asked whether what is verified is right.',
  async run({ what, key: keyText, against, policy: policyFile }, { output, readTextFile }) {
    const key = await readVerifierKey(keyText, readTextFile);
    const earlier = await Promise.all(
      against.map(async (name) => ({ name, bytes: Buffer.from(await readTextFile(name)) })),
    );
    const policy = policyFile === null ? null : parsePolicy(await readTextFile(policyFile));
    const line = new ProgressLine();
    if (await isFile(what)) {
      const report = await packAt(what, {
        key,
        earlier,
        policy,
        onProgress: (entries) => {
          line.show(`${entries} entries`);
        },
      });
      line.clear();
      printPack(report, output);
      return report.findings.length === 0 ? EXIT.success.code : EXIT.ledger.code;
    }
    const report = await verifyLedger(new LedgerFolder(await ledgerIn(what)), {
      key,
      earlier,
      policy,
      onProgress: ({ entries, heads, headsInAll }) => {
        line.show(`${entries} entries, head ${heads} of ${headsInAll}`);
      },
    });
    line.clear();
    printLedger(report, output);
    return report.findings.length === 0 ? EXIT.success.code : EXIT.ledger.code;
  },
});

async function ledgerIn(folder: string): Promise<string> {
  for (const one of [folder, path.join(folder, 'ledger')]) if (await isFolder(path.join(one, 'heads'))) return one;
  if (await isFolder(folder)) return folder;
  throw new WaybillError('not-found', `there is no folder or file ${folder}`);
}

async function isFolder(name: string): Promise<boolean> {
  return stat(name).then(
    (found) => found.isDirectory(),
    () => false,
  );
}

async function isFile(name: string): Promise<boolean> {
  return stat(name).then(
    (found) => found.isFile(),
    () => false,
  );
}

async function packAt(file: string, options: VerifyPackOptions): Promise<PackReport> {
  const source = await PackFile.open(file);
  try {
    return await verifyPack(source, options);
  } finally {
    await source.close();
  }
}

function printPack(report: PackReport, output: Output): void {
  const { manifest, answer, signed, checkpoint, cosigned, findings, more, told } = report;
  printFindings(findings, more, told, output);
  const whole = findings.length === 0 && answer !== null;
  const signers = [
    ...(signed ? ['Signed by the key of the ledger.'] : []),
    ...(cosigned.length > 0 ? [`Its checkpoint is cosigned by ${cosigned.join(', ')}.`] : []),
  ];
  const people = [
    // What does not verify is not repeated: it would be read.
    ...(whole ? [answerText(answer).trimEnd(), ''] : []),
    ...(whole ? signers : []),
    ...(checkpoint === null ? [] : [`Checkpoint: ${manifest?.origin ?? ''}, ${checkpoint.size} heads.`]),
    verdict(
      findings.length + more,
      'the answer is what the proven entries give; NOTICE.txt in it says what that does not prove',
    ),
  ];
  output.answer(whole ? report : { ...report, answer: null }, people.map(printableLines).join('\n'));
}

/** The text of a pack has lines of its own; their names are cleaned already. */
function printableLines(text: string): string {
  return text.split('\n').map(printable).join('\n');
}

function printLedger(report: LedgerReport, output: Output): void {
  const { origin, heads, logs, entries, cosigned, findings, more, told } = report;
  printFindings(findings, more, told, output);
  const rows = logs.map(({ log, tenant, name, size }) => [log.slice(0, 12), name, tenant ?? '-', size] as const);
  const cosigners =
    cosigned === null || cosigned.witnesses.length === 0
      ? []
      : [`Cosigned up to ${cosigned.size} heads by ${cosigned.witnesses.join(', ')}.`];
  const stated =
    heads === null
      ? 'no heads'
      : `${heads.size} heads, the last of ${heads.time === null ? 'an unknown time' : new Date(heads.time).toISOString()}`;
  output.answer(
    report,
    [
      ...(rows.length === 0 ? [] : [formatTable(['LOG', 'NAME', 'TENANT', 'ENTRIES'], rows)]),
      ...cosigners,
      `${printable(origin)}: ${entries} entries in ${logs.length} logs, ${stated}.`,
      verdict(findings.length + more, 'every signature, entry, tile and head fits'),
    ].join('\n'),
  );
}

function printFindings(findings: readonly Finding[], more: number, told: readonly Told[], output: Output): void {
  for (const { place, message } of told)
    output.note(printable(`note: ${placeText(place) === '' ? '' : `${placeText(place)}: `}${message}`));
  for (const finding of findings) output.note(printable(findingText(finding)));
  if (more > 0) output.note(`and ${more} more`);
}

function verdict(count: number, verified: string): string {
  if (count === 0) return `Verified: ${verified}.`;
  return `NOT VERIFIED: ${count} ${count === 1 ? 'finding' : 'findings'}.`;
}
