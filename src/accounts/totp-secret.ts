/** What a TOTP secret is sealed for: moved to another account or credential, it does not open. */
export function totpPurpose(account: string, credential: string): string {
  return `totp secret ${account} ${credential}`;
}
