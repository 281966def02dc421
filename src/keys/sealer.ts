/** Encrypts small secrets at rest (TOTP secrets, wrapped keys). Owned by the key hierarchy; other rooms see only this. */
export interface Sealer {
  /** `purpose` is authenticated: what was sealed for one purpose and owner opens for no other. */
  seal(purpose: string, plaintext: Uint8Array): Buffer;
  /** Throws WaybillError `key-unavailable` when the bytes were altered or the purpose differs. */
  open(purpose: string, sealed: Uint8Array): Buffer;
}
