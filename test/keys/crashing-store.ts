/** A store that dies at one of its writes, before it or just after it became durable, and stays dead. */
import type { KeyStore } from '../../src/keys/store.ts';

export class Killed extends Error {}

export interface Crash {
  /** Which write, from 1. */
  readonly at: number;
  readonly when: 'before' | 'after';
}

export function crashing(crash: Crash): { wrap: (store: KeyStore) => KeyStore; dead: () => boolean } {
  let writes = 0;
  let dead = false;
  const wrap = (store: KeyStore): KeyStore =>
    new Proxy(store, {
      get(target, name) {
        const value = Reflect.get(target, name) as unknown;
        if (typeof value !== 'function') return value;
        const method = value.bind(target) as (...given: unknown[]) => unknown;
        if (name === 'cutLog')
          return () => {
            if (dead) throw new Killed();
            return method();
          };
        if (name !== 'write') return method;
        return async (action: () => unknown): Promise<unknown> => {
          if (dead) throw new Killed();
          writes++;
          if (writes === crash.at) dead = true;
          if (dead && crash.when === 'before') throw new Killed();
          const value = await method(action);
          if (dead) throw new Killed();
          return value;
        };
      },
    });
  return { wrap, dead: () => dead };
}
