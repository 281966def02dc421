/**
 * Asks every route for Ben's things as those who have no right to them. What they are told must be what they are told of
 * nothing at all; Ben's things must be as before; his ledger must say nothing of it. Says what it finds.
 */
import path from 'node:path';
import { OPERATIONS } from '../../src/api/operations.ts';
import type { Operation } from '../../src/api/operation.ts';
import { readLedger } from '../ledger/reading.ts';
import type { Answer, Credential } from './real-server.ts';
import { CONTENT, openTwoTenants } from './two-tenants.ts';
import type { Asker, TwoTenants } from './two-tenants.ts';
import { adminRecipe, LAST, RECIPES } from './wrong-tenant-recipes.ts';
import type { Recipe } from './wrong-tenant-recipes.ts';

export interface Wrong {
  readonly operation: string;
  readonly who: string;
  readonly why: string;
}

/** `project`: where the sources are that are asked, these when left out. `only`: so many operations and no others. */
export async function askForOthersThings(project?: string, only?: ReadonlySet<string>): Promise<Wrong[]> {
  const scene = await openTwoTenants(project);
  try {
    const run = new Run(scene, only ?? null);
    await run.all();
    return run.found;
  } finally {
    await scene.server.close();
  }
}

/** Addresses: flows of a sign-in belong to the address that began them. */
const ELSEWHERE = '127.0.0.9';

class Run {
  readonly found: Wrong[] = [];
  private readonly scene: TwoTenants;
  private readonly only: ReadonlySet<string> | null;

  constructor(scene: TwoTenants, only: ReadonlySet<string> | null) {
    this.scene = scene;
    this.only = only;
  }

  async all(): Promise<void> {
    const recipes = this.recipes();
    const before = await this.state();
    const recorded = await this.recorded();
    for (const asker of this.scene.askers)
      for (const [id, recipe] of recipes) if (this.applies(asker, id, recipe)) await this.compare(id, recipe, asker);
    for (const [id, recipe] of recipes) await this.flows(id, recipe);
    for (const entry of (await this.recorded()).slice(recorded.length))
      this.tell('-', '-', `Ben's ledger has a new entry: ${entry}`);
    const after = await this.state();
    for (const [what, value] of Object.entries(before))
      if (after[what] !== value) this.tell('-', '-', `${what} was ${value}, and is ${String(after[what])}`);
    await this.withoutRights();
    await this.onOneConnection();
    for (const id of LAST) await this.ask(id, {}, this.scene.askers[1]?.credential ?? null);
    await this.owner(recipes);
  }

  private recipes(): (readonly [string, Recipe])[] {
    const order = Object.keys(RECIPES);
    const of = (id: string): Recipe | null =>
      RECIPES[id] ?? (id.startsWith('admin.') ? adminRecipe(id.slice('admin.'.length)) : null);
    const ids = Object.keys(OPERATIONS).filter((id) => !LAST.has(id) && this.only?.has(id) !== false);
    for (const id of ids)
      if (of(id) === null) this.tell(id, '-', 'there is no recipe that asks it for a thing of another');
    const place = (id: string): number => (order.indexOf(id) + order.length + 1) % (order.length + 1);
    return ids
      .map((id) => [id, of(id)] as const)
      .filter((one): one is readonly [string, Recipe] => one[1] !== null)
      .sort(([one], [other]) => place(one) - place(other));
  }

  private applies({ name, stranger }: Asker, id: string, { names }: Recipe): boolean {
    // Who has not its scope is refused before anything is looked at; one of them is enough.
    if (id.startsWith('admin.') && !/administrator|^a person.*token/.test(name)) return false;
    return names === 'own' || names === 'nobody' || (names === 'path' && stranger === 'files');
  }

  private async compare(id: string, recipe: Recipe, { name, credential, stranger }: Asker): Promise<void> {
    const { bens, nothing } = this.scene;
    const there = await this.ask(id, recipe.wish(bens), credential);
    if (stranger === 'files') this.marks(id, name, there);
    if (recipe.names === 'nobody') return;
    const absent = await this.ask(id, recipe.wish(nothing), credential);
    if (recipe.begins === true && there.status === 201) return this.never(id, name, [there, absent], credential);
    const [one, other] = [told(there), told(absent)];
    if (one !== other) this.tell(id, name, `of a thing of Ben: ${one}\n      of nothing: ${other}`);
    if (there.status < 400) this.tell(id, name, `it was done: ${there.status}`);
  }

