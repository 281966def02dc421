/** What everybody's mail server takes; nothing that could end a header, name a second recipient or carry a comment. */
const FORM = /^[A-Za-z0-9][A-Za-z0-9._%+-]{0,63}@[A-Za-z0-9](?:[A-Za-z0-9-]{0,62}\.)*[A-Za-z0-9-]{1,63}$/;

export function isMailAddress(text: string): boolean {
  return text.length <= 254 && FORM.test(text);
}
