/** GET /metrics for Prometheus. It reads HTTP so that the broker does not have to; the numbers come from the broker. */
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import { once } from 'node:events';

const WITHIN_MS = 10_000;

export async function serveMetrics(
  { host, port }: { readonly host: string; readonly port: number },
  read: () => Promise<string>,
): Promise<{ server: Server; port: number }> {
  const server = createServer(
    { requestTimeout: WITHIN_MS, headersTimeout: WITHIN_MS, maxHeaderSize: 8192 },
    (asked, answer) => {
      asked.resume();
      if (asked.method !== 'GET' || asked.url?.split('?')[0] !== '/metrics') {
        answer.writeHead(404).end();
        return;
      }
      read().then(
        (text) => {
          const type = 'text/plain; version=0.0.4; charset=utf-8';
          answer.writeHead(200, { 'content-type': type, 'cache-control': 'no-store' }).end(text);
        },
        () => {
          answer.writeHead(503).end();
        },
      );
    },
  );
  server.maxConnections = 32;
  server.listen(port, host);
  await once(server, 'listening');
  const bound = server.address();
  return { server, port: typeof bound === 'object' && bound !== null ? bound.port : port };
}
