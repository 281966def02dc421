import { WaybillError } from '../base/errors.ts';

/** "TENANT/FOLDER" */
export function splitFolder(text: string): { tenant: string; name: string } {
  const [tenant, name, ...rest] = text.split('/');
  if (tenant === undefined || tenant === '' || name === undefined || name === '' || rest.length > 0) {
    throw new WaybillError('option-invalid', `FOLDER is ${JSON.stringify(text)}; allowed: TENANT/FOLDER`);
  }
  return { tenant, name };
}

/** "TENANT/FOLDER", or "FOLDER" of the account's own tenant (null). */
export function folderOfGrant(text: string): { tenant: string | null; folder: string } {
  if (!text.includes('/')) return { tenant: null, folder: text };
  const { tenant, name } = splitFolder(text);
  return { tenant, folder: name };
}
