/** On whose word a change is made. Every administrative change takes one, and its record names it. */
export interface Acting {
  /** The administrator's name; '' is whoever opened the socket on the machine itself. */
  readonly actor: string;
  /** The second person, where one was needed; '' where nobody had to agree. */
  readonly approvedBy: string;
  /**
   * Called first inside the transaction that makes the change; throws when it must not be made any more. What it writes
   * becomes durable with the change, or not at all.
   */
  readonly within?: () => void;
}

/** The operator on the machine itself, without a name: the start of the server, and commands without a token. */
export const LOCAL_OPERATOR: Acting = { actor: '', approvedBy: '' };
