/**
 * Every option of the server: what it is for, what holds when it is left out, what is allowed. Command line, environment
 * (WAYBILL_ and the name in capitals), configuration file and the help text all come from these rows.
 */
import { availableParallelism } from 'node:os';
import { LOG_LEVELS } from '../base/log.ts';
import {
  acmeDirectory,
  dnsName,
  hostName,
  localAddress,
  mailAddress,
  mailServer,
  share,
  traceCollectorUrl,
} from './event-values.ts';
import {
  address,
  budgetAmounts,
  byteCount,
  certifiedName,
  congestionControl,
  fastAddress,
  filePath,
  httpsAddress,
  network,
  networkOrNone,
  oneOf,
  serviceAddress,
  serviceName,
  servicePath,
  whole,
  witness,
  yesOrNo,
  httpsOrigin,
} from './values.ts';

export interface OptionRow {
  readonly doc: string;
  /** What stands for the value in help; without it the option is a switch. */
  readonly value?: string;
  /** Texts that hold when nothing is given; none means null, or an empty list. */
  readonly fallback?: string;
  readonly many?: true;
  readonly check: (text: string) => unknown;
}

const MiB = 2 ** 20;
const GiB = 2 ** 30;

export const OPTIONS = {
  data: { value: 'DIR', fallback: './data', doc: 'The data folder.', check: filePath },
  sftp: {
    value: 'ADDRESS:PORT',
    fallback: '0.0.0.0:2022',
    many: true,
    doc: 'Where SFTP is served; port 0 picks a free one. May be given more than once.',
    check: address,
  },
  'sftp-legacy': {
    value: 'ADDRESS:PORT',
    many: true,
    doc: 'Where SFTP is served to clients that know only older message authentication (no SHA-1, no CBC there either).',
    check: address,
  },
  https: {
    value: 'ADDRESS:PORT|none',
    fallback: '127.0.0.1:8443',
    many: true,
    doc: 'Where HTTPS is served (pages to sign in, and the API); port 0 picks a free one, none is nowhere. May be given more than once.',
    check: httpsAddress,
  },
  fast: {
    value: 'ADDRESS:PORT|same|none',
    fallback: 'same',
    doc: 'Where fast transfers go (UDP), which are begun over HTTPS; same: the first address and port of HTTPS, opened when it is first asked for; port 0 picks a free one; none: there are none.',
    check: fastAddress,
  },
  'fast-host': {
    value: 'HOST',
    doc: 'How clients reach the address of fast transfers, when that is not the host they use for HTTPS.',
    check: hostName,
  },
  'fast-backend': {
    value: 'best|dgram',
    fallback: 'best',
    doc: 'How datagrams are moved: by batches of the system where that works here, or one by one without foreign code in the process.',
    check: oneOf('best', 'dgram'),
  },
  'tcp-congestion': {
    value: 'auto|system|NAME',
    fallback: 'auto',
    doc: 'Congestion control of connections of SFTP and HTTPS. auto: bbr where net.ipv4.tcp_allowed_congestion_control has it, otherwise as the system does; system: nothing is set; or a name that the kernel has, as bbr or cubic.',
    check: congestionControl,
  },
  'https-origin': {
    value: 'https://HOST[:PORT]',
    many: true,
    doc: 'The address that people see in their browser; passkeys belong to its host name. May be given more than once. When left out: https://localhost:PORT, for browsers on this machine.',
    check: httpsOrigin,
  },
  'breached-passwords': {
    value: 'FILE',
    many: true,
    doc: 'Passwords known from breaches, as PREFIX:SUFFIX:COUNT lines of SHA-1 in order; none of them can be set. A small list is always used.',
    check: filePath,
  },
  'tls-cert': {
    value: 'FILE',
    doc: 'The certificate for HTTPS with its chain (PEM), read again when it changes; a self-made one when left out.',
    check: filePath,
  },
  'tls-key': { value: 'FILE', doc: 'Its private key (PEM); nobody else may read the file.', check: filePath },
  acme: {
    value: 'URL',
    doc: 'The directory of a certificate authority that speaks ACME, as https://acme-v02.api.letsencrypt.org/directory: the certificate for HTTPS is asked for there and renewed, and its terms of service are agreed to.',
    check: acmeDirectory,
  },
  'https-name': {
    value: 'NAME',
    many: true,
    doc: 'A host name that the certificate of --acme is for. May be given more than once.',
    check: dnsName,
  },
  'acme-contact': {
    value: 'ADDRESS',
    many: true,
    doc: 'A mail address for the authority. May be given more than once.',
    check: mailAddress,
  },
  'acme-http': {
    value: 'ADDRESS:PORT',
    doc: 'Prove the names by HTTP, served here while that is under way (the authority asks port 80). When left out they are proven by TLS on the address of HTTPS (it asks port 443).',
    check: address,
  },
  'acme-eab-file': {
    value: 'FILE',
    doc: 'A file with the key id and the HMAC key (base64url) of an external account, a line each.',
    check: filePath,
  },
  'acme-ca': {
    value: 'FILE',
    doc: 'Certificates (PEM) that the authority itself is checked with; those of Node when left out.',
    check: filePath,
  },
  json: { doc: 'Print one line of JSON when the server is ready.', fallback: 'false', check: yesOrNo },
  'log-level': {
    value: 'LEVEL',
    fallback: 'info',
    doc: 'How much is written to the log on standard error.',
    check: oneOf(...LOG_LEVELS),
  },
  fronts: {
    value: 'N',
    fallback: String(Math.min(64, availableParallelism())),
    doc: 'Front processes; one per core when left out.',
    check: whole(1, 64),
  },
  'login-grace': { value: 'SECONDS', fallback: '30', doc: 'Time to sign in.', check: whole(1, 600, 'seconds') },
  'max-startups': {
    value: 'N',
    fallback: '200',
    doc: 'Connections that may be signing in at once, in all.',
    check: whole(1, 100_000),
  },
  'max-startups-per-source': {
    value: 'N',
    fallback: '50',
    doc: 'The same for one IPv4 address or one IPv6 /64.',
    check: whole(1, 100_000),
  },
  'max-connections': { value: 'N', fallback: '10000', doc: 'Connections at once, in all.', check: whole(1, 1_000_000) },
  penalties: {
    value: 'true|false',
    fallback: 'true',
    doc: 'Refuse sources for a growing time after failed sign-ins, time-outs and broken protocol.',
    check: yesOrNo,
  },
  handles: { value: 'N', fallback: '256', doc: 'Files that a session may have open.', check: whole(1, 10_000) },
  channels: { value: 'N', fallback: '10', doc: 'Channels of one connection.', check: whole(1, 100) },
  'rekey-bytes': {
    value: 'SIZE',
    fallback: '4G',
    doc: 'Bytes after which the keys of a connection are changed.',
    check: byteCount(MiB, 1024 * GiB),
  },
  'rekey-seconds': {
    value: 'SECONDS',
    fallback: '3600',
    doc: 'Time after which they are changed.',
    check: whole(10, 86_400, 'seconds'),
  },
  idle: {
    value: 'SECONDS',
    fallback: '900',
    doc: 'Time without any traffic after which a session is closed.',
    check: whole(10, 604_800, 'seconds'),
  },
  quota: {
    value: 'SIZE',
    doc: 'Quota of tenants that are added without one; only the disk limits when left out.',
    check: byteCount(0, Number.MAX_SAFE_INTEGER),
  },
  reserve: {
    value: 'SIZE',
    fallback: '256M',
    doc: 'Space that uploads leave free for records, sign-ins and removals; never more than 5 % of the file system.',
    check: byteCount(0, Number.MAX_SAFE_INTEGER),
  },
  'root-key': {
    value: 'file|vault',
    fallback: 'file',
    doc: 'Where new versions of the root key are made: in keys/root.key, or in HashiCorp Vault. Keys move there with waybill rootkey rotate.',
    check: oneOf('file', 'vault'),
  },
  'vault-address': {
    value: 'URL',
    doc: 'Vault, as https://vault.example:8200; http only on this machine.',
    check: serviceAddress,
  },
  'vault-mount': { value: 'PATH', fallback: 'transit', doc: 'Where its Transit engine is.', check: servicePath },
  'vault-key': {
    value: 'NAME',
    fallback: 'waybill',
    doc: 'The Transit key, which has to be there and should be used by nothing else.',
    check: serviceName,
  },
  'vault-namespace': { value: 'PATH', doc: 'The namespace, where Vault has them.', check: servicePath },
  'vault-token-file': { value: 'FILE', doc: 'A file with a token, read again when Vault refuses it.', check: filePath },
  'vault-role-id-file': { value: 'FILE', doc: 'A file with the role id, to sign in by AppRole.', check: filePath },
  'vault-secret-id-file': { value: 'FILE', doc: 'A file with the secret id that goes with it.', check: filePath },
  'vault-auth-mount': { value: 'PATH', fallback: 'approle', doc: 'Where the AppRole engine is.', check: servicePath },
  'vault-ca': {
    value: 'FILE',
    doc: "Certificates (PEM) that Vault's own is checked with; those of Node when left out.",
    check: filePath,
  },
  budgets: {
    value: 'on|off',
    fallback: 'on',
    doc: 'Hold what would leave beyond the budgets of an account or tenant until a person approves it.',
    check: oneOf('on', 'off'),
  },
  'budget-initial': {
    value: 'SIZE,FILES,LISTINGS',
    fallback: '64G,100000,10000',
    doc: 'What an account may read and list in 24 hours until a week of it is known: bytes, files, directories.',
    check: budgetAmounts,
  },
  'budget-floor': {
    value: 'SIZE,FILES,LISTINGS',
    fallback: '256M,500,200',
    doc: 'The least that an account may after that, when it was quiet.',
    check: budgetAmounts,
  },
  'budget-cap': {
    value: 'SIZE,FILES,LISTINGS',
    fallback: '1T,1000000,100000',
    doc: 'The most that it may, whatever it has done before.',
    check: budgetAmounts,
  },
  witness: {
    value: 'URL+VKEY',
    many: true,
    doc: 'A witness that cosigns the ledger: where it is asked, a plus sign, and its public key. May be given more than once.',
    check: witness,
  },
  'outbound-allow': {
    value: 'HOST',
    many: true,
    doc: 'A host that events may go to, or an identity provider be at, although it is on a private network. May be given more than once.',
    check: hostName,
  },
  'smtp-url': {
    value: 'URL',
    doc: 'The mail server, as smtps://user@mail.example; smtp:// takes STARTTLS, and goes without on this machine only.',
    check: mailServer,
  },
  'smtp-password-file': { value: 'FILE', doc: 'A file with the password for it.', check: filePath },
  'smtp-ca': {
    value: 'FILE',
    doc: 'Certificates (PEM) that it is checked with; those of Node when left out.',
    check: filePath,
  },
  'mail-from': { value: 'ADDRESS', doc: 'The sender of mail about what waits for somebody.', check: mailAddress },
  metrics: {
    value: 'ADDRESS:PORT',
    doc: 'Where Prometheus finds /metrics, on this machine only; not served when left out.',
    check: localAddress,
  },
  otlp: {
    value: 'URL',
    doc: 'Where an OpenTelemetry collector takes traces, as https://otel.example.com:4318/v1/traces (OTLP over HTTP, JSON). No traces when left out.',
    check: traceCollectorUrl,
  },
  'otlp-headers-file': { value: 'FILE', doc: 'A file with headers for it, a line each: NAME: VALUE.', check: filePath },
  'otlp-ca': {
    value: 'FILE',
    doc: 'Certificates (PEM) that it is checked with; those of Node when left out.',
    check: filePath,
  },
  'trace-sample': {
    value: 'SHARE',
    fallback: '1',
    doc: 'How much of all sessions and acts of administration is traced, from 0 to 1.',
    check: share,
  },
  'certificate-hours': {
    value: 'HOURS',
    fallback: '8',
    doc: 'How long a certificate that signs in over SFTP is good for, at most.',
    check: whole(1, 720, 'hours'),
  },
  'trusted-proxy': {
    value: 'NETWORK',
    many: true,
    doc: 'Addresses of load balancers that begin each connection, of SFTP and HTTPS alike, with a PROXY header (version 1 or 2) that names the client, as 10.0.0.5 or 10.0.0.0/24. Connections from there without one are closed; the headers of all others are not believed. May be given more than once.',
    check: network,
  },
  'login-elsewhere': {
    value: 'NETWORK',
    many: true,
    doc: 'Addresses of machines whose waybill login may be confirmed in a browser at another address, as 192.0.2.0/24; none when left out. Whoever asks from there can send somebody the link.',
    check: network,
  },
  'admin-from': {
    value: 'NETWORK|none',
    many: true,
    doc: 'Addresses from which administration over HTTPS is taken, as 192.0.2.0/24; from everywhere when left out, from nowhere with none.',
    check: networkOrNone,
  },
  'host-name': {
    value: 'NAME',
    many: true,
    doc: "A name or address under which clients reach this server: its host keys get certificates of the server's own authority for these. None when left out.",
    check: certifiedName,
  },
  'suspend-unused': {
    value: 'DAYS',
    doc: 'Take SSH keys and API tokens out of use that nobody has used for so many days; never when left out.',
    check: whole(1, 3650, 'days'),
  },
  banner: { value: 'FILE', doc: 'Text shown before sign-in.', check: filePath },
  config: { value: 'FILE', doc: 'A JSON file with these options as names.', check: filePath },
} as const satisfies Readonly<Record<string, OptionRow>>;

export type OptionName = keyof typeof OPTIONS;

type Row<N extends OptionName> = (typeof OPTIONS)[N];
type Value<R extends OptionRow> = R extends { many: true }
  ? readonly ReturnType<R['check']>[]
  : R extends { fallback: string }
    ? ReturnType<R['check']>
    : ReturnType<R['check']> | null;

export type ServerOptions = { readonly [N in OptionName]: Value<Row<N>> };

export function environmentName(name: string): string {
  return `WAYBILL_${name.toUpperCase().replaceAll('-', '_')}`;
}
