/** What one operation of the HTTPS API is. */
import type { z } from 'zod';

export const SCOPES = ['files:list', 'files:read', 'files:write', 'admin'] as const;
export type Scope = (typeof SCOPES)[number];

export type Method = 'GET' | 'HEAD' | 'PUT' | 'POST' | 'PATCH' | 'DELETE' | 'OPTIONS';

export interface Answer {
  readonly status: number;
  readonly doc: string;
  /** JSON of this form; `bytes`: a body that is no JSON; null: no body. */
  readonly body: z.ZodType | 'bytes' | null;
  readonly type?: string;
}

export interface Operation {
  readonly method: Method;
  /** `{path}` stands at the end only, and takes slashes as they are; `{id}` is one segment. */
  readonly path: string;
  readonly doc: string;
  /** What a token must be allowed; `signed-in`: whoever is, with any scope or none; null: nobody needs to be. */
  readonly scope: Scope | 'signed-in' | null;
  /** Before anybody is signed in: only a page of this server may ask. What cookies sign in is held to that anyway. */
  readonly page?: true;
  readonly query?: Readonly<Record<string, z.ZodType<string | undefined>>>;
  /** A page that is the same for every query: others write these addresses. */
  readonly anyQuery?: true;
  /** Request headers that matter. */
  readonly headers?: Readonly<Record<string, string>>;
  /** JSON of this form, or a stream of this media type. */
  readonly body?: z.ZodType | { readonly stream: string };
  readonly answers: readonly Answer[];
}
