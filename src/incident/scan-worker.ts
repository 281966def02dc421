/** The thread around a ScanThread. */
import { parentPort, workerData } from 'node:worker_threads';
import type { ScanOrder, ScanWorkerData } from './scan-messages.ts';
import { ScanThread } from './scan-thread.ts';

if (parentPort !== null) {
  const port = parentPort;
  const thread = new ScanThread(workerData as ScanWorkerData, (message, transfer = []) => {
    port.postMessage(message, transfer);
  });
  port.on('message', (order: ScanOrder | null) => {
    if (order === null) port.close();
    else thread.run(order);
  });
}
