import { FACTORS } from '../accounts/chains.ts';
import type { Factor } from '../accounts/chains.ts';
import { WaybillError } from '../base/errors.ts';

/** "publickey+totp" -> its steps. Which chains make sense is the broker's to say. */
export function parseChain(text: string): Factor[] {
  return text.split('+').map((word) => {
    const step = FACTORS.find((known) => known === word);
    if (step !== undefined) return step;
    const allowed = `${FACTORS.join(', ')}, joined by "+"`;
    throw new WaybillError('option-invalid', `CHAIN is ${JSON.stringify(text)}; allowed: ${allowed}`);
  });
}
