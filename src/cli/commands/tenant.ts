import { command } from '../command.ts';
import { formatSize, parseSize } from '../sizes.ts';
import type { TenantRow } from '../../broker/admin-calls.ts';

const quota = { value: 'SIZE', doc: 'How much the tenant may store: 500M, 20G, 2T, or "none".' } as const;
const name = { doc: 'Name of the tenant.' } as const;

const TRACES = {
  gone: 'The root key was rotated; copy its file to its safe place again, and destroy the copies from before.',
  kept: 'The provider keeps old versions of the root key: a copy of the database from before opens with them. docs/keys.md says what to do there.',
  pending: 'The root key could not be rotated yet; that is tried again until it is done (waybill rootkey show).',
} as const;

function sentence(row: TenantRow): string {
  const limit = row.quota === null ? 'no quota' : `a quota of ${formatSize(row.quota)}`;
  return `Tenant ${row.name} has ${limit}; ${formatSize(row.used)} are used.`;
}

export const TENANT_COMMANDS = [
  command({
    name: 'tenant add',
    doc: 'Add a tenant: a customer that owns folders, accounts and files.',
    arguments: { name },
    options: {
      'display-name': { value: 'TEXT', doc: 'The name that people see.', fallback: 'NAME' },
      quota: { ...quota, fallback: 'what serve --quota says' },
    },
    async run(input, { server, output }) {
      const row = await server.call('tenant.add', {
        name: input.name,
        displayName: input['display-name'] ?? input.name,
        ...(input.quota === null ? {} : { quota: parseSize('--quota', input.quota) }),
      });
      output.answer(row, sentence(row));
    },
  }),
  command({
    name: 'tenant list',
    doc: 'List the tenants with what they use.',
    arguments: {},
    options: {},
    async run(_input, { server, output }) {
      const answer = await server.call('tenant.list', {});
      const rows = answer.tenants.map((row) => [
        row.name,
        row.displayName,
        formatSize(row.quota),
        formatSize(row.used),
        row.folders,
        row.accounts,
        row.state,
      ]);
      output.table(answer, ['TENANT', 'NAME', 'QUOTA', 'USED', 'FOLDERS', 'ACCOUNTS', 'KEYS'], rows, 'No tenants.');
    },
  }),
  command({
    name: 'tenant set-quota',
    doc: 'Set how much a tenant may store. Clients see it as the size of their disk.',
    details: ['A quota below what is stored removes nothing; it refuses further uploads.'],
    arguments: { name, quota: { doc: quota.doc } },
    options: {},
    async run(input, { server, output }) {
      const row = await server.call('tenant.set-quota', { name: input.name, quota: parseSize('QUOTA', input.quota) });
      output.answer(row, sentence(row));
    },
  }),
  command({
    name: 'tenant remove',
    doc: 'Remove a tenant that has no folders and no accounts any more.',
    arguments: { name },
    options: {},
    async run(input, { server, output }) {
      await server.call('tenant.remove', { name: input.name });
      output.answer({ removed: input.name }, `Tenant ${input.name} is removed.`);
    },
  }),
  command({
    name: 'tenant lock',
    doc: "Take a tenant's keys out of service at once: its sessions end, and nothing of it can be read or written.",
    details: ['Holds over restarts. Nothing is lost: waybill tenant unlock puts them back.'],
    arguments: { name },
    options: {},
    async run(input, { server, output }) {
      const answer = await server.call('tenant.lock', { name: input.name });
      output.answer(answer, `Tenant ${input.name} is locked; ${answer.ended} sessions are ended.`);
    },
  }),
  command({
    name: 'tenant unlock',
    doc: "Put a tenant's keys back into service.",
    arguments: { name },
    options: {},
    async run(input, { server, output }) {
      await server.call('tenant.unlock', { name: input.name });
      output.answer({ unlocked: input.name }, `Tenant ${input.name} is unlocked.`);
    },
  }),
  command({
    name: 'tenant rotate-key',
    doc: 'Give a tenant a new key: new files use it at once, the keys of older files are wrapped again in the background.',
    details: ['Stored bytes are not touched. waybill rootkey show names the tenants that are not done yet.'],
    arguments: { name },
    options: {},
    async run(input, { server, output }) {
      const answer = await server.call('tenant.rotate-key', { name: input.name });
      output.answer(answer, `Tenant ${input.name} has a new key (${answer.key}).`);
    },
  }),
  command({
    name: 'tenant shred',
    doc: "Destroy a tenant's keys for ever: nobody can read its content any more, from this data folder or by what it keeps.",
    details: [
      'Its sessions end; names and stored bytes are removed in the background; the root key is rotated, so that older copies of the database do not open with the root key that is kept. Copies of the root key that you made elsewhere are yours to destroy.',
      'There is no way back.',
    ],
    arguments: { name },
    options: { yes: { value: 'NAME', doc: 'The name of the tenant once more: it will be destroyed.', required: true } },
    async run(input, { server, output }) {
      const answer = await server.call('tenant.shred', { name: input.name, confirm: input.yes });
      output.answer(
        answer,
        `Tenant ${input.name} is shredded; ${answer.ended} sessions are ended. ${TRACES[answer.traces]}`,
      );
    },
  }),
];
