import { connect } from 'node:net';
import type { Socket } from 'node:net';
import path from 'node:path';
import { ADMIN_CALLS } from '../broker/admin-calls.ts';
import type { AdminCaller, AdminCallName, AdminRequest, AdminResponse } from '../broker/admin-calls.ts';
import type { AdminEnvelope } from '../broker/admin-server.ts';
import { Link } from '../broker/link.ts';
import { WaybillError } from '../base/errors.ts';

export function adminSocketOf(dataFolder: string): string {
  return path.join(dataFolder, 'run', 'admin.sock');
}

/** The running server of a data folder. Connects with the first call; `close` when the command is done. */
export class RunningServer implements AdminCaller {
  private readonly dataFolder: string;
  private readonly token: () => string | null;
  private link: Link | null = null;
  private opened: Promise<Link> | null = null;

  /** `token`: who calls; asked for with each call. */
  constructor(dataFolder: string, token: () => string | null) {
    this.dataFolder = dataFolder;
    this.token = token;
  }

  async call<N extends AdminCallName>(call: N, request: AdminRequest<N>): Promise<AdminResponse<N>> {
    // Before there is a connection that would have to be closed.
    const body: AdminEnvelope = { token: this.token(), request };
    this.opened ??= this.open();
    const answer = await (await this.opened).call(call, body);
    // An older or newer server may answer otherwise; better a clear failure than a half-printed row.
    const checked = ADMIN_CALLS[call].response.safeParse(answer);
    if (checked.success) return checked.data as AdminResponse<N>;
    throw new WaybillError('internal', `the server answered ${call} in a form this command does not know`);
  }

  close(): void {
    this.link?.close();
  }

  private async open(): Promise<Link> {
    const socket = await openSocket(this.dataFolder);
    this.link = new Link(socket, { closed: () => undefined });
    return this.link;
  }
}

function openSocket(dataFolder: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(adminSocketOf(dataFolder));
    socket.once('connect', () => {
      socket.removeAllListeners('error');
      resolve(socket);
    });
    socket.once('error', (cause: NodeJS.ErrnoException) => {
      reject(connectFailure(dataFolder, cause));
    });
  });
}

function connectFailure(dataFolder: string, cause: NodeJS.ErrnoException): WaybillError {
  if (cause.code === 'EACCES' || cause.code === 'EPERM') {
    const message = `the server of ${dataFolder} is another user's; run this command as that user`;
    return new WaybillError('permission-denied', message, { cause });
  }
  return new WaybillError('not-running', `no server answers on the data folder ${dataFolder}`, { cause });
}
