/** Options that put, get and sync share, and what they mean. */
import { WaybillError } from '../../base/errors.ts';
import type { Pace, Policy } from '../../client/fast-link.ts';
import { SERVER_VARIABLE } from '../../config/remote-server.ts';
import { TOKEN_FILE_VARIABLE } from '../../config/token-file.ts';
import { parseDuration } from '../durations.ts';
import { TRUST_OPTION } from '../server-trust.ts';
import { parseSize } from '../sizes.ts';

const POLICIES = ['fair', 'low', 'high', 'fixed'] as const satisfies readonly Policy[];

export const TRANSFER_OPTIONS = {
  server: {
    value: 'https://HOST:PORT',
    doc: `The server, as you see it in a browser; or the variable ${SERVER_VARIABLE}.`,
  },
  trust: TRUST_OPTION,
  'token-file': {
    value: 'FILE',
    doc: `A file with your API token, which nobody else may read; or the variable ${TOKEN_FILE_VARIABLE}.`,
  },
  limit: { value: 'RATE', doc: 'Bits per second at the most, as 100M or 2.5G.' },
  policy: {
    value: 'POLICY',
    choices: POLICIES,
    doc: 'Beside other traffic: take a share, give way (low), take more (high), or send at --limit whatever happens (fixed).',
    fallback: 'fair',
  },
  window: {
    value: 'SIZE',
    doc: 'Bytes that may be on the way, 1M to 256M. Without it five round trips at 1 Gb/s or --limit, 32M to 128M.',
  },
  'udp-only': { doc: 'Fail where UDP does not get through.' },
  'https-only': { doc: 'Do without UDP: parallel HTTPS streams.' },
  'no-wait': { doc: 'End with exit code 10 when a transfer is held, instead of waiting for the approval.' },
  patience: {
    value: 'TIME',
    doc: 'How long it is tried again while nothing new comes through; 0 is not at all.',
    fallback: '15m',
  },
  silence: { value: 'TIME', doc: 'So long without a datagram of the server is UDP that died.', fallback: '10s' },
  verbose: { doc: 'Say how datagrams are moved and encrypted here.' },
} as const;

export interface TransferInput {
  readonly server: string | null;
  readonly trust: string | null;
  readonly 'token-file': string | null;
  readonly limit: string | null;
  readonly policy: string | null;
  readonly window: string | null;
  readonly 'udp-only': boolean;
  readonly 'https-only': boolean;
  readonly 'no-wait': boolean;
  readonly patience: string | null;
  readonly silence: string | null;
  readonly verbose: boolean;
}

const UNITS: Readonly<Record<string, number>> = { '': 1, K: 1e3, M: 1e6, G: 1e9 };

/** Bits per second; units are powers of 1000, as links are sold. */
export function parseRate(option: string, text: string): number {
  const [, digits, unit = ''] = /^(\d{1,12}(?:\.\d{1,6})?)([KMG]?)(?:bit\/s|bps)?$/i.exec(text) ?? [];
  const rate = Number(digits) * (UNITS[unit.toUpperCase()] ?? NaN);
  if (rate >= 10_000 && rate <= 1e11) return rate;
  throw new WaybillError(
    'option-invalid',
    `${option} is ${JSON.stringify(text)}; allowed: bits per second from 10K to 100G, as 100M`,
  );
}

export function paceOf({ policy, limit, window }: TransferInput): Pace {
  const bytes = window === null ? null : parseSize('--window', window);
  if (window !== null && (bytes === null || bytes < 2 ** 20 || bytes > 2 ** 28))
    throw new WaybillError('option-invalid', '--window takes 1M to 256M');
  const rate = limit === null ? null : parseRate('--limit', limit);
  if (policy === 'fixed' && rate === null)
    throw new WaybillError('option-invalid', '--policy fixed needs --limit: what it sends');
  return { policy: POLICIES.find((one) => one === policy) ?? 'fair', rate, window: bytes };
}

export function waysOf(input: TransferInput): 'any' | 'udp' | 'https' {
  if (input['udp-only'] && input['https-only'])
    throw new WaybillError('option-invalid', 'give --udp-only or --https-only');
  return input['udp-only'] ? 'udp' : input['https-only'] ? 'https' : 'any';
}

export function milliseconds(option: string, text: string): number {
  return text === '0' ? 0 : parseDuration(option, text) * 1000;
}
