/** The socket of UDP for as long as the command runs, and tickets for it. */
import type { TransferTicket } from '../../api/transfers.ts';
import { asWaybillError } from '../../base/errors.ts';
import type { FastLink } from '../fast-link.ts';
import { OpenTransfers } from '../local/open-transfers.ts';
import { UdpLost } from './failures.ts';
import { step } from './transport.ts';
import type { Transport } from './transport.ts';

/** A front that was killed is back within these. */
const NOT_NOW_TRIES = 6;
const NOT_NOW_MILLISECONDS = 700;

export class Ways {
  private readonly transport: Transport;
  private opened: Promise<FastLink> | null = null;
  /** UDP has worked in this command. */
  private worked = false;

  private readonly notes: OpenTransfers;
  private swept = false;

  constructor(transport: Transport) {
    this.transport = transport;
    const { server, account, cache } = transport;
    this.notes = new OpenTransfers(cache, { server: server.origin, account });
  }

  /** Ends what killed commands left open: the server waits for them otherwise. */
  async sweep(): Promise<void> {
    if (this.swept) return;
    this.swept = true;
    for (const transfer of await this.notes.takeLeft())
      await this.transport.control.end(transfer).catch(() => undefined);
  }

  async over({ transfer }: TransferTicket): Promise<void> {
    await this.notes.end(transfer);
  }

  link(): Promise<FastLink> {
    this.opened ??= this.open();
    return this.opened;
  }

  async ticket(begin: () => Promise<TransferTicket>): Promise<TransferTicket> {
    for (let tries = 0; ; tries++) {
      try {
        const ticket = await begin();
        this.worked = true;
        step(this.transport, 'ticket');
        await this.notes.begin(ticket.transfer).catch(() => undefined);
        return ticket;
      } catch (thrown) {
        const { code, message } = asWaybillError(thrown);
        // An older server does not know the call at all.
        if (code !== 'unsupported' && code !== 'not-found' && code !== 'call-unknown') throw thrown;
        if (!this.worked || tries >= NOT_NOW_TRIES) throw new UdpLost(null, message);
        await new Promise((resolve) => setTimeout(resolve, NOT_NOW_MILLISECONDS));
      }
    }
  }

  private async open(): Promise<FastLink> {
    const link = await this.transport.openLink().catch((error: unknown) => {
      throw new UdpLost(null, error instanceof Error ? error.message : String(error));
    });
    const { backend, abilities, cipher, without } = link.description;
    const detail = `${backend}${abilities === '' ? '' : ` (${abilities})`}, ${cipher}${without === null ? '' : `; not faster: ${without}`}`;
    this.transport.tell({ event: 'way', way: 'udp', detail });
    step(this.transport, 'socket');
    return link;
  }
}
