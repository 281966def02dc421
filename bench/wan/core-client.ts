/**
 * What `waybill put` is built on, without the command: one fast transfer after the other, JSON lines as the command has them.
 *   node bench/wan/core-client.ts URL CERTIFICATE TOKEN-FILE SOURCE TO POLICY WINDOW
 */
import { open, readdir, stat } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { HttpsClient } from '../../src/cli/https-client.ts';
import { controlOver } from '../../src/client/api-control.ts';
import { FastLink } from '../../src/client/fast-link.ts';
import type { Control, Pace, Policy } from '../../src/client/fast-link.ts';
import { sendPieces } from '../../src/client/pieces.ts';

interface Item {
  readonly local: string;
  readonly path: string;
  readonly size: number;
  readonly start: number;
}

const AT_ONCE = 5000;
const [url = '', certificate = '', tokenFile = '', source = '', to = '', policy = 'fair', window = ''] =
  process.argv.slice(2);
const pace: Pace = { policy: policy as Policy, rate: null, window: Number(window) };

async function itemsOf(): Promise<Item[]> {
  const about = await stat(source);
  const folder = to.endsWith('/') ? to : `${to}/`;
  if (about.isFile()) return [{ local: source, path: `${folder}${path.basename(source)}`, size: about.size, start: 0 }];
  const entries = await readdir(source, { withFileTypes: true, recursive: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => path.join(entry.parentPath, entry.name));
  return Promise.all(
    files.sort().map(async (local) => {
      const name = path.relative(source, local).replaceAll(path.sep, '-');
      return { local, path: `${folder}${name}`, size: (await stat(local)).size, start: 0 };
    }),
  );
}

/** Opens each file once, in their order. */
class Files {
  private readonly items: readonly Item[];
  private at = -1;
  private handle: FileHandle | null = null;
  private readonly buffer = Buffer.alloc(1 << 20);

  constructor(items: readonly Item[]) {
    this.items = items;
  }

  async read(item: number, at: number, most: number): Promise<Buffer> {
    if (this.at !== item) {
      await this.close();
      this.handle = await open(this.items[item]?.local ?? '');
      this.at = item;
    }
    const read = await this.handle?.read(this.buffer, 0, Math.min(most, this.buffer.length), at);
    return this.buffer.subarray(0, read?.bytesRead ?? 0);
  }

  async close(): Promise<void> {
    await this.handle?.close();
    this.handle = null;
  }
}

function say(event: string, fields: object): void {
  process.stdout.write(`${JSON.stringify({ event, ...fields })}\n`);
}

async function sendAll(link: FastLink, control: Control, all: readonly Item[]): Promise<void> {
  let [bytes, files, toldAt] = [0, 0, 0];
  for (let from = 0; from < all.length; from += AT_ONCE) {
    const items = all.slice(from, from + AT_ONCE);
    const named = items.map(({ path: name, size, start }) => ({ path: name, size, start }));
    const ticket = await control.beginUpload(named, pace);
    const before = bytes;
    const stream = await link.send(ticket, pace, {
      figures: (figures) => {
        if (performance.now() - toldAt < 250) return;
        toldAt = performance.now();
        say('progress', { files, ...figures, bytes: before + figures.bytes });
      },
    });
    const source = new Files(items);
    await sendPieces(stream, items, {
      read: ({ item, end }, at, most) => source.read(item, at, Math.min(most, end - at)),
      sent: () => Promise.resolve(),
    });
    await source.close();
    let state = await control.state(ticket.transfer, 20);
    while (state.state === 'open') state = await control.state(ticket.transfer, 20);
    if (state.state !== 'done') throw new Error(JSON.stringify(state.failure));
    files += state.files;
    bytes += items.reduce((sum, { size }) => sum + size, 0);
  }
  say('done', { files, bytes });
}

const trust = { kind: 'file', authorities: readFileSync(certificate, 'utf8') } as const;
const token = readFileSync(tokenFile, 'utf8').trim();
const server = new URL(url);
const api = new HttpsClient({ server, trust, token: () => token });
const control = controlOver(api, server.hostname);
const link = await FastLink.open(control, 'best');
say('way', link.description);
try {
  await sendAll(link, control, await itemsOf());
} finally {
  await link.close();
}
process.exit(0);
