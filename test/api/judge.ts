/** Whether an answer is one that the OpenAPI document promises, and gives nothing away. */
import { Ajv2020 } from 'ajv/dist/2020.js';
import type { ValidateFunction } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import type { Described, Document } from './document.ts';
import type { Answer } from './real-server.ts';

/** What only the inside of a server says: stacks, its own files, its store, other programs' errors. */
const INSIDE =
  /node:internal|node_modules|\.ts:\d|\bat (?:async )?[\w.<>]+ \(|SQLITE|\bE(?:NOENT|ACCES|PERM|ISDIR|EXIST)\b|ZodError|TypeError|RangeError|ReferenceError|\[object |undefined is not/;
const STANDING: Readonly<Record<string, RegExp>> = {
  'x-content-type-options': /^nosniff$/,
  'content-security-policy': /default-src 'none'/,
  'cache-control': /no-store|no-cache|private/,
  'x-frame-options': /^DENY$/,
  'referrer-policy': /^no-referrer$/,
};

export class Judge {
  private readonly document: Document;
  private readonly ajv: Ajv2020;
  private readonly compiled = new Map<string, ValidateFunction>();

  constructor(document: Document) {
    this.document = document;
    this.ajv = new Ajv2020({ strict: false, allErrors: false });
    addFormats.default(this.ajv);
    this.ajv.addFormat('binary', true);
    this.ajv.addSchema(document, 'api');
  }

  /** What is wrong with it; null when nothing is. */
  fault({ id, method, path, row }: Described, answer: Answer): string | null {
    const { status, headers, body } = answer;
    if (status >= 500) return `${status}`;
    // Too long to become a request: the parser's own answer, without a word in it.
    if (status === 431 && body.length === 0) return null;
    for (const [name, form] of Object.entries(STANDING))
      if (!form.test(String(headers[name]))) return `the header ${name} is ${String(headers[name])}`;
    if (headers['set-cookie'] !== undefined && !id.startsWith('sign-in.') && id !== 'account.sign-out')
      return 'it sets a cookie';
    const known = Object.hasOwn(row.responses, String(status)) ? String(status) : 'default';
    if (known === 'default' && status < 400) return `the status ${status} is not documented`;
    const content = row.responses[known]?.content;
    if (content === undefined) return body.length === 0 ? null : 'a body where none is documented';
    const type = String(headers['content-type']).split(';')[0]?.trim() ?? '';
    const multipart = status === 206 && type === 'multipart/byteranges';
    if (!Object.hasOwn(content, type) && !multipart) return `the content type ${type} is not documented for ${known}`;
    if (method === 'head') return body.length === 0 ? null : 'a body in answer to HEAD';
    if (!type.endsWith('json')) return null;
    const pointer = ['paths', path, method, 'responses', known, 'content', type, 'schema'];
    return this.mismatch(pointer, answer.text, status);
  }

  private mismatch(pointer: readonly string[], text: string, status: number): string | null {
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch {
      return 'the body is not JSON';
    }
    const at = `api#${pointer.map((name) => `/${encodeURIComponent(name.replaceAll('~', '~0').replaceAll('/', '~1'))}`).join('')}`;
    let check = this.compiled.get(at);
    if (check === undefined) {
      check = this.ajv.compile({ $ref: at });
      this.compiled.set(at, check);
    }
    if (!check(value)) return `not of the documented form: ${this.ajv.errorsText(check.errors)}`;
    const told = (value as { status?: unknown }).status;
    return pointer.includes('default') && told !== status ? `the problem says ${String(told)}` : null;
  }

  get operations(): number {
    return Object.keys(this.document.paths).length;
  }
}

/** What must not be read anywhere. */
export class Secrets {
  private readonly all = new Set<string>();
  /** Where things are on the machine: `paths` says who may know. */
  private readonly places = new Set<string>();

  addPlaces(...texts: readonly string[]): void {
    for (const text of texts) this.places.add(text);
  }

  add(...texts: readonly string[]): void {
    for (const text of texts) if (text.length >= 8) this.all.add(text);
  }

  /** The first of them that stands in the text; never the secret itself. */
  in(text: string): string | null {
    for (const secret of this.all) if (text.includes(secret)) return `a secret (${secret.slice(0, 4)}...)`;
    return null;
  }

  leak(answer: Answer, asked: string, paths = false): string | null {
    const text = `${JSON.stringify(answer.headers)}\n${answer.text}`;
    if (!paths) for (const place of this.places) if (text.includes(place)) return 'it shows a place on the machine';
    const secret = this.in(text);
    if (secret !== null) return `it shows ${secret}`;
    const inside = INSIDE.exec(text)?.[0];
    return inside === undefined || asked.includes(inside) ? null : `it shows ${JSON.stringify(inside)}`;
  }
}
