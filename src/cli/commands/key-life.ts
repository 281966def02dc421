/** Keys of machines: their successors, and what nobody uses any more. */
import { command } from '../command.ts';
import { parseDuration } from '../durations.ts';
import { keyText } from '../key-lines.ts';

export const KEY_LIFE_COMMANDS = [
  command({
    name: 'key rotate',
    doc: 'Add a successor to a key; the old one ends after an overlap.',
    details: [
      'The new key is bound as the old one was: to the same addresses, and for as long as that one was good for, unless its line has options of its own.',
    ],
    arguments: {
      old: { doc: 'The old key: fingerprint (SHA256:...) or id, as waybill key list prints it.' },
      new: { doc: 'The new key: a file (.pub), a line in quotes, or - for standard input.' },
    },
    options: {
      overlap: { value: 'TIME', doc: 'How long both sign in, as 12h or 7d; 0 is not at all.', fallback: '7d' },
    },
    async run(input, context) {
      const overlap = input.overlap === '0' ? 0 : parseDuration('--overlap', input.overlap ?? '7d');
      const line = (await keyText(input.new, context)).trim();
      const answer = await context.server.call('key.rotate', { key: input.old, line, overlap });
      const { added, replaced } = answer;
      const until = replaced.options.find((option) => option.startsWith('expiry-time')) ?? '';
      const told = `${added.fingerprint} is added to ${added.login ?? '-'}; ${replaced.fingerprint} ends: ${until}.`;
      context.output.answer(answer, told);
    },
  }),
  command({
    name: 'key reinstate',
    doc: 'Put a key back into use that was suspended because nobody used it.',
    arguments: { key: { doc: 'Fingerprint (SHA256:...) or id, as waybill key list prints it.' } },
    options: {},
    async run(input, { server, output }) {
      const answer = await server.call('key.reinstate', { key: input.key });
      output.answer(answer, `${answer.fingerprint} of ${answer.login ?? '-'} signs in again.`);
    },
  }),
];
