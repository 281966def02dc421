import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, suite, test } from 'node:test';
import { WaybillError } from '../../src/base/errors.ts';
import { environmentName, OPTIONS } from '../../src/config/options.ts';
import { givenFromWords, readBanner, readOptions } from '../../src/config/read-options.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'waybill-config-'));
after(() => {
  rmSync(folder, { recursive: true });
});
let files = 0;
function file(content: string): string {
  const name = path.join(folder, `file${++files}`);
  writeFileSync(name, content);
  return name;
}

/** The one line that a person sees. */
function fault(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    assert.ok(error instanceof WaybillError, String(error));
    assert.equal(error.code, 'option-invalid');
    assert.doesNotMatch(error.message, /\n/);
    return error.message;
  }
  assert.fail('it was taken');
}

suite('options', () => {
  test('hold by themselves', () => {
    const options = readOptions({}, {});
    assert.equal(options.data, path.resolve('data'));
    assert.deepEqual(options.sftp, [{ host: '0.0.0.0', port: 2022 }]);
    assert.deepEqual(options['sftp-legacy'], []);
    assert.deepEqual(options.https, [{ host: '127.0.0.1', port: 8443 }]);
    assert.deepEqual(readOptions({ https: 'none' }, {}).https, [null]);
    assert.equal(options.json, false);
    assert.equal(options.quota, null);
    assert.ok(options.fronts >= 1);
  });

  test('have a doc each, and a default that their own check takes', () => {
    for (const [name, row] of Object.entries(OPTIONS)) {
      assert.ok(row.doc.endsWith('.'), name);
      if ('fallback' in row) row.check(row.fallback);
    }
  });

  test('come from the nearest place: words, then environment, then file', () => {
    const config = file(JSON.stringify({ handles: 1, channels: 2, idle: 60, sftp: ['127.0.0.1:1', '[::1]:2'] }));
    const options = readOptions(
      { config, handles: '11' },
      { [environmentName('handles')]: '111', WAYBILL_CHANNELS: '22' },
    );
    assert.deepEqual([options.handles, options.channels, options.idle], [11, 22, 60]);
    assert.deepEqual(options.sftp, [
      { host: '127.0.0.1', port: 1 },
      { host: '::1', port: 2 },
    ]);
    assert.deepEqual(readOptions({}, { WAYBILL_CONFIG: config }).handles, 1);
  });

  test('may be given more than once where that means something', () => {
    const options = readOptions(givenFromWords(['--sftp', '127.0.0.1:0', '--sftp=[::]:22', '--json']), {});
    assert.deepEqual(options.sftp, [
      { host: '127.0.0.1', port: 0 },
      { host: '::', port: 22 },
    ]);
    assert.equal(options.json, true);
    assert.match(
      fault(() => readOptions(givenFromWords(['--idle', '60', '--idle', '70']), {})),
      /--idle .*60, 70.*one value/,
    );
  });

  test('do not open the default address beside a legacy one that is asked for alone', () => {
    const options = readOptions({ 'sftp-legacy': '127.0.0.1:0' }, {});
    assert.deepEqual(options.sftp, []);
    assert.deepEqual(options['sftp-legacy'], [{ host: '127.0.0.1', port: 0 }]);
  });

  for (const [name, value, allowed] of [
    ['sftp', 'abc', /ADDRESS:PORT/],
    ['sftp', '1.2.3.400:22', /ADDRESS:PORT/],
    ['sftp', '127.0.0.1:65536', /0 to 65535/],
    ['sftp', '::1:22', /brackets/],
    ['sftp', '[127.0.0.1]:22', /brackets/],
    ['fronts', '0', /from 1 to 64/],
    ['fronts', '1e1', /whole number/],
    ['fronts', '-1', /whole number/],
    ['login-grace', '', /seconds from 1 to 600/],
    ['log-level', 'loud', /debug, info, warn, error, silent/],
    ['quota', '10X', /bytes.*10GiB/],
    ['budget-initial', '64G,100', /SIZE,FILES,LISTINGS/],
    ['budget-cap', '64X,100,100', /SIZE,FILES,LISTINGS/],
    ['budgets', 'maybe', /on, off/],
    ['penalties', 'maybe', /true or false/],
    ['banner', '', /path/],
  ] as const) {
    test(`--${name} ${JSON.stringify(value)} is refused with what is allowed`, () => {
      const message = fault(() => readOptions({ [name]: value }, {}));
      assert.match(message, allowed);
      assert.ok(message.includes(name) && message.includes(JSON.stringify(value)), message);
      assert.match(
        fault(() => readOptions({}, { [environmentName(name)]: value })),
        new RegExp(environmentName(name)),
      );
    });
  }

  for (const [what, content, expected] of [
    ['not JSON', '{', /one JSON object/],
    ['a list', '[]', /one JSON object/],
    ['an unknown option', '{"port":1}', /"port" in .* is not an option; allowed are data, sftp/],
    ['a wrong type', '{"idle":{}}', /"idle" in .* is \{\}; allowed is a string, a number/],
    ['a wrong value', '{"idle":5}', /"idle" in .* is "5"; allowed is a whole number/],
    ['another file', '{"config":"x"}', /cannot name another/],
    ['a list where one is wanted', '{"idle":[60,70]}', /one value/],
  ] as const) {
    test(`a configuration file with ${what} is refused`, () => {
      const config = file(content);
      const message = fault(() => readOptions({ config }, {}));
      assert.match(message, expected);
      assert.ok(message.includes(config), message);
    });
  }

  test('a configuration file that is not there is refused', () => {
    assert.match(
      fault(() => readOptions({ config: path.join(folder, 'none') }, {})),
      /--config .*none.*cannot be read.*ENOENT/,
    );
  });

  test('a word that is no option is refused', () => {
    assert.match(
      fault(() => givenFromWords(['--port', '22'])),
      /"--port" is not an option/,
    );
    assert.match(
      fault(() => givenFromWords(['--idle'])),
      /--idle needs a value/,
    );
  });
});

suite('the banner', () => {
  test('ends its lines as SSH wants them', () => {
    assert.equal(readBanner(file('Hello\nyou\r\n\n')), 'Hello\r\nyou\r\n');
    assert.equal(readBanner(file('\n')), null);
    assert.equal(readBanner(null), null);
  });

  test('cannot drive a terminal', () => {
    assert.match(
      fault(() => readBanner(file('\x1b[2J'))),
      /control characters/,
    );
  });
});
