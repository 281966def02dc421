/** Which run of which node with which software an entry comes from. */
export interface LedgerNode {
  /** New at each start: 32 hexadecimal digits. */
  readonly run: string;
  readonly name: string;
  /** "waybill 1.2.3". */
  readonly software: string;
}
