/** What is measured: rows, and who takes part in each. */
import type { Contender } from './contender.ts';
import { iperf } from './iperf.ts';
import { bestMbit } from './link.ts';
import type { LinkSpec } from './link.ts';
import { openssh } from './openssh.ts';
import { get, overHttps, put } from './ours.ts';
import type { Way } from './ours.ts';
import { alsoRows, SHARED, SHARED_BUFFERS, SMALL_FILES, TABLE } from './rows.ts';
import { kernelBesideKernel, kernelBesideOurs, lateJoiner, severalOfOurs } from './shared.ts';
import { opensshGet, sftpGet } from './sockets.ts';
import { PARTS } from './sources.ts';

export type SectionName = 'table' | 'also' | 'beside' | 'several' | 'small' | 'sockets' | 'loopback';

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
  /** Of the whole file, at the rate of the link. */
  readonly fileSeconds: number;
  /** Of who is to finish. */
  readonly patience: number;
  /** Of a contender that is not measured as often as the others. */
  readonly mostRuns?: Readonly<Record<string, number>>;
}

export interface PlanOptions {
  readonly seconds: number;
  readonly fileSeconds: number;
  readonly way: Way;
  readonly loopbackBytes: number;
  readonly smallFiles: number;
  /** What sftp has for the small files; null: until all have arrived, once. */
  readonly smallSeconds: number | null;
}

const SMALL_BYTES = 4096;
export const OURS = 'Waybill put';
export const OURS_GET = 'Waybill get';
export const SFTP_SMALL = `sftp x${PARTS}`;
/** More than can be carried while it is watched. */
const ENDLESS = 4;
/** Of sftp, for each small file. */
const ROUND_TRIPS = 4;

const bytesFor = (link: LinkSpec, seconds: number): number => Math.round((bestMbit(link) * 1e6 * seconds) / 8);

export function planAll(options: PlanOptions): Measurement[] {
  const { seconds, fileSeconds, way, loopbackBytes } = options;
  const own = [put(OURS, way), get(OURS_GET, way)];
  const single = { files: 1, bar: null, seconds, fileSeconds, patience: fileSeconds * 3 + 20 } as const;
  const sftp = openssh('sftp', 1);
  const [cubic, bbr, bbr8] = [iperf('cubic x1', 'cubic', 1), iperf('BBR x1', 'bbr', 1), iperf('BBR x8', 'bbr', 8)];
  const shared = (section: SectionName, contenders: readonly Contender[]): Measurement[] =>
    SHARED_BUFFERS.map((bufferBdps) => {
      const link = { ...SHARED, bufferBdps };
      const title = `50 Mb/s, 40 ms, buffer of ${bufferBdps} BDP`;
      const bytes = bytesFor(link, seconds * ENDLESS + 30);
      return { ...single, id: `${section}-${bufferBdps}`, section, title, link, contenders, bytes };
    });
  return [
    ...TABLE.map((row): Measurement => {
      const bytes = bytesFor(row.link, fileSeconds);
      return { ...single, ...row, section: 'table', contenders: [...own, cubic, bbr, bbr8, sftp], bytes };
    }),
    ...alsoRows(fileSeconds).map((row): Measurement => {
      const bytes = bytesFor(row.link, fileSeconds);
      return { ...single, ...row, section: 'also', contenders: [...own, cubic, bbr], bytes };
    }),
    ...shared('beside', [
      kernelBesideKernel('cubic', 'cubic'),
      kernelBesideKernel('cubic', 'bbr'),
      kernelBesideOurs('cubic', way),
      kernelBesideKernel('bbr', 'bbr'),
      kernelBesideOurs('bbr', way),
    ]),
    ...shared('several', [...[2, 4, 8].map((flows) => severalOfOurs(flows, way)), lateJoiner(way)]),
    ...TABLE.map((row): Measurement => {
      const bytes = bytesFor(row.link, fileSeconds);
      const contenders = [
        sftpGet('sftp get, Waybill, cubic', 'cubic'),
        sftpGet('sftp get, Waybill, bbr', 'bbr'),
        opensshGet('sftp get, OpenSSH, cubic'),
      ];
      return { ...single, ...row, id: `sockets-${row.id}`, bar: null, section: 'sockets', contenders, bytes };
    }),
    smallFiles(options, [...own, openssh(SFTP_SMALL, PARTS)]),
    {
      ...{ ...single, id: 'loopback', section: 'loopback', link: null, bytes: loopbackBytes, patience: 300 },
      title: `loopback, without a limit, ${(loopbackBytes / 2 ** 30).toFixed(1)} GiB`,
      contenders: [...own, openssh('scp', 1, 'scp'), sftp, overHttps('HTTPS (curl)')],
      seconds: 300,
      fileSeconds: loopbackBytes / 3e8,
    },
  ];
}

function smallFiles({ smallFiles: files, smallSeconds }: PlanOptions, contenders: readonly Contender[]): Measurement {
  const whole = Math.ceil((files / PARTS) * ROUND_TRIPS * (SMALL_FILES.rtt / 1000)) + 60;
  return {
    id: 'small-files',
    section: 'small',
    title: `${files.toLocaleString('en')} files of 4 KiB at ${SMALL_FILES.rtt} ms`,
    link: SMALL_FILES,
    contenders,
    bar: null,
    bytes: files * SMALL_BYTES,
    files,
    seconds: smallSeconds ?? whole,
    fileSeconds: (files * SMALL_BYTES * 8) / 1e6 / bestMbit(SMALL_FILES),
    patience: 300,
    ...(smallSeconds === null ? { mostRuns: { [SFTP_SMALL]: 1 } } : {}),
  };
}

/** How often it is measured when the others are measured so often. */
export const runsOf = (row: Measurement, name: string, runs: number): number =>
  Math.min(runs, row.mostRuns?.[name] ?? runs);
