/**
 * Every parser of the transport as a plain function of bytes: it may refuse them with one of its own errors, and may do
 * nothing else. Run for a bounded time by transport-fuzz.test.ts, and by any fuzzer that can call a function.
 */
import { createHash } from 'node:crypto';
import { ByteReader, MalformedBytes } from '../../../src/base/bytes.ts';
import { CIPHERS, MACS, makeOpener } from '../../../src/protocols/ssh/ciphers.ts';
import { ProtocolViolation } from '../../../src/protocols/ssh/disconnect-reasons.ts';
import { KEX_ALGORITHMS, readClientValue } from '../../../src/protocols/ssh/kex-algorithms.ts';
import { negotiate, parseKexInit } from '../../../src/protocols/ssh/kex-init.ts';
import { PacketReader } from '../../../src/protocols/ssh/packet-reader.ts';
import { algorithmLists } from '../../../src/protocols/ssh/profiles.ts';
import * as forms from '../../../src/protocols/ssh/transport-forms.ts';
import { parseClientVersion } from '../../../src/protocols/ssh/version-exchange.ts';

export type FuzzTarget = (bytes: Buffer) => void;

/** Lets the parsers' own errors pass; anything else is a finding. */
function guarded(target: FuzzTarget): FuzzTarget {
  return (bytes) => {
    try {
      target(bytes);
    } catch (error) {
      if (!(error instanceof MalformedBytes) && !(error instanceof ProtocolViolation)) throw error;
    }
  };
}

const key = (letter: string, bytes: number): Buffer => createHash('sha512').update(letter).digest().subarray(0, bytes);

function packets(open?: () => ReturnType<typeof makeOpener>): FuzzTarget {
  return (bytes) => {
    const reader = new PacketReader();
    if (open !== undefined) reader.changeKeys(open(), true);
    reader.feed(bytes);
    while (reader.next() !== null);
  };
}

const server = algorithmLists('legacy', ['ssh-ed25519'], true);

const targets: Record<string, FuzzTarget> = {
  version: (bytes) => void parseClientVersion(bytes),
  kexInit: (bytes) => void negotiate(parseKexInit(bytes), server, () => false),
  disconnect: (bytes) => void forms.parseDisconnect(bytes),
  extInfo: forms.checkExtInfo,
  ignored: forms.checkIgnored,
  ping: (bytes) => void forms.pongMessage(bytes),
  plainPackets: packets(),
};
for (const [name, algorithm] of Object.entries(KEX_ALGORITHMS)) {
  targets[`value ${name}`] = (bytes) => void algorithm.answer(readClientValue(algorithm, new ByteReader(bytes)));
  targets[`bare value ${name}`] = (bytes) => void algorithm.answer(bytes);
}
for (const cipher of Object.keys(CIPHERS)) {
  for (const mac of CIPHERS[cipher]?.implicitMac === true ? [''] : Object.keys(MACS)) {
    targets[`packets ${cipher} ${mac}`] = packets(() => makeOpener('clientToServer', cipher, mac, key));
  }
}

export const TRANSPORT_FUZZ_TARGETS: Readonly<Record<string, FuzzTarget>> = Object.fromEntries(
  Object.entries(targets).map(([name, target]) => [name, guarded(target)]),
);
