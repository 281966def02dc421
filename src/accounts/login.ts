/** The rule for logins: it stands in command lines, URLs, logs and certificates as it is. */
const LOGIN = /^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$/;

export const LOGIN_RULE = '1 to 64 of the characters A-Z a-z 0-9 . _ @ -, beginning with a letter or digit';

export function isLogin(text: string): boolean {
  return LOGIN.test(text);
}
