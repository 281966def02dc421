import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import { buildScopePack, buildSilencePack, LedgerProofs } from '../../../src/incident/packs/index.ts';
import type { PackOptions, ScopeFilters } from '../../../src/incident/packs/index.ts';
import { signCheckpoint } from '../../../src/ledger/core/checkpoint.ts';
import { blindedIdentifier } from '../../../src/ledger/core/head.ts';
import { leafHash } from '../../../src/ledger/core/merkle.ts';
import { formatVerifierKey, generateSignerKey, parseVerifierKey, signNote } from '../../../src/ledger/core/note.ts';
import { parsePolicy } from '../../../src/ledger/core/policy.ts';
import { findingText } from '../../../src/ledger/verify/findings.ts';
import type { Problem } from '../../../src/ledger/verify/findings.ts';
import { PackBytes } from '../../../src/ledger/verify/pack/bytes.ts';
import { decodeManifest, encodeManifest, manifestDigest, signPack } from '../../../src/ledger/verify/pack/form.ts';
import type { Manifest } from '../../../src/ledger/verify/pack/form.ts';
import { BLOCK, END, header, padding, parseHeader } from '../../../src/ledger/verify/pack/tar.ts';
import { verifyPack } from '../../../src/ledger/verify/pack/verify-pack.ts';
import type { PackReport, VerifyPackOptions } from '../../../src/ledger/verify/pack/verify-pack.ts';
import { ACME, BOLT, COVE, DAY, DUNE, ELM, FROM, openPacksScene, SEGMENT, TENANTS, THIEF, TO } from './packs-scene.ts';
import type { PacksScene, Tenant } from './packs-scene.ts';

let scene: PacksScene;
let folder: string;
let ledger: LedgerProofs;
let packs: Record<'acme' | 'bolt' | 'cove' | 'dune' | 'elm', Buffer>;

const STOLEN: ScopeFilters = { credential: [THIEF.credential], from: FROM, to: TO };

before(async () => {
  scene = await openPacksScene();
  folder = mkdtempSync(join(tmpdir(), 'waybill-pack-'));
  ledger = await LedgerProofs.open(scene.folder, scene.verifier);
  packs = {
    acme: await scopePack(ACME, STOLEN),
    bolt: await scopePack(BOLT, STOLEN),
    cove: await silencePack(COVE),
    dune: await silencePack(DUNE),
    elm: await silencePack(ELM),
  };
});

after(async () => {
  await scene.close();
  rmSync(folder, { recursive: true, force: true });
});

function sign(digest: string): Promise<string> {
  return Promise.resolve(signPack(scene.key.origin, digest, scene.key.signer));
}

function options(more: Partial<PackOptions> = {}): PackOptions {
  return { file: join(folder, 'pack'), sign, earlier: [scene.kept], ...more };
}

async function scopePack({ id }: Tenant, filters: ScopeFilters, more: Partial<PackOptions> = {}): Promise<Buffer> {
  await buildScopePack(ledger, { log: scene.logOf(id), filters }, options(more));
  return readFileSync(join(folder, 'pack'));
}

async function silencePack(
  { id }: Tenant,
  from: number | null = FROM,
  to: number | null = TO,
  more: Partial<PackOptions> = {},
): Promise<Buffer> {
  await buildSilencePack(ledger, { log: scene.logOf(id), from, to }, options(more));
  return readFileSync(join(folder, 'pack'));
}

function verify(pack: Buffer, more: Partial<VerifyPackOptions> = {}): Promise<PackReport> {
  // The public key alone, as somebody else has it.
  return verifyPack(new PackBytes(pack), { key: parseVerifierKey(scene.key.vkey), ...more });
}

async function clean(pack: Buffer, more: Partial<VerifyPackOptions> = {}): Promise<PackReport> {
  const report = await verify(pack, more);
  assert.deepEqual(report.findings.map(findingText), []);
  return report;
}

async function refused(
  pack: Buffer,
  problem: Problem,
  message: RegExp,
  more: Partial<VerifyPackOptions> = {},
): Promise<void> {
  const { findings } = await verify(pack, more);
  const found = findings.some((one) => one.problem === problem && message.test(findingText(one)));
  assert.ok(found, `${problem} ${message.source}: ${findings.map(findingText).join('; ') || 'nothing'}`);
}

