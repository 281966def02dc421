/** What the control channel of fast transfers says: schemas of the API. The stream itself is in PROTOCOL.md. */
import { z } from 'zod';
import { filePath } from './files.ts';

/** A tree with more is several transfers; so is one whose list does not fit the body. */
export const TRANSFER_ITEMS_MAX = 8000;
export const TRANSFER_BODY_MAX = 768 * 1024;

/** Base64url without padding. */
const base64url = z.string().regex(/^[A-Za-z0-9_-]+$/);
const size = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER);
const start = size
  .default(0)
  .meta({ description: 'Where to begin: 0, or the end of a segment (a multiple of 8 MiB) that is there already.' });

export const downloadItem = z.strictObject({
  path: filePath,
  version: z
    .string()
    .max(64)
    .nullable()
    .default(null)
    .meta({ description: 'The one that was looked at: another one ends the transfer. Null: any of this size.' }),
  size,
  start,
});
export const uploadItem = z.strictObject({ path: filePath, size, start });
export type DownloadItem = z.output<typeof downloadItem>;
export type UploadItem = z.output<typeof uploadItem>;

const window = z
  .number()
  .int()
  .min(2 ** 20)
  .max(256 * 2 ** 20)
  .default(32 * 2 ** 20)
  .meta({
    description:
      'Bytes that may be on the way: five times rate x round trip for full speed where much is lost, twice where little is.',
  });
const pace = {
  window,
  roundTrip: z
    .number()
    .min(0)
    .max(10_000)
    .nullable()
    .default(null)
    .meta({ description: 'Milliseconds to here, as far as the client knows: how fast the sender begins.' }),
  policy: z.enum(['fair', 'low', 'high', 'fixed']).default('fair'),
  rate: z
    .number()
    .min(10_000)
    .max(1e11)
    .nullable()
    .default(null)
    .meta({ description: 'Bits per second at the most; what the policy `fixed` sends.' }),
};
const oneOf = <T extends z.ZodType>(item: T) => z.array(item).min(1).max(TRANSFER_ITEMS_MAX);

export const beginDownload = z.strictObject({ files: oneOf(downloadItem), ...pace }).meta({ id: 'BeginDownload' });
export const beginUpload = z.strictObject({ files: oneOf(uploadItem), ...pace }).meta({ id: 'BeginUpload' });

export const transferReadiness = z
  .object({ available: z.boolean().meta({ description: 'False: files go over HTTPS here.' }) })
  .meta({ id: 'TransferReadiness' });

export const transferTicket = z
  .object({
    transfer: z.string().regex(/^[0-9a-f]{32}$/),
    /** Of the server, as it was told to be reached; null: the host of this API. */
    host: z.string().nullable(),
    port: z.number().int(),
    connection: base64url.meta({ description: '8 bytes: which datagrams are of this transfer.' }),
    secret: base64url.meta({ description: '32 bytes, for this transfer alone; see PROTOCOL.md.' }),
    length: size.meta({ description: 'Bytes of the stream.' }),
  })
  .meta({ id: 'TransferTicket' });
export type TransferTicket = z.infer<typeof transferTicket>;

export const transferState = z
  .object({
    transfer: z.string(),
    state: z.enum(['open', 'done', 'failed']),
    /** Files that are through: sent, or stored and durable. */
    files: size,
    bytes: size.meta({ description: 'Of these files and of the one under way.' }),
    held: z.string().nullable().meta({ description: 'The reference of a hold, while it waits for an approval.' }),
    failure: z.object({ code: z.string(), path: z.string().nullable(), detail: z.string() }).nullable(),
  })
  .meta({ id: 'TransferState' });
export type TransferState = z.infer<typeof transferState>;
