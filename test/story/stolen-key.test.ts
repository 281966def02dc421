/**
 * What the product is for, from end to end: twelve customers, a month of ordinary traffic, one stolen key. Clocks are the
 * test's; clients, server, ledger and command line are the real ones.
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import type { ByteRange } from '../../src/base/ranges.ts';
import type { Answer } from '../../src/incident/answer.ts';
import type { PackReport } from '../../src/ledger/verify/pack/verify-pack.ts';
import { content } from '../interop/suite.ts';
import { Operator, waybillAt } from './operator.ts';
import type { Customer } from './operator.ts';

const CUSTOMERS = 12;
const DAYS = 30;
const STOLEN = 6;
const THIEF = '127.0.0.66';
/** What the victim has lying there: more than anybody reads in a month. */
const ARCHIVE_FILES = 40;
const ARCHIVE_BYTES = 100_000;

const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

suite('a stolen key', () => {
  let operator: Operator;
  const customers: Customer[] = [];
  let loot: string;
  let reference: string;
  let night: { from: string; to: string };
  let vkey: string;

  before(async () => {
    // Small figures, so that the month needs no gigabytes: a quiet account may read 20 MB, 200 files, 100 listings a day.
    operator = await Operator.start(['--penalties', 'false', '--budget-floor', '20M,200,100', '--fronts', '1']);
    for (let number = 1; number <= CUSTOMERS; number++) customers.push(await operator.addCustomer(number));
    for (const [product, index] of [['statements', STOLEN] as const, ['archive', 0] as const]) {
      const { tenant, folder } = customers[index] as Customer;
      await operator.calls.call('product.add', { product, tenant, name: folder.slice(1) });
    }
  });
  after(() => operator.remove());

  test('a month goes by: customers put and get what they always do, and nothing is held', async () => {
    const victim = customers[STOLEN] as Customer;
    const archive = Array.from({ length: ARCHIVE_FILES }, (_, index) => `archive-${index}.csv`);
    for (const name of archive) await operator.localFile(name, content(name, ARCHIVE_BYTES));
    const puts = archive.map((name) => `put ${join(operator.temporary, 'local', name)} ${victim.folder}/${name}`);
    assert.equal((await operator.sftp(victim, puts)).code, 0);
    for (let day = 0; day < DAYS; day++) {
      const busy = customers.filter((_, index) => (index + day) % 3 === 0);
      const ends = await Promise.all(busy.map((customer) => ordinaryDay(customer, day)));
      for (const { code, output } of ends) assert.equal(code, 0, output);
      await operator.nextDay();
    }
    assert.deepEqual((await operator.calls.call('hold.list', {})).holds, []);
  });

  async function ordinaryDay(customer: Customer, day: number): Promise<{ code: number; output: string }> {
    const name = `${customer.tenant}-day-${day}.csv`;
    const local = await operator.localFile(name, content(name, 2000 + 500 * day));
    const back = join(operator.temporary, 'local', `back-${name}`);
    const end = await operator.sftp(customer, [
      `put ${local} ${customer.folder}/${name}`,
      `ls ${customer.folder}`,
      `get ${customer.folder}/${name} ${back}`,
    ]);
    if (end.code === 0) assert.equal(sha256(readFileSync(back)), sha256(readFileSync(local)));
    return end;
  }

  test('at night somebody with the key reads from a new address, until it is held', async () => {
    const victim = customers[STOLEN] as Customer;
    // Well after the last ordinary session, and well before the next.
    await operator.settled();
    await operator.passTime(7_200_000);
    const from = new Date(operator.now()).toISOString();
    loot = join(operator.temporary, 'loot');
    mkdirSync(loot);
    await operator.passTime(60_000);
    const end = await operator.sftp(
      victim,
      [`get -r ${victim.folder} ${loot}`],
      ['-o', `BindAddress=${THIEF}`, '-B', '32768'],
    );
    assert.notEqual(end.code, 0);
    assert.match(end.output, /Held/);
    const found = /H-[0-9A-Z]{5}-[0-9A-Z]{5}/.exec(end.output);
    assert.ok(found, end.output);
    [reference] = found;
    const stolen = readdirSync(join(loot, victim.folder)).map((name) => statSync(join(loot, victim.folder, name)).size);
    const bytes = stolen.reduce((sum, size) => sum + size, 0);
    assert.ok(bytes > 0, 'the thief got nothing, so there is nothing to find');
    assert.ok(bytes < 3_000_000, `the thief got ${bytes} bytes`);
    // Trying again gives nothing more, and the same reference.
    const nothing = join(operator.temporary, 'nothing');
    mkdirSync(nothing);
    const again = await operator.sftp(victim, [`get -r ${victim.folder} ${nothing}`], ['-o', `BindAddress=${THIEF}`]);
    assert.ok(again.output.includes(reference), again.output);
    const more = readdirSync(join(nothing, victim.folder)).map((name) => join(nothing, victim.folder, name));
    assert.equal(more.filter((file) => statSync(file).size > 0).length, 0);
    await operator.settled();
    await operator.passTime(3_600_000);
    night = { from, to: new Date(operator.now()).toISOString() };
  });

  test('investigate names exactly what the client got, and who was not touched', async () => {
    const victim = customers[STOLEN] as Customer;
    await operator.passTime(3_600_000);
    await operator.stop();
    const ledger = join(operator.data, 'ledger');
    vkey = readFileSync(join(ledger, 'vkey'), 'utf8').trim();
    const index = join(operator.temporary, 'index');
    const place = ['--ledger', ledger, '--key', vkey, '--index', index, '--json', '--limit', '0'];
    // The address is what is noticed first; the key that came from it is found by it.
    const { code, output } = await waybillAt(operator.temporary, ['investigate', ...place, '--address', THIEF]);
    assert.equal(code, 0, output);
    const answer = JSON.parse(output) as Answer;
    assert.deepEqual(
      answer.tenants.map(({ name }) => name),
      [victim.tenant],
    );
    const got = new Map(
      readdirSync(join(loot, victim.folder)).map((name) => [`/${name}`, readFileSync(join(loot, victim.folder, name))]),
    );
    const named = new Map(answer.files.shown.map((file) => [file.path ?? '', file]));
    for (const [path, bytes] of got) {
      if (bytes.length === 0) continue;
      const local = readFileSync(join(operator.temporary, 'local', path));
      assert.ok(local.subarray(0, bytes.length).equals(bytes), `${path} is not what lies there`);
      const file = named.get(path);
      assert.ok(file, `${path} was received and is not named`);
      // To the byte: the client's own file is as long as what the answer says was sent to it.
      assert.deepEqual(file.sent, [[0, bytes.length]], path);
      assert.deepEqual(file.possiblySent, []);
      assert.ok(covers(file.released, file.sent), path);
    }
    for (const [path, file] of named)
      assert.ok(
        (got.get(path)?.length ?? 0) > 0 || file.sent.length === 0,
        `${path} is named as sent, and was not received`,
      );
    const [session] = answer.sessions.shown;
    assert.ok(session !== undefined && answer.sessions.shown.every(({ address }) => address === THIEF));
    assert.deepEqual(
      [session.login, session.factors, session.firsts],
      [victim.login, ['publickey'], [`address ${THIEF}`]],
    );
    // The same key's other sessions are named: they were the customer's own.
    assert.ok(answer.pivot.shown.some(({ by, otherSessions }) => by === 'credential' && otherSessions >= DAYS / 3));
    const untouched = new Set(answer.untouched.map(({ name }) => name));
    for (const { tenant } of customers) assert.equal(untouched.has(tenant), tenant !== victim.tenant, tenant);
    assert.deepEqual(answer.products.map(({ product, touched }) => [product, touched]).sort(), [
      ['archive', false],
      ['statements', true],
    ]);
    const during = await waybillAt(operator.temporary, [
      ...['investigate', ...place, '--address', THIEF, '--from', night.from, '--to', night.to],
    ]);
    assert.equal(during.code, 0, during.output);
    const silent = (JSON.parse(during.output) as Answer).untouched.filter(({ proof }) => proof === 'silent');
    const names = new Set(silent.map(({ name }) => name));
    for (const { tenant } of customers) assert.equal(names.has(tenant), tenant !== victim.tenant, tenant);
  });

  test('the whole ledger verifies, with nothing but the key', async () => {
    const ledger = join(operator.data, 'ledger');
    const { code, output } = await waybillAt(operator.temporary, ['verify', ledger, '--key', vkey]);
    assert.equal(code, 0, output);
  });

  test('eleven customers get a proof of silence and one its list, which verify with nothing but the key', async () => {
    const victim = customers[STOLEN] as Customer;
    const asked = ['--ledger', join(operator.data, 'ledger'), '--key', vkey, '--from', night.from, '--to', night.to];
    const signing = ['--signing-key', join(operator.data, 'keys', 'ledger.key')];
    for (const { tenant } of customers) {
      // What a customer has: one folder with the pack and the key in it.
      const desk = join(operator.temporary, `desk of ${tenant}`);
      mkdirSync(desk);
      writeFileSync(join(desk, 'vkey'), vkey);
      const made = await waybillAt(operator.temporary, [
        ...['pack', tenant, '--out', join(desk, 'evidence.pack'), ...asked, '--address', THIEF, ...signing],
      ]);
      assert.equal(made.code, 0, made.output);
      const verified = await waybillAt(desk, ['verify', 'evidence.pack', '--key', 'vkey', '--json']);
      assert.equal(verified.code, 0, verified.output);
      checkReport(JSON.parse(verified.output) as PackReport, tenant, victim);
      const pack = readFileSync(join(desk, 'evidence.pack'));
      for (const other of customers)
        if (other.tenant !== tenant)
          assert.ok(!pack.includes(other.tenant), `the pack of ${tenant} names ${other.tenant}`);
    }
  });

  function checkReport({ manifest, signed, findings, answer }: PackReport, tenant: string, victim: Customer): void {
    assert.ok(signed && manifest !== null && answer !== null);
    assert.deepEqual(findings, []);
    assert.equal(manifest.name, tenant);
    assert.equal(manifest.kind, tenant === victim.tenant ? 'scope' : 'silence');
    if (manifest.kind === 'silence') return;
    const files = answer['files'] as unknown as { path: string; sent: ByteRange[] }[];
    const listed = new Map(files.filter(({ sent }) => sent.length > 0).map(({ path, sent }) => [path, sent]));
    const got = readdirSync(join(loot, victim.folder))
      .map((name) => [`/${name}`, statSync(join(loot, victim.folder, name)).size] as const)
      .filter(([, size]) => size > 0);
    assert.deepEqual(listed, new Map(got.map(([path, size]) => [path, [[0, size]]])));
  }

  test('whatever is changed in a pack is noticed', async () => {
    const victim = customers[STOLEN] as Customer;
    const silent = customers[0] as Customer;
    for (const { tenant } of [victim, silent]) {
      const desk = join(operator.temporary, `desk of ${tenant}`);
      const pack = readFileSync(join(desk, 'evidence.pack'));
      for (const part of [0.02, 0.3, 0.6, 0.98]) {
        const forged = Buffer.from(pack);
        const at = Math.floor(pack.length * part);
        forged[at] = (forged[at] ?? 0) ^ 1;
        writeFileSync(join(desk, 'forged.pack'), forged);
        const { code, output } = await waybillAt(desk, ['verify', 'forged.pack', '--key', 'vkey']);
        assert.notEqual(code, 0, `byte ${at} of ${pack.length} was changed: ${output}`);
      }
    }
  });
});

function covers(released: readonly ByteRange[], sent: readonly ByteRange[]): boolean {
  return sent.every(([offset, length]) =>
    released.some(([from, count]) => from <= offset && offset + length <= from + count),
  );
}
