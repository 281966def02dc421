/** What the API says about files: one schema for the server, the OpenAPI document, the command line and the portal. */
import { z } from 'zod';

export const filePath = z
  .string()
  .min(1)
  .max(4096)
  .meta({ description: 'An absolute path, "/" between its names.', examples: ['/reports/2026/january.csv'] });

export const fileEntry = z
  .object({
    name: z.string().meta({ description: 'The last name of the path; "" for the list of folders.' }),
    kind: z.enum(['file', 'directory']),
    size: z.number().int().meta({ description: 'Bytes.' }),
    modified: z.iso.datetime().meta({ description: 'When it was last changed, to the second, in UTC.' }),
    mayRead: z.boolean().meta({ description: 'Whether the grant lets this account read (a directory: list) it.' }),
    mayWrite: z.boolean(),
    partial: z.boolean().meta({ description: "True for the account's own upload that is not complete." }),
  })
  .meta({ id: 'FileEntry' });
export type FileEntry = z.infer<typeof fileEntry>;

export const fileInfo = fileEntry
  .extend({
    path: filePath,
    version: z
      .string()
      .nullable()
      .meta({ description: 'The version that is current, as in ETag; null for directories.' }),
    upload: z
      .string()
      .nullable()
      .default(null)
      .meta({ description: "The account's own upload that is in progress here: tus takes it up, however it began." }),
  })
  .meta({ id: 'FileInfo' });
export type FileInfo = z.infer<typeof fileInfo>;

export const directoryPage = fileInfo
  .extend({
    entries: z.array(fileEntry),
    next: z.string().nullable().meta({ description: 'Give it as `after` for the next page; null at the end.' }),
  })
  .meta({ id: 'DirectoryPage' });
export type DirectoryPage = z.infer<typeof directoryPage>;

export const makeDirectory = z.strictObject({ path: filePath }).meta({ id: 'MakeDirectory' });

export const rename = z
  .strictObject({
    from: filePath,
    to: filePath,
    replace: z.boolean().default(false).meta({ description: 'Replace a file at `to` in one step.' }),
  })
  .meta({ id: 'Rename' });

export const checksum = z
  .object({
    path: filePath,
    version: z.string().nullable(),
    size: z.number().int(),
    sha256: z.string().regex(/^[0-9a-f]{64}$/),
  })
  .meta({ id: 'Checksum' });

export const stored = z
  .object({ path: filePath, version: z.string().nullable(), size: z.number().int(), sha256: z.string().nullable() })
  .meta({ id: 'Stored' });
export type Stored = z.infer<typeof stored>;
