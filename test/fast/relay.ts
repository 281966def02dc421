/** Datagrams from one address to another and back, until it is told to swallow them: a firewall. */
import { createSocket } from 'node:dgram';
import type { RemoteInfo, Socket } from 'node:dgram';
import { once } from 'node:events';

export interface Relay {
  /** From now on nothing gets through. */
  block(): void;
  /** From now on the server sees the client at other ports: a NAT that forgot what it had. */
  rebind(): void;
  /** Ports that the server saw. */
  readonly ports: () => number;
  readonly passed: () => number;
  close(): Promise<void>;
}

export async function openRelay(host: string, port: number, to: { host: string; port: number }): Promise<Relay> {
  const front = createSocket('udp4');
  const backs = new Map<string, Socket>();
  let [blocked, passed, ports] = [false, 0, 0];
  const backOf = (from: RemoteInfo): Socket => {
    const name = `${from.address}:${from.port}`;
    let back = backs.get(name);
    if (back === undefined) {
      back = createSocket('udp4').on('message', (bytes) => {
        if (blocked) return;
        passed += bytes.length;
        front.send(bytes, from.port, from.address);
      });
      backs.set(name, back);
      ports++;
    }
    return back;
  };
  front.on('message', (bytes, from) => {
    if (!blocked) backOf(from).send(bytes, to.port, to.host);
  });
  front.bind(port, host);
  await once(front, 'listening');
  return {
    block: () => {
      blocked = true;
    },
    rebind: () => {
      for (const back of backs.values()) back.close();
      backs.clear();
    },
    ports: () => ports,
    passed: () => passed,
    close: async () => {
      for (const back of backs.values()) back.close();
      front.close();
      await once(front, 'close');
    },
  };
}
