/** zbarimg, which reads QR codes in pictures: it is nobody's of ours. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';

const READER = '/usr/bin/zbarimg';

/** Why tests with it are skipped; false when they are not. */
export const NO_QR_READER: string | false =
  existsSync(READER) || process.env['WAYBILL_TEST_ALL'] === '1' ? false : 'zbarimg is not installed';

export async function readQr(image: Buffer): Promise<string> {
  const child = spawn(READER, ['-q', '--raw', '--oneshot', '-Sdisable', '-Sqrcode.enable', '-'], {
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
  child.stdin.end(image);
  await once(child, 'close');
  return text.trimEnd();
}