  /** Both were begun; neither gets a byte. */
  private async never(id: string, name: string, begun: readonly Answer[], by: Credential): Promise<void> {
    const states: string[] = [];
    for (const { status, headers } of begun) {
      const { text } = await this.scene.server.ask('GET', `${String(headers.location)}?wait=10`, { by });
      const { transfer, ...told } = JSON.parse(text) as Record<string, unknown>;
      const { state, files, bytes } = told;
      states.push(`${status} ${String(transfer).length} ${unnamed(JSON.stringify(told))}`);
      if (state === 'done' || files !== 0 || bytes !== 0) this.tell(id, name, `it was done: ${text}`);
    }
    if (states[0] !== states[1]) this.tell(id, name, `of a thing of Ben: ${states.join(', of nothing: ')}`);
  }

  /** What only Ben's own answers hold, and no request did. */
  private marks(id: string, name: string, { text, headers }: Answer): void {
    const all = `${JSON.stringify(headers)}${text}`;
    for (const mark of [CONTENT, 'passkey of ben-login', 'ben-mate', 'ben-dropper'])
      if (all.includes(mark)) this.tell(id, name, `it shows ${mark}`);
  }

  private async flows(id: string, recipe: Recipe): Promise<void> {
    if (recipe.names !== 'flow') return;
    const { bens, nothing } = this.scene;
    const there = told(await this.ask(id, recipe.wish(bens), null, ELSEWHERE));
    const absent = told(await this.ask(id, recipe.wish(nothing), null, ELSEWHERE));
    if (there !== absent)
      this.tell(id, 'nobody, from elsewhere', `of a flow of Ben: ${there}\n      of none: ${absent}`);
  }

  /** A grant or a token that allows less: what is there looks like what is not, and nothing of it comes. */
  private async withoutRights(): Promise<void> {
    const { dropper, lister, bens } = this.scene;
    for (const id of ['files.get', 'content.get', 'content.head', 'checksum.get']) {
      const wish = (name: string) => ({ rest: `${bens.folder}/${name}` });
      const [there, absent] = [
        await this.ask(id, wish('secret'), dropper),
        await this.ask(id, wish('sekret'), dropper),
      ];
      if (told(there) !== told(absent))
        this.tell(id, 'who may only put files there', `${told(there)}\n      ${told(absent)}`);
      if (there.status < 400) this.tell(id, 'who may only put files there', 'it was done');
    }
    for (const id of ['content.get', 'content.put', 'files.mkdir', 'files.remove', 'tus.create']) {
      const { status } = await this.ask(id, RECIPES[id]?.wish(bens) ?? {}, lister);
      if (status !== 403) this.tell(id, 'a token without the scope', `${status}`);
    }
  }

  /** A proxy brings everybody by one connection: who was asked for before must not matter. */
  private async onOneConnection(): Promise<void> {
    const { server, askers, ben, bens } = this.scene;
    const from = '127.0.0.7';
    const file = `/api/v1/content${bens.file}`;
    for (const { name, credential, stranger } of askers) {
      if (stranger === 'own') continue;
      const mine = await server.ask('GET', file, { by: ben.token, from });
      if (mine.text !== CONTENT) this.tell('content.get', 'Ben', `${mine.status} ${mine.text}`);
      const { status, text } = await server.ask('GET', file, { by: credential, from });
      if (status !== 404) this.tell('content.get', `${name}, after Ben on the same connection`, `${status} ${text}`);
    }
  }

  /** The recipes name what is there: its owner gets it. */
  private async owner(recipes: readonly (readonly [string, Recipe])[]): Promise<void> {
    const { ben, bens } = this.scene;
    for (const [id, { wish, owner }] of recipes) {
      if (owner === undefined) continue;
      const { status, text } = await this.ask(id, wish(bens), ben[owner.by], this.asBen(ben.token).from);
      if (status !== owner.status) this.tell(id, 'Ben himself', `${status} ${text}`);
    }
  }

