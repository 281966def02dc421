/** A server that runs elsewhere: the calls of administrators over its HTTPS API. */
import path from 'node:path';
import { adminPath } from '../api/admin-operations.ts';
import { WaybillError } from '../base/errors.ts';
import { ADMIN_CALLS } from '../broker/admin-calls.ts';
import type { AdminCaller, AdminCallName, AdminRequest, AdminResponse } from '../broker/admin-calls.ts';
import { cacheFolder } from '../config/remote-server.ts';
import type { RemotePlace } from '../config/remote-server.ts';
import { HttpsClient } from './https-client.ts';
import { copyOfLedger } from './ledger-copy.ts';
import type { Output } from './output.ts';
import { readTrust } from './server-trust.ts';

/** A part of a check reads thousands of files. */
const PATIENCE_MILLISECONDS = 600_000;

export class RemoteServer implements AdminCaller {
  private readonly place: RemotePlace;
  private readonly token: () => string | null;
  private readonly readTextFile: (file: string) => Promise<string>;
  private opened: Promise<HttpsClient> | null = null;

  constructor(place: RemotePlace, token: () => string | null, readTextFile: (file: string) => Promise<string>) {
    this.place = place;
    this.token = token;
    this.readTextFile = readTextFile;
  }

  async call<N extends AdminCallName>(call: N, request: AdminRequest<N>): Promise<AdminResponse<N>> {
    const client = await this.client();
    const { response, writes } = ADMIN_CALLS[call];
    const asked = { method: 'POST', path: adminPath(call), body: request, answer: response, again: !writes } as const;
    return (await client.ask(asked)) as AdminResponse<N>;
  }

  private client(): Promise<HttpsClient> {
    if (this.token() === null)
      throw new WaybillError('option-invalid', '--server takes your access token: --as-token-file FILE');
    this.opened ??= this.open();
    return this.opened;
  }

  /** A copy of the ledger in the cache of whoever runs this, brought up to date. */
  ledgerFolder(output: Output): Promise<string> {
    return copyOfLedger(this, path.join(cacheFolder(), this.place.url.host.replaceAll(':', '_')), output);
  }

  close(): void {
    void this.opened?.then(
      (client) => {
        client.close();
      },
      () => undefined,
    );
  }

  private async open(): Promise<HttpsClient> {
    const { url: server, trust } = this.place;
    const patienceMilliseconds = PATIENCE_MILLISECONDS;
    return new HttpsClient({
      ...{ server, token: this.token, patienceMilliseconds },
      trust: await readTrust(trust, this.readTextFile),
    });
  }
}
