/** The OpenAPI 3.1 document, made of the rows of operations.ts. Pure. */
import { z } from 'zod';
import type { Answer, Operation } from './operation.ts';
import { OPERATIONS } from './operations.ts';
import { problem, PROBLEM_TYPE } from './problem.ts';

type Json = Readonly<Record<string, unknown>>;

export function openApi(version: string): Json {
  const components: Record<string, unknown> = {};
  const paths: Record<string, Record<string, unknown>> = {};
  for (const [id, operation] of Object.entries<Operation>(OPERATIONS)) {
    const path = (paths[operation.path] ??= {});
    path[operation.method.toLowerCase()] = describe(id, operation, components);
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Waybill',
      version,
      description: 'Files over HTTPS. Names in a path keep their slashes; other characters are percent-encoded.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/' }],
    paths,
    components: {
      schemas: components,
      securitySchemes: {
        token: { type: 'http', scheme: 'bearer', description: 'An API token (wbt_...).' },
        session: { type: 'apiKey', in: 'cookie', name: '__Host-waybill', description: 'A web session.' },
      },
    },
  };
}

function describe(id: string, operation: Operation, components: Record<string, unknown>): Json {
  const schema = (of: z.ZodType, io: 'input' | 'output'): unknown => schemaOf(of, io, components);
  const answers = operation.answers.map((answer): [string, Json] => [
    String(answer.status),
    { description: answer.doc, ...contentOf(answer, schema) },
  ]);
  const failure = { description: 'A failure', content: { [PROBLEM_TYPE]: { schema: schema(problem, 'output') } } };
  return {
    operationId: id,
    summary: operation.doc,
    tags: [id.slice(0, id.indexOf('.'))],
    security: operation.scope === null ? [] : [{ token: [] }, { session: [] }],
    ...(operation.scope === null ? {} : { 'x-scope': operation.scope }),
    ...(operation.page === undefined ? {} : { 'x-from-own-pages-only': true }),
    parameters: parametersOf(operation, schema),
    ...requestBody(operation, schema),
    responses: { ...Object.fromEntries(answers), default: failure },
  };
}

type Schema = (of: z.ZodType, io: 'input' | 'output') => unknown;

function parametersOf(operation: Operation, schema: Schema): Json[] {
  const named = [...operation.path.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => ({
    name,
    in: 'path',
    required: true,
    schema: { type: 'string' },
    ...(name === 'path' ? { description: 'The path of the file without its first slash.' } : {}),
  }));
  const asked = Object.entries(operation.query ?? {}).map(([name, of]) => ({
    name,
    in: 'query',
    required: false,
    schema: schema(of, 'input'),
  }));
  const headers = Object.entries(operation.headers ?? {}).map(([name, description]) => ({
    name,
    in: 'header',
    required: false,
    description,
    schema: { type: 'string' },
  }));
  return [...named, ...asked, ...headers];
}

function requestBody({ body }: Operation, schema: Schema): Json {
  if (body === undefined) return {};
  const bytes = { schema: { type: 'string', format: 'binary' } };
  if ('stream' in body) return { requestBody: { required: false, content: { [body.stream]: bytes } } };
  return { requestBody: { required: true, content: { 'application/json': { schema: schema(body, 'input') } } } };
}

function contentOf({ body, type }: Answer, schema: Schema): Json {
  if (body === null) return {};
  if (body !== 'bytes') return { content: { 'application/json': { schema: schema(body, 'output') } } };
  return { content: { [type ?? 'application/octet-stream']: { schema: { type: 'string', format: 'binary' } } } };
}

/** Schemas with a name of their own stand once, under components. */
function schemaOf(of: z.ZodType, io: 'input' | 'output', components: Record<string, unknown>): unknown {
  const made = z.toJSONSchema(of, { target: 'draft-2020-12', io, unrepresentable: 'any' }) as Record<string, unknown>;
  const { $defs: definitions = {}, id } = made;
  const rest = without(made, '$schema', '$defs', 'id');
  const all = definitions as Record<string, Record<string, unknown>>;
  for (const [name, definition] of Object.entries(all)) {
    components[name] ??= moved(without(definition, 'id'));
  }
  if (typeof id !== 'string') return moved(rest);
  components[id] ??= moved(rest);
  return { $ref: `#/components/schemas/${id}` };
}

function without(object: Json, ...names: readonly string[]): Json {
  return Object.fromEntries(Object.entries(object).filter(([name]) => !names.includes(name)));
}

function moved(schema: unknown): unknown {
  return JSON.parse(JSON.stringify(schema).replaceAll('"#/$defs/', '"#/components/schemas/')) as unknown;
}
