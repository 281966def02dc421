import path from 'node:path';
import { WaybillError } from '../../base/errors.ts';
import { openCheckpoint } from '../../ledger/core/checkpoint.ts';
import { readEntry } from '../../ledger/core/entry-reader.ts';
import { decodeEntry } from '../../ledger/core/entry.ts';
import { TileHashReader } from '../../ledger/core/hash-reader.ts';
import { decodeHead } from '../../ledger/core/head.ts';
import { checkpointPath, COSIGNED, HEADS, logFolder, logOrigin, VKEY } from '../../ledger/core/layout.ts';
import { parseVerifierKey, verifierNamed } from '../../ledger/core/note.ts';
import type { VerifierKey } from '../../ledger/core/note.ts';
import { LOG_NAME } from '../../ledger/verify/checkpoints.ts';
import { LedgerFolder } from '../../ledger/verify/ledger-files.ts';
import { BUNDLE_FILE_MAX, wideSource } from '../../ledger/verify/wide-file.ts';
import { command } from '../command.ts';
import type { Context } from '../command.ts';
import { formatTable, printable } from '../output.ts';

const LEDGER = { value: 'DIR', doc: 'The folder of the ledger.', fallback: 'ledger in the data folder' } as const;

export const LEDGER_COMMANDS = [
  command({
    name: 'ledger key',
    doc: 'Print the public key that verifies the ledger. Give it to whoever is to verify; keep it elsewhere yourself.',
    arguments: {},
    options: { ledger: LEDGER },
    async run({ ledger }, context) {
      const { key } = await openKey(ledger, context);
      context.output.answer({ key }, key);
    },
  }),
  command({
    name: 'ledger checkpoint',
    doc: 'Print the latest signed checkpoint of the heads. Kept elsewhere, it shows later that nothing before it was changed.',
    details: ['Use it with: waybill verify --against FILE, and when a pack is made for whoever kept it.'],
    arguments: {},
    options: { ledger: LEDGER, cosigned: { doc: 'The latest one that witnesses have cosigned.' } },
    async run({ ledger, cosigned }, context) {
      const { files, verifier } = await openKey(ledger, context);
      const file = cosigned ? COSIGNED : checkpointPath(HEADS);
      const note = (await needed(files, file)).toString('utf8');
      const { origin, size, root } = openCheckpoint(note, verifier, verifier.name);
      if (context.output.json) context.output.answer({ origin, size, root: root.toString('base64'), note }, '');
      else context.output.text(note);
    },
  }),
  command({
    name: 'ledger status',
    doc: 'Show how large the ledger is, log by log, what waits to be sealed, and what the witnesses have cosigned.',
    details: ['The sizes are those of the folder; what waits, and how the witnesses are, tells the running server.'],
    arguments: {},
    options: { ledger: LEDGER },
    async run({ ledger }, context) {
      const { files, verifier, key } = await openKey(ledger, context);
      const heads = await headsOf(files, verifier);
      const logs = await logsOf(files, verifier);
      const server = ledger === null ? await ofServer(context) : null;
      const witnesses = server?.witnesses ?? [];
      const document = { key, heads, logs, waiting: server?.waiting ?? null, witnesses };
      context.output.answer(
        document,
        [
          formatTable(
            ['LOG', 'NAME', 'ENTRIES'],
            logs.map(({ log, name, size }) => [log.slice(0, 12), name, size]),
          ),
          `${printable(verifier.name)}: ${heads.size} heads, the last of ${heads.time ?? 'no time'}.`,
          ...(server === null ? [] : [`${server.waiting} entries wait to be sealed.`]),
          ...witnesses.map((one) => witnessLine(one)),
        ].join('\n'),
      );
    },
  }),
];

interface Opened {
  readonly files: LedgerFolder;
  readonly verifier: VerifierKey;
  readonly key: string;
}

async function openKey(ledger: string | null, { ledgerFolder }: Context): Promise<Opened> {
  const folder = path.resolve(ledger ?? (await ledgerFolder()));
  const files = new LedgerFolder(folder);
  const key = (await needed(files, VKEY, folder)).toString('utf8').trim();
  return { files, verifier: parseVerifierKey(key), key };
}

async function needed(files: LedgerFolder, file: string, folder = 'the ledger'): Promise<Buffer> {
  const bytes = await files.read(file, BUNDLE_FILE_MAX);
  if (bytes === null) throw new WaybillError('not-found', `there is no ${file} in ${folder}`);
  return bytes;
}

async function headsOf(files: LedgerFolder, verifier: VerifierKey): Promise<{ size: number; time: string | null }> {
  const { size, root } = openCheckpoint(await needed(files, checkpointPath(HEADS)), verifier, verifier.name);
  if (size === 0) return { size, time: null };
  const source = wideSource(files, HEADS);
  const head = decodeHead(await readEntry(source, new TileHashReader(source, size, root), size - 1));
  return { size, time: new Date(head.time).toISOString() };
}

async function logsOf(
  files: LedgerFolder,
  verifier: VerifierKey,
): Promise<{ log: string; name: string; size: number }[]> {
  const names = (await files.list('logs')).map(({ name }) => name).filter((name) => LOG_NAME.test(name));
  const logs: { log: string; name: string; size: number }[] = [];
  for (const log of names) {
    const origin = logOrigin(verifier.name, log);
    const note = await files.read(checkpointPath(logFolder(log)), BUNDLE_FILE_MAX);
    // It is being made.
    if (note === null) continue;
    const { size, root } = openCheckpoint(note, verifierNamed(verifier, origin), origin);
    const source = wideSource(files, logFolder(log));
    const first = decodeEntry(await readEntry(source, new TileHashReader(source, size, root), 0));
    logs.push({ log, name: first.kind === 'opened' ? first.name : '?', size });
  }
  return logs.sort((a, b) => (a.name < b.name ? -1 : 1));
}

async function ofServer({ server, output }: Context) {
  try {
    return await server.call('ledger.status', {});
  } catch (error) {
    if (!(error instanceof WaybillError) || error.code !== 'not-running') throw error;
    output.note('No server runs: what waits, and how the witnesses are, is not known.');
    return null;
  }
}

function witnessLine({
  name,
  url,
  size,
  time,
  error,
}: {
  name: string;
  url: string;
  size: number | null;
  time: string | null;
  error: string | null;
}): string {
  const state = error === null ? 'well' : `failing: ${error}`;
  const last = size === null ? 'nothing yet' : `${size} heads at ${time ?? '-'}`;
  return printable(`Witness ${name} (${url}): cosigned ${last}; ${state}.`);
}