/** The members of a pack, by name, in order. */
function membersOf(pack: Buffer): Map<string, Buffer> {
  const members = new Map<string, Buffer>();
  for (let at = 0; ;) {
    const found = parseHeader(pack.subarray(at, at + BLOCK));
    if (found === null) return members;
    members.set(found.name, pack.subarray(at + BLOCK, at + BLOCK + found.size));
    at += BLOCK + found.size + padding(found.size).length;
  }
}

/** Put together anew by somebody who knows the form: digests fit, and the signature when he has the key. */
function forge(
  pack: Buffer,
  change: (members: Map<string, Buffer>, manifest: Manifest) => Partial<Manifest> | undefined,
  signed = false,
): Buffer {
  const members = membersOf(pack);
  const before = decodeManifest(members.get('manifest.json') ?? Buffer.alloc(0));
  members.delete('manifest.json');
  members.delete('signature');
  const changes = change(members, before) ?? {};
  const list = [...members].map(([name, bytes]) => ({ name, size: bytes.length, sha256: manifestDigest(bytes) }));
  const manifest = encodeManifest({ ...before, members: list, ...changes });
  const all: [string, Buffer][] = [['manifest.json', manifest], ...members];
  if (signed)
    all.push(['signature', Buffer.from(signPack(scene.key.origin, manifestDigest(manifest), scene.key.signer))]);
  return Buffer.concat([
    ...all.flatMap(([name, bytes]) => [header(name, bytes.length), bytes, padding(bytes.length)]),
    END,
  ]);
}

test('a tenant that was touched: who, which bytes, released and sent, and what may have been', async () => {
  const { answer, signed, manifest } = await clean(packs.acme);
  assert.equal(signed, true);
  assert.equal(manifest?.name, ACME.name);
  assert.equal(answer?.['touched'], true);
  const thief = '5'.repeat(31) + 'a';
  assert.deepEqual(answer['totals'], {
    ...{ sessions: 1, files: 1, listings: 1, changes: 0 },
    ...{ releasedBytes: 4 * SEGMENT, sentBytes: 9_000_005, possiblySentBytes: SEGMENT },
  });
  const [file] = answer['files'] as unknown as Record<string, unknown>[];
  assert.deepEqual(
    { path: file?.['path'], folderName: file?.['folderName'], sessions: file?.['sessions'] },
    { path: ACME.path, folderName: `docs of ${ACME.login}`, sessions: [thief] },
  );
  assert.deepEqual(file?.['released'], [
    [0, 2 * SEGMENT],
    [4 * SEGMENT, SEGMENT],
    [7 * SEGMENT, SEGMENT],
  ]);
  assert.deepEqual(file['sent'], [
    [0, 9_000_000],
    [4 * SEGMENT, 5],
  ]);
  assert.deepEqual(file['possiblySent'], [[7 * SEGMENT, SEGMENT]]);
  assert.deepEqual(answer['gaps'], { 'not-reported': 1, 'node-died': 1 });
  const text = membersOf(packs.acme).get('answer.txt')?.toString() ?? '';
  assert.match(text, /^TOUCHED: 1 sessions, 1 files, 1 listings/m);
  assert.match(text, new RegExp(`acme-login from ${THIEF.address}`));
  assert.match(text, /sent: bytes 0 to 8999999, bytes 33554432 to 33554436/);
});

test('a tenant that worked as always: its whole log, and nothing of it is what was asked about', async () => {
  const { answer } = await clean(packs.bolt);
  assert.equal(answer?.['touched'], false);
  assert.equal(answer['signInsInPeriod'], 1);
  assert.deepEqual(answer['files'], []);
  assert.match(membersOf(packs.bolt).get('answer.txt')?.toString() ?? '', /NOT TOUCHED: of 1 sign-ins/);
});

