/**
 * A link of the kernel's own tools: A - left - right - B, four network namespaces in a row. The bottleneck (tbf: rate and a
 * drop-tail queue) is where left and right send to each other; delay, loss and disorder (netem) fall behind it, where they
 * hand over to B and A: so the most that can arrive is rate x (1 - loss).
 */
import { execFileSync, spawnSync } from 'node:child_process';
import type { Link, LinkSpec, Side } from './link.ts';
import { ADDRESS_A, ADDRESS_B, namespacesOf, setUp, takeDown, timed } from './netem-commands.ts';
import type { Command } from './netem-commands.ts';
import { hasCommand, onAnyExit, start } from './processes.ts';

const HERE: Side = { address: '', enter: [], keeper: null };

function run([command = '', ...words]: Command): void {
  execFileSync(command, words, { stdio: ['ignore', 'ignore', 'pipe'] });
}

export function hasNetem(): boolean {
  const name = `wan-try-${process.pid}`;
  try {
    run(['ip', 'netns', 'add', name]);
    return spawnSync('ip', ['netns', 'exec', name, 'tc', 'qdisc', 'add', 'dev', 'lo', 'root', 'netem']).status === 0;
  } catch {
    return false;
  } finally {
    spawnSync('ip', ['netns', 'del', name]);
  }
}

export async function openNetemLink(spec: LinkSpec, seconds: number): Promise<Link> {
  const names = namespacesOf(process.pid);
  const timers: NodeJS.Timeout[] = [];
  const remove = (): void => {
    for (const timer of timers) clearTimeout(timer);
    for (const [command = '', ...words] of takeDown(names)) spawnSync(command, words);
  };
  const forget = onAnyExit(remove);
  try {
    for (const command of setUp(spec, names, hasCommand('ethtool'))) run(command);
  } catch (error) {
    remove();
    forget();
    throw error;
  }
  for (const [after, commands] of timed(spec, names))
    timers.push(
      setTimeout(() => {
        for (const command of commands) run(command);
      }, after * 1000),
    );
  const madeAt = performance.now();
  const keep = (name: string) =>
    start(HERE, ['ip', 'netns', 'exec', name, 'sleep', String(Math.ceil(seconds))], { seconds });
  const keepers = [keep(names.a), keep(names.b)] as const;
  const side = (name: string, keeper: number, address: string): Side => ({
    ...{ address, keeper, enter: ['ip', 'netns', 'exec', name] },
  });
  // "ip netns exec" becomes the command that it was given: /proc of it is of the namespace, once it is there.
  await new Promise((resolve) => setTimeout(resolve, 200));
  return {
    a: side(names.a, keepers[0].pid, ADDRESS_A),
    b: side(names.b, keepers[1].pid, ADDRESS_B),
    kind: 'netem',
    madeAt,
    close: async () => {
      await Promise.all(keepers.map((keeper) => keeper.stop()));
      remove();
      forget();
      return null;
    },
  };
}
