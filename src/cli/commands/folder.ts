import { command } from '../command.ts';
import { formatSize } from '../sizes.ts';
import { splitFolder } from '../folder-name.ts';

const reason = { value: 'TEXT', doc: 'Why; kept in the ledger.' } as const;
const folder = { doc: 'Tenant and folder, as TENANT/FOLDER.' } as const;

export const FOLDER_COMMANDS = [
  command({
    name: 'folder add',
    doc: 'Add a folder to a tenant. Nobody sees it before a grant is given (waybill grant add).',
    arguments: { folder },
    options: {},
    async run(input, { server, output }) {
      const row = await server.call('folder.add', splitFolder(input.folder));
      output.answer(row, `Folder ${row.tenant}/${row.name} is there; accounts with a grant see it as /${row.name}`);
    },
  }),
  command({
    name: 'folder list',
    doc: 'List folders with what they hold.',
    arguments: { tenant: { doc: 'Only the folders of this tenant.', optional: true } },
    options: {},
    async run(input, { server, output }) {
      const answer = await server.call('folder.list', { tenant: input.tenant });
      const rows = answer.folders.map((row) => [row.tenant, row.name, row.files, formatSize(row.bytes)]);
      output.table(answer, ['TENANT', 'FOLDER', 'FILES', 'SIZE'], rows, 'No folders.');
    },
  }),
  command({
    name: 'folder hold',
    doc: 'Put a folder under legal hold: nothing in it is removed, replaced, expired or shredded; acts at once.',
    arguments: { folder },
    options: { reason },
    async run(input, { server, output }) {
      const row = await server.call('folder.hold', { ...splitFolder(input.folder), reason: input.reason ?? '' });
      output.answer(row, `Folder ${row.tenant}/${row.folder} is under legal hold.`);
    },
  }),
  command({
    name: 'folder unhold',
    doc: 'Lift the legal hold on a folder. With two administrators this takes both.',
    arguments: { folder },
    options: { reason },
    async run(input, { server, output }) {
      await server.call('folder.unhold', { ...splitFolder(input.folder), reason: input.reason ?? '' });
      output.answer({ lifted: input.folder }, `Folder ${input.folder} is under no legal hold any more.`);
    },
  }),
  command({
    name: 'folder holds',
    doc: 'List the legal holds.',
    arguments: { tenant: { doc: 'Only the folders of this tenant.', optional: true } },
    options: {},
    async run(input, { server, output }) {
      const answer = await server.call('folder.holds', { tenant: input.tenant });
      const rows = answer.holds.map((row) => [`${row.tenant}/${row.folder}`, row.since, row.actor, row.reason]);
      output.table(answer, ['FOLDER', 'SINCE', 'BY', 'REASON'], rows, 'No legal holds.');
    },
  }),
  command({
    name: 'folder remove',
    doc: 'Remove an empty folder, with the grants on it.',
    arguments: { folder },
    options: {},
    async run(input, { server, output }) {
      await server.call('folder.remove', splitFolder(input.folder));
      output.answer({ removed: input.folder }, `Folder ${input.folder} is removed.`);
    },
  }),
];
