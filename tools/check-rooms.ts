/** Holds the import directions of ARCHITECTURE.md: prints each broken rule as a sentence. Run by the tests and alone. */
import path from 'node:path';
import { importsOf, sourceFiles } from './imports.ts';
import type { Import, SourceFile } from './imports.ts';
import { ROOMS } from './rooms.ts';
import type { Room } from './rooms.ts';

/** Packages that may be used outside tests; each is argued in docs/design/dependencies.md. */
const PACKAGES: ReadonlySet<string> = new Set([
  'zod',
  'pino',
  'nodemailer',
  '@simplewebauthn/server',
  'openid-client',
  '@duckdb/node-api',
  '@duckdb/node-bindings',
]);

function contains(entry: string, file: string): boolean {
  return file === entry || file.startsWith(`${entry}/`);
}

function roomOf(file: string, rooms: readonly Room[]): Room | undefined {
  return rooms.filter((row) => contains(row.room, file)).sort((a, b) => b.room.length - a.room.length)[0];
}

export function checkRooms(files: readonly SourceFile[], rooms: readonly Room[] = ROOMS): string[] {
  return files.flatMap(({ file, text }) => {
    const room = roomOf(file, rooms);
    if (room === undefined) return [`src/${file} is in no room: give its folder a row in tools/rooms.ts.`];
    return importsOf(text)
      .map((found) => judge(file, room, found, rooms))
      .filter((sentence) => sentence !== null);
  });
}

function judge(file: string, room: Room, found: Import, rooms: readonly Room[]): string | null {
  const where = `src/${file}:${found.line}`;
  const { specifier } = found;
  if (!specifier.startsWith('.')) return judgePackage(where, specifier);
  const target = path.posix.normalize(path.posix.join(path.posix.dirname(file), specifier));
  if (target.startsWith('..')) {
    // What ships with the server is src/ and package.json; tests and tools are not there.
    return target === '../package.json' ? null : `${where} imports ${specifier}, which is outside src/.`;
  }
  if (contains(room.room, target) || room.imports === 'everything') return null;
  if (room.imports.some((entry) => contains(entry, target))) return null;
  const asType = room.types?.some((entry) => contains(entry, target)) ?? false;
  if (asType && found.typeOnly) return null;
  if (asType) return `${where}: ${room.room} may name only types of ${target}; write "import type".`;
  const other = roomOf(target, rooms)?.room ?? target;
  return `${where}: ${room.room} must not import ${other} (${target}). It may import ${mayImport(room)}.`;
}

function judgePackage(where: string, specifier: string): string | null {
  if (specifier.startsWith('node:')) return null;
  const name = specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
  return PACKAGES.has(name)
    ? null
    : `${where} imports the package ${name}, which docs/design/dependencies.md does not argue for.`;
}

function mayImport(room: Room): string {
  const types = room.types === undefined ? '' : `, and types of ${room.types.join(', ')}`;
  const code = room.imports === 'everything' ? 'everything' : room.imports.join(', ');
  return `${code === '' ? 'nothing of ours' : code}${types}`;
}

if (import.meta.main) {
  const broken = checkRooms(sourceFiles(path.join(import.meta.dirname, '..', 'src')));
  process.stdout.write(broken.map((sentence) => `${sentence}\n`).join(''));
  process.exitCode = broken.length === 0 ? 0 : 1;
}
