/** What a bench that was killed could not take away: directories and namespaces that carry its process id in their names. */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, rmSync } from 'node:fs';
import path from 'node:path';

const NAMED = /^(?:waybill-wan|wan-[alrb])-(\d+)(?:-|$)/;

/** Those of the names that belong to a process that is no more. */
export function orphans(names: readonly string[], alive: (pid: number) => boolean): string[] {
  return names.filter((name) => {
    const pid = NAMED.exec(name)?.[1];
    return pid !== undefined && !alive(Number(pid));
  });
}

export function removeLeftovers(folders: readonly string[]): void {
  const alive = (pid: number): boolean => existsSync(`/proc/${pid}`);
  for (const folder of folders)
    for (const name of orphans(readdirSync(folder), alive))
      rmSync(path.join(folder, name), { recursive: true, force: true });
  const listed = spawnSync('ip', ['netns', 'list'], { encoding: 'utf8' }).stdout.split('\n');
  for (const name of orphans(
    listed.map((line) => line.split(' ')[0] ?? ''),
    alive,
  ))
    spawnSync('ip', ['netns', 'del', name]);
}
