import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { LOGIN_LIFE_MILLISECONDS, LoginTable, shownCode, tooEarly } from '../../src/broker/login-table.ts';

const LIMITS = { all: 40, network: 10, source: 4 };

describe('requests that wait for somebody', () => {
  it('are found by their secret, and by their code however it is typed', () => {
    const table = new LoginTable<string, never>();
    const { deviceCode, request } = table.add('192.0.2.7', 'x', 0);
    assert.match(deviceCode, /^wbd_[A-Za-z0-9_-]{43}$/);
    assert.match(request.userCode, /^[BCDFGHJKLMNPQRSTVWXZ]{8}$/);
    assert.equal(table.byDeviceCode(deviceCode, 1), request);
    const shown = shownCode(request.userCode);
    for (const typed of [request.userCode, shown, shown.toLowerCase(), ` ${shown.replace('-', ' ')} `])
      assert.equal(table.byTypedCode(typed, 1), request);
    for (const typed of ['', 'AAAA-AAAA', request.userCode.slice(1), `${request.userCode}B`, '\0'])
      assert.equal(table.byTypedCode(typed, 1), null);
    for (const text of [
      '',
      deviceCode.slice(1),
      deviceCode.replace(/.$/, (last) => (last === 'A' ? 'E' : 'A')),
      request.device,
    ])
      assert.equal(table.byDeviceCode(text, 1), null);
  });

  it('are over after ten minutes, and when they are removed', () => {
    const table = new LoginTable<string, never>();
    const [one, two] = [table.add('192.0.2.7', 'x', 0), table.add('192.0.2.7', 'y', 5)];
    assert.equal(table.byDeviceCode(one.deviceCode, LOGIN_LIFE_MILLISECONDS), null);
    assert.equal(table.size, 1);
    table.remove(two.request);
    table.remove(two.request);
    assert.equal(table.byTypedCode(two.request.userCode, 6), null);
    assert.equal(table.size, 0);
  });

  it('of one source or network leave room for all others, and push nobody out', () => {
    const table = new LoginTable<string, never>(LIMITS);
    const fill = (source: string): number => {
      for (let count = 0; ; count++) {
        try {
          table.add(source, source, 0);
        } catch (error) {
          assert.equal((error as { code?: string }).code, 'login-too-fast');
          return count;
        }
      }
    };
    const first = table.add('198.51.100.1', 'somebody', 0);
    assert.deepEqual(['192.0.2.1', '192.0.2.2', '192.0.2.3', '192.0.2.4'].map(fill), [4, 4, 2, 0]);
    assert.deepEqual(['2001:db8:1:1::/64', '2001:db8:1:2::/64', '2001:db8:1:3::/64'].map(fill), [4, 4, 2]);
    assert.equal(fill('203.0.113.1'), 4);
    for (let net = 1; table.size < LIMITS.all; net++) fill(`10.0.${net}.1`);
    assert.equal(fill('198.51.100.2'), 0);
    assert.equal(table.byDeviceCode(first.deviceCode, 1), first.request);
    assert.equal(table.add('198.51.100.2', 'later', LOGIN_LIFE_MILLISECONDS).request.asked, 'later');
  });

  it('keep count, whatever comes and goes', () => {
    const step = fc.record({ source: fc.integer({ min: 1, max: 5 }), remove: fc.boolean(), wait: fc.nat(400_000) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const table = new LoginTable<number, never>(LIMITS);
        const held: { source: number; request: ReturnType<typeof table.add>['request'] }[] = [];
        let now = 0;
        for (const { source, remove, wait } of steps) {
          now += wait;
          const standing = held.filter(({ request }) => now < request.expires);
          const last = remove ? standing.at(-1) : undefined;
          if (last !== undefined) {
            table.remove(last.request);
            held.splice(held.indexOf(last), 1);
            continue;
          }
          const full =
            standing.filter((one) => one.source === source).length >= LIMITS.source ||
            standing.length >= LIMITS.network;
          if (full) assert.throws(() => table.add(`192.0.2.${source}`, source, now), { code: 'login-too-fast' });
          else held.push({ source, request: table.add(`192.0.2.${source}`, source, now).request });
        }
      }),
    );
  });

  it('who asks too early has to ask less often', () => {
    const { request } = new LoginTable<string, never>().add('192.0.2.7', 'x', 0);
    assert.equal(tooEarly(request, 1800), false);
    assert.equal(tooEarly(request, 2800), true);
    assert.equal(request.interval, 7000);
    assert.equal(tooEarly(request, 9700), false);
  });
});
