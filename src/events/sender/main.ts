/**
 * Entry of the process that sends events. It may use the network, and has nothing else: no keys but those of receivers,
 * no files but its own code, no metadata. It remembers nothing that matters: places and retries are the broker's.
 */
import { Socket } from 'node:net';
import { createLog } from '../../base/log.ts';
import { WaybillError } from '../../base/errors.ts';
import { Link } from '../../broker/link.ts';
import { endAtOnce } from '../../front/confine.ts';
import { deliverRequest, traceRequest } from '../calls.ts';
import type { DeliverAnswer, SenderSettings, TraceAnswer } from '../calls.ts';
import { carryRequest, httpChallenges } from '../../acme/calls.ts';
import { AcmeErrands } from './acme.ts';
import { Mail } from './mail.ts';
import { serveMetrics } from './metrics-server.ts';
import { Syslog } from './syslog.ts';
import { Traces } from './traces.ts';
import { Webhooks } from './webhook.ts';

/** See LINK_DESCRIPTOR in broker/event-sender.ts. */
const LINK_DESCRIPTOR = 3;
const log = createLog('debug');

process.on('uncaughtException', (err) => {
  log.error({ err }, 'the process that sends events failed');
  endAtOnce();
});
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);

interface Sending {
  deliver(body: unknown): Promise<DeliverAnswer>;
  trace(body: unknown): Promise<TraceAnswer>;
  readonly acme: AcmeErrands | null;
}
const started = Promise.withResolvers<Sending>();

const link = new Link(new Socket({ fd: LINK_DESCRIPTOR, readable: true, writable: true }), {
  request: async (call, body) => {
    if (call === 'deliver') return (await started.promise).deliver(body);
    if (call === 'trace') return (await started.promise).trace(body);
    const { acme } = await started.promise;
    if (call === 'acme.carry' && acme !== null) return acme.carry(carryRequest.parse(body));
    if (call === 'acme.show' && acme !== null) {
      await acme.show(httpChallenges.parse(body).challenges);
      return {};
    }
    throw new WaybillError('call-unknown', 'no such call');
  },
  closed: () => {
    endAtOnce();
  },
});

const settings = (await link.call('hello', {})) as SenderSettings;
started.resolve({
  deliver: delivery(settings),
  trace: tracing(settings),
  acme: settings.acme === null ? null : new AcmeErrands(settings.acme, settings.allow),
});
if (settings.metrics !== null) {
  const { host } = settings.metrics;
  const { port } = await serveMetrics(settings.metrics, async () => (await link.call('metrics', {})) as string);
  await link.call('listening', { host, port });
}

function tracing({ traces: collector }: SenderSettings): Sending['trace'] {
  const traces = collector === null ? null : new Traces(collector);
  return (body) => {
    const refused = { outcome: 'refused', rejected: 0, retryAfter: null } as const;
    return traces?.send(traceRequest.parse(body).body) ?? Promise.resolve(refused);
  };
}

function delivery({ allow, hostname, mail: server }: SenderSettings): Sending['deliver'] {
  const webhooks = new Webhooks({ allow });
  const syslog = new Syslog({ allow, hostname });
  const mail = server === null ? null : new Mail(server);
  return (body) => {
    const { target, events } = deliverRequest.parse(body);
    if (target.kind === 'webhook') return webhooks.deliver(target, events);
    if (target.kind === 'syslog') return syslog.deliver(target, events);
    const none = { delivered: 0, failure: 'the server sends no mail: --smtp-url is not set', retryAfter: null };
    return mail === null ? Promise.resolve(none) : mail.deliver(target, events);
  };
}
