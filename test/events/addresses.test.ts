/** Server-side request forgery: every way to write an address of our own side that we know. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { isPublicAddress } from '../../src/events/public-addresses.ts';
import { checkTargetAddress } from '../../src/events/target-address.ts';
import { destinationOf } from '../../src/events/sender/destination.ts';

const PRIVATE = [
  ...['127.0.0.1', '127.255.255.254', '0.0.0.0', '10.1.2.3', '172.16.0.1', '172.31.255.255', '192.168.1.1'],
  ...['169.254.169.254', '100.64.0.1', '198.18.0.1', '192.0.0.192', '224.0.0.1', '255.255.255.255', '240.0.0.1'],
  ...['::', '::1', 'fe80::1', 'fe80::1%eth0', 'fc00::1', 'fd00:ec2::254', 'ff02::1', '::ffff:127.0.0.1'],
  ...['::ffff:7f00:1', '::ffff:a9fe:a9fe', '64:ff9b::7f00:1', '64:ff9b::169.254.169.254', '2002:7f00:1::'],
  ...['2001:0:7f00:1::', '::7f00:1', '2001:db8::1', '100::1', 'fec0::1', 'localhost', '', 'x'],
];
const PUBLIC = [
  '1.1.1.1',
  '172.15.0.1',
  '172.32.0.1',
  '8.8.8.8',
  '2606:4700::1111',
  '2a00:1450:4001::5',
  '::ffff:8.8.8.8',
];

describe('addresses of receivers', () => {
  it('what is not the public internet is none', () => {
    for (const address of PRIVATE) assert.equal(isPublicAddress(address), false, address);
    for (const address of PUBLIC) assert.equal(isPublicAddress(address), true, address);
  });

  it('no writing of an IPv4 address in IPv6 leads to our own side', () => {
    fc.assert(
      fc.property(fc.ipV4(), (address) => {
        const [a = 0, b = 0, c = 0, d = 0] = address.split('.').map(Number);
        const hex = `${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
        for (const six of [`::ffff:${hex}`, `64:ff9b::${hex}`, `2002:${hex}::1`, `::${hex}`])
          assert.equal(isPublicAddress(six) && !isPublicAddress(address), false, six);
      }),
    );
  });

  it('literals in URLs are judged as what the URL really names', () => {
    const urls = [
      'https://127.1/',
      'https://0x7f.1/',
      'https://2130706433/',
      'https://017700000001/',
      'https://[::1]/',
    ];
    const more = [
      'https://[::ffff:169.254.169.254]/',
      'https://localhost/',
      'https://LOCALHOST./',
      'https://a.localhost/',
    ];
    for (const url of [...urls, ...more, 'https://１２７.0.0.1/'])
      assert.throws(() => checkTargetAddress('webhook', url, []), /private network|cannot be used/, url);
    for (const url of [
      'http://example.com/',
      'https://a:b@example.com/',
      'https://example.com/#x',
      'file:///etc/passwd',
      'x',
    ])
      assert.throws(() => checkTargetAddress('webhook', url, []), { code: 'option-invalid' }, url);
    assert.deepEqual(checkTargetAddress('webhook', 'https://hooks.example.com/T0/secret?x', []), {
      full: 'https://hooks.example.com/T0/secret?x',
      shown: 'https://hooks.example.com/…',
      host: 'hooks.example.com',
    });
    assert.equal(
      checkTargetAddress('webhook', 'https://127.0.0.1:8443/', ['127.0.0.1']).shown,
      'https://127.0.0.1:8443/',
    );
  });

  it('a syslog address is a host and a port', () => {
    assert.equal(checkTargetAddress('syslog', 'siem.example.com', []).full, 'siem.example.com:6514');
    assert.equal(checkTargetAddress('syslog', '[2606:4700::1]:99', []).full, '[2606:4700::1]:99');
    for (const text of ['', 'a b:1', '10.0.0.1:514', '[::1]:514', 'x:0', 'x:70000', '1.2.3:4', 'https://x', 'x:1\r\n'])
      assert.throws(() => checkTargetAddress('syslog', text, []), { code: 'option-invalid' }, text);
  });

  it('one private address among those of a name refuses it, and what was judged is what is connected to', async () => {
    const answers = [
      { address: '1.1.1.1', family: 4 },
      { address: '169.254.169.254', family: 4 },
    ];
    await assert.rejects(
      destinationOf('evil.example', [], () => Promise.resolve(answers)),
      /private network/,
    );
    let asked = 0;
    const rebinding = () => Promise.resolve([{ address: asked++ === 0 ? '1.1.1.1' : '127.0.0.1', family: 4 }]);
    assert.deepEqual(await destinationOf('evil.example', [], rebinding), { address: '1.1.1.1', family: 4 });
    await assert.rejects(destinationOf('evil.example', [], rebinding), /private network/);
    const allowed = await destinationOf('SIEM.internal.', ['siem.internal'], () =>
      Promise.resolve([{ address: '10.0.0.9', family: 4 }]),
    );
    assert.equal(allowed.address, '10.0.0.9');
    // Allowed by name is not allowed by address.
    await assert.rejects(destinationOf('10.0.0.9', ['siem.internal']), /private network/);
  });
});
