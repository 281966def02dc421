/** Unanswered questions before a peer counts as dead. */
const MOST_PROBES = 3;

/**
 * Finds peers that went away without a word (power loss, a dropped NAT entry). TCP alone may take hours to notice, and
 * until then the session and its handles would stay. After `seconds` of silence, in spite of probes on the way, the peer
 * counts as dead; one that answers may be idle as long as it likes. One timer per connection, one flag per packet.
 */
export class Liveness {
  private readonly timer: NodeJS.Timeout;
  private heard = true;
  private probes = 0;

  constructor(seconds: number, probe: () => void, dead: () => void) {
    this.timer = setInterval(
      () => {
        this.probes = this.heard ? 0 : this.probes + 1;
        this.heard = false;
        if (this.probes > MOST_PROBES) dead();
        else if (this.probes > 0) probe();
      },
      (seconds * 1000) / (MOST_PROBES + 1),
    );
    this.timer.unref();
  }

  /** Something came from the peer. */
  hear(): void {
    this.heard = true;
  }

  stop(): void {
    clearInterval(this.timer);
  }
}
