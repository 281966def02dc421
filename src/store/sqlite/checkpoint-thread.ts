/** The thread of Checkpointer: one connection of its own, one job. */
import { DatabaseSync } from 'node:sqlite';
import { parentPort, workerData } from 'node:worker_threads';

const { file } = workerData as { file: string };
const sql = new DatabaseSync(file, { timeout: 1000 });
sql.exec('PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0;');

parentPort?.on('message', () => {
  let copied = false;
  try {
    sql.exec('PRAGMA wal_checkpoint(PASSIVE)');
    copied = true;
  } catch {
    // A full disk, or a busy moment: the log keeps everything, and the next time comes.
  }
  parentPort?.postMessage(copied);
});
