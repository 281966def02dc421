import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { WaybillError } from '../../base/errors.ts';
import type { Answer } from '../../incident/answer.ts';
import { csv, CSV_PARTS } from '../../incident/csv.ts';
import type { CsvPart } from '../../incident/csv.ts';
import type { Filters } from '../../incident/filters.ts';
import type { IndexFile } from '../../incident/index-file.ts';
import { forPeople } from '../../incident/people.ts';
import { VKEY } from '../../ledger/core/layout.ts';
import { parseVerifierKey } from '../../ledger/core/note.ts';
import type { VerifierKey } from '../../ledger/core/note.ts';
import { command } from '../command.ts';
import type { Context } from '../command.ts';
import { EXIT } from '../exit-codes.ts';
import { momentOf } from '../moments.ts';
import { formatTable, printable } from '../output.ts';
import { formatSize } from '../sizes.ts';

const FILTERS = {
  credential: {
    value: 'ID',
    many: true,
    doc: 'Sessions that signed in with this credential: its id, or what people call it.',
  },
  account: { value: 'LOGIN', many: true, doc: 'Sessions of this account: its login or id.' },
  address: {
    value: 'ADDRESS',
    many: true,
    doc: 'Sessions from this address, network (192.0.2.0/24) or range (192.0.2.1-192.0.2.9).',
  },
  client: { value: 'TEXT', many: true, doc: 'Sessions of a client whose name for itself holds this text.' },
  session: { value: 'ID', many: true, doc: 'This session.' },
  node: { value: 'NAME', many: true, doc: 'Sessions on this node, or of this run of it.' },
  software: { value: 'VERSION', many: true, doc: 'Sessions while the platform ran this version.' },
  tenant: { value: 'NAME', many: true, doc: 'What is in the log of this tenant.' },
  product: { value: 'NAME', many: true, doc: 'What is in the folders that this product used at that time.' },
  folder: { value: 'TENANT/FOLDER', many: true, doc: 'What is in this folder.' },
  from: { value: 'TIME', doc: 'Not before this moment: 2026-11-01, or 2026-11-01T08:30:00Z (UTC).' },
  to: { value: 'TIME', doc: 'Before this moment.' },
} as const;

interface Place {
  readonly ledger: string;
  readonly index: string;
  readonly key: VerifierKey;
}

export const INVESTIGATE_COMMAND = command({
  name: 'investigate',
  doc: 'Say from the ledger who was touched, who was not, and which bytes left, through whom.',
  details: [
    'Needs no running server: a copy of the ledger folder is enough. Filters of one kind mean "any of these", different kinds "and"; without any, it tells of the whole ledger.',
    'Released: the keys were handed out, so the bytes may have left. Sent: what the front reported at the end. What was released and never reported counts as possibly sent.',
    `Exit code ${EXIT.ledger.code} when the ledger does not verify, and when the answer has entries that cannot be read or told.`,
  ],
  arguments: {},
  options: {
    ledger: { value: 'DIR', doc: 'The folder of the ledger.', fallback: 'ledger in the data folder' },
    key: {
      value: 'VKEY',
      doc: 'The public key that signs the ledger, or a file that holds it.',
      fallback: 'vkey in the folder of the ledger: on a copy that others made, give the one you know',
    },
    index: {
      value: 'FILE',
      doc: 'The index: made from the ledger, and brought up to date, by this command.',
      fallback: 'beside the folder of the ledger',
    },
    rebuild: { doc: 'Make the index anew.' },
    ...FILTERS,
    limit: { value: 'N', doc: 'Rows of each list; 0 is all.', fallback: '100; 1000 of --json and --csv' },
    csv: { value: 'PART', choices: CSV_PARTS, doc: 'Print this part as CSV.' },
    proofs: { value: 'DIR', doc: 'Write the proof of silence of each silent tenant into this folder.' },
  },
  async run(input, context) {
    const place = await placeOf(input, context);
    const whole = context.output.json || input.csv !== null;
    const limit = numberOf(input.limit ?? (whole ? '1000' : '100'));
    const filters = filtersOf(input);
    // Loads a native add-on: no other command does, and no server.
    const incident = await import('../../incident/index.ts');
    if (input.rebuild) incident.IndexFile.remove(place.index);
    const index = await current(incident, place, context);
    try {
      const answer = await incident.investigate(index, { ledger: place.ledger, filters, limit });
      if (input.proofs !== null)
        await writeProofs(
          await incident.SilenceProofs.open(place.ledger, index, place.key),
          answer,
          input.proofs,
          context,
        );
      print(answer, input.csv as CsvPart | null, context);
      return isSure(answer) ? EXIT.success.code : EXIT.ledger.code;
    } finally {
      index.close();
    }
  },
});

