/**
 * What the path between a protocol and the blob folder costs alone: GB/s and CPU seconds per GB of reads and writes,
 * with a broker in memory. Run: node bench/transfer-path.ts [MiB]. The files lie in the temporary folder ($TMPDIR).
 */
import { CREATE, FakeBroker, READ } from '../test/transfer/fake-broker.ts';
import type { SessionFiles } from '../src/transfer/transfer.ts';

const MiB = 1024 * 1024;
const size = Number(process.argv[2] ?? 1024) * MiB;
const OUTSTANDING = 64;

async function write(files: SessionFiles, step: number): Promise<void> {
  const data = Buffer.alloc(step, 0x5a);
  const file = await files.open('/bench', CREATE);
  for (let at = 0; at < size; at += step) await file.write(at, data.subarray(0, Math.min(step, size - at)));
  await file.close();
}

async function read(files: SessionFiles, step: number): Promise<void> {
  const file = await files.open('/bench', READ);
  const under: Promise<readonly Buffer[]>[] = [];
  let received = 0;
  for (let at = 0; at < size || under.length > 0; at += step) {
    if (at < size) under.push(file.read(at, step));
    if (under.length < OUTSTANDING && at < size) continue;
    for (const part of (await under.shift()) ?? []) received += part.length;
  }
  if (received !== size) throw new Error(`${received} of ${size} bytes came`);
  await file.close();
}

async function measure(name: string, work: () => Promise<void>): Promise<void> {
  const cpu = process.cpuUsage();
  const start = performance.now();
  await work();
  const seconds = (performance.now() - start) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  const perGb = (user + system) / 1e6 / (size / 1e9);
  const rss = Math.round(process.memoryUsage.rss() / MiB);
  process.stdout.write(
    `${name.padEnd(18)} ${(size / 1e9 / seconds).toFixed(2)} GB/s  ${perGb.toFixed(3)} CPU s/GB  rss ${rss} MiB\n`,
  );
}

const broker = new FakeBroker();
try {
  for (const step of [32_768, 261_120]) {
    for (let round = 0; round < 3; round++) {
      const files = broker.session();
      await measure(`write ${step}`, () => write(files, step));
      await measure(`read ${step} x${OUTSTANDING}`, () => read(files, step));
      await files.abandon();
    }
  }
} finally {
  broker.remove();
}
