/** A store in memory-backed SQLite, a clock that the test moves, and clients that sign as real ones do. */
import { createSecretKey, generateKeyPairSync, randomBytes } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { Accounts } from '../../src/accounts/accounts.ts';
import type { AccountsParts } from '../../src/accounts/accounts.ts';
import { signedBytes } from '../../src/accounts/publickey-step.ts';
import { SignIn, SIGN_IN_LIMITS } from '../../src/accounts/sign-in.ts';
import type { SignInOutcome, SignInParts } from '../../src/accounts/sign-in.ts';
import { Slowing } from '../../src/accounts/slowing.ts';
import { WorkLine } from '../../src/accounts/work-line.ts';
import type { Log } from '../../src/base/log.ts';
import type { Sealer } from '../../src/keys/sealer.ts';
import { signWithHostKey } from '../../src/sshkeys/host-key.ts';
import { publicKeyFrom, publicKeyLine } from '../../src/sshkeys/public-key.ts';
import type { PublicKey } from '../../src/sshkeys/public-key.ts';
import { SqliteAccounts } from '../../src/store/sqlite/accounts.ts';
import { Database } from '../../src/store/sqlite/database.ts';
import { openWith, sealWith } from '../../src/keys/sealing.ts';

export const TENANT = 'a'.repeat(32);
export const PASSWORD = 'correct horse battery staple';

export interface Client {
  readonly private: KeyObject;
  readonly public: PublicKey;
  readonly line: string;
}

export function ed25519Client(): Client {
  const pair = generateKeyPairSync('ed25519');
  const key = publicKeyFrom(pair.publicKey);
  return { private: pair.privateKey, public: key, line: publicKeyLine(key, 'laptop') };
}

export class Scene {
  now = Date.UTC(2026, 10, 23, 12);
  readonly waits: number[] = [];
  readonly logged: Record<string, unknown>[] = [];
  readonly database = new Database(':memory:');
  readonly store = new SqliteAccounts(this.database);
  readonly parts: SignInParts;
  readonly accounts: Accounts;

  constructor(limits: SignInParts['limits'] = SIGN_IN_LIMITS) {
    const clock = {
      now: () => this.now,
      wait: (milliseconds: number) => {
        this.waits.push(milliseconds);
        this.now += milliseconds;
        return Promise.resolve();
      },
    };
    const secret = createSecretKey(randomBytes(32));
    const sealer: Sealer = {
      seal: (purpose, plaintext) => sealWith(secret, purpose, plaintext),
      open: (purpose, sealed) => openWith(secret, purpose, sealed),
    };
    const note = (fields: object, text: string) => this.logged.push({ ...fields, text });
    const log: Log = { debug: note, info: note, warn: note, error: note };
    const shared = { store: this.store, sealer, clock };
    this.parts = { ...shared, log, passwords: new WorkLine(), slowing: new Slowing(), limits };
    this.accounts = new Accounts({ ...shared, ledger: null, issuer: 'Waybill test' });
  }

  /** The same store, other rules. */
  accountsWith(more: Partial<AccountsParts>): Accounts {
    const { store, sealer, clock } = this.parts;
    return new Accounts({ store, sealer, clock, ledger: null, issuer: 'Waybill test', ...more });
  }

  async account(login: string, chains?: string[][]) {
    await this.accounts.create({ tenant: TENANT, login, displayName: '', administrator: false });
    if (chains !== undefined) await this.accounts.setChains(login, chains);
    return this.accounts.get(login);
  }

  connect(address = '192.0.2.7', hostKey: Buffer | null = null): Visit {
    return new Visit(this, address, hostKey);
  }

  codes(): unknown[] {
    return this.logged.map(({ code }) => code).filter((code) => code !== undefined);
  }

  close(): void {
    this.database.close();
  }
}

/** One connection. */
export class Visit {
  readonly sessionId = randomBytes(32);
  readonly signIn: SignIn;

  constructor(scene: Scene, address: string, hostKey: Buffer | null) {
    this.signIn = new SignIn(scene.parts, { address, sessionId: this.sessionId, hostKey });
  }

  password(user: string, password: string): Promise<SignInOutcome> {
    return this.signIn.password(user, Buffer.from(password));
  }

  answers(...answers: string[]): Promise<SignInOutcome> {
    return this.signIn.answers(answers.map((answer) => Buffer.from(answer)));
  }

  sign(user: string, client: Client, changed: Partial<Parameters<typeof signedBytes>[0]> = {}): Buffer {
    const request = {
      sessionId: this.sessionId,
      user,
      algorithm: 'ssh-ed25519',
      blob: client.public.blob,
      hostKey: null,
    };
    return signWithHostKey(client.private, 'ssh-ed25519', signedBytes({ ...request, ...changed }));
  }

  key(user: string, client: Client): Promise<SignInOutcome> {
    return this.signIn.publickey(user, 'ssh-ed25519', client.public.blob, this.sign(user, client));
  }
}
