/**
 * Stands in the place of a front and is wholly in the hands of a test: everything on the link to the broker goes to the
 * port in the first argument and comes back from there, byte for byte; connections that are handed over are told there,
 * one line of JSON each, and kept open.
 */
import net from 'node:net';

const port = Number(process.argv[2]);
const link = new net.Socket({ fd: 4, readable: true, writable: true });
const bytes = net.connect(port, '127.0.0.1');
const news = net.connect(port, '127.0.0.1');
bytes.write('B');
news.write('N');
link.pipe(bytes).pipe(link);
const kept: net.Socket[] = [];
process.on('message', (handover, socket) => {
  if (!(socket instanceof net.Socket)) return;
  kept.push(socket.on('error', () => undefined));
  news.write(`${JSON.stringify(handover)}\n`);
});
for (const stream of [link, bytes, news]) {
  stream.on('error', () => process.exit(0));
  stream.on('close', () => process.exit(0));
}
