import { WaybillError } from '../../base/errors.ts';
import type { AdminRequest, ReceiverRow } from '../../broker/admin-calls.ts';
import { EVENT_KINDS, TARGET_KINDS } from '../../events/target.ts';
import type { TargetKind } from '../../events/target.ts';
import { command } from '../command.ts';
import type { Context } from '../command.ts';

const name = { doc: 'Name of the receiver.' } as const;
type Kinds = AdminRequest<'event.add'>['only'];

interface Given {
  readonly only: readonly string[];
  readonly ca: string | null;
  readonly cert: string | null;
  readonly key: string | null;
}

async function fileOrNull(file: string | null, { readTextFile }: Context): Promise<string | null> {
  return file === null ? null : await readTextFile(file);
}

function kindsOf(only: readonly string[]): Kinds {
  const unknown = only.find((kind) => !EVENT_KINDS.some((known) => known === kind));
  if (unknown !== undefined)
    throw new WaybillError(
      'option-invalid',
      `--only is ${JSON.stringify(unknown)}; allowed: ${EVENT_KINDS.join(', ')}`,
    );
  return EVENT_KINDS.filter((kind) => only.includes(kind));
}

async function filesOf({ only, ca, cert, key }: Given, context: Context) {
  return {
    only: kindsOf(only),
    ca: await fileOrNull(ca, context),
    certificate: await fileOrNull(cert, context),
    clientKey: await fileOrNull(key, context),
  };
}

function state({ failing, behind }: ReceiverRow): string {
  if (failing !== null) return `failing since ${failing.since}: ${failing.error}`;
  return behind === 0 ? 'up to date' : 'sending';
}

const SECRET_NOTE = 'This is shown once. The receiver verifies with it that events come from here (Standard Webhooks).';

export const EVENT_COMMANDS = [
  command({
    name: 'event add',
    doc: 'Send events to a receiver: every entry of the ledger, in order, from now on.',
    details: [
      'webhook: https://HOST/PATH, one signed POST an event. syslog: HOST:PORT, over TLS. mail: one address, about what waits for somebody.',
      'Hosts on private networks have to be allowed by the server: --outbound-allow HOST. With two administrators this takes both.',
    ],
    arguments: {
      name,
      kind: { doc: 'What it is.', choices: TARGET_KINDS },
      address: { doc: 'Where: https://HOST/PATH, HOST:PORT or a mail address.' },
    },
    options: {
      tenant: { value: 'TENANT', doc: 'Events of this tenant alone.', fallback: 'all tenants, and the server itself' },
      only: { value: 'KIND', many: true, doc: 'Only these kinds of entries: hold, alert, sign-in-failed ...' },
      ca: { value: 'FILE', doc: "Certificates (PEM) that the receiver's own is checked with." },
      cert: { value: 'FILE', doc: 'A client certificate (PEM) for it.' },
      key: { value: 'FILE', doc: 'The private key (PEM) of that.' },
    },
    async run(input, context) {
      const request = {
        ...{ name: input.name, tenant: input.tenant, kind: input.kind as TargetKind, address: input.address },
        ...(await filesOf(input, context)),
      };
      const answer = await context.server.call('event.add', request);
      const shown = answer.secret === null ? '' : `\nSecret: ${answer.secret}`;
      context.output.answer(answer, `Events go to ${answer.receiver.name} (${answer.receiver.address}).${shown}`);
      if (answer.secret !== null) context.output.note(SECRET_NOTE);
    },
  }),
  command({
    name: 'event list',
    doc: 'List the receivers of events, how far behind they are, and what fails.',
    arguments: {},
    options: {},
    async run(_input, { server, output }) {
      const answer = await server.call('event.list', {});
      const rows = answer.receivers.map((row) => [
        ...[row.name, row.kind, row.address, row.tenant ?? '(all)', String(row.behind), String(row.dead), state(row)],
      ]);
      const headings = ['NAME', 'KIND', 'ADDRESS', 'TENANT', 'BEHIND', 'GIVEN UP', 'STATE'];
      output.table(answer, headings, rows, 'No receivers.');
    },
  }),
  command({
    name: 'event remove',
    doc: 'Send no more events to a receiver.',
    details: ['With two administrators this takes both.'],
    arguments: { name },
    options: {},
    async run(input, { server, output }) {
      await server.call('event.remove', { name: input.name });
      output.answer({ removed: input.name }, `No more events go to ${input.name}.`);
    },
  }),
  command({
    name: 'event secret',
    doc: 'A new secret for a webhook. The old one stays good for a day: both sign.',
    arguments: { name },
    options: {},
    async run(input, { server, output }) {
      const answer = await server.call('event.rotate-secret', { name: input.name });
      output.answer(answer, `Secret: ${answer.secret}`);
      output.note(SECRET_NOTE);
    },
  }),
  command({
    name: 'event dead',
    doc: 'List events that were given up because the receiver took nothing for three days.',
    details: ['They are in the ledger still; waybill event retry sends them once more.'],
    arguments: { name },
    options: {},
    async run(input, { server, output }) {
      const answer = await server.call('event.dead', { name: input.name });
      const rows = answer.dead.map(({ number, time, log, entry, attempts, error }) => [
        ...[String(number), time, `${log}:${entry}`, String(attempts), error],
      ]);
      output.table(answer, ['NUMBER', 'TIME', 'ENTRY', 'TRIES', 'ERROR'], rows, 'Nothing was given up.');
    },
  }),
  command({
    name: 'event retry',
    doc: 'Send events that were given up once more, after what has been delivered since.',
    arguments: { name, number: { doc: 'As waybill event dead lists it; all when left out.', optional: true } },
    options: {},
    async run(input, { server, output }) {
      if (input.number !== null && !/^\d{1,15}$/.test(input.number))
        throw new WaybillError('option-invalid', `NUMBER is ${JSON.stringify(input.number)}; allowed: a whole number`);
      const number = input.number === null ? null : Number(input.number);
      const answer = await server.call('event.retry', { name: input.name, number });
      const failure = answer.failure === null ? '' : ` Then it failed: ${answer.failure}`;
      output.answer(answer, `${answer.delivered} delivered.${failure}`);
      return answer.failure === null ? 0 : 1;
    },
  }),
];
