/** The whole answer to one question. */
import type { Answer, Gap } from './answer.ts';
import { gaps } from './gaps.ts';
import { Inquiry } from './inquiry.ts';
import type { InquiryOptions } from './inquiry.ts';
import type { IndexFile } from './index-file.ts';
import { readMeta } from './index-meta.ts';
import { listedNotRead } from './listed.ts';
import { moment } from './moments.ts';
import { otherEvents } from './other-events.ts';
import { pivot } from './pivot.ts';
import { products } from './product-answer.ts';
import { readingSums } from './reading-sums.ts';
import { sessionRows } from './session-answer.ts';
import { touchedFiles, touchedTenants } from './touched.ts';
import { untouchedTenants, windowOf } from './untouched.ts';

export async function investigate(index: IndexFile, options: InquiryOptions): Promise<Answer> {
  const meta = await readMeta(index);
  if (meta === null) throw new Error('the index is empty');
  const inquiry = await Inquiry.begin(index, options);
  const sums = await readingSums(inquiry);
  const tenants = await touchedTenants(inquiry, sums);
  const files = await touchedFiles(inquiry);
  const window = await windowOf(inquiry, meta);
  const { untouched, unclear } = await untouchedTenants(inquiry, window, tenants);
  const sessions = await sessionRows(inquiry);
  const found: Gap[] = await gaps(inquiry, sums, files.shown);
  const sum = (name: 'readings' | 'releases' | 'releasedBytes' | 'sentBytes' | 'possiblySentBytes'): number =>
    tenants.reduce((total, tenant) => total + tenant[name], 0);
  return {
    format: 'waybill-investigate@v1',
    complete: {
      origin: meta.origin,
      size: meta.size,
      root: Buffer.from(meta.root, 'hex').toString('base64'),
      time: meta.time === 0 ? null : moment(meta.time),
      entries: meta.total,
      tenants: inquiry.logs.size,
    },
    question: questionOf(options),
    window: { from: window.from === 0 ? null : moment(window.from), to: window.to === null ? null : moment(window.to) },
    total: {
      sessions: sessions.total ?? 0,
      tenants: tenants.length,
      files: files.total,
      readings: sum('readings'),
      releases: sum('releases'),
      releasedBytes: sum('releasedBytes'),
      sentBytes: sum('sentBytes'),
      possiblySentBytes: sum('possiblySentBytes'),
    },
    tenants,
    files,
    untouched,
    unclear,
    sessions,
    pivot: await pivot(inquiry),
    listedNotRead: await listedNotRead(inquiry),
    events: await otherEvents(inquiry),
    products: await products(inquiry),
    gaps: found,
  };
}

function questionOf({ filters }: InquiryOptions): Answer['question'] {
  return Object.fromEntries(
    Object.entries(filters as Readonly<Record<string, readonly string[] | number | undefined>>).flatMap(
      ([name, value]) =>
        value === undefined || (Array.isArray(value) && value.length === 0)
          ? []
          : [[name, typeof value === 'number' ? moment(value) : value]],
    ),
  );
}
