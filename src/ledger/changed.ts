/** The entry of an administrative change, with what most of them leave empty. */
import type { Json } from './core/fields.ts';
import type { EventOf } from './core/kinds.ts';

export interface ChangeParts {
  /** Empty: the operator, on the machine itself. */
  readonly actor?: string;
  /** Empty: nobody had to agree. */
  readonly approvedBy?: string;
  readonly account?: string | null;
  readonly folder?: string | null;
  readonly credential?: string;
  /** Never a secret. */
  readonly detail?: { readonly [key: string]: Json };
}

export function changed(action: string, parts: ChangeParts = {}): EventOf<'changed'> {
  const { actor = '', approvedBy = '', account = null, folder = null, credential = '', detail = {} } = parts;
  return { kind: 'changed', action, actor, approvedBy, account, folder, credential, detail };
}
