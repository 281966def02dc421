/** What is asked, as typed; and its meaning in this ledger: which sessions, logs, folders and moments. */
import { WaybillError } from '../base/errors.ts';
import { parseAddressRange } from './addresses.ts';
import type { AddressRange } from './addresses.ts';
import type { IndexFile } from './index-file.ts';
import { NEVER } from './places.ts';

/** Each list means "any of these"; different lists mean "and". Times in milliseconds; `to` is not included. */
export interface Filters {
  readonly credential?: readonly string[];
  readonly account?: readonly string[];
  readonly address?: readonly string[];
  readonly client?: readonly string[];
  readonly session?: readonly string[];
  readonly node?: readonly string[];
  readonly software?: readonly string[];
  readonly tenant?: readonly string[];
  readonly product?: readonly string[];
  readonly folder?: readonly string[];
  readonly from?: number;
  readonly to?: number;
}

export interface FolderKey {
  readonly log: number;
  readonly folder: number;
}

export interface Scope {
  readonly from: number;
  readonly to: number;
  /** SQL over a row of allSessions `s`; null when no filter names sessions. */
  readonly sessions: string | null;
  /** They go by what a sign-in says, so a session without one may be of them. */
  readonly bySignIn: boolean;
  /** Null: all. */
  readonly logs: readonly number[] | null;
  readonly folders: readonly FolderKey[] | null;
}

export async function resolve(filters: Filters, index: IndexFile): Promise<Scope> {
  const { from = 0, to = NEVER } = filters;
  if (from >= to) throw new WaybillError('option-invalid', '--from is not before --to');
  const conditions = sessionConditions(filters);
  const byFolder = filters.folder?.length ? await findFolders(filters.folder, index) : null;
  const byProduct = filters.product?.length ? await productFolders(filters.product, from, to, index) : null;
  return {
    ...{ from, to },
    sessions: conditions.length === 0 ? null : conditions.map((part) => `(${part})`).join(' AND '),
    bySignIn: conditions.length > (filters.session?.length ? 1 : 0),
    logs: filters.tenant?.length ? await findLogs(filters.tenant, index) : null,
    folders: byFolder !== null && byProduct !== null ? both(byFolder, byProduct) : (byFolder ?? byProduct),
  };
}

export function quote(text: string): string {
  if (/\p{Cc}/u.test(text)) throw new WaybillError('option-invalid', 'a filter holds a control character');
  return `'${text.replaceAll("'", "''")}'`;
}

/** What each filter of sessions means for a row `s` of allSessions. */
const SESSION_FILTERS: Readonly<Record<string, (value: string) => string>> = {
  credential: (value) => {
    const member = (column: string): string =>
      `s.${column} IN (SELECT name FROM names WHERE starts_with(text, '[') AND contains(text, ${quote(JSON.stringify(value))}))`;
    return `${member('credentials')} OR ${member('descriptions')}`;
  },
  account: (value) => `${named('account', value)} OR ${named('login', value)}`,
  address: (value) => inRange(parseAddressRange(value)),
  client: (value) => `s.client IN (SELECT name FROM names WHERE contains(lower(text), ${quote(value.toLowerCase())}))`,
  session: (value) => {
    if (!/^[0-9a-f]{32}$/i.test(value))
      throw new WaybillError('option-invalid', `--session is ${JSON.stringify(value)}; allowed: 32 hexadecimal digits`);
    return `s.idHigh = ${BigInt(`0x${value.slice(0, 16)}`)}::UBIGINT AND s.idLow = ${BigInt(`0x${value.slice(16)}`)}::UBIGINT`;
  },
  node: (value) => `${named('node', value)} OR ${named('run', value)}`,
  software: (value) =>
    `s.software IN (SELECT name FROM names WHERE text = ${quote(value)} OR ends_with(text, ${quote(` ${value}`)}))`,
};

function sessionConditions(filters: Filters): string[] {
  return Object.entries(SESSION_FILTERS).flatMap(([name, condition]) => {
    const values = (filters as Readonly<Record<string, readonly string[] | undefined>>)[name] ?? [];
    return values.length === 0 ? [] : [values.map((value) => `(${condition(value)})`).join(' OR ')];
  });
}

