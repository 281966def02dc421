import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, describe, test } from 'node:test';
import { readOptions } from '../../src/config/read-options.ts';
import { chooseControl, refusal } from '../../src/tcp/choose-control.ts';
import { kernelOffer } from '../../src/tcp/kernel-offer.ts';
import { openListeningSockets } from '../../src/tcp/listening-sockets.ts';
import { SILENT } from '../../src/base/log.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'waybill-tcp-'));
after(() => {
  rmSync(folder, { recursive: true });
});

const usual = { available: ['reno', 'cubic'], allowed: ['reno', 'cubic'], usual: 'cubic' };
const there = { ...usual, available: ['reno', 'cubic', 'bbr'] };
const allowed = { ...there, allowed: ['reno', 'cubic', 'bbr'] };

describe('the congestion control of connections', () => {
  for (const [wish, offer, control, because] of [
    ['auto', allowed, 'bbr', null],
    ['auto', there, null, /tcp_allowed_congestion_control does not have bbr/],
    ['auto', usual, null, /kernel does not have bbr \(module tcp_bbr\)/],
    ['auto', null, null, /does not tell/],
    ['system', allowed, null, null],
    // The kernel is asked: it loads modules, and lets some processes pass its list.
    ['bbr', there, 'bbr', null],
    ['bbr', null, 'bbr', null],
    ['cubic', allowed, 'cubic', null],
  ] as const)
    test(`${wish} where ${offer === null ? 'nothing is told' : offer.allowed.join(' ')} may be chosen of ${offer?.available.join(' ') ?? '-'}`, () => {
      const choice = chooseControl(wish, offer);
      assert.equal(choice.control, control);
      if (because === null) assert.equal(choice.because, null);
      else assert.match(choice.because ?? '', because);
    });

  test('what the kernel answers is told in words', () => {
    assert.match(refusal('bbr', 'ENOENT'), /module tcp_bbr/);
    assert.match(refusal('bbr', 'EPERM'), /tcp_allowed_congestion_control does not have bbr/);
    assert.match(refusal('bbr', 'EBADF'), /EBADF/);
  });

  test('what the kernel offers is read from its lists; without them nothing is known', () => {
    assert.equal(kernelOffer(path.join(folder, 'none')), null);
    for (const [name, content] of [
      ['available', 'reno bbr cubic\n'],
      ['allowed', 'reno bbr\n'],
    ] as const)
      writeFileSync(path.join(folder, `tcp_${name}_congestion_control`), content);
    assert.equal(kernelOffer(folder), null);
    writeFileSync(path.join(folder, 'tcp_congestion_control'), 'cubic\n');
    const read = { available: ['reno', 'bbr', 'cubic'], allowed: ['reno', 'bbr'], usual: 'cubic' };
    assert.deepEqual(kernelOffer(folder), read);
  });

  test('no foreign code is loaded where sockets have it already, or nothing is to be set', async () => {
    const has = await openListeningSockets('auto', SILENT, { ...allowed, usual: 'bbr' });
    assert.equal(has?.control, 'bbr');
    // Not a descriptor: nothing is called with it.
    has.opened(-1);
    assert.equal(has.control, 'bbr');
    assert.equal(await openListeningSockets('system', SILENT, allowed), null);
  });

  test('the option takes auto, system and names of the kernel', () => {
    assert.equal(readOptions({}, {})['tcp-congestion'], 'auto');
    for (const name of ['system', 'bbr', 'bbr2', 'dctcp'])
      assert.equal(readOptions({ 'tcp-congestion': name }, {})['tcp-congestion'], name);
    for (const wrong of ['', 'BBR', 'bbr cubic', '../x', 'a'.repeat(16)])
      assert.throws(() => readOptions({ 'tcp-congestion': wrong }, {}), /auto, system, or a name as bbr or cubic/);
  });
});
