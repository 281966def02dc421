/** Every request of version 3 in one table; a type that is not in it is answered "unsupported". */
import type { ByteReader } from '../../base/bytes.ts';
import { WaybillError } from '../../base/errors.ts';
import { EXTENSIONS } from './extension-requests.ts';
import { FILE_REQUESTS } from './file-requests.ts';
import { PATH_REQUESTS } from './path-requests.ts';
import type { AnyRow } from './request.ts';
import { FXP } from './wire.ts';

const REQUESTS: ReadonlyMap<number, AnyRow> = new Map([...FILE_REQUESTS, ...PATH_REQUESTS]);

/** The row for a packet; `reader` stands after the request id, and after an extension's name when this returns. */
export function rowFor(type: number, reader: ByteReader): AnyRow {
  const found = type === FXP.EXTENDED ? EXTENSIONS.get(reader.ascii(255)) : REQUESTS.get(type);
  if (found === undefined) throw new WaybillError('unsupported', 'the request is not known here');
  return found;
}
