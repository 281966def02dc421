/** The calls of `waybill login` as fronts make them, over a real store and authority; a clock of the test's. */
import { OwnAuthority } from '../../src/accounts/authority-own.ts';
import { Networks, parseNetwork } from '../../src/base/addresses.ts';
import type { Request, Response } from '../../src/broker/calls.ts';
import { Certificates } from '../../src/broker/certificates.ts';
import type { Connection, FrontEnd } from '../../src/broker/connections.ts';
import { createDispatch } from '../../src/broker/dispatch.ts';
import { identifyFront } from '../../src/broker/front-handlers.ts';
import { LOGIN_CALLS } from '../../src/broker/login-calls.ts';
import type { LoginLimits } from '../../src/broker/login-table.ts';
import { Logins } from '../../src/broker/logins.ts';
import { justShown } from '../../src/broker/web-handlers.ts';
import type { Event } from '../../src/ledger/core/kinds.ts';
import { parseCertificate } from '../../src/sshkeys/certificate.ts';
import type { Certificate } from '../../src/sshkeys/certificate.ts';
import { SqliteCertificates } from '../../src/store/sqlite/certificates.ts';
import { ed25519Client } from '../accounts/scene.ts';
import { WebScene } from '../accounts/web/scene.ts';

type LoginCall = keyof typeof LOGIN_CALLS;
export const HERE = '192.0.2.7';

export class LoginScene {
  readonly web = new WebScene();
  readonly laptop = ed25519Client();
  readonly authority: OwnAuthority;
  readonly logins: Logins;
  private readonly ca = ed25519Client();

  constructor(elsewhere: readonly string[] = [], limits?: LoginLimits) {
    const { base, rooms, entries } = this.web;
    const { private: key, public: half } = this.ca;
    const authority = { key, public: half };
    const ledger = {
      append: (tenant: string | null, event: Event) => void entries.push({ ...event, tenant }),
    };
    this.authority = new OwnAuthority({
      store: new SqliteCertificates(base.database),
      accounts: base.store,
      clock: base.parts.clock,
      ledger,
      hours: 8,
      credentialStands: (id) => base.store.credential(id) !== null || this.web.store.passkey(id) !== null,
      key: { current: authority, take: () => Promise.resolve(authority) },
    });
    this.logins = new Logins({
      web: rooms.parts,
      origins: rooms.origins,
      elsewhere: new Networks(
        elsewhere.map((text) => parseNetwork(text) ?? { address: '', family: 'ipv4', length: 0 }),
      ),
      sftpPort: () => 2022,
      certificates: new Certificates({
        authority: this.authority,
        justShown: (session) => justShown(session, base.now),
        hostKeys: [half],
        hostCa: () => null,
      }),
      ...(limits === undefined ? {} : { limits }),
    });
  }

  async call<N extends LoginCall>(
    name: N,
    request: Request<N>,
    front: FrontEnd = this.web.front,
  ): Promise<Response<N>> {
    const identify = identifyFront(front, this.web.connections);
    const dispatch = createDispatch(
      LOGIN_CALLS,
      this.logins.handlers as never,
      identify as never,
      this.web.base.parts.log,
    );
    return (await dispatch(name, request)) as Response<N>;
  }

  /** A machine asks. */
  async ask(more: Partial<Request<'login.start'>> = {}, at: Connection = this.web.connect(HERE)) {
    const request = { connection: at.id, publicKey: this.laptop.line, client: 'waybill/1.2.3', ...more };
    return { connection: at.id, ...(await this.call('login.start', request)) };
  }

  /** Somebody who has just signed in with a passkey, at this address. */
  async person(login: string, address = HERE): Promise<string> {
    const { authenticator } = await this.web.enrolled(login);
    const { session } = await this.web.signedIn(authenticator, this.web.connect(address));
    return session.session;
  }

  token({ connection, deviceCode }: { connection: string; deviceCode: string }): Promise<Response<'login.token'>> {
    this.pass(2);
    return this.call('login.token', { connection, deviceCode });
  }

  confirm(session: string, { userCode, fingerprint }: { userCode: string; fingerprint: string }) {
    return this.call('login.confirm', { session, userCode, fingerprint });
  }

  pass(seconds: number): void {
    this.web.base.now += seconds * 1000;
  }

  get issued(): readonly unknown[] {
    return this.authority.list(null);
  }

  changes(action: string) {
    return this.web.of('changed').filter((entry) => entry.action === action);
  }

  close(): void {
    this.web.close();
  }
}

export function certificateOf({ certificate }: { certificate: string }): Certificate {
  return parseCertificate(Buffer.from(certificate.split(' ')[1] ?? '', 'base64'));
}
