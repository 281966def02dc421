/**
 * Loaded before a server (node --import): makes all clocks of its process run ahead together by what the parent says, as if
 * the machine had been on for that long. Nothing in the server knows of it.
 */
let ahead = 0;
const { now } = Date;
const monotonic = performance.now.bind(performance);
const RealDate = Date;

class ShiftedDate extends RealDate {
  constructor(...given: [] | [number | string]) {
    if (given.length === 0) super(RealDate.now());
    else super(given[0]);
  }
}
RealDate.now = () => now() + ahead;
performance.now = () => monotonic() + ahead;
globalThis.Date = ShiftedDate as DateConstructor;

// The channel must not keep the server alive.
process.on('message', (message: { ahead: number }) => {
  ahead = message.ahead;
  process.send?.({ ahead });
});
process.channel?.unref();
