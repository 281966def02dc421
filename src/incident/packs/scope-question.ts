/** From the filters of an investigation to the question of one tenant's pack: without what is of other tenants. */
import { randomBytes } from 'node:crypto';
import type { Entry } from '../../ledger/core/kinds.ts';
import type { UnknownEntry } from '../../ledger/core/entry.ts';
import { blind, CANDIDATES } from '../../ledger/verify/pack/question.ts';
import type { PackQuestion, Value } from '../../ledger/verify/pack/question.ts';

/** As in `waybill investigate`: lists mean "any of these", different lists "and". Times in milliseconds. */
export interface ScopeFilters {
  readonly credential?: readonly string[];
  readonly account?: readonly string[];
  readonly address?: readonly string[];
  readonly client?: readonly string[];
  readonly session?: readonly string[];
  readonly node?: readonly string[];
  readonly software?: readonly string[];
  readonly product?: readonly string[];
  /** As TENANT/FOLDER, as a name, or by id. */
  readonly folder?: readonly string[];
  readonly from?: number;
  readonly to?: number;
}

const KINDS = ['credential', 'account', 'session'] as const;

/** Looks through the log for what the filters name. */
export class QuestionScan {
  private readonly filters: ScopeFilters;
  private readonly tenant: string;
  private readonly seen = { credential: new Set<string>(), account: new Set<string>(), session: new Set<string>() };
  private readonly folders = new Set<string>();
  /** Folder, product: since when it uses it. */
  private readonly uses = new Map<string, { folder: string; since: number; until: number }[]>();

  constructor(filters: ScopeFilters, tenant: string) {
    this.filters = filters;
    this.tenant = tenant;
  }

  take(entry: Entry | UnknownEntry): void {
    if (entry.kind === 'sign-in')
      for (const kind of KINDS)
        for (const one of CANDIDATES[kind](entry))
          if (this.filters[kind]?.includes(one) === true) this.seen[kind].add(one);
    if ('folder' in entry && entry.folder !== null && this.filters.folder?.includes(entry.folder) === true)
      this.folders.add(entry.folder);
    if (entry.kind !== 'changed' || entry.folder === null) return;
    const { action, folder, detail, time } = entry;
    if (action.startsWith('folder.') && typeof detail['name'] === 'string' && this.names(detail['name']))
      this.folders.add(folder);
    if (typeof detail['product'] === 'string') this.product(action, folder, detail['product'], time);
  }

  private names(folder: string): boolean {
    const { folder: names = [] } = this.filters;
    return names.includes(folder) || names.includes(`${this.tenant}/${folder}`);
  }

  private product(action: string, folder: string, product: string, time: number): void {
    const uses = this.uses.get(product) ?? [];
    const open = uses.findLast((use) => use.folder === folder && use.until === Infinity);
    if (action === 'product.add' && open === undefined) uses.push({ folder, since: time, until: Infinity });
    if (action === 'product.remove' && open !== undefined) open.until = time;
    this.uses.set(product, uses);
  }

  finish(): PackQuestion {
    const { address = [], client = [], node = [], software = [], from, to } = this.filters;
    return {
      from: from ?? null,
      to: to ?? null,
      ...{ credential: this.values('credential'), account: this.values('account'), session: this.values('session') },
      ...{ address, client, node, software },
      folder: this.folderIds(),
    };
  }

  /** What this log does not have may be another tenant's. */
  private values(kind: (typeof KINDS)[number]): Value[] {
    return (this.filters[kind] ?? []).map((value) =>
      this.seen[kind].has(value) ? value : blind(value, randomBytes(16).toString('hex')),
    );
  }

  private folderIds(): string[] | null {
    const { folder = [], product = [], from = 0, to = Infinity } = this.filters;
    const byProduct = product.flatMap((name) =>
      (this.uses.get(name) ?? []).filter(({ since, until }) => since < to && until > from).map((use) => use.folder),
    );
    const byName = [...this.folders];
    const found =
      folder.length > 0 && product.length > 0
        ? byName.filter((id) => byProduct.includes(id))
        : folder.length > 0
          ? byName
          : byProduct;
    return folder.length === 0 && product.length === 0 ? null : [...new Set(found)].sort();
  }
}
