/** The rights a grant can give, and what each lets an account do. */
export const RIGHTS = {
  list: { bit: 1, means: 'see names, sizes and times, and list directories' },
  read: { bit: 2, means: 'read files whose name is known, and see their size and times' },
  write: { bit: 4, means: 'upload new files, make directories, set times' },
  delete: { bit: 8, means: 'remove files and directories, and replace the content of a file' },
  rename: { bit: 16, means: 'rename and move' },
  share: { bit: 32, means: 'pass rights on to others' },
} as const;

export type Right = keyof typeof RIGHTS;
export type RightBits = number;

export const ALL_RIGHTS = Object.keys(RIGHTS) as Right[];

export function toBits(rights: readonly Right[]): RightBits {
  return rights.reduce((bits, right) => bits | RIGHTS[right].bit, 0);
}

export function fromBits(bits: RightBits): Right[] {
  return ALL_RIGHTS.filter((right) => (bits & RIGHTS[right].bit) !== 0);
}

export function has(bits: RightBits, right: Right): boolean {
  return (bits & RIGHTS[right].bit) !== 0;
}

export function isRight(text: string): text is Right {
  return Object.hasOwn(RIGHTS, text);
}
