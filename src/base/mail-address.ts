/** What everybody's mail server takes; nothing that could end a header, name a second recipient or carry a comment. */
const LABEL = '[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?';
const FORM = new RegExp(String.raw`^[A-Za-z0-9][A-Za-z0-9._%+-]{0,63}@${LABEL}(?:\.${LABEL})*$`);

export function isMailAddress(text: string): boolean {
  return text.length <= 254 && FORM.test(text);
}
