import { command } from '../command.ts';

export const ROOTKEY_COMMANDS = [
  command({
    name: 'rootkey show',
    doc: 'Show where the root key is, its versions that are in use, and how many keys each of them wraps.',
    arguments: {},
    options: {},
    async run(_input, { server, output }) {
      const answer = await server.call('rootkey.show', {});
      output.table(
        answer,
        ['VERSION', 'STATE', 'KEYS'],
        answer.versions.map(({ root, state, keys }) => [root, state, keys]),
        'No root key.',
      );
      if (output.json) return;
      output.note(`The root key is in ${answer.place}.`);
      if (answer.rotating.length > 0)
        output.note(`Files still to be moved to a younger key: ${answer.rotating.join(', ')}.`);
    },
  }),
  command({
    name: 'rootkey rotate',
    doc: 'Make a new version of the root key and wrap every key with it; files are not touched.',
    details: [
      'Also moves the keys to another provider: start the server with the new --root-key (and the options of the old one), then rotate.',
      'A local root key file changes: copy it to its safe place again. Backups of the data folder from before open only with the copy from before.',
    ],
    arguments: {},
    options: {},
    async run(_input, { server, output }) {
      const answer = await server.call('rootkey.rotate', {});
      const { to, rewrapped, stuck, retired } = answer;
      const rest = stuck > 0 ? ` ${stuck} could not be wrapped yet; waybill rootkey show tells what is left.` : '';
      const gone = retired.length > 0 ? ` No longer in use: ${retired.join(', ')}.` : '';
      output.answer(answer, `The root key is ${to} now; ${rewrapped} keys are wrapped with it.${gone}${rest}`);
    },
  }),
];
