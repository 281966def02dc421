/** Times as people and scripts read them. */
export function moment(milliseconds: number): string {
  return new Date(milliseconds).toISOString();
}
