const P = 2n ** 255n - 19n;
/** One y of order 8; the other is its negative. */
const ORDER_8 = 0x05fc536d880238b13933c6d305acdfd5f098eff289f4c345b027b2c28f95e826n;

/**
 * Points of small order are public keys for which anybody can make signatures; OpenSSL verifies with them all the
 * same. There are eight, with these y (RFC 8032: little-endian, the sign of x in the top bit).
 */
const SMALL_ORDER: readonly bigint[] = [0n, 1n, P - 1n, ORDER_8, P - ORDER_8];

/** False also for an encoding with y >= p, which is a second name for another point. */
export function isStrongEd25519(point: Buffer): boolean {
  const y = BigInt(`0x${Buffer.from(point).reverse().toString('hex')}`) & (2n ** 255n - 1n);
  return y < P && !SMALL_ORDER.includes(y);
}
