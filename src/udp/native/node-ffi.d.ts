/** What we use of node:ffi (Node 26, experimental), which the types of Node do not have yet: nodejs.org/api/ffi.html. */
declare module 'node:ffi' {
  export interface Signature {
    readonly return: string;
    readonly arguments: readonly string[];
  }
  /** `null`: the symbols of the process itself. */
  export function dlopen(
    path: string | null,
    signatures: Readonly<Record<string, Signature>>,
  ): { readonly functions: Readonly<Record<string, unknown>> };
  export function getRawPointer(source: ArrayBuffer | SharedArrayBuffer | ArrayBufferView): bigint;
  export function getInt32(pointer: bigint, offset: number): number;
}
