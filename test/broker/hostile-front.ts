/** Stands in for a front that somebody has taken over; the first argument says what it does. */
import { Socket } from 'node:net';
import { Link } from '../../src/broker/link.ts';

const wire = new Socket({ fd: 4, readable: true, writable: true });
const mode = process.argv[2];
const hello = async (): Promise<void> => {
  await new Link(wire, { closed: () => process.exit(0) }).call('hello', {});
};

if (mode === 'garbage') wire.write(Buffer.alloc(64, 0xff));
else {
  await hello();
  if (mode === 'flood') for (let i = 0; i < 5000; i++) process.stderr.write(`${'x'.repeat(100_000)}\n`);
  // What it says here nobody must act on.
  if (mode === 'chatter') process.send?.({ cmd: 'NODE_HANDLE', type: 'net.Socket' });
  if (mode === 'chatter') process.send?.({ call: 'hello', connection: '0'.repeat(32) });
  process.on('message', () => undefined);
}
