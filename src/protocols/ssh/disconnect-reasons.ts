/** RFC 4253 section 11.1, those that this server gives. */
export const DISCONNECT = {
  PROTOCOL_ERROR: 2,
  KEY_EXCHANGE_FAILED: 3,
  MAC_ERROR: 5,
  SERVICE_NOT_AVAILABLE: 7,
  PROTOCOL_VERSION_NOT_SUPPORTED: 8,
  BY_APPLICATION: 11,
  TOO_MANY_CONNECTIONS: 12,
  NO_MORE_AUTH_METHODS: 14,
} as const;

/** The peer broke a rule that no honest client breaks: caught at one place, which disconnects and reports an offence. */
export class ProtocolViolation extends Error {
  override readonly name = 'ProtocolViolation';
  readonly reason: number;

  constructor(text: string, reason: number = DISCONNECT.PROTOCOL_ERROR, options?: { cause?: unknown }) {
    super(text, options);
    this.reason = reason;
  }
}
