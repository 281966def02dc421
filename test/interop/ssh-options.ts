/** Options of OpenSSH's programs with which they ask nobody, and read and write nothing of the user who runs them. */
const ALWAYS = [
  'IdentitiesOnly=yes',
  'StrictHostKeyChecking=no',
  'UserKnownHostsFile=/dev/null',
  'LogLevel=ERROR',
] as const;

/** `key`: the file of the one private key that is offered. */
export function sshOptions({ key, port }: { key: string; port: number }, ...more: readonly string[]): string[] {
  const options = [...ALWAYS, ...more].flatMap((option) => ['-o', option]);
  return ['-F', '/dev/null', '-i', key, ...options, '-P', String(port)];
}
