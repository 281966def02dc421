/** The one client of all rows: OpenSSH's sftp, the same cipher for every server, nothing read from the user's own configuration. */
import { spawn } from 'node:child_process';
import { sshOptions as ownOptions } from '../test/interop/ssh-options.ts';
import type { BenchServer } from './servers.ts';

export function sshOptions(server: BenchServer, cipher: string = server.cipher): string[] {
  return ownOptions(server, `Ciphers=${cipher}`);
}

/** Runs one batch to its end and gives seconds; rejects when the client reports a failure. */
export function sftp(server: BenchServer, commands: readonly string[], cipher?: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const start = performance.now();
    const child = spawn('sftp', ['-q', '-b', '-', ...sshOptions(server, cipher), `${server.user}@127.0.0.1`], {
      stdio: ['pipe', 'ignore', 'pipe'],
    });
    let errors = '';
    child.stderr.on('data', (chunk: Buffer) => {
      errors += chunk.toString();
    });
    child.on('exit', (code) => {
      if (code === 0) resolve((performance.now() - start) / 1000);
      else reject(new Error(`${server.name}: sftp ended with ${String(code)}: ${errors.trim()}`));
    });
    child.stdin.end(commands.join('\n') + '\n');
  });
}
