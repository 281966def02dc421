import { randomBytes } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { WaybillError } from '../../base/errors.ts';
import { address } from '../../config/values.ts';
import { formatVerifierKey } from '../../ledger/core/note.ts';
import type { VerifierKey } from '../../ledger/core/note.ts';
import { lockFolder } from '../../store/sqlite/folder-lock.ts';
import { WitnessFolder } from '../../witness/witness-folder.ts';
import { WitnessServer } from '../../witness/witness-server.ts';
import { command } from '../command.ts';
import { EXIT } from '../exit-codes.ts';
import { untilSignal } from '../signals.ts';
import { readVerifierKey } from '../verifier-key.ts';

export const WITNESS_COMMAND = command({
  name: 'witness',
  doc: 'Run a witness: it cosigns checkpoints of the ledgers that it knows, and never two histories of one.',
  details: [
    'Run it on a machine of somebody else than the operator of the ledger: a customer, an auditor. It speaks C2SP tlog-witness over HTTP; put a proxy with TLS before it when it is to be reached from elsewhere.',
    'With --json prints one line when it is ready: {"event":"ready","key","host","port"}.',
  ],
  arguments: {},
  options: {
    listen: { value: 'ADDRESS:PORT', doc: 'Where it is asked.', fallback: '127.0.0.1:2024' },
    state: { value: 'DIR', required: true, doc: 'What it must never forget: its key, and what it has cosigned.' },
    log: {
      value: 'VKEY|FILE',
      many: true,
      required: true,
      doc: 'The public key of a ledger. May be given more than once.',
    },
    name: { value: 'NAME', doc: 'Of a new key, at the first start.', fallback: 'a random one' },
  },
  local: 'it is to be on a machine of somebody else.',
  async run({ listen, state, log, name }, { output, readTextFile }) {
    const keys = await Promise.all(log.map((text) => readVerifierKey(text, readTextFile)));
    const logs = new Map<string, VerifierKey[]>();
    for (const key of keys) logs.set(key.name, [...(logs.get(key.name) ?? []), key]);
    const { host, port } = listenAddress(listen ?? '127.0.0.1:2024');
    await mkdir(state, { recursive: true, mode: 0o700 });
    const lock = lockFolder(path.join(state, 'lock'));
    if (lock === null) throw new WaybillError('already-running', `another witness uses ${state}`);
    try {
      const folder = await WitnessFolder.open(state, name ?? `waybill-witness-${randomBytes(8).toString('hex')}`, logs);
      const server = new WitnessServer({
        folder,
        logs,
        report: (error) => {
          output.note(`failed: ${error instanceof Error ? error.message : 'unknown'}`);
        },
      });
      const ending = untilSignal();
      const bound = await server.listen(host, port);
      const key = formatVerifierKey(folder.signer.verifier);
      output.answer(
        { event: 'ready', key, ...bound },
        `The witness answers on http://${bound.host}:${bound.port}/add-checkpoint\nIts key: ${key}`,
      );
      await ending;
      await server.close();
    } finally {
      lock.release();
    }
    return EXIT.success.code;
  },
});

function listenAddress(text: string): { host: string; port: number } {
  try {
    return address(text);
  } catch (cause) {
    throw new WaybillError('option-invalid', `--listen is ${JSON.stringify(text)}; allowed: ADDRESS:PORT`, { cause });
  }
}
