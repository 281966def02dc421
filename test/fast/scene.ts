/** A real server with HTTPS and fast transfers under their real permissions, and an account with a token. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { controlOver } from '../../src/client/api-control.ts';
import type { Control } from '../../src/client/fast-link.ts';
import { HttpsClient } from '../../src/cli/https-client.ts';
import { portOf, startServer, waybill } from '../interop/server.ts';
import type { TestServer } from '../interop/server.ts';

export interface FastScene {
  readonly server: TestServer;
  readonly api: HttpsClient;
  readonly control: Control;
  readonly token: string;
  readonly url: URL;
  /** A file with the certificate of the server. */
  readonly certificate: string;
  command(...words: string[]): Promise<string>;
  close(): Promise<void>;
}

export async function openFastScene(args: readonly string[] = [], temporary?: string): Promise<FastScene> {
  const words = ['--https', '127.0.0.1:0', '--fronts', '1', ...args];
  const server = await startServer({ args: words, ...(temporary === undefined ? {} : { temporary }) });
  const command = (...line: string[]): Promise<string> => waybill(server, line);
  const scopes = 'files:list,files:read,files:write';
  const made = await command('token', 'add', server.login, '--scopes', scopes, '--json');
  const { token } = JSON.parse(made) as { token: string };
  const url = new URL(`https://127.0.0.1:${portOf(server, 'https')}`);
  const certificate = path.join(server.data, 'keys', 'tls.crt');
  const authorities = readFileSync(certificate, 'utf8');
  const api = new HttpsClient({ server: url, trust: { kind: 'file', authorities }, token: () => token });
  const control = controlOver(api, url.hostname);
  return {
    ...{ server, api, control, token, url, certificate, command },
    close: async () => {
      await server.remove();
    },
  };
}
