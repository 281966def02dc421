/**
 * The administration socket: whoever can open it is the operator, so its folder and itself are the owner's alone. Who of
 * the operator it is, says the token that comes with each call.
 */
import { chmodSync, mkdirSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import type { Server } from 'node:net';
import path from 'node:path';
import { z } from 'zod';
import { WaybillError } from '../base/errors.ts';
import type { Dispatch } from './dispatch.ts';
import { Link } from './link.ts';

/** What travels as the body of a call: checked before anything else is looked at. */
const envelope = z.strictObject({ token: z.string().max(200).nullable(), request: z.unknown() });
export type AdminEnvelope = z.infer<typeof envelope>;

const CONNECTIONS_MAX = 64;
/** The system's bound on the name of a local socket, with its final NUL. */
const SOCKET_PATH_MAX = 107;

export class AdminServer {
  private readonly server: Server;
  private readonly links = new Set<Link>();
  private readonly file: string;

  constructor(dataFolder: string, dispatchFor: (token: string | null) => Dispatch) {
    this.file = path.join(dataFolder, 'run', 'admin.sock');
    this.server = createServer((socket) => {
      const link = new Link(socket, {
        request: async (call, body) => {
          const opened = envelope.safeParse(body);
          if (!opened.success)
            throw new WaybillError(
              'request-invalid',
              'a call is { token, request }; is this command of another release?',
            );
          const { token, request } = opened.data;
          return dispatchFor(token)(call, request);
        },
        closed: () => {
          this.links.delete(link);
        },
      });
      this.links.add(link);
    });
    this.server.maxConnections = CONNECTIONS_MAX;
  }

  /** The caller holds the lock of the data folder, so a socket that is there belongs to nobody any more. */
  async listen(): Promise<void> {
    const folder = path.dirname(this.file);
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    chmodSync(folder, 0o700);
    rmSync(this.file, { force: true });
    if (Buffer.byteLength(this.file) > SOCKET_PATH_MAX) {
      const message = `the path ${this.file} is longer than the ${SOCKET_PATH_MAX} bytes a local socket may have; use a shorter data folder`;
      throw new WaybillError('data-folder-invalid', message);
    }
    await new Promise<void>((resolve, reject) => {
      this.server.once('error', reject);
      this.server.listen(this.file, resolve);
    });
    chmodSync(this.file, 0o600);
  }

  close(): void {
    this.server.close();
    for (const link of this.links) link.close();
  }
}
