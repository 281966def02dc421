/** Sizes and bounds of the datagrams of PROTOCOL.md, "Fast transfer". */

export const HEADER_LENGTH = 16;
export const TAG_LENGTH = 16;
export const OVERHEAD = HEADER_LENGTH + TAG_LENGTH;
export const CONNECTION_ID_LENGTH = 8;
export const NONCE_LENGTH = 12;
export const KEY_LENGTH = 32;

/** In front of the bytes of the stream in a data datagram. */
export const DATA_PREFIX = 8;
/** What a datagram of data costs beside the bytes of the stream. */
export const DATA_OVERHEAD = OVERHEAD + DATA_PREFIX;

/** Every path carries this much (RFC 8899 section 5.1.2, BASE_PLPMTU). */
export const DATAGRAM_BASE = 1200;
/** UDP payload in an Ethernet frame over IPv4; over IPv6 it is 20 less. */
export const DATAGRAM_ETHERNET = 1472;
/** Nothing longer is sent or looked at: jumbo frames, and what a forger may make us decrypt. */
export const DATAGRAM_MAX = 9216;

/** Offsets, packet numbers and clocks are 48 bits: exact in a double, and 256 TiB of stream. */
export const U48_MAX = 2 ** 48 - 1;

/** A key is used for so many packets of a direction (RFC 9001 section 6.6 and appendix B.1 allow 2^25 of 2^14 bytes). */
export const KEY_EPOCH_PACKETS = 2 ** 24;

/** Ranges of one feedback datagram: as many as fit the base size. */
export const FEEDBACK_PREFIX = 46;
export const RANGE_LENGTH = 4;
export const FEEDBACK_RANGES_MAX = Math.floor((DATAGRAM_BASE - OVERHEAD - FEEDBACK_PREFIX) / RANGE_LENGTH);

/** The sender asks for feedback every FEEDBACK_UNIT_US << exponent. */
export const FEEDBACK_UNIT_US = 250;
export const FEEDBACK_EXPONENT_MAX = 9;

/** "Everything below my packet number minus this many is decided": counted in units of 64 packets. */
export const UNDECIDED_UNIT = 64;
export const UNDECIDED_MAX = 0xffff;

export const CHALLENGE_LENGTH = 8;
export const REFERENCE_MAX = 64;
export const CLOSE_TEXT_MAX = 200;

/** What a receiver takes before it has said anything. */
export const INITIAL_LIMIT = 524_288;
