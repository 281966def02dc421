/** Why something could not be sent, in one short line without control characters: receivers write some of the words. */
const LENGTH = 200;

export function whyOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error && typeof error.code === 'string' ? `${error.code}: ` : '';
  const text = error instanceof Error ? error.message : 'it failed';
  return `${text.startsWith(code) ? '' : code}${text}`.replaceAll(/\p{C}+/gu, ' ').slice(0, LENGTH);
}
