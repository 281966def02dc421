import { createHash } from 'node:crypto';
import { asWaybillError } from '../base/errors.ts';
import type { Target, TargetSpec, TargetStatus } from '../events/events.ts';
import type { AdminRequest, ReceiverRow } from './admin-calls.ts';
import { moment } from './administration-parts.ts';
import type { AdminHandlers, AdministrationParts } from './administration-parts.ts';
import type { Judges } from './four-eyes.ts';

type EventCalls = Pick<AdminHandlers, Extract<keyof AdminHandlers, `event.${string}`>>;
type Parts = Pick<AdministrationParts, 'events' | 'tenants'>;

export function eventHandlers(parts: Parts): EventCalls {
  const { events } = parts;
  const nameOf = ({ tenant }: Target): string | null => (tenant === null ? null : tenantName(parts, tenant));
  return {
    'event.add': async (request, by) => {
      const { target, secret } = await events.add(specOf(parts, request), by);
      const status = events.list().find((one) => one.target.id === target.id);
      const found = status ?? { target, behind: 0, dead: 0, failure: null };
      return { receiver: row(found, nameOf(target)), secret };
    },
    'event.list': () => ({ receivers: events.list().map((status) => row(status, nameOf(status.target))) }),
    'event.remove': async ({ name }, by) => {
      await events.remove(name, by);
      return {};
    },
    'event.rotate-secret': async ({ name }, by) => ({ secret: await events.rotateSecret(name, by) }),
    'event.dead': ({ name }) => ({
      dead: events.dead(name).map(({ number, log, entry, time, attempts, error }) => ({
        ...{ number, log, entry, time: moment(time), attempts, error },
      })),
    }),
    'event.retry': ({ name, number }, by) => events.retry(name, number, by),
  };
}

/** What tells others of everything that happens, and what ends that. */
export function eventJudges(parts: Parts) {
  const { events } = parts;
  return {
    'event.add': (request) => {
      const spec = specOf(parts, request);
      const { shown, full } = events.check(spec);
      const what = request.only.length === 0 ? 'everything' : request.only.join(', ');
      const whose = request.tenant === null ? 'all tenants' : request.tenant;
      return {
        weakens: true,
        tenant: spec.tenant,
        summary: `events of ${whose} (${what}) go to ${request.kind} ${shown}, as ${request.name}`,
        about: { tenant: spec.tenant, address: createHash('sha256').update(full).digest('hex') },
      };
    },
    'event.remove': ({ name }) => {
      const { id, tenant, kind, address } = events.byName(name);
      return { weakens: true, tenant, summary: `no more events to ${name} (${kind} ${address})`, about: { id } };
    },
  } satisfies Partial<Judges>;
}

/** A receiver may outlive its tenant. */
function tenantName({ tenants }: Parts, id: string): string {
  try {
    return tenants.get(id).name;
  } catch (error) {
    if (asWaybillError(error).code === 'not-found') return id;
    throw error;
  }
}

function specOf({ tenants }: Parts, request: AdminRequest<'event.add'>): TargetSpec {
  return { ...request, tenant: request.tenant === null ? null : tenants.byName(request.tenant).id };
}

function row({ target, behind, dead, failure }: TargetStatus, tenant: string | null): ReceiverRow {
  const { name, kind, address, only, created } = target;
  const failing =
    failure === null ? null : { since: moment(failure.since), error: failure.error, nextTry: moment(failure.nextTry) };
  return { name, tenant, kind, address, only: [...only], added: moment(created), behind, dead, failing };
}