test('silent tenants: until the end of the ledger, until they came back, and before they were there', async () => {
  const dune = await clean(packs.dune);
  assert.equal(dune.answer?.['nextTime'], null);
  const cove = await clean(packs.cove);
  assert.equal(cove.answer?.['nextTime'], new Date(TO + 3_600_000).toISOString());
  const elm = await clean(packs.elm);
  assert.equal((elm.answer?.['complete'] as Record<string, unknown>)['entries'], 0);
  assert.equal(elm.manifest?.tenant, ELM.id);
  assert.match(membersOf(packs.dune).get('answer.txt')?.toString() ?? '', /^SILENT: in this period nothing at all/m);
  // To an end that no head has reached yet, only the end of the ledger can be said.
  const open = await clean(await silencePack(DUNE, FROM, TO + 10 * DAY));
  assert.equal(open.manifest?.question.to, null);
});

test('who was not silent gets no pack of silence', async () => {
  await assert.rejects(silencePack(ACME), { code: 'ledger-proof-invalid' });
  await assert.rejects(silencePack(BOLT), { code: 'ledger-proof-invalid' });
  await assert.rejects(silencePack(COVE, FROM, TO + 2 * 3_600_000), /an entry of .* is in its log/);
  await assert.rejects(silencePack(DUNE, null, TO), { code: 'ledger-proof-invalid' });
  await assert.rejects(buildSilencePack(ledger, { log: 'ab'.repeat(32), from: FROM, to: TO }, options()), {
    code: 'not-found',
  });
  assert.equal(existsSync(join(folder, 'pack.new')), false);
});

test('no pack shows anything of another tenant', async () => {
  const owners = { acme: ACME, bolt: BOLT, cove: COVE, dune: DUNE, elm: ELM };
  // Questions name what is of others: a login, sessions, credentials, folders.
  const asked: ScopeFilters = {
    ...STOLEN,
    account: TENANTS.map(({ login }) => login),
    session: ['5'.repeat(31) + 'a'],
    folder: TENANTS.map(({ login }) => `docs of ${login}`),
  };
  const more = { bolt: await scopePack(BOLT, asked), acme: await scopePack(ACME, asked) };
  for (const [name, pack] of [...Object.entries(packs), ...Object.entries(more)]) {
    const owner = owners[name as keyof typeof owners];
    const linesOf = (start: RegExp): Buffer[] =>
      [...membersOf(pack).values()].flatMap((bytes) =>
        (bytes.toString('latin1').match(start) ?? []).map((line) => Buffer.from(line.replace(/^\w+ /, ''), 'base64')),
      );
    const sums = linesOf(/^sum .*$/gm);
    const decoded = [...sums, ...linesOf(/^entry .*$/gm), ...linesOf(/^[A-Za-z0-9+/]{43}=$/gm)];
    assert.ok(sums.length > 0 && decoded.length > 2);
    for (const tenant of TENANTS.filter(({ id }) => id !== owner.id)) {
      const { id, login, account, folder: directory, path } = tenant;
      const words = [id, tenant.name, tenant.name.split(' ')[0] ?? '', login, account, directory, path];
      for (const word of words) {
        const raw = /^[0-9a-f]+$/.test(word) ? [Buffer.from(word, 'hex')] : [];
        for (const bytes of [Buffer.from(word), ...raw])
          for (const place of [pack, ...decoded])
            assert.equal(place.indexOf(bytes), -1, `the pack of ${name} shows ${word}`);
      }
      // Neighbours in the sum tree are shown, blinded, and only there (docs/verify.md).
      const blinded = Buffer.from(scene.logOf(id), 'hex');
      for (const place of [pack, ...decoded.filter((one) => !sums.includes(one))])
        for (const bytes of [blinded, Buffer.from(scene.logOf(id))])
          assert.equal(place.indexOf(bytes), -1, `the pack of ${name}`);
    }
    if (owner !== ACME) assert.equal(pack.indexOf(THIEF.credential), -1, 'the credential of another tenant');
    if (owner !== ACME) assert.equal(pack.indexOf('5'.repeat(31) + 'a'), -1, 'the session of another tenant');
  }
  assert.ok(packs.acme.includes(THIEF.credential));
});

test('any bit of any pack that is changed is found', async () => {
  const all = Object.values(packs);
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...all), fc.nat(), fc.nat(7), async (pack, position, bit) => {
      const changed = Buffer.from(pack);
      const at = position % changed.length;
      changed[at] = (changed[at] ?? 0) ^ (1 << bit);
      const { findings } = await verify(changed);
      assert.ok(findings.length > 0, `byte ${at}, bit ${bit}`);
    }),
    { numRuns: 1500 },
  );
});

