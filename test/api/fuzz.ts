/**
 * Asks every operation of the served OpenAPI document, as nobody and as everybody, for what it wants, for nearly that
 * and for what is hostile; judges every answer by the document. Reproducible by its seed.
 */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import fc from 'fast-check';
import { PROJECT } from '../interop/server.ts';
import { operationsOf } from './document.ts';
import type { Described, Document } from './document.ts';
import { KINDS, requestsOf } from './fuzz-requests.ts';
import type { Kind, Planned } from './fuzz-requests.ts';
import { Judge, Secrets } from './judge.ts';
import type { Dictionary } from './json-values.ts';
import type { Credential, RealServer } from './real-server.ts';

export interface Role {
  readonly name: string;
  /** Asked again when what it gave is over: some operations end it. */
  credential(): Promise<Credential | null>;
}

export interface Finding {
  readonly operation: string;
  readonly role: string;
  readonly kind: Kind;
  readonly why: string;
  readonly request: string;
  readonly answer: string;
}

export interface Fuzzed {
  readonly findings: readonly Finding[];
  readonly sent: number;
  /** How often each operation answered with each status. */
  readonly answers: ReadonlyMap<string, ReadonlyMap<number, number>>;
  /** How often each role was given what it asked for. */
  readonly successes: ReadonlyMap<string, number>;
}

export interface FuzzWish {
  readonly seed: number;
  /** At the most. */
  readonly milliseconds: number;
  /** As many as there is time for when left out: then how fast the machine is decides what is asked. */
  readonly rounds?: number;
  readonly roles: readonly Role[];
  readonly dictionary: (operation: Described) => Dictionary;
  /** Requests at once. */
  readonly lanes?: number;
  /** Operations that end the run itself. */
  readonly without?: ReadonlySet<string>;
}

const FINDINGS_MAX = 25;
/** Administrators are told by these where things of theirs are. */
const TELL_PLACES: ReadonlySet<string> = new Set(['admin.rootkey.show']);

interface Job {
  readonly described: Described;
  readonly role: Role;
  readonly kind: Kind;
  readonly planned: Planned;
}

export async function fuzz(server: RealServer, wish: FuzzWish): Promise<Fuzzed> {
  const document = JSON.parse((await server.ask('GET', '/api/v1/openapi.json')).text) as Document;
  const run = new Run(server, document, wish, await secretsOf(server));
  const until = Date.now() + wish.milliseconds;
  // Whole rounds: each operation, as each role, in each kind.
  const rounds = wish.rounds ?? Infinity;
  for (let round = 0; round < rounds && Date.now() < until && !run.full; round++)
    await run.round(wish.seed + round, until);
  return run.result();
}

class Run {
  private readonly server: RealServer;
  private readonly wish: FuzzWish;
  private readonly judge: Judge;
  private readonly secrets: Secrets;
  private readonly targets: readonly { readonly described: Described; readonly made: ReturnType<typeof requestsOf> }[];
  private readonly findings: Finding[] = [];
  private readonly answers = new Map<string, Map<number, number>>();
  private readonly successes = new Map<string, number>();
  private readonly credentials = new Map<Role, Promise<Credential | null>>();
  private sent = 0;

  constructor(server: RealServer, document: Document, wish: FuzzWish, secrets: Secrets) {
    this.server = server;
    this.wish = wish;
    this.judge = new Judge(document);
    this.secrets = secrets;
    this.targets = operationsOf(document)
      .filter(({ id }) => wish.without?.has(id) !== true)
      .map((described) => ({ described, made: requestsOf(described, document, wish.dictionary(described)) }));
  }

  get full(): boolean {
    return this.findings.length >= FINDINGS_MAX;
  }

  result(): Fuzzed {
    return { findings: this.findings, sent: this.sent, answers: this.answers, successes: this.successes };
  }

  /** The first wave of a run asks every operation, however long that takes. */
  async round(seed: number, until: number): Promise<void> {
    for (const [wave, jobs] of this.waves(seed).entries()) {
      const late = (): boolean => wave > 0 && (this.full || Date.now() > until);
      if (late()) return;
      const lane = async (): Promise<void> => {
        for (let job = jobs.pop(); job !== undefined; job = jobs.pop()) {
          if (late()) return;
          await this.send(job);
        }
      };
      await Promise.all(Array.from({ length: this.wish.lanes ?? 6 }, lane));
    }
  }

  /** Each operation once in each wave, as another role or in another kind. */
  private waves(seed: number): Job[][] {
    const waves: Job[][] = [];
    for (const { described, made } of this.targets) {
      const jobs = this.wish.roles.flatMap((role) => KINDS.map((kind) => ({ described, role, kind })));
      for (const [wave, job] of shuffled(jobs, seed + seedOf(described.id)).entries()) {
        const [planned] = fc.sample(made[job.kind], { numRuns: 1, seed: seed * 31 + seedOf(described.id) + wave });
        if (planned !== undefined) (waves[wave] ??= []).push({ ...job, planned });
      }
    }
    return waves.map((jobs, wave) => shuffled(jobs, seed + wave));
  }

