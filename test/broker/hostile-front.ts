/** Stands in for a front that somebody has taken over; the first argument says what it does. */
import { writeSync } from 'node:fs';
import { Socket } from 'node:net';
import { Link } from '../../src/broker/link.ts';

const CHANNEL = 3;
/** Each of these ends a Node that reads it unguarded, or is nobody's business. */
const SAID: Readonly<Record<string, string>> = {
  'no JSON': 'garbage\n',
  'an odd handle': '{"cmd":"NODE_HANDLE","type":"x"}\n',
  'an arrival of nothing': '{"cmd":"NODE_HANDLE_ACK"}\n',
  'a message': '{"call":"hello"}\n',
  'a line without end': 'x'.repeat(60_000),
};

const wire = new Socket({ fd: 4, readable: true, writable: true });
const mode = process.argv[2];
const hello = async (): Promise<void> => {
  await new Link(wire, { closed: () => process.exit(0) }).call('hello', {});
};

if (mode === 'garbage') wire.write(Buffer.alloc(64, 0xff));
else {
  await hello();
  if (mode === 'flood') for (let i = 0; i < 5000; i++) process.stderr.write(`${'x'.repeat(100_000)}\n`);
  const said = mode === undefined ? undefined : SAID[mode];
  if (said !== undefined) writeSync(CHANNEL, said);
  process.on('message', () => undefined);
}
