/** copy-data (draft-ietf-secsh-filexfer-extensions-00, section 7; OpenSSH's PROTOCOL, section 4.10). */
import { WaybillError } from '../../base/errors.ts';
import * as answers from './answers.ts';
import { readSize } from './attributes.ts';
import type { FileHandle } from './handles.ts';
import { mustRead, mustWrite, readFileHandle, row, type Context } from './request.ts';
import { TRANSFER_BYTES_MAX } from './wire.ts';

interface Copy {
  readonly handle: FileHandle;
  readonly from: number;
  /** 0: to the end of the file. */
  readonly length: number;
  readonly otherHandle: FileHandle;
  readonly to: number;
}

async function copy({ handle, from, length, otherHandle, to }: Copy, id: number, context: Context) {
  const count = length === 0 ? Infinity : length;
  for (let done = 0; done < count;) {
    if (context.over()) throw new WaybillError('session-ended', 'the client is gone');
    const parts = await handle.file.read(from + done, Math.min(TRANSFER_BYTES_MAX, count - done));
    if (parts.length === 0) break;
    for (const part of parts) {
      await otherHandle.file.write(to + done, part);
      done += part.length;
    }
  }
  return answers.ok(id);
}

export const copyData = row<Copy>({
  name: 'copy-data',
  writes: true,
  memory: () => TRANSFER_BYTES_MAX,
  parse(reader, context) {
    const handle = mustRead(readFileHandle(reader, context));
    const from = readSize(reader);
    const length = readSize(reader);
    const otherHandle = mustWrite(readFileHandle(reader, context));
    const to = readSize(reader);
    reader.done();
    // Overlapping ranges would copy what was just written; OpenSSH refuses one file in both places too.
    if (handle.path === otherHandle.path) throw new WaybillError('in-use', 'a file cannot be copied onto itself');
    if (length > Number.MAX_SAFE_INTEGER - Math.max(from, to))
      throw new WaybillError('offset-invalid', 'a copy beyond 2^53-1 was asked for');
    return { handle, from, length, otherHandle, to };
  },
  handle: copy,
});
