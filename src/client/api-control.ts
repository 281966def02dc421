/** The control channel over the HTTPS API. */
import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { z } from 'zod';
import { transferReadiness, transferState, transferTicket } from '../api/transfers.ts';
import type { HttpsClient } from '../cli/https-client.ts';
import { windowOf } from './fast-link.ts';
import type { Control, Pace } from './fast-link.ts';

/** `host`: of the server's address, as it was given. */
export function controlOver(api: Pick<HttpsClient, 'ask' | 'roundTrip'>, host: string): Control {
  const address = async (other: string | null): Promise<string> => {
    const named = other ?? host;
    const bare = named.startsWith('[') ? named.slice(1, -1) : named;
    return isIP(bare) === 0 ? (await lookup(bare)).address : bare;
  };
  const begin = (path: string, files: readonly object[], pace: Pace) => {
    const { roundTrip } = api;
    const body = { files, ...pace, roundTrip, window: windowOf(pace, roundTrip) };
    return api.ask({ method: 'POST', path, body, answer: transferTicket });
  };
  return {
    ready: async () => {
      await api.ask({ method: 'GET', path: '/api/v1/transfers', answer: transferReadiness });
    },
    get roundTrip() {
      return api.roundTrip;
    },
    beginDownload: (files, pace) => begin('/api/v1/downloads', files, pace),
    beginUpload: (files, pace) => begin('/api/v1/uploads', files, pace),
    state: (transfer, wait) =>
      api.ask({ method: 'GET', path: `/api/v1/transfers/${transfer}?wait=${wait}`, answer: transferState }),
    end: async (transfer) => {
      await api.ask({ method: 'DELETE', path: `/api/v1/transfers/${transfer}`, answer: z.unknown() });
    },
    address,
  };
}