type Incident = typeof import('../../incident/index.ts');

async function current(incident: Incident, place: Place, { output }: Context): Promise<IndexFile> {
  const ready = await incident.openIfCurrent(place);
  if (ready !== null) return ready;
  const started = performance.now();
  let told = started;
  const onProgress = (scanned: number, of: number): void => {
    const now = performance.now();
    if (now - told < 2000) return;
    told = now;
    output.note(`indexing: ${scanned} of ${of} entries, ${Math.round((scanned / (now - started)) * 1000)} a second`);
  };
  await incident.buildIndex({ ...place, onProgress });
  const index = await incident.openIfCurrent(place);
  // The server may have signed again meanwhile; what the index holds is complete up to the checkpoint it names.
  return index ?? (await incident.IndexFile.open(place.index, 'read'));
}

async function placeOf(
  input: { ledger: string | null; key: string | null; index: string | null },
  context: Context,
): Promise<Place> {
  const ledger = path.resolve(input.ledger ?? (await context.ledgerFolder()));
  const text = input.key?.includes('+') === true ? input.key : await readKey(input.key ?? path.join(ledger, VKEY));
  return { ledger, index: path.resolve(input.index ?? `${ledger}-index.duckdb`), key: parseVerifierKey(text.trim()) };
}

async function readKey(file: string): Promise<string> {
  return readFile(file, 'utf8').catch((cause: unknown) => {
    throw new WaybillError('option-invalid', `there is no public key in ${file}; give it with --key`, { cause });
  });
}

type FilterInput = Readonly<Record<Exclude<keyof typeof FILTERS, 'from' | 'to'>, readonly string[]>> & {
  readonly from: string | null;
  readonly to: string | null;
};

function filtersOf(input: FilterInput): Filters {
  const { credential, account, address, client, session, node, software, tenant, product, folder } = input;
  return {
    ...{ credential, account, address, client, session, node, software, tenant, product, folder },
    ...(input.from === null ? {} : { from: momentOf('--from', input.from) }),
    ...(input.to === null ? {} : { to: momentOf('--to', input.to) }),
  };
}

/** Without a zone it is UTC, whatever the machine's zone: the ledger's times are. */
function numberOf(text: string): number {
  if (!/^\d{1,9}$/.test(text))
    throw new WaybillError('option-invalid', `--limit is ${JSON.stringify(text)}; allowed: a whole number`);
  return Number(text);
}

async function writeProofs(
  proofs: Awaited<ReturnType<Incident['SilenceProofs']['open']>>,
  answer: Answer,
  folder: string,
  { output }: Context,
) {
  await mkdir(folder, { recursive: true });
  let written = 0;
  for (const { proof, log, from, to } of answer.untouched) {
    if (proof !== 'silent' || from === null || from.head >= to.head) continue;
    await writeFile(
      path.join(folder, `${log}.silence`),
      await proofs.make({ log, fromHead: from.head, toHead: to.head }),
    );
    written++;
  }
  output.note(`${written} proofs of silence written to ${folder}`);
}

const DOUBTS: ReadonlySet<string> = new Set(['no-sign-in', 'unknown-entries', 'malformed-entries']);

function isSure({ unclear, gaps }: Answer): boolean {
  return unclear.length === 0 && !gaps.some(({ kind }) => DOUBTS.has(kind));
}

function print(answer: Answer, part: CsvPart | null, { output }: Context): void {
  if (part !== null) {
    output.text(csv(answer, part));
    return;
  }
  const style = { table: formatTable, size: formatSize, text: printable };
  output.answer(answer, output.json ? '' : forPeople(answer, style));
}
