import { command } from '../command.ts';
import { formatSize, parseSize } from '../sizes.ts';
import type { TenantRow } from '../../broker/admin-calls.ts';

const quota = { value: 'SIZE', doc: 'How much the tenant may store: 500M, 20G, 2T, or "none".' } as const;
const name = { doc: 'Name of the tenant.' } as const;

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
      ]);
      output.table(answer, ['TENANT', 'NAME', 'QUOTA', 'USED', 'FOLDERS', 'ACCOUNTS'], rows, 'No tenants.');
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
];
