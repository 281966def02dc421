import { command } from '../command.ts';
import { folderOfGrant } from '../folder-name.ts';
import { describePolicy, FLOW_OPTIONS, parsePolicy } from '../flow-options.ts';
import { RIGHT_NAMES } from '../../broker/admin-calls.ts';
import type { RightName } from '../../broker/admin-calls.ts';
import { WaybillError } from '../../base/errors.ts';

const login = { doc: 'Login of the account.' } as const;
const folder = { doc: "FOLDER of the account's own tenant, or TENANT/FOLDER." } as const;
const DEFAULT_RIGHTS = 'list,read,write,delete,rename';

function parseRights(text: string): RightName[] {
  const words = text === 'all' ? [...RIGHT_NAMES] : text.split(',');
  return words.map((word) => {
    const right = RIGHT_NAMES.find((name) => name === word);
    if (right !== undefined) return right;
    const allowed = `${RIGHT_NAMES.join(', ')} with commas between, or all`;
    throw new WaybillError('option-invalid', `--rights is ${JSON.stringify(text)}; allowed: ${allowed}`);
  });
}

export const GRANT_COMMANDS = [
  command({
    name: 'grant add',
    doc: 'Give an account rights on a folder. Replaces what it had there, rights and conditions; acts at once.',
    details: [
      'With two administrators, a grant that gives more than before waits for the second one (waybill approve).',
    ],
    arguments: { login, folder },
    options: {
      rights: {
        value: 'LIST',
        doc: `Rights with commas between: ${RIGHT_NAMES.join(', ')}, or all.`,
        fallback: DEFAULT_RIGHTS,
      },
      'drop-box': { doc: 'Write only: uploads new files and sees none. In place of --rights.' },
      ...FLOW_OPTIONS,
    },
    async run(input, { server, output }) {
      if (input['drop-box'] && input.rights !== null)
        throw new WaybillError('option-invalid', 'waybill grant add: give either --drop-box or --rights');
      const rights = parseRights(input['drop-box'] ? 'write' : (input.rights ?? DEFAULT_RIGHTS));
      const policy = parsePolicy(input);
      const row = await server.call('grant.add', {
        login: input.login,
        ...folderOfGrant(input.folder),
        rights,
        policy,
      });
      const asks = describePolicy(row.policy);
      output.answer(
        row,
        `${row.login} may ${row.rights.join(', ')} in ${row.tenant}/${row.folder}, which it sees as ${row.path}${asks === '' ? '' : `: ${asks}`}.`,
      );
    },
  }),
  command({
    name: 'grant list',
    doc: 'List who may do what where.',
    arguments: {},
    options: {
      login: { value: 'LOGIN', doc: 'Only what this account may do.' },
      tenant: { value: 'TENANT', doc: "Only this tenant's folders." },
    },
    async run(input, { server, output }) {
      const answer = await server.call('grant.list', { login: input.login, tenant: input.tenant });
      const rows = answer.grants.map((row) => [
        row.login,
        `${row.tenant}/${row.folder}`,
        row.path,
        row.rights.join(','),
        describePolicy(row.policy),
      ]);
      output.table(answer, ['LOGIN', 'FOLDER', 'SEEN AS', 'RIGHTS', 'ONLY'], rows, 'No grants.');
    },
  }),
  command({
    name: 'grant remove',
    doc: 'Take the rights of an account on a folder away; acts at once, in open sessions too.',
    arguments: { login, folder },
    options: {},
    async run(input, { server, output }) {
      await server.call('grant.remove', { login: input.login, ...folderOfGrant(input.folder) });
      output.answer({ removed: input }, `${input.login} has no rights in ${input.folder} any more.`);
    },
  }),
];
