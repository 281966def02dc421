import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import { ERRORS } from '../../src/base/errors.ts';
import { OPTIONS } from '../../src/config/options.ts';
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

  it('every link inside the repository leads somewhere', () => {
    for (const page of PAGES) {
      const text = readFileSync(path.join(ROOT, page), 'utf8');
      for (const [, target = ''] of text.matchAll(/\]\(([^)#\s]+)(?:#[^)]*)?\)/g)) {
        if (/^[a-z]+:/.test(target)) continue;
        assert.doesNotThrow(
          () => readFileSync(path.join(ROOT, path.dirname(page), target)),
          (error: NodeJS.ErrnoException) => error.code === 'EISDIR',
          `${page} -> ${target}`,
        );
      }
    }
  });
});
