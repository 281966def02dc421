/**
 * Entry of the process of one identity provider. It may use the network and has nothing else: no keys, no files but its
 * own code, no metadata. Each provider has its own, so that one of them cannot speak for another.
 */
import { Socket } from 'node:net';
import { createLog } from '../../base/log.ts';
import { WaybillError } from '../../base/errors.ts';
import { Link } from '../../broker/link.ts';
import { endAtOnce } from '../../front/confine.ts';
import { exchangeRequest, identitySettings } from '../calls.ts';
import { fetchingOf } from './fetching.ts';
import { Protocol } from './protocol.ts';

/** See LINK_DESCRIPTOR in broker/identity-process.ts. */
const LINK_DESCRIPTOR = 3;
const log = createLog('debug');

process.on('uncaughtException', (err) => {
  log.error({ err }, 'the process of an identity provider failed');
  endAtOnce();
});
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);

const started = Promise.withResolvers<Protocol>();

const link = new Link(new Socket({ fd: LINK_DESCRIPTOR, readable: true, writable: true }), {
  request: async (call, body) => {
    const protocol = await started.promise;
    if (call === 'discover') return protocol.discover().catch(unreachable);
    if (call === 'exchange') return protocol.exchange(exchangeRequest.parse(body));
    throw new WaybillError('call-unknown', 'no such call');
  },
  closed: () => {
    endAtOnce();
  },
});

const settings = identitySettings.parse(await link.call('hello', {}));
started.resolve(new Protocol(settings, fetchingOf(settings)));

/** The text goes to administrators; it holds nothing that is ours. */
function unreachable(error: unknown): never {
  const cause = error instanceof Error && error.cause instanceof Error ? `: ${error.cause.message}` : '';
  const why = error instanceof Error ? `${error.message}${cause}` : 'failed';
  throw new WaybillError('provider-refused', why.replaceAll(/[^\x20-\x7e]/g, '?').slice(0, 300));
}
