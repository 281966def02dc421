/** The HTTPS door in this process before a broker that answers every administrator's call from a table. */
import { createPrivateKey, generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo, Server } from 'node:net';
import { WaybillError } from '../../src/base/errors.ts';
import { newId } from '../../src/base/ids.ts';
import { keyPin } from '../../src/base/key-pin.ts';
import { createLog } from '../../src/base/log.ts';
import { ADMIN_CALLS } from '../../src/broker/admin-calls.ts';
import type { AdminCallName } from '../../src/broker/admin-calls.ts';
import { FRONT_CALLS } from '../../src/broker/calls.ts';
import { makeCertificate } from '../../src/first-start/self-signed.ts';
import { DOOR_LIMITS, HttpsDoor } from '../../src/protocols/https/door.ts';
import { httpsHandlers } from '../../src/protocols/https/handlers.ts';

export type Answer = (call: AdminCallName, request: unknown) => unknown;

export class AdminDoor {
  readonly calls: { call: string; request: unknown }[] = [];
  readonly pin: string;
  readonly url: URL;
  private readonly door: HttpsDoor;
  private readonly server: Server;

  private constructor(server: Server, token: string, answer: Answer) {
    this.server = server;
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const key = privateKey.export({ type: 'pkcs8', format: 'pem' });
    const certificate = makeCertificate(['localhost'], createPrivateKey(key), Date.now());
    this.pin = keyPin(certificate);
    this.url = new URL(`https://127.0.0.1:${(server.address() as AddressInfo).port}`);
    const session = { session: newId(), login: 'ada', tenant: '-', account: newId(), home: '/' };
    this.door = new HttpsDoor({
      tls: { certificate, key, trusted: false },
      limits: DOOR_LIMITS,
      handlers: httpsHandlers('test'),
      log: createLog('error'),
      broker: {
        call: (name, body) => {
          if (name !== 'admin.call') throw new Error(name);
          const { call, request } = FRONT_CALLS['admin.call'].request.parse(body);
          this.calls.push({ call, request });
          const row = ADMIN_CALLS[call as AdminCallName];
          return Promise.resolve(
            row.response.parse(answer(call as AdminCallName, row.request.parse(request))) as never,
          );
        },
      },
      authenticate: (_connection, { kind, text }) =>
        kind === 'bearer' && text === token
          ? Promise.resolve({ session, scopes: ['admin'] })
          : Promise.reject(new WaybillError('sign-in-refused', 'no')),
      files: () => ({ abandon: () => Promise.resolve() }) as never,
      closed: () => undefined,
    });
    server.on('connection', (socket) => {
      this.door.take(newId(), socket);
    });
  }

  static async open(token: string, answer: Answer): Promise<AdminDoor> {
    const server = createServer({ pauseOnConnect: true }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new AdminDoor(server, token, answer);
  }

  async close(): Promise<void> {
    this.server.close();
    await this.door.shutdown(1000);
  }
}