test('a pack that is cut short, longer or something else', async () => {
  for (const length of [0, 1, 511, 512, 600, packs.cove.length - 1024, packs.cove.length - 1])
    await refused(packs.cove.subarray(0, length), 'damaged', /./);
  await refused(Buffer.concat([packs.cove, Buffer.alloc(512)]), 'damaged', /does not end where it should/);
  await refused(Buffer.alloc(4096), 'damaged', /does not end/);
  await refused(Buffer.concat([header('x', 0), END]), 'damaged', /no evidence pack/);
});

test('what somebody without the key can put together anew', async () => {
  const other = membersOf(packs.dune);
  const cases: [Buffer, Problem, RegExp][] = [
    // Another tenant's silence under this tenant's name, and the other way round.
    [
      forge(packs.cove, (members) => {
        members.set('silence', other.get('silence') as Buffer);
        return undefined;
      }),
      'statement',
      /about another log/,
    ],
    [forge(packs.dune, () => ({ tenant: COVE.id, name: COVE.name })), 'statement', /names another tenant/],
    [forge(packs.dune, () => ({ log: scene.logOf(COVE.id) })), 'statement', /another log/],
    [
      forge(packs.dune, (members) => {
        members.delete('opened');
        return undefined;
      }),
      'missing',
      /whose log/,
    ],
    [
      forge(packs.cove, (members) => {
        members.delete('next');
        members.delete('later');
        return undefined;
      }),
      'missing',
      /heard of again/,
    ],
    // The period.
    [
      forge(packs.cove, (_, { question }) => ({ question: { ...question, to: TO + 2 * 3_600_000 } })),
      'statement',
      /ends after/,
    ],
    [forge(packs.cove, (_, { question }) => ({ question: { ...question, to: null } })), 'statement', /ends after/],
    [
      forge(packs.cove, (_, { question }) => ({ question: { ...question, from: DAY - 13 * 3_600_000 } })),
      'statement',
      /begins before/,
    ],
    [forge(packs.cove, (_, { question }) => ({ question: { ...question, from: null } })), 'statement', /begins before/],
    [
      forge(packs.cove, (_, { question }) => ({ question: { ...question, from: FROM + 1 } })),
      'statement',
      /answer.json: it is not what/,
    ],
    // The list.
    [
      forge(packs.acme, (members) => {
        members.set('answer.json', edited(members, 'answer.json', '9000000', '8000000'));
        return undefined;
      }),
      'statement',
      /answer.json: it is not what/,
    ],
    [
      forge(packs.acme, (members) => {
        members.set('answer.txt', edited(members, 'answer.txt', 'TOUCHED: 1', 'TOUCHED: 0'));
        return undefined;
      }),
      'statement',
      /answer.txt: it is not what/,
    ],
    [
      forge(packs.acme, (members) => {
        members.set('NOTICE.txt', Buffer.from('all is proven'));
        return undefined;
      }),
      'statement',
      /NOTICE.txt/,
    ],
    [forge(packs.acme, () => ({ origin: 'another/ledger' })), 'signature', /of the ledger another\/ledger/],
    [
      forge(packs.acme, (members) => {
        members.set('extra', Buffer.of(1));
        return undefined;
      }),
      'damaged',
      /not those that it must have/,
    ],
    [
      forge(packs.acme, (members) => {
        members.delete('commitment');
        return undefined;
      }),
      'damaged',
      /not those that it must have/,
    ],
  ];
  for (const [pack, problem, message] of cases) await refused(pack, problem, message);
});

function edited(members: ReadonlyMap<string, Buffer>, name: string, from: string, to: string): Buffer {
  const text = members.get(name)?.toString() ?? '';
  assert.ok(text.includes(from));
  return Buffer.from(text.replace(from, to));
}

/** The entries of a pack, one by one. */
function entriesOf(members: ReadonlyMap<string, Buffer>): Buffer[] {
  const bytes = members.get('entries/000000') ?? Buffer.alloc(0);
  const entries: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += 2 + bytes.readUInt16BE(at))
    entries.push(bytes.subarray(at, at + 2 + bytes.readUInt16BE(at)));
  return entries;
}