  private async send(job: Job): Promise<void> {
    const { described, role, planned } = job;
    const { target, body } = planned;
    const by = await this.credentialOf(role);
    const own = 'x-from-own-pages-only' in described.row ? { 'sec-fetch-site': 'same-origin' } : {};
    const headers = { ...own, ...planned.headers };
    this.sent++;
    try {
      const asked = { by, headers, ...(body === null ? {} : { body }) };
      const answer = await this.server.ask(described.method.toUpperCase(), target, asked);
      const per = this.answers.get(described.id) ?? new Map<number, number>();
      this.answers.set(described.id, per.set(answer.status, (per.get(answer.status) ?? 0) + 1));
      if (answer.status < 300) this.successes.set(role.name, (this.successes.get(role.name) ?? 0) + 1);
      if (answer.status === 401 && by !== null) this.credentials.delete(role);
      const said = `${target}\n${JSON.stringify(headers)}\n${body?.toString('latin1') ?? ''}`;
      const why = this.judge.fault(described, answer) ?? this.secrets.leak(answer, said, TELL_PLACES.has(described.id));
      if (why !== null) this.found(job, why, `${answer.status} ${answer.text.slice(0, 600)}`);
    } catch (error) {
      this.found(job, 'no answer', String(error));
    }
  }

  private async credentialOf(role: Role): Promise<Credential | null> {
    let known = this.credentials.get(role);
    if (known === undefined) {
      known = role.credential().then((credential) => {
        this.secrets.add(credential?.bearer ?? '', credential?.cookie ?? '');
        return credential;
      });
      this.credentials.set(role, known);
    }
    return known;
  }

  private found({ described, role, kind, planned }: Job, why: string, answer: string): void {
    const { target, headers, body } = planned;
    const shown = `${described.method.toUpperCase()} ${target.slice(0, 300)} ${JSON.stringify(headers).slice(0, 300)}`;
    const request = `${shown} ${body?.toString('latin1').slice(0, 400) ?? ''}`;
    this.findings.push({ operation: described.id, role: role.name, kind, why, request, answer });
  }
}

/** Of the log: no failure inside the server, and none of its secrets. */
export async function faultsOfLog(server: RealServer): Promise<string[]> {
  const secrets = await secretsOf(server);
  return server.server
    .log()
    .split('\n')
    .filter((line) => /"level":"(error|fatal)"/.test(line) || secrets.in(line) !== null)
    .map((line) => line.slice(0, 500));
}

/** Everything that only the machine and its operator know. */
async function secretsOf({ server, admin }: RealServer): Promise<Secrets> {
  const secrets = new Secrets();
  // A private key file holds the public one as well.
  const open = (await admin.call('key.host', {})).keys.map(({ line }) => line).join('\n');
  secrets.add(PASSWORD);
  const keys = path.join(server.data, 'keys');
  for (const name of readdirSync(keys)) {
    if (/\.(pub|crt)$/.test(name)) continue;
    const bytes = readFileSync(path.join(keys, name));
    const lines = bytes.toString('latin1').split('\n');
    secrets.add(...lines.filter((line) => line.length >= 40 && !line.startsWith('-----') && !open.includes(line)));
    if (bytes.length <= 64) secrets.add(bytes.toString('hex'), bytes.toString('base64'), bytes.toString('base64url'));
  }
  secrets.addPlaces(PROJECT, server.temporary, process.execPath);
  return secrets;
}

/** Sent wherever a password is asked for, and read nowhere. */
export const PASSWORD = 'S3CRET horse battery staple 7731';

function seedOf(text: string): number {
  let seed = 7;
  for (const character of text) seed = (seed * 33 + character.charCodeAt(0)) | 0;
  return seed;
}

/** By a generator of its own, so that a seed says the order as well. */
function shuffled<T>(items: readonly T[], seed: number): T[] {
  const copy = [...items];
  let state = seed | 1;
  for (let at = copy.length - 1; at > 0; at--) {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    const other = (state >>> 8) % (at + 1);
    [copy[at], copy[other]] = [copy[other] as T, copy[at] as T];
  }
  return copy;
}

export function report({ findings, sent, answers }: Fuzzed): string {
  const lines = findings.map(
    ({ operation, role, kind, why, request, answer }) =>
      `${operation} as ${role}, ${kind}: ${why}\n    ${request}\n    ${answer}`,
  );
  return `${sent} requests to ${answers.size} operations, ${findings.length} findings\n${lines.join('\n')}`;
}
