/** What a client calls itself (User-Agent), as far as the broker takes it. Pure. */
import type { IncomingHttpHeaders } from 'node:http';

const CLIENT_MAX = 300;

export function clientOf(headers: IncomingHttpHeaders): string {
  return (headers['user-agent'] ?? '').replaceAll(/[^\x20-\x7e]/g, '?').slice(0, CLIENT_MAX);
}