function named(column: string, value: string): string {
  return `s.${column} IN (SELECT name FROM names WHERE text = ${quote(value)})`;
}

function inRange({ from, to }: AddressRange): string {
  const low = `(s.addressHigh > ${from.high}::UBIGINT OR (s.addressHigh = ${from.high}::UBIGINT AND s.addressLow >= ${from.low}::UBIGINT))`;
  const high = `(s.addressHigh < ${to.high}::UBIGINT OR (s.addressHigh = ${to.high}::UBIGINT AND s.addressLow <= ${to.low}::UBIGINT))`;
  return `${low} AND ${high}`;
}

/** By name, id or blinded identifier. A name that nobody has is a slip, not an empty answer. */
async function findLogs(values: readonly string[], index: IndexFile): Promise<number[]> {
  const logs: number[] = [];
  for (const value of values) {
    const text = quote(value);
    const rows = await index.rows(`SELECT log FROM logs WHERE name = ${text} OR tenant = ${text} OR id = ${text}`);
    if (rows.length === 0) throw new WaybillError('not-found', `the ledger has no tenant ${JSON.stringify(value)}`);
    logs.push(...rows.map(({ log }) => Number(log)));
  }
  return logs;
}

/** As TENANT/FOLDER, as a name (of any tenant), or by id. */
async function findFolders(values: readonly string[], index: IndexFile): Promise<FolderKey[]> {
  const found: FolderKey[] = [];
  for (const value of values) {
    const slash = value.indexOf('/');
    const name = value.slice(slash + 1);
    const text = quote(name);
    const inTenant = slash < 0 ? '' : `AND log IN (SELECT log FROM logs WHERE name = ${quote(value.slice(0, slash))})`;
    const rows = await index.rows(
      `SELECT DISTINCT log, folder FROM (
         SELECT log, folder, name FROM folderNames UNION ALL SELECT log, folder, id FROM folders)
       WHERE name IN (SELECT name FROM names WHERE text = ${text}) ${inTenant}`,
    );
    if (rows.length === 0) throw new WaybillError('not-found', `the ledger has no folder ${JSON.stringify(value)}`);
    found.push(...rows.map(({ log, folder }) => ({ log: Number(log), folder: Number(folder) })));
  }
  return found;
}

export interface ProductUse extends FolderKey {
  readonly product: string;
  readonly since: number;
  /** Not included. */
  readonly until: number;
}

/** When each product used which folder. */
export async function productUses(index: IndexFile): Promise<ProductUse[]> {
  const rows = await index.rows(
    `SELECT p.time, p.log, p.folder, n.text AS product, p.added FROM productFolders p JOIN names n ON n.name = p.product
     ORDER BY p.place`,
  );
  const open = new Map<string, ProductUse>();
  const uses: ProductUse[] = [];
  for (const row of rows) {
    const { time, log, folder, product, added } = row as unknown as ProductUse & { time: number; added: number };
    const key = `${log}/${folder}/${product}`;
    const before = open.get(key);
    if (added === 1 && before === undefined) open.set(key, { log, folder, product, since: time, until: NEVER });
    if (added === 0 && before !== undefined) {
      uses.push({ ...before, until: time });
      open.delete(key);
    }
  }
  return [...uses, ...open.values()];
}

/** Every folder that one of the products used at any moment of the time that is asked for. */
async function productFolders(products: readonly string[], from: number, to: number, index: IndexFile) {
  const uses = await productUses(index);
  for (const product of products)
    if (!uses.some((use) => use.product === product))
      throw new WaybillError('not-found', `the ledger has no product ${JSON.stringify(product)}`);
  return uses.filter(({ product, since, until }) => products.includes(product) && since < to && until > from);
}

function both(one: readonly FolderKey[], other: readonly FolderKey[]): FolderKey[] {
  return one.filter((a) => other.some((b) => a.log === b.log && a.folder === b.folder));
}
