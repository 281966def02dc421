/** Files up and down, as people script it. */
import { WaybillError } from '../../base/errors.ts';
import { parsePlace, requirePlace } from '../../client/remote/place.ts';
import { command } from '../command.ts';
import { TRANSFER_OPTIONS } from '../transfer/options.ts';

/** What transfers are made of is a third of all that a command loads: only when there is one. */
const transfers = {
  run: () => import('../transfer/run.ts'),
  put: () => import('../transfer/put.ts'),
  get: () => import('../transfer/get.ts'),
  sync: () => import('../transfer/sync.ts'),
};

const PLACES =
  'On the server a place is TENANT:/folder/path, or :/folder/path for the tenant of your token. A slash at its end names a directory.';
const RESUME =
  'Interrupted at any point, even by kill -9 or a power cut, the same command goes on from the last whole segment (8 MiB).';
const follow = { doc: 'Send what links to files point at; they are left out otherwise.' } as const;

export const TRANSFER_COMMANDS = [
  command({
    name: 'put',
    doc: 'Send files and directories to the server, fast over long and lossy links.',
    details: [PLACES, RESUME, 'When it ends with 0, everything is durable there.'],
    arguments: {
      local: { doc: 'Files and directories here.', many: true },
      to: { doc: 'Where they go, as :/folder/.' },
    },
    options: { ...TRANSFER_OPTIONS, follow },
    async run(input, context) {
      const to = requirePlace(input.to);
      const [{ runTransfer }, { makeDirectories, planPut }] = [await transfers.run(), await transfers.put()];
      return await runTransfer(input, context, [to], async (kit) => {
        const plan = await planPut(kit, input.local, to, input.follow);
        await makeDirectories(kit, plan.directories);
        await kit.put(plan.files);
      });
    },
  }),
  command({
    name: 'get',
    doc: 'Fetch files and directories from the server, fast over long and lossy links.',
    details: [PLACES, RESUME, 'Each file is written beside its place as .NAME.waybill-part until it is whole.'],
    arguments: {
      from: { doc: 'Files and directories there, as :/folder/path.', many: true },
      to: { doc: 'Where they go here.' },
    },
    options: TRANSFER_OPTIONS,
    async run(input, context) {
      const from = input.from.map(requirePlace);
      const [{ runTransfer }, { planGet }] = [await transfers.run(), await transfers.get()];
      return await runTransfer(input, context, from, async (kit) => kit.get(await planGet(kit, from, input.to)));
    },
  }),
  command({
    name: 'sync',
    doc: 'Make a directory there as it is here, or here as it is there; one way.',
    details: [
      PLACES,
      'What differs in size is sent. Of what is as large, upwards what was changed here since it was stored there, downwards what has another time. --checksum compares contents instead; the server reads its files for that, and for budgets that is a download.',
    ],
    arguments: {
      from: { doc: 'A directory here or there.' },
      to: { doc: 'A directory on the other side.' },
    },
    options: {
      ...TRANSFER_OPTIONS,
      follow,
      checksum: { doc: 'Compare contents of files that are as large, by SHA-256.' },
      delete: { doc: 'Remove files at TO that are not at FROM; never all of them without --force.' },
      force: { doc: 'With --delete: also when FROM is empty.' },
      'dry-run': { doc: 'Only say what would be done.' },
    },
    async run(input, context) {
      const [from, to] = [parsePlace(input.from), parsePlace(input.to)];
      const [{ runTransfer }, { syncDown, syncUp }] = [await transfers.run(), await transfers.sync()];
      if (from !== null && to === null)
        return await runTransfer(input, context, [from], (kit) => syncDown(kit, from, input.to, input));
      if (from === null && to !== null)
        return await runTransfer(input, context, [to], (kit) => syncUp(kit, input.from, to, input));
      throw new WaybillError(
        'option-invalid',
        'one of FROM and TO is on the server, as :/folder/, and the other is here',
      );
    },
  }),
];
