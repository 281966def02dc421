/** Which operation a request names: the table of api/operations.ts turned into a look-up. Pure. */
import type { Method, Operation } from '../../api/operation.ts';
import { OPERATIONS } from '../../api/operations.ts';
import type { OperationId } from '../../api/operations.ts';

export interface Match {
  readonly id: OperationId;
  readonly operation: Operation;
  /** What stands in the place of `{path}` or `{id}`, as it came. */
  readonly rest: string;
}

type Place = Map<string, { readonly id: OperationId; readonly operation: Operation }>;

const EXACT = new Map<string, Place>();
/** By what stands before the parameter, the longest first. */
const OPEN: { readonly prefix: string; readonly slashes: boolean; readonly place: Place }[] = [];

for (const [id, operation] of Object.entries<Operation>(OPERATIONS)) {
  const at = operation.path.indexOf('{');
  placeOf(operation.path, at).set(operation.method, { id: id as OperationId, operation });
}
OPEN.sort((a, b) => b.prefix.length - a.prefix.length);

function placeOf(path: string, at: number): Place {
  if (at < 0) {
    const place = EXACT.get(path) ?? new Map<string, never>();
    EXACT.set(path, place);
    return place;
  }
  const prefix = path.slice(0, at);
  const known = OPEN.find((one) => one.prefix === prefix);
  if (known !== undefined) return known.place;
  const place: Place = new Map();
  OPEN.push({ prefix, slashes: path.endsWith('{path}'), place });
  return place;
}

/** Null: no such address. A list: the methods that it has instead. */
export function route(method: string, pathname: string): Match | readonly Method[] | null {
  const exact = EXACT.get(pathname);
  if (exact !== undefined) return chosen(exact, method, '');
  for (const { prefix, slashes, place } of OPEN) {
    if (!pathname.startsWith(prefix)) continue;
    const rest = pathname.slice(prefix.length);
    if (!slashes && (rest === '' || rest.includes('/'))) return null;
    return chosen(place, method, rest);
  }
  return null;
}

function chosen(place: Place, method: string, rest: string): Match | readonly Method[] {
  const found = place.get(method);
  return found === undefined ? ([...place.keys()] as Method[]) : { ...found, rest };
}