test('entries dropped, swapped, repeated or added, even under a signature of the right key', async () => {
  const change = (edit: (entries: Buffer[]) => Buffer[]): Buffer =>
    forge(
      packs.acme,
      (members) => {
        members.set('entries/000000', Buffer.concat(edit(entriesOf(members))));
        return undefined;
      },
      true,
    );
  for (const pack of [
    change((entries) => entries.toSpliced(4, 1)),
    change((entries) => entries.slice(0, -1)),
    change((entries) => entries.with(4, entries[5] as Buffer).with(5, entries[4] as Buffer)),
    change((entries) => [...entries, entries.at(-1) as Buffer]),
    change((entries) => entries.with(4, entries[5] as Buffer)),
  ])
    await refused(pack, 'damaged', /not those that the ledger commits to/);
  await refused(
    change((entries) => entries.slice(1)),
    'entry',
    /must open its name/,
  );
});

test('the question in another form, or asked of the same entries by another answer', async () => {
  // A question that somebody without the key narrows is another question; the answer must be its own, and it is unsigned.
  const narrowed = forge(packs.acme, (_, { question }) => ({ question: { ...question, credential: ['nobody'] } }));
  await refused(narrowed, 'statement', /answer.json/);
  const report = await verify(forge(packs.acme, () => undefined));
  assert.deepEqual(report.findings, []);
  assert.equal(report.signed, false);
  assert.deepEqual(
    report.told.map(({ remark }) => remark),
    ['unsigned'],
  );
});

test('the signature of one pack does not sign another', async () => {
  const members = membersOf(packs.cove);
  members.set('signature', membersOf(packs.dune).get('signature') as Buffer);
  const mixed = Buffer.concat([
    ...[...members].flatMap(([name, bytes]) => [header(name, bytes.length), bytes, padding(bytes.length)]),
    END,
  ]);
  await refused(mixed, 'signature', /of another pack/);
  const stranger = generateSignerKey(`${scene.key.origin}/pack`);
  const digest = manifestDigest(members.get('manifest.json') as Buffer);
  members.set('signature', Buffer.from(signNote(`waybill-pack@v1\n${scene.key.origin}\n${digest}\n`, [stranger])));
  const forged = Buffer.concat([
    ...[...members].flatMap(([name, bytes]) => [header(name, bytes.length), bytes, padding(bytes.length)]),
    END,
  ]);
  await refused(forged, 'signature', /not signed by any key/);
});

test('another key, another ledger', async () => {
  const impostor = generateSignerKey(scene.key.origin).verifier;
  await refused(packs.dune, 'signature', /not signed/, { key: impostor });
  await refused(packs.dune, 'signature', /of the ledger/, { key: generateSignerKey('x/y').verifier });
});

test('an unsigned pack verifies by its checkpoint, and says that nobody signed it', async () => {
  const report = await clean(await silencePack(DUNE, FROM, TO, { sign: null }));
  assert.equal(report.signed, false);
  assert.deepEqual(
    report.told.map(({ remark }) => remark),
    ['unsigned'],
  );
});

test('against checkpoints that were kept', async () => {
  const kept = (name: string, bytes: Uint8Array | string): NonNullable<VerifyPackOptions['earlier']> => [
    { name, bytes: Buffer.from(bytes) },
  ];
  await clean(packs.dune, { earlier: kept('kept', scene.kept) });
  const own = scene.files.files.get(`logs/${scene.logOf(ACME.id)}/checkpoint`) ?? Buffer.alloc(0);
  await clean(packs.acme, { earlier: [...kept('log', own), ...kept('heads', scene.kept)] });
  const note = (size: number, root: Buffer): string =>
    signCheckpoint({ origin: scene.key.origin, size, root, extensions: [] }, [scene.key.signer]);
  await refused(packs.dune, 'rolled-back', /kept is later/, { earlier: kept('x', note(999, Buffer.alloc(32))) });
  await refused(packs.dune, 'forked', /leads to another/, { earlier: kept('x', note(2, Buffer.alloc(32, 1))) });
  await refused(packs.dune, 'forked', /history was rewritten/, {
    earlier: kept('x', note(ledger.heads.size, Buffer.alloc(32, 1))),
  });
  await refused(packs.dune, 'missing', /holds no proof for this checkpoint/, {
    earlier: kept('x', note(1, leafHash(Buffer.alloc(1)))),
  });
  await refused(packs.dune, 'signature', /not one that the key has signed/, { earlier: kept('x', 'nonsense') });
});

