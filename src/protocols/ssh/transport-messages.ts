/**
 * Numbers of the transport layer: RFC 4253 section 12, RFC 8308, and OpenSSH's PROTOCOL file for PING. Messages of
 * authentication and channels (50 and above) are the upper layers' and stand there.
 */
export const MESSAGE = {
  DISCONNECT: 1,
  IGNORE: 2,
  UNIMPLEMENTED: 3,
  DEBUG: 4,
  SERVICE_REQUEST: 5,
  SERVICE_ACCEPT: 6,
  EXT_INFO: 7,
  KEXINIT: 20,
  NEWKEYS: 21,
  /** First message of every key exchange here: KEXDH_INIT, KEX_ECDH_INIT, KEX_HYBRID_INIT share the number. */
  KEX_INIT: 30,
  KEX_REPLY: 31,
  PING: 192,
  PONG: 193,
} as const;
