/** The least of RFC 4254 that real clients need to send bytes and get them back: one session channel, no windows of ours. */
import { ByteReader, ByteWriter } from '../../../src/base/bytes.ts';
import type { Transport } from '../../../src/protocols/ssh/transport.ts';

const HUGE_WINDOW = 0x7fffffff;

/** Echoes up to the window that the client opens with; what tests send stays below it. */
export function echoChannel(payload: Buffer, transport: Transport): void {
  const reader = new ByteReader(payload, 1);
  switch (payload[0]) {
    case 90: {
      reader.string();
      const channel = reader.u32();
      transport.send([new ByteWriter().u8(91).u32(channel).u32(channel).u32(HUGE_WINDOW).u32(32768).finish()]);
      return;
    }
    case 98: {
      const channel = reader.u32();
      const type = reader.ascii();
      if (reader.boolean())
        transport.send([
          new ByteWriter()
            .u8(type === 'exec' ? 99 : 100)
            .u32(channel)
            .finish(),
        ]);
      return;
    }
    case 94:
      // Header and data as two parts, as the real channels send them.
      transport.send([Buffer.from(payload.subarray(0, 9)), Buffer.from(payload.subarray(9))]);
      return;
    case 96: {
      const channel = reader.u32();
      const exit = new ByteWriter().u8(98).u32(channel).string('exit-status').boolean(false).u32(0).finish();
      transport.send([exit]);
      transport.send([new ByteWriter().u8(96).u32(channel).finish()]);
      transport.send([new ByteWriter().u8(97).u32(channel).finish()]);
      return;
    }
    default: // window adjustments and close need no answer here
  }
}
