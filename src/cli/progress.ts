/** One line on the terminal that says how far a long command is; nothing where there is no terminal. */
export interface Terminal {
  readonly isTTY?: boolean;
  write(text: string): unknown;
}

const EVERY_MILLISECONDS = 250;

export class ProgressLine {
  private readonly terminal: Terminal;
  private readonly now: () => number;
  private next = 0;
  private shown = false;

  constructor(terminal: Terminal = process.stderr, now: () => number = () => performance.now()) {
    this.terminal = terminal;
    this.now = now;
  }

  show(text: string): void {
    const now = this.now();
    if (this.terminal.isTTY !== true || now < this.next) return;
    this.next = now + EVERY_MILLISECONDS;
    this.shown = true;
    this.terminal.write(`\r\u001b[K${text}`);
  }

  clear(): void {
    if (this.shown) this.terminal.write('\r\u001b[K');
    this.shown = false;
  }
}
