import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { checkPasswordRules, DUMMY_HASH, hashPassword, verifyPassword } from '../../src/accounts/passwords.ts';
import { WorkLine, WorkRefused } from '../../src/accounts/work-line.ts';

const line = new WorkLine();
const verify = (hash: string, password: string | Buffer) => verifyPassword(line, 'here', hash, Buffer.from(password));

describe('password hashes', () => {
  it('are PHC strings of argon2id with a salt each, and verify', async () => {
    const [one, two] = [
      await hashPassword(Buffer.from('long password')),
      await hashPassword(Buffer.from('long password')),
    ];
    assert.match(one, /^\$argon2id\$v=19\$m=19456,t=2,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/);
    assert.notEqual(one, two);
    assert.equal(await verify(one, 'long password'), true);
    assert.equal(await verify(one, 'long passwore'), false);
    assert.equal(await verify(one, ''), false);
  });

  it('take a hash that another implementation made', async () => {
    // phc-winner-argon2's test of argon2id, version 0x13: t=2, m=2^16, p=1, "password", "somesalt".
    const hash = '$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc';
    assert.equal(await verify(hash, 'password'), true);
    assert.equal(await verify(hash, 'passwore'), false);
  });

  it('are the same for both forms of an accented letter, and for bytes that are not UTF-8', async () => {
    const hash = await hashPassword(Buffer.from('caf\u00e9 caf\u00e9 caf\u00e9'));
    assert.equal(await verify(hash, 'cafe\u0301 cafe\u0301 cafe\u0301'), true);
    const odd = Buffer.from([0xff, 0xfe, 1, 2]);
    assert.equal(await verify(await hashPassword(odd), odd), true);
    assert.equal(await verify(await hashPassword(odd), Buffer.from('\ufffd\ufffd\u0001\u0002')), false);
  });

  it('that are damaged are an error, not a yes', async () => {
    for (const hash of ['', 'x', DUMMY_HASH.replace('m=19456', 'm=9999999'), DUMMY_HASH.replace('t=2', 't=0')])
      await assert.rejects(verify(hash, ''), /not usable/);
  });

  it('of the dummy cost what real ones cost, and never verify', async () => {
    const real = await hashPassword(Buffer.from('long password'));
    const time = async (hash: string) => {
      const started = performance.now();
      for (let index = 0; index < 5; index++) assert.equal(await verify(hash, `guess ${index}`), false);
      return performance.now() - started;
    };
    await time(real);
    const ratio = (await time(real)) / (await time(DUMMY_HASH));
    assert.ok(ratio > 0.3 && ratio < 3, `ratio ${ratio}`);
    assert.equal(DUMMY_HASH.split('$')[3], real.split('$')[3]);
  });
});

describe('password rules', () => {
  it('take long ones of any kind', () => {
    for (const good of [
      'correct horse battery staple',
      'пароль длинный один',
      'x1y2z3a4b5c6d7e',
      'ab cd ef '.repeat(110),
    ])
      assert.doesNotThrow(() => {
        checkPasswordRules(good, 'ada');
      });
  });
  it('take shorter ones only beside another step, and none below 8', () => {
    assert.doesNotThrow(() => {
      checkPasswordRules('x1y2z3a4', 'ada', false);
    });
    assert.throws(() => {
      checkPasswordRules('x1y2z3a4', 'ada');
    }, /at least 15/);
    assert.throws(() => {
      checkPasswordRules('x1y2z3a', 'ada', false);
    }, /at least 8/);
  });
  for (const [password, message] of [
    ['short', /at least 8/],
    ['a'.repeat(20), /different/],
    ['x'.repeat(1025), /at most 1024/],
    ['line\nbreak in it', /control/],
    ['\ud800 and more text', /Unicode/],
    ['lovelace-1815-xy', /login/],
    ['Password12345!', /tried first/],
    ['qwertyuiop123', /tried first/],
    ['12345678901234', /tried first/],
    ['abcdefghijklmn', /tried first/],
  ] as const) {
    it(`refuse ${JSON.stringify(password).slice(0, 20)}`, () => {
      assert.throws(() => {
        checkPasswordRules(password, 'lovelace', false);
      }, message);
    });
  }
});

describe('the line of costly work', () => {
  it('runs a few at once, holds a bounded number per source and in all, and refuses the rest', async () => {
    const work = new WorkLine({ atOnce: 2, waiting: 4, perSource: 3 });
    const gates: (() => void)[] = [];
    const started: string[] = [];
    const job = (source: string) =>
      work.run(source, async () => {
        started.push(source);
        await new Promise<void>((resolve) => gates.push(resolve));
      });
    const running = [job('a'), job('a')];
    const waiting = [job('a'), job('a'), job('a')];
    await assert.rejects(job('a'), WorkRefused);
    const other = job('b');
    await assert.rejects(job('c'), WorkRefused);
    await setImmediate();
    assert.deepEqual(started, ['a', 'a']);
    while (gates.length > 0) {
      gates.shift()?.();
      await setImmediate();
    }
    await Promise.all([...running, ...waiting, other]);
    assert.deepEqual(started, ['a', 'a', 'a', 'b', 'a', 'a']);
    const after = job('a');
    await setImmediate();
    gates.shift()?.();
    await after;
  });

  it('goes on after work that fails', async () => {
    const work = new WorkLine({ atOnce: 1, waiting: 1, perSource: 1 });
    const failing = work.run('a', () => Promise.reject(new Error('no')));
    const next = work.run('a', () => Promise.resolve('yes'));
    await assert.rejects(failing, /no/);
    assert.equal(await next, 'yes');
  });
});
