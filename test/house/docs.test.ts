import assert from 'node:assert/strict';
import { existsSync, globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import { ERRORS } from '../../src/base/errors.ts';
import { OPTIONS } from '../../src/config/options.ts';
import { ADVERTISED } from '../../src/protocols/sftp/extension-requests.ts';
import { PROFILES } from '../../src/protocols/ssh/profiles.ts';
import { USER_KEY_ALGORITHMS } from '../../src/sshkeys/algorithms.ts';
import { outdatedDocs } from '../../tools/docs.ts';

const ROOT = path.join(import.meta.dirname, '..', '..');
const PAGES = globSync(['*.md', 'docs/**/*.md', 'bench/*.md'], { cwd: ROOT });

describe('documentation', () => {
  it('pages that are tables of the code are up to date (npm run docs)', () => {
    assert.deepEqual(outdatedDocs(), []);
  });

  it('every error and every option says something in whole sentences', () => {
    for (const [code, text] of Object.entries(ERRORS)) {
      assert.match(code, /^[a-z][a-z-]+$/);
      assert.match(text, /^[A-Z].*[^ ]$/, code);
    }
    for (const [name, { doc }] of Object.entries(OPTIONS)) assert.match(doc, /^[A-Z].*\.$/, name);
  });

  it('PROTOCOL.md names every algorithm and extension that is served', () => {
    const text = readFileSync(path.join(ROOT, 'PROTOCOL.md'), 'utf8');
    const served = [
      ...Object.values(PROFILES).flatMap(({ kex, hostKey, ciphers, macs }) => [kex, hostKey, ciphers, macs].flat()),
      ...USER_KEY_ALGORITHMS,
      ...ADVERTISED.map(([name]) => name),
    ];
    const words = new Set(text.split(/[\s,|`]+/));
    assert.deepEqual(
      served.filter((name) => !words.has(name)),
      [],
    );
  });

  it('every link inside the repository leads somewhere', () => {
    for (const page of PAGES) {
      const text = readFileSync(path.join(ROOT, page), 'utf8');
      for (const [, target = ''] of text.matchAll(/\]\(([^)#\s]+)(?:#[^)]*)?\)/g)) {
        if (/^[a-z]+:/.test(target)) continue;
        assert.ok(existsSync(path.join(ROOT, path.dirname(page), target)), `${page} links to ${target}`);
      }
    }
  });
});
