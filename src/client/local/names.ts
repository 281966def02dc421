/** Which names of a server may become names here. A server is not trusted to leave this machine's other files alone. Pure. */
import { createHash } from 'node:crypto';
import { WaybillError } from '../../base/errors.ts';
import { checkName, NAME_BYTES_MAX } from '../../base/names.ts';

const PART = '.waybill-part';
const STATE = '.waybill-state';
/** Whatever extension they have, and in any case: they are devices. */
const WINDOWS_DEVICE = /^(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$)\s*(\.|$)/i;
const WINDOWS_FORBIDDEN = /[<>:"|?*\\]|[ .]$/;

/** Throws `name-invalid` or `path-too-long`. */
export function checkLocalName(name: string, platform: NodeJS.Platform = process.platform): void {
  checkName(name);
  if (name.endsWith(PART) || name.endsWith(STATE))
    throw new WaybillError('name-invalid', `${name}: such names are of transfers under way`);
  if (platform !== 'win32') return;
  if (WINDOWS_DEVICE.test(name) || WINDOWS_FORBIDDEN.test(name))
    throw new WaybillError('name-invalid', `${JSON.stringify(name)} cannot be a file on Windows`);
}

/** What lies beside a target while it is fetched. */
export function besideNames(name: string): { readonly part: string; readonly state: string } {
  const fits = Buffer.byteLength(name) + STATE.length + 1 <= NAME_BYTES_MAX;
  const stem = fits ? name : createHash('sha256').update(name).digest('hex').slice(0, 40);
  return { part: `.${stem}${PART}`, state: `.${stem}${STATE}` };
}
