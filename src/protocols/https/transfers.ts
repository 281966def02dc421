/** The control channel of fast transfers; the broker decides, the front of UDP does it. */
import { beginDownload, beginUpload, TRANSFER_BODY_MAX } from '../../api/transfers.ts';
import type { TransferState, TransferTicket } from '../../api/transfers.ts';
import { WaybillError } from '../../base/errors.ts';
import type { Request } from '../../broker/calls.ts';
import { SEGMENT_BYTES, streamLength } from '../../udp/layout/stream-layout.ts';
import type { Exchange } from './exchange.ts';
import { creatable, plainPath } from './paths.ts';

type Order = Omit<Request<'transfer.begin'>, 'session'>;

async function download(exchange: Exchange): Promise<void> {
  const { files, ...pace } = await exchange.json(beginDownload, TRANSFER_BODY_MAX);
  const named = files.map((file) => ({ ...file, path: plainPath(file.path) }));
  await begin(exchange, { direction: 'download', files: named, ...pace, length: lengthOf(files) });
}

async function upload(exchange: Exchange): Promise<void> {
  const { files, ...pace } = await exchange.json(beginUpload, TRANSFER_BODY_MAX);
  const named = files.map((file) => ({ ...file, path: creatable(plainPath(file.path)), version: null }));
  if (new Set(named.map(({ path }) => path)).size < named.length)
    throw new WaybillError('request-invalid', 'a path is named twice');
  await begin(exchange, { direction: 'upload', files: named, ...pace, length: lengthOf(files) });
}

async function begin(exchange: Exchange, order: Order): Promise<void> {
  if (order.policy === 'fixed' && order.rate === null)
    throw new WaybillError('request-invalid', 'the policy "fixed" needs a rate');
  const { session } = exchange.member.session;
  const { connectionId, secret, ...ticket } = await exchange.broker.call('transfer.begin', { session, ...order });
  const answer: TransferTicket = {
    ...ticket,
    connection: connectionId.toString('base64url'),
    secret: secret.toString('base64url'),
    length: order.length,
  };
  exchange.send(201, answer, { 'Cache-Control': 'no-store', Location: `/api/v1/transfers/${ticket.transfer}` });
}

function lengthOf(files: readonly { readonly size: number; readonly start: number }[]): number {
  for (const { size, start } of files)
    if (start > size || (start % SEGMENT_BYTES !== 0 && start !== size))
      throw new WaybillError('offset-invalid', `a file begins at a multiple of ${SEGMENT_BYTES} within it`);
  const length = streamLength(files);
  if (!Number.isSafeInteger(length) || length >= 2 ** 48)
    throw new WaybillError('too-large', 'the files are too large');
  return length;
}

async function ready(exchange: Exchange): Promise<void> {
  const { session } = exchange.member.session;
  exchange.send(200, await exchange.broker.call('transfer.ready', { session }), { 'Cache-Control': 'no-store' });
}

async function get(exchange: Exchange): Promise<void> {
  const { session } = exchange.member.session;
  const transfer = transferOf(exchange);
  const wait = Number(exchange.asked('wait') ?? 0);
  const state: TransferState = {
    transfer,
    ...(await exchange.broker.call('transfer.state', { session, transfer, wait })),
  };
  exchange.send(200, state, { 'Cache-Control': 'no-store' });
}

async function end(exchange: Exchange): Promise<void> {
  const { session } = exchange.member.session;
  await exchange.broker.call('transfer.end', { session, transfer: transferOf(exchange) });
  exchange.sendEmpty(204);
}

/** What is none looks like one that is not there. */
function transferOf({ rest }: Exchange): string {
  if (!/^[0-9a-f]{32}$/.test(rest)) throw new WaybillError('not-found', 'no transfer has this id');
  return rest;
}

export const transferHandlers = {
  'transfers.download': download,
  'transfers.upload': upload,
  'transfers.ready': ready,
  'transfers.get': get,
  'transfers.end': end,
};
