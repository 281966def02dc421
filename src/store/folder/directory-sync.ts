import { open } from 'node:fs/promises';

/**
 * fsync of one directory for many callers: whoever asks while one is running waits for the next, which starts after
 * their change was made and serves all of them.
 */
export class DirectorySync {
  private readonly folder: string;
  private running: Promise<void> | null = null;
  private next: Promise<void> | null = null;

  constructor(folder: string) {
    this.folder = folder;
  }

  sync(): Promise<void> {
    if (this.running === null) return this.start();
    this.next ??= this.running.then(
      () => this.start(),
      () => this.start(),
    );
    return this.next;
  }

  private start(): Promise<void> {
    this.next = null;
    const running = this.syncOnce().finally(() => {
      if (this.running === running) this.running = null;
    });
    this.running = running;
    return running;
  }

  private async syncOnce(): Promise<void> {
    const handle = await open(this.folder, 'r');
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  }
}
