/** What is measured: rows, and who takes part in each. */
import { bestMbit } from './link.ts';
import type { LinkSpec } from './link.ts';
import { ours, overHttps } from './ours.ts';
import type { Way } from './ours.ts';
import { iperf, openssh } from './rivals.ts';
import type { Contender } from './rivals.ts';
import { alsoRows, SHARED, SHARED_BUFFERS, SMALL_FILES, TABLE } from './rows.ts';
import { kernelBesideKernel, kernelBesideOurs, lateJoiner, severalOfOurs } from './shared.ts';

export type SectionName = 'table' | 'also' | 'beside' | 'several' | 'small' | 'loopback';

export interface Measurement {
  readonly id: string;
  readonly section: SectionName;
  readonly title: string;
  /** Null: loopback, no limit. */
  readonly link: LinkSpec | null;
  readonly contenders: readonly Contender[];
  readonly bar: number | null;
  readonly bytes: number;
  readonly files: number;
  /** What a run may take; who is not done then is ended, and what arrived counts. */
  readonly seconds: number;
  /** Of ours, which is to finish. */
  readonly patience: number;
}

export interface PlanOptions {
  readonly seconds: number;
  readonly way: Way;
  readonly loopbackBytes: number;
  readonly smallFiles: number;
}

const SMALL_BYTES = 4096;
export const OURS = 'Waybill';
/** More than can be carried while it is watched. */
const ENDLESS = 4;

const bytesFor = (link: LinkSpec, seconds: number): number => Math.round((bestMbit(link) * 1e6 * seconds) / 8);

export function planAll({ seconds, way, loopbackBytes, smallFiles }: PlanOptions): Measurement[] {
  const own = ours(OURS, way);
  const single = { files: 1, bar: null, seconds, patience: seconds * 3 + 20 } as const;
  const sftp = openssh('sftp', 1);
  const [cubic, bbr, bbr8] = [iperf('cubic x1', 'cubic', 1), iperf('BBR x1', 'bbr', 1), iperf('BBR x8', 'bbr', 8)];
  return [
    ...TABLE.map((row): Measurement => {
      const bytes = bytesFor(row.link, seconds);
      return { ...single, ...row, section: 'table', contenders: [own, cubic, bbr, bbr8, sftp], bytes };
    }),
    ...alsoRows(seconds).map((row): Measurement => {
      const bytes = bytesFor(row.link, seconds);
      return { ...single, ...row, section: 'also', contenders: [own, cubic, bbr], bytes };
    }),
    ...SHARED_BUFFERS.map((bufferBdps): Measurement => {
      const link = { ...SHARED, bufferBdps };
      const contenders = [
        kernelBesideKernel('cubic', 'cubic'),
        kernelBesideKernel('cubic', 'bbr'),
        kernelBesideOurs('cubic', way),
        kernelBesideOurs('bbr', way),
      ];
      const title = `50 Mb/s, 40 ms, buffer of ${bufferBdps} BDP`;
      const bytes = bytesFor(link, seconds * ENDLESS);
      return { ...single, id: `beside-${bufferBdps}`, section: 'beside', title, link, contenders, bytes };
    }),
    ...SHARED_BUFFERS.map((bufferBdps): Measurement => {
      const link = { ...SHARED, bufferBdps };
      const contenders = [...[2, 4, 8].map((flows) => severalOfOurs(flows, way)), lateJoiner(way)];
      const title = `50 Mb/s, 40 ms, buffer of ${bufferBdps} BDP`;
      const bytes = bytesFor(link, seconds * ENDLESS);
      return { ...single, id: `several-${bufferBdps}`, section: 'several', title, link, contenders, bytes };
    }),
    {
      ...{ ...single, id: 'small-files', section: 'small', link: SMALL_FILES },
      title: `${smallFiles.toLocaleString('en')} files of 4 KiB at 200 ms`,
      contenders: [own, openssh('sftp x8', 8)],
      bytes: smallFiles * SMALL_BYTES,
      files: smallFiles,
      patience: 300,
    },
    {
      ...{ ...single, id: 'loopback', section: 'loopback', link: null, bytes: loopbackBytes, patience: 300 },
      title: 'loopback, without a limit',
      contenders: [own, openssh('scp', 1, 'scp'), sftp, overHttps('HTTPS (curl)')],
      seconds: 300,
    },
  ];
}
