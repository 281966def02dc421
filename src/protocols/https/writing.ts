/** One request of a session writes a path at a time: two would mix their bytes in one upload. */
import { WaybillError } from '../../base/errors.ts';
import type { Member } from './exchange.ts';

export async function writingAlone(member: Member, path: string, write: () => Promise<void>): Promise<void> {
  if (member.writing.has(path)) throw new WaybillError('in-use', `another request is writing ${path}`);
  member.writing.add(path);
  try {
    await write();
  } finally {
    member.writing.delete(path);
  }
}
