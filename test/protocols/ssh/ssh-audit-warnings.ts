/** Warnings of ssh-audit on the default profile that no choice of algorithms can avoid: docs/design/ssh-profiles.md. */
export const UNDERSTOOD: readonly RegExp[] = [
  // Younger than ssh-audit 2.5, the version of Debian 12.
  /^\(kex\) (?:mlkem768x25519-sha256|kex-strict-s-v00@openssh\.com) +-- \[warn\] unknown algorithm$/,
  // From 3.4 on, for every key exchange that is not post-quantum.
  /^\(kex\) (?:curve25519-sha256(?:@libssh\.org)?|diffie-hellman-group16-sha512) +-- \[warn\] does not provide protection against post-quantum attacks$/,
];
