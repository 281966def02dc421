/** Holds READ answers of one handle until those of earlier READs have left. */
import type { Handle } from './handles.ts';
import type { Request } from './running.ts';

export class OrderedAnswers {
  private readonly queues = new Map<Handle, Request[]>();

  expect(handle: Handle, request: Request): void {
    const queue = this.queues.get(handle);
    if (queue === undefined) this.queues.set(handle, [request]);
    else queue.push(request);
  }

  /** Takes the finished requests at the front. */
  ready(handle: Handle): Request[] {
    const queue = this.queues.get(handle);
    if (queue === undefined) return [];
    const open = queue.findIndex((request) => request.answer === null);
    if (open === -1) {
      this.queues.delete(handle);
      return queue;
    }
    return queue.splice(0, open);
  }
}
