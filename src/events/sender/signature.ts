/** Signatures of webhooks, as Standard Webhooks has them (symmetric, "v1"). Pure. */
import { createHmac } from 'node:crypto';

const PREFIX = 'whsec_';

/** One for each secret, so that a receiver with either the old or the new one finds its own. */
export function signatures(secrets: readonly string[], id: string, timestamp: number, body: string): string {
  return secrets.map((secret) => `v1,${hmac(secret, `${id}.${timestamp}.${body}`)}`).join(' ');
}

function hmac(secret: string, content: string): string {
  const key = Buffer.from(secret.slice(PREFIX.length), 'base64');
  return createHmac('sha256', key).update(content).digest('base64');
}
