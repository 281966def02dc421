import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { WaybillError } from '../../base/errors.ts';
import { parseSignerKey } from '../../ledger/core/note.ts';
import type { PackOptions, PackReport, ScopeFilters } from '../../incident/packs/index.ts';
import { buildScopePack, buildSilencePack, findLog, LedgerProofs } from '../../incident/packs/index.ts';
import { VKEY } from '../../ledger/core/layout.ts';
import { signPack } from '../../ledger/verify/pack/form.ts';
import { command } from '../command.ts';
import type { Context } from '../command.ts';
import { momentOf } from '../moments.ts';
import { printable } from '../output.ts';
import { readVerifierKey } from '../verifier-key.ts';

const FILTERS = {
  credential: { value: 'ID', many: true, doc: 'Sessions that signed in with this credential.' },
  account: { value: 'LOGIN', many: true, doc: 'Sessions of this account.' },
  address: { value: 'ADDRESS', many: true, doc: 'Sessions from this address, network or range.' },
  client: { value: 'TEXT', many: true, doc: 'Sessions of a client whose name for itself holds this text.' },
  session: { value: 'ID', many: true, doc: 'This session.' },
  node: { value: 'NAME', many: true, doc: 'Sessions on this node.' },
  software: { value: 'VERSION', many: true, doc: 'Sessions while the platform ran this version.' },
  product: { value: 'NAME', many: true, doc: 'What is in the folders that this product used at that time.' },
  folder: { value: 'FOLDER', many: true, doc: 'What is in this folder of the tenant.' },
} as const;

export const PACK_COMMAND = command({
  name: 'pack',
  doc: 'Make the evidence pack of one tenant: what was recorded of it in a period, or the proof that it was nothing.',
  details: [
    'A tenant of whom nothing at all was recorded in the period gets a proof of silence; every other one its own log and the answer to the question, made again by whoever verifies.',
    'Whoever has the public key of the ledger verifies it with: waybill verify PACK --key KEY. It shows nothing of other tenants.',
    'Signed by the running server, or with --signing-key. Without either it is unsigned, and verifies by its checkpoint.',
  ],
  arguments: { tenant: { doc: 'Name or id of the tenant, or the name of its log.' } },
  options: {
    out: { value: 'FILE', required: true, doc: 'Where the pack is written.' },
    from: { value: 'TIME', doc: 'Not before this moment: 2026-11-01, or 2026-11-01T08:30:00Z (UTC).' },
    to: { value: 'TIME', doc: 'Before this moment.' },
    ...FILTERS,
    ledger: { value: 'DIR', doc: 'The folder of the ledger.', fallback: 'ledger in the data folder' },
    key: { value: 'VKEY|FILE', doc: 'The public key of the ledger.', fallback: 'vkey in the folder of the ledger' },
    against: {
      value: 'FILE',
      many: true,
      doc: 'A checkpoint that the tenant kept: the pack proves that it still holds.',
    },
    cosigned: { doc: 'Under the last checkpoint that witnesses have cosigned, which may be a little older.' },
    'signing-key': { value: 'FILE', doc: "The ledger's private key (keys/ledger.key), where no server runs." },
    unsigned: { doc: 'Do not sign.' },
  },
  async run(input, context) {
    const folder = path.resolve(input.ledger ?? (await context.ledgerFolder()));
    const key = await readVerifierKey(input.key ?? path.join(folder, VKEY), context.readTextFile);
    const ledger = await LedgerProofs.open(folder, key, input.cosigned);
    const log = await findLog(ledger, input.tenant);
    const earlier = await Promise.all(input.against.map(async (file) => Buffer.from(await context.readTextFile(file))));
    await mkdir(path.dirname(path.resolve(input.out)), { recursive: true });
    const sign = input.unsigned ? null : await signer(input['signing-key'], key.name, context);
    const options: PackOptions = { file: input.out, earlier, sign };
    const filters = filtersOf(input);
    const report = await build(ledger, log, filters, options);
    print(report, input.out, context);
  },
});

type Input = Readonly<Record<keyof typeof FILTERS, readonly string[]>> & {
  readonly from: string | null;
  readonly to: string | null;
};

function filtersOf(input: Input): ScopeFilters {
  const { credential, account, address, client, session, node, software, product, folder } = input;
  return {
    ...{ credential, account, address, client, session, node, software, product, folder },
    ...(input.from === null ? {} : { from: momentOf('--from', input.from) }),
    ...(input.to === null ? {} : { to: momentOf('--to', input.to) }),
  };
}

/** Silence says more than an answer to a question, whatever the question was. */
async function build(
  ledger: LedgerProofs,
  log: string,
  filters: ScopeFilters,
  options: PackOptions,
): Promise<PackReport> {
  const { from = null, to = null } = filters;
  if (from !== null || to !== null) {
    try {
      return await buildSilencePack(ledger, { log, from, to }, options);
    } catch (error) {
      if (!(error instanceof WaybillError) || error.code !== 'ledger-proof-invalid') throw error;
    }
  }
  return buildScopePack(ledger, { log, filters }, options);
}

/** Null when nobody is there who could. */
async function signer(
  file: string | null,
  origin: string,
  { readTextFile, server, output }: Context,
): Promise<((digest: string) => Promise<string>) | null> {
  if (file !== null) {
    const signerKey = parseSignerKey((await readTextFile(file)).trim());
    return (digest) => Promise.resolve(signPack(origin, digest, signerKey));
  }
  try {
    const { key } = await server.call('ledger.status', {});
    if (key.startsWith(`${origin}+`))
      return async (digest) => (await server.call('ledger.sign-pack', { digest })).signature;
    output.note('The running server has another ledger: the pack is not signed.');
  } catch (error) {
    if (!(error instanceof WaybillError) || error.code !== 'not-running') throw error;
    output.note(
      'No server runs here, and there is no --signing-key: the pack is not signed. It verifies by its checkpoint.',
    );
  }
  return null;
}

function print({ manifest, answer, signed }: PackReport, file: string, { output }: Context): void {
  const kind = manifest?.kind === 'silence' ? 'silent' : answer?.['touched'] === true ? 'touched' : 'not touched';
  const { tenant = null, name = '' } = manifest ?? {};
  output.answer(
    { file, tenant, name, kind, signed },
    printable(`${file}: ${name} was ${kind} in this period${signed ? '; signed' : '; not signed'}.`),
  );
}
