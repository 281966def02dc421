/** What flow policies and legal holds need of the metadata store. Changes join the transaction under way. */

/** What one grant has given of one version. Times are milliseconds since 1970. */
export interface Pickup {
  readonly account: string;
  readonly folder: string;
  readonly version: string;
  /** The first release of any part of it. */
  readonly started: number;
  /** When it had been released as a whole and its end was sent. */
  readonly delivered: number | null;
}

export interface LegalHold {
  readonly folder: string;
  readonly tenant: string;
  readonly reason: string;
  readonly since: number;
  /** Who put it there, as records name him. */
  readonly actor: string;
}

export interface FlowStore {
  pickup(account: string, folder: string, version: string): Pickup | null;
  startPickup(pickup: Pickup): void;
  deliverPickup(account: string, folder: string, version: string, at: number): void;
  /** Delivered ones in the order of their keys, after that one. */
  deliveredAfter(pickup: Pickup | null, limit: number): Pickup[];
  forgetPickup(pickup: Pickup): void;

  legalHolds(): LegalHold[];
  putLegalHold(hold: LegalHold): void;
  removeLegalHold(folder: string): boolean;
}