  private async ask(
    id: string,
    wish: ReturnType<Recipe['wish']>,
    by: Credential | null,
    from?: string,
  ): Promise<Answer> {
    const { method, path: place, page }: Operation = OPERATIONS[id as keyof typeof OPERATIONS];
    const rest = (wish.rest ?? '').split('/').map(encodeURIComponent).join('/');
    const target = `${place.replace(/\{\w+\}/, rest)}${wish.query ?? ''}`;
    const headers = { ...(page === true ? { 'sec-fetch-site': 'same-origin' } : {}), ...wish.headers };
    const { json, body } = wish;
    const sent = { ...(json === undefined ? {} : { json }), ...(body === undefined ? {} : { body }) };
    try {
      return await this.scene.server.ask(method, target, {
        by,
        headers,
        ...sent,
        ...(from === undefined ? {} : { from }),
      });
    } catch (error) {
      return { status: 0, headers: {}, body: Buffer.alloc(0), text: String(error) };
    }
  }

  /** Everything of Ben's that a request could have changed, as texts. */
  private async state(): Promise<Record<string, string>> {
    const { server, ben, bens } = this.scene;
    const { admin } = server;
    const { tenant, login } = bens;
    const own = (target: string, by: Credential) => async (): Promise<string> => {
      const { status, text } = await server.ask('GET', target, this.asBen(by));
      return `${status} ${text.replaceAll(/"(lastUsed|ends|client)":[^,}]*/g, '')}`;
    };
    const looks: Readonly<Record<string, () => Promise<unknown>>> = {
      accounts: () => admin.call('account.list', { tenant }),
      grants: () => admin.call('grant.list', { login: null, tenant }),
      folders: () => admin.call('folder.list', { tenant }),
      tokens: async () =>
        (await admin.call('token.list', { login })).tokens.map(({ id, scopes, expires }) => [id, scopes, expires]),
      keys: () => admin.call('key.list', { login, tenant: null }),
      certificates: () => admin.call('key.issued', { login }),
      file: own(`/api/v1/content${bens.file}`, ben.token),
      directory: own(`/api/v1/files${bens.directory}`, ben.token),
      upload: async () => {
        const { from } = this.asBen(ben.token);
        const { status, headers } = await this.ask('tus.head', RECIPES['tus.head']?.wish(bens) ?? {}, ben.token, from);
        return `${status} ${String(headers['upload-offset'])}`;
      },
      sessions: own('/api/v1/account/sessions', ben.person),
      credentials: own('/api/v1/account/credentials', ben.person),
    };
    const state: Record<string, string> = {};
    for (const [what, look] of Object.entries(looks))
      state[what] = await look().then((value) => JSON.stringify(value), String);
    return state;
  }

  /** Entries about Ben, but for how connections that he has open end. */
  private async recorded(): Promise<string[]> {
    const { server, account } = this.scene;
    while ((await server.admin.call('ledger.status', {})).waiting > 0)
      await new Promise((resolve) => setTimeout(resolve, 20));
    return [...readLedger(path.join(server.server.data, 'ledger')).values()]
      .flat()
      .filter(({ kind }) => kind !== 'sign-in-failed' && kind !== 'session-end' && kind !== 'sent')
      .map((entry) => JSON.stringify(entry))
      .filter((entry) => entry.includes(account));
  }

  /** He comes from an address of his own, so that nobody's end is the end of his connections. */
  private asBen(by: Credential): { by: Credential; from: string } {
    return { by, from: '127.0.0.2' };
  }

  private tell(operation: string, who: string, why: string): void {
    this.found.push({ operation, who, why });
  }
}

/** All of an answer that may say something, without the names that the request itself held. */
function told({ status, headers, text }: Answer): string {
  const rest = Object.entries(headers).filter(([name]) => !OF_THE_MOMENT.has(name));
  return `${status} ${JSON.stringify(Object.fromEntries(rest))} ${unnamed(text)}`;
}

function unnamed(text: string): string {
  return text.replaceAll(/be[nm]-(box|login|tenant|receiver)/g, 'X-$1').replaceAll('sekret', 'secret');
}

const OF_THE_MOMENT: ReadonlySet<string> = new Set(['date', 'content-length', 'connection', 'keep-alive']);

export function described(found: readonly Wrong[]): string {
  return found.map(({ operation, who, why }) => `${operation}, ${who}:\n      ${why}`).join('\n');
}
