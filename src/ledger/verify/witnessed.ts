/** Whether enough witnesses have cosigned, by a C2SP tlog-policy. */
import { openCheckpoint } from '../core/checkpoint.ts';
import type { OpenedCheckpoint } from '../core/checkpoint.ts';
import type { VerifierKey } from '../core/note.ts';
import { openWithPolicy } from '../core/policy.ts';
import type { Policy } from '../core/policy.ts';
import type { Findings } from './findings.ts';
import { whyDamaged } from './wide-file.ts';

export interface Witnessed {
  /** Names of the witnesses in the policy. */
  readonly witnesses: readonly string[];
  readonly checkpoint: OpenedCheckpoint;
}

/**
 * The cosigned checkpoint, signed by the log; null, and a finding, when it is not, or when its cosignatures are not
 * enough for the policy. Without a policy cosignatures are only told.
 */
export function openCosigned(
  note: { readonly path: string; readonly bytes: Uint8Array },
  key: VerifierKey,
  policy: Policy | null,
  findings: Findings,
): Witnessed | null {
  const place = { log: 'heads', path: note.path };
  try {
    const own = openCheckpoint(note.bytes, key, key.name);
    if (policy === null) {
      if (own.unknown.length > 0)
        findings.tell('unwitnessed', place, `${own.unknown.length} cosignatures are not checked: no policy was given`);
      return { witnesses: [], checkpoint: own };
    }
    const { witnesses } = openWithPolicy(note.bytes, policy);
    return { witnesses, checkpoint: own };
  } catch (error) {
    findings.add('witness', place, whyDamaged(error));
    return null;
  }
}
