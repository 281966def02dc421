/** Sign-ins under way over HTTPS, by the source that began them: nobody else's connection finds one, or pushes one out. */
import { hashSecret, newSecret } from '../accounts/web/secret.ts';

const FLOW = 'wbf_';
const LIFE_MILLISECONDS = 15 * 60_000;
const SOURCES_MAX = 10_000;
const PER_SOURCE = 200;

interface Kept<F> {
  readonly begun: number;
  readonly flow: F;
}

export class WebFlows<F> {
  private readonly sources = new Map<string, Map<string, Kept<F>>>();
  private readonly forgotten: (flow: F) => void;
  private readonly now: () => number;

  /** `forgotten` is told of what was neither found nor dropped any more. */
  constructor(forgotten: (flow: F) => void, now: () => number) {
    this.forgotten = forgotten;
    this.now = now;
  }

  /** Answers the secret by which it is found again. */
  keep(source: string, flow: F): string {
    const { text, hash } = newSecret(FLOW);
    const flows = this.sources.get(source) ?? new Map<string, Kept<F>>();
    this.sources.delete(source);
    this.sources.set(source, flows);
    flows.set(hash.toString('hex'), { begun: this.now(), flow });
    if (flows.size > PER_SOURCE) this.forgetFirst(flows);
    if (this.sources.size > SOURCES_MAX) this.forgetSource();
    return text;
  }

  find(source: string, text: string): F | null {
    const key = keyOf(text);
    const kept = this.sources.get(source)?.get(key);
    if (kept === undefined) return null;
    if (this.now() - kept.begun < LIFE_MILLISECONDS) return kept.flow;
    this.drop(source, text);
    this.forgotten(kept.flow);
    return null;
  }

  drop(source: string, text: string): void {
    const flows = this.sources.get(source);
    flows?.delete(keyOf(text));
    if (flows?.size === 0) this.sources.delete(source);
  }

  of(source: string): F[] {
    return [...(this.sources.get(source)?.values() ?? [])].map(({ flow }) => flow);
  }

  sweep(): void {
    const oldest = this.now() - LIFE_MILLISECONDS;
    for (const [source, flows] of this.sources) {
      for (const { begun } of [...flows.values()]) if (begun <= oldest) this.forgetFirst(flows);
      if (flows.size === 0) this.sources.delete(source);
    }
  }

  /** A Map keeps the order of its keys: the first began before all others. */
  private forgetFirst(flows: Map<string, Kept<F>>): void {
    const first = flows.entries().next();
    if (first.done === true) return;
    flows.delete(first.value[0]);
    this.forgotten(first.value[1].flow);
  }

  private forgetSource(): void {
    const first = this.sources.entries().next();
    if (first.done === true) return;
    this.sources.delete(first.value[0]);
    for (const { flow } of first.value[1].values()) this.forgotten(flow);
  }
}

function keyOf(text: string): string {
  return hashSecret(FLOW, text)?.toString('hex') ?? '';
}
