/**
 * Copies of the sources in which one check is off: what a test is worth that still passes there. Never a switch in the
 * product.
 */
import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { packageFolders } from '../../src/broker/front-permissions.ts';
import { PROJECT } from '../interop/server.ts';

export interface Edit {
  /** Below src/. */
  readonly file: string;
  /** Stands there once. */
  readonly from: string;
  readonly to: string;
}

/** Half of all files of packages, and none that Node reads. */
const UNREAD = /\.(?:d\.[mc]?ts|map|md)$/;

export class Mutants {
  private readonly folder: string;
  private count = 0;

  constructor() {
    this.folder = mkdtempSync(path.join(tmpdir(), 'waybill-mutants-'));
    const { dependencies } = JSON.parse(readFileSync(path.join(PROJECT, 'package.json'), 'utf8')) as {
      dependencies: Record<string, string>;
    };
    // The runtime is the one that runs this; the database of investigations is 100 MB that no server loads.
    const names = Object.keys(dependencies).filter((name) => name !== 'node' && !name.startsWith('@duckdb/'));
    for (const from of packageFolders(names)) {
      const at = from.lastIndexOf(`${path.sep}node_modules${path.sep}`);
      const inside = from.includes(`${path.sep}node_modules${path.sep}`)
        ? from.slice(from.indexOf('node_modules'))
        : '';
      assert.ok(at >= 0 && inside !== '');
      cpSync(from, path.join(this.folder, inside), { recursive: true, filter: (file) => !UNREAD.test(file) });
    }
  }

  /** The folder of a project that differs in these places. */
  make(edits: readonly Edit[]): string {
    const project = path.join(this.folder, `mutant-${++this.count}`);
    cpSync(path.join(PROJECT, 'src'), path.join(project, 'src'), { recursive: true });
    cpSync(path.join(PROJECT, 'package.json'), path.join(project, 'package.json'));
    for (const { file, from, to } of edits) {
      const place = path.join(project, 'src', file);
      const text = readFileSync(place, 'utf8');
      assert.equal(text.split(from).length, 2, `src/${file} does not hold once: ${from}`);
      writeFileSync(
        place,
        text.replace(from, () => to),
      );
    }
    return project;
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
