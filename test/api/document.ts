/** The OpenAPI document as tests read it. */
export interface Parameter {
  readonly name: string;
  readonly in: 'path' | 'query' | 'header' | 'cookie';
  readonly required?: boolean;
  readonly schema: Record<string, unknown>;
}

type Content = Readonly<Record<string, { readonly schema: Record<string, unknown> }>>;

export interface Row {
  readonly operationId: string;
  readonly method?: string;
  readonly summary?: string;
  readonly tags?: readonly string[];
  readonly security: readonly Readonly<Record<string, unknown>>[];
  readonly 'x-scope'?: string;
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: { readonly required?: boolean; readonly content: Content };
  readonly responses: Readonly<
    Record<string, { readonly description?: string; readonly content?: Content; readonly headers?: unknown }>
  >;
}

export interface Document {
  readonly openapi: string;
  readonly paths: Readonly<Record<string, Readonly<Record<string, Row>>>>;
  readonly components: {
    readonly schemas: Readonly<Record<string, unknown>>;
    readonly securitySchemes: Readonly<Record<string, unknown>>;
  };
}

export interface Described {
  readonly id: string;
  readonly method: string;
  readonly path: string;
  readonly row: Row;
}

export function operationsOf({ paths }: Document): Described[] {
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, row]) => ({ id: row.operationId, method, path, row: { ...row, method } })),
  );
}

/** Every schema in the document, by its JSON pointer. */
export function schemasOf(document: Document): { readonly at: string; readonly schema: Record<string, unknown> }[] {
  const found: { at: string; schema: Record<string, unknown> }[] = [];
  const pointer = (...names: readonly string[]): string =>
    names.map((name) => `/${encodeURIComponent(name.replaceAll('~', '~0').replaceAll('/', '~1'))}`).join('');
  for (const [name, schema] of Object.entries(document.components.schemas))
    found.push({ at: pointer('components', 'schemas', name), schema: schema as Record<string, unknown> });
  for (const { path, method, row } of operationsOf(document)) {
    const base = ['paths', path, method];
    for (const [index, { schema }] of (row.parameters ?? []).entries())
      found.push({ at: pointer(...base, 'parameters', String(index), 'schema'), schema });
    for (const [type, { schema }] of Object.entries(row.requestBody?.content ?? {}))
      found.push({ at: pointer(...base, 'requestBody', 'content', type, 'schema'), schema });
    for (const [status, { content = {} }] of Object.entries(row.responses))
      for (const [type, { schema }] of Object.entries(content))
        found.push({ at: pointer(...base, 'responses', status, 'content', type, 'schema'), schema });
  }
  return found;
}
