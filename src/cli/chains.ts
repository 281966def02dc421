import { SIGN_IN_STEPS } from '../broker/admin-calls.ts';
import { WaybillError } from '../base/errors.ts';

type Step = (typeof SIGN_IN_STEPS)[number];

/** "publickey+totp" -> its steps. Which chains make sense is the broker's to say. */
export function parseChain(text: string): Step[] {
  return text.split('+').map((word) => {
    const step = SIGN_IN_STEPS.find((known) => known === word);
    if (step !== undefined) return step;
    const allowed = `${SIGN_IN_STEPS.join(', ')}, joined by "+"`;
    throw new WaybillError('option-invalid', `CHAIN is ${JSON.stringify(text)}; allowed: ${allowed}`);
  });
}
