/**
 * The certificate of HTTPS from an authority that speaks ACME: asked for when there is none that fits, and again with a
 * third of its life left. The key is that of the self-made certificate, so that whoever pinned it goes on. Whatever
 * fails, the certificate before stays in use.
 */
import { createPrivateKey, generateKeyPairSync, X509Certificate } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { AcmeSettings } from '../acme/calls.ts';
import { AcmeClient, tlsAlpnDigest } from '../acme/client.ts';
import type { Challenge } from '../acme/client.ts';
import type { ExternalAccount } from '../acme/jws.ts';
import { nextTry } from '../acme/renewal.ts';
import { der, oid } from '../base/der.ts';
import { writeDurableFile } from '../base/durable-file.ts';
import { WaybillError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { Broker } from '../broker/broker.ts';
import type { TlsChallenge, TlsIdentity } from '../broker/calls.ts';
import type { StartedEvents } from '../broker/start-events.ts';
import type { ServerOptions } from '../config/options.ts';
import { makeCertificate } from '../first-start/self-signed.ts';
import { changed } from '../ledger/changed.ts';
import type { Ledger } from '../ledger/ledger.ts';
import type { Undo } from './undo.ts';

const LOOK_MOST = 3_600_000;
const ACME_IDENTIFIER = oid('1.3.6.1.5.5.7.1.31');
const BEFORE_END = 60_000;

/** Throws `option-invalid` for what does not go together. */
export function acmeSettings(options: ServerOptions): AcmeSettings | null {
  const { acme, 'acme-http': http, 'acme-ca': ca, 'tls-cert': own, 'https-name': names } = options;
  const more = names.length > 0 || http !== null || ca !== null || options['acme-eab-file'] !== null;
  if (acme === null) {
    if (more) throw invalid('--https-name and what begins with --acme- need --acme');
    return null;
  }
  if (own !== null) throw invalid('--acme and --tls-cert are two ways to one certificate; allowed is one');
  if (options.https.every((address) => address === null))
    throw invalid('--acme is for HTTPS, which is not served (--https)');
  if (names.length === 0) throw invalid('--acme needs a name that the certificate is for: --https-name');
  return { host: new URL(acme).hostname, ca: ca === null ? null : read('acme-ca', ca), http };
}

export interface AcmeStart {
  readonly options: ServerOptions;
  /** The folder of keys. */
  readonly keys: string;
  readonly tls: TlsIdentity;
  readonly log: Log;
  readonly out: Pick<StartedEvents, 'carry' | 'showHttp' | 'certificate'>;
  readonly ledger: Ledger;
  readonly write: (action: () => void) => Promise<void>;
}

/** What was got before, when it can still be used; the self-made certificate otherwise. */
export async function acmeIdentity(keys: string, tls: TlsIdentity, names: readonly string[]): Promise<TlsIdentity> {
  const certificate = await readFile(path.join(keys, 'acme.crt'), 'utf8').catch(() => null);
  if (certificate === null || fault(certificate, tls.key, names, Date.now()) !== null) return tls;
  return { certificate, key: tls.key, trusted: true };
}

export async function startAcme(start: AcmeStart, broker: Broker, undo: Undo[]): Promise<void> {
  const { options, keys, log } = start;
  if (options.acme === null) return;
  const client = new AcmeClient({
    carry: start.out.carry,
    directory: options.acme,
    accountKey: await accountKey(path.join(keys, 'acme-account.key')),
    contacts: options['acme-contact'],
    external: externalAccount(options['acme-eab-file']),
    type: options['acme-http'] === null ? 'tls-alpn-01' : 'http-01',
    show: (challenges) => show(start, broker, challenges),
  });
  const rounds = new Rounds(start, client, broker, log);
  rounds.begin();
  undo.push(() => {
    rounds.stop();
  });
}

class Rounds {
  private readonly start: AcmeStart;
  private readonly client: AcmeClient;
  private readonly broker: Broker;
  private readonly log: Log;
  private certificate: X509Certificate | null;
  private spread = Math.random();
  private failures = 0;
  private lastFailure = 0;
  private failed = 0;
  private timer: NodeJS.Timeout | null = null;
  private stopped = false;

  constructor(start: AcmeStart, client: AcmeClient, broker: Broker, log: Log) {
    this.start = start;
    this.client = client;
    this.broker = broker;
    this.log = log;
    this.certificate = start.tls.trusted ? new X509Certificate(start.tls.certificate) : null;
    start.out.certificate(() => ({ until: this.until, failed: this.failed }));
  }

  begin(): void {
    this.look(0);
  }

  stop(): void {
    this.stopped = true;
    if (this.timer !== null) clearTimeout(this.timer);
  }

  private get until(): number | null {
    return this.certificate === null ? null : Date.parse(this.certificate.validTo);
  }

  private look(milliseconds: number): void {
    if (this.stopped) return;
    // Timers do not count the time that a machine slept.
    this.timer = setTimeout(() => void this.round(), Math.min(Math.max(milliseconds, 0), LOOK_MOST));
    this.timer.unref();
  }

  private async round(): Promise<void> {
    const { certificate, failures, lastFailure } = this;
    const from = certificate === null ? 0 : Date.parse(certificate.validFrom);
    const standing = { certificate: this.until === null ? null : { from, until: this.until }, failures, lastFailure };
    const next = nextTry(standing, this.spread);
    if (next <= Date.now()) await this.attempt();
    this.look(next <= Date.now() ? BEFORE_END : next - Date.now());
  }

  private async attempt(): Promise<void> {
    const { options, tls, keys } = this.start;
    const names = options['https-name'];
    try {
      const text = await this.client.obtain(names, createPrivateKey(tls.key));
      const why = fault(text, tls.key, names, Date.now());
      if (why !== null)
        throw new WaybillError('acme-failed', `the certificate authority gave a certificate that ${why}`);
      if (this.stopped) return;
      await writeDurableFile(path.join(keys, 'acme.crt'), text);
      this.certificate = new X509Certificate(text);
      [this.failures, this.spread] = [0, Math.random()];
      this.broker.changeTls({ certificate: text, key: tls.key, trusted: true });
      await this.record(names);
      this.log.info({ names, until: this.certificate.validTo }, 'HTTPS has a new certificate of its authority');
    } catch (err) {
      if (this.stopped) return;
      this.failures++;
      this.failed++;
      this.lastFailure = Date.now();
      this.log.warn(
        { err, names, failures: this.failures, until: this.certificate?.validTo ?? null },
        'the certificate of HTTPS could not be had; the one before stays in use, and it is tried again',
      );
    }
  }

  private async record(names: readonly string[]): Promise<void> {
    const { ledger, write } = this.start;
    const { serialNumber = '', validTo = '', fingerprint256 = '' } = this.certificate ?? {};
    await write(() => {
      const detail = { names: [...names], serial: serialNumber, until: validTo, fingerprint: fingerprint256 };
      ledger.append(null, changed('tls.certificate', { actor: 'waybill', approvedBy: '', detail }));
    });
  }
}

async function show({ options, out }: AcmeStart, broker: Broker, challenges: readonly Challenge[]): Promise<void> {
  if (options['acme-http'] === null) broker.showChallenges(challenges.map(tlsChallenge));
  else await out.showHttp(challenges.map(({ token, authorization }) => [token, authorization]));
}

/** RFC 8737 section 3: a certificate that only the holder of the account key could have written. */
function tlsChallenge(challenge: Challenge): TlsChallenge {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const critical = der(0x01, Buffer.from([0xff]));
  const proof = der(0x30, ACME_IDENTIFIER, critical, der(0x04, der(0x04, tlsAlpnDigest(challenge))));
  const certificate = makeCertificate([challenge.name], privateKey, Date.now(), [proof]);
  return { name: challenge.name, certificate, key: privateKey.export({ type: 'pkcs8', format: 'pem' }) };
}

/** Why it cannot be used; null when it can. */
function fault(pem: string, key: string, names: readonly string[], now: number): string | null {
  try {
    const certificate = new X509Certificate(pem);
    if (!certificate.checkPrivateKey(createPrivateKey(key))) return 'is for another key';
    if (!names.every((name) => certificate.checkHost(name) !== undefined)) return 'is for other names';
    return Date.parse(certificate.validTo) <= now ? 'has ended' : null;
  } catch {
    return 'cannot be read';
  }
}

async function accountKey(file: string): Promise<KeyObject> {
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
    throw error;
  });
  if (text !== null) return createPrivateKey(text);
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  await writeDurableFile(file, privateKey.export({ type: 'pkcs8', format: 'pem' }));
  return privateKey;
}

/** Two lines: the key id, and the HMAC key in base64url. */
function externalAccount(file: string | null): ExternalAccount | null {
  if (file === null) return null;
  const [kid = '', hmac = ''] = read('acme-eab-file', file).split(/\r?\n/);
  if (!/^[\x21-\x7e]{1,200}$/.test(kid) || !/^[A-Za-z0-9_-]{16,500}={0,2}$/.test(hmac))
    throw invalid('--acme-eab-file holds two lines: the key id, and the HMAC key in base64url');
  return { kid, hmac: Buffer.from(hmac, 'base64url') };
}

function read(option: string, file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new WaybillError('option-invalid', `--${option} is ${JSON.stringify(file)}, which cannot be read`, { cause });
  }
}

function invalid(message: string): WaybillError {
  return new WaybillError('option-invalid', message);
}
