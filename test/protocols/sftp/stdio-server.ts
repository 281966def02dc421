/** Runs the server on stdin and stdout over files in memory, for `sftp -D` and other clients that start a program. */
import { SILENT } from '../../../src/base/log.ts';
import type { ByteChannel } from '../../../src/base/byte-channel.ts';
import { serveSftp } from '../../../src/protocols/sftp/server.ts';
import { MemoryFiles } from './memory-files.ts';
import { SESSION } from './session.ts';

const { stdin, stdout } = process;
const files = new MemoryFiles();
files.put('/inbox/hello.txt', 'hello\n');

const channel: ByteChannel = {
  closed: false,
  write(parts) {
    stdout.cork();
    for (const part of parts) stdout.write(part);
    stdout.uncork();
    return !stdout.writableNeedDrain;
  },
  drained: () =>
    new Promise((resolve) => {
      if (!stdout.writableNeedDrain) resolve();
      else stdout.once('drain', resolve);
    }),
  // A window as SSH has one: no more than this much is unconsumed.
  consumed(count) {
    window += count;
    if (window > 0) stdin.resume();
  },
  end(exitStatus) {
    process.exitCode = exitStatus;
    stdout.end();
    stdin.destroy();
  },
};

let window = 2 * 1024 * 1024;
const listener = serveSftp({ channel, files, session: SESSION, limits: { handlesPerSession: 64 }, log: SILENT });
stdin.on('data', (chunk: Buffer) => {
  window -= chunk.length;
  if (window <= 0) stdin.pause();
  listener.data(chunk);
});
stdin.on('end', () => {
  listener.end();
});