test('witnesses by a policy', async () => {
  const witness = generateSignerKey('witness.example', 'ed25519-cosignature');
  const policy = parsePolicy(`log ${scene.key.vkey}\nwitness w ${formatVerifierKey(witness.verifier)}\nquorum w\n`);
  await refused(packs.dune, 'witness', /not the quorum/, { policy });
  const cosigned = signNote(ledger.heads.text, [scene.key.signer, witness], { time: 1_780_000_000 });
  const pack = (): Buffer =>
    forge(packs.acme, (members) => {
      members.set('checkpoint', Buffer.from(cosigned));
      return undefined;
    });
  const report = await clean(pack(), { policy });
  assert.deepEqual(report.cosigned, ['w']);
  assert.ok((await clean(pack())).told.some(({ remark }) => remark === 'unwitnessed'));
});

test('the salt of a log opens its name to nobody else', () => {
  assert.notEqual(blindedIdentifier(ACME.id, '00'.repeat(32)), scene.logOf(ACME.id));
});

test('questions by everything that a sign-in says, and by folders', async () => {
  const touched = async (filters: ScopeFilters): Promise<unknown> =>
    (await clean(await scopePack(ACME, { from: FROM, to: TO, ...filters }))).answer?.['touched'];
  for (const filters of [
    {},
    { address: ['198.51.100.0/24'] },
    { address: ['198.51.100.1-198.51.100.9'] },
    { address: ['2001:db8::/32', THIEF.address] },
    { account: [ACME.login] },
    { account: [ACME.account] },
    { client: ['openssh'] },
    { node: ['node'] },
    { software: ['waybill test'] },
    { software: ['test'] },
    { session: ['5'.repeat(31) + 'a'] },
    { folder: [ACME.folder] },
    { folder: [`${ACME.name}/docs of ${ACME.login}`], credential: ['SHA256:stolen'] },
  ] satisfies ScopeFilters[])
    assert.equal(await touched(filters), true, JSON.stringify(filters));
  for (const filters of [
    { address: ['203.0.113.0/24'] },
    { account: ['somebody'] },
    { client: ['winscp'] },
    { software: ['est'] },
    { folder: ['another'] },
    { product: ['none'] },
    { address: [THIEF.address], account: ['somebody'] },
  ] satisfies ScopeFilters[])
    assert.equal(await touched(filters), false, JSON.stringify(filters));
  await assert.rejects(touched({ address: ['everywhere'] }), { code: 'option-invalid' });
});

test('a question that names nobody tells of what was done without a session too', async () => {
  const kinds = async (filters: ScopeFilters): Promise<unknown[]> => {
    const { answer } = await clean(await scopePack(ACME, filters));
    return (answer?.['events'] as unknown as { kind: string; what: string }[]).map(
      ({ kind, what }) => `${kind} ${what}`,
    );
  };
  assert.deepEqual(await kinds({}), [
    'changed folder.add',
    `sign-in-failed ${ACME.login} from ${THIEF.address}: wrong password`,
  ]);
  assert.deepEqual(await kinds({ address: [THIEF.address] }), [
    `sign-in-failed ${ACME.login} from ${THIEF.address}: wrong password`,
  ]);
  assert.deepEqual(await kinds({ account: [ACME.login], from: FROM, to: TO }), [
    `sign-in-failed ${ACME.login} from ${THIEF.address}: wrong password`,
  ]);
  for (const filters of [
    { address: ['192.0.2.10'] },
    { credential: [THIEF.credential] },
    { from: TO },
    { client: ['winscp'] },
  ])
    assert.deepEqual(await kinds(filters), [], JSON.stringify(filters));
  assert.deepEqual(await kinds({ folder: [ACME.folder] }), ['changed folder.add']);
});
