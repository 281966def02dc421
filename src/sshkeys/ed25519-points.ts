/**
 * Points of small order have public keys for which anybody can make signatures; OpenSSL verifies with them all the
 * same. The y coordinates (little-endian, sign bit cleared) of the eight of them: 0, 1, p - 1 and the two of order 8.
 */
const SMALL_ORDER: readonly bigint[] = [
  0n,
  1n,
  2n ** 255n - 20n,
  0x7a03ac9277fdc74ec6cc392cfa53202a0f67100d760b3cba4fd83d3d706a17c7n,
  0x05fc536d880238b13933c6d305acdfd5f098eff289f4c345b027b2c28f95e826n,
];
const P = 2n ** 255n - 19n;

/** False also for an encoding with y >= p, which is a second name for another point. */
export function isStrongEd25519(point: Buffer): boolean {
  const y = BigInt(`0x${Buffer.from(point).reverse().toString('hex')}`) & (2n ** 255n - 1n);
  return y < P && !SMALL_ORDER.includes(y);
}
