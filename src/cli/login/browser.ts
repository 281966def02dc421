/** Opens a page in the browser of whoever sits here; where nobody does, in none. */
import { spawn } from 'node:child_process';

type Environment = Readonly<Record<string, string | undefined>>;

/** What opens a page; null where there is no display, or it is far away. Pure. */
export function opener(platform: NodeJS.Platform, environment: Environment): readonly string[] | null {
  if ((environment['SSH_CONNECTION'] ?? '') !== '') return null;
  if (platform === 'darwin') return ['open'];
  if (platform === 'win32') return ['rundll32', 'url.dll,FileProtocolHandler'];
  const displays = [environment['WAYLAND_DISPLAY'], environment['DISPLAY']];
  return displays.some((one) => one !== undefined && one !== '') ? ['xdg-open'] : null;
}

/** Answers whether one was asked for; whether it opened, only the person can see. No shell reads the address. */
export function openPage(url: string, environment: Environment = process.env): boolean {
  const [program, ...words] = opener(process.platform, environment) ?? [];
  if (program === undefined) return false;
  const child = spawn(program, [...words, url], { detached: true, stdio: 'ignore' });
  // Not installed: the address stands in the terminal anyway.
  child.once('error', () => undefined);
  child.unref();
  return true;
}
