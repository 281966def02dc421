/** The document that we serve, judged by a validator that knows nothing of ours, and by what clients made of it need. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { Validator } from '@seriousme/openapi-schema-validator';
import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { OPERATIONS } from '../../src/api/operations.ts';
import type { Operation } from '../../src/api/operation.ts';
import { openApi } from '../../src/api/openapi.ts';
import { PROBLEM_TYPE } from '../../src/api/problem.ts';
import { operationsOf, schemasOf } from './document.ts';
import type { Document } from './document.ts';

suite('the OpenAPI document', () => {
  const document = JSON.parse(JSON.stringify(openApi('1.2.3'))) as Document;
  const described = operationsOf(document);

  test('is an OpenAPI 3.1 document, says another implementation', async () => {
    const validator = new Validator();
    const { valid, errors } = await validator.validate({ ...document });
    assert.ok(valid, JSON.stringify(errors, null, 1));
    assert.equal(validator.version, '3.1');
  });

  test('the validator finds what is wrong', async () => {
    const [first = ''] = Object.keys(document.paths);
    for (const wrong of [
      { ...document, info: {} },
      { ...document, paths: { [first]: { get: { parameters: [{ name: 'x' }] } } } },
      { ...document, components: { ...document.components, securitySchemes: { token: { type: 'none' } } } },
    ])
      assert.equal((await new Validator().validate(wrong)).valid, false);
  });

  test('has every operation once, under its own id', () => {
    assert.deepEqual(described.map(({ id }) => id).sort(), Object.keys(OPERATIONS).sort());
    for (const { id, method, path } of described) {
      const row: Operation = OPERATIONS[id as keyof typeof OPERATIONS];
      assert.deepEqual([method.toUpperCase(), path], [row.method, row.path], id);
    }
  });

  test('every operation says what it is, who may, what it takes and how it fails', () => {
    for (const { id, path, row } of described) {
      assert.ok((row.summary ?? '').length > 10, `${id}: no summary`);
      assert.ok((row.tags ?? []).length > 0, `${id}: no tag`);
      assert.equal(Array.isArray(row.security), true, `${id}: it does not say who may`);
      const { scope }: Operation = OPERATIONS[id as keyof typeof OPERATIONS];
      if (scope !== null) assert.ok(row.security.length > 0, `${id}: nobody has to be signed in, and it has a scope`);
      for (const needed of row.security)
        for (const name of Object.keys(needed))
          assert.ok(Object.hasOwn(document.components.securitySchemes, name), `${id}: ${name} is no security scheme`);
      const successes = Object.keys(row.responses).filter((status) => /^[23]/.test(status));
      assert.ok(successes.length > 0, `${id}: no success`);
      const failure = row.responses['default'];
      assert.deepEqual(Object.keys(failure?.content ?? {}), [PROBLEM_TYPE], `${id}: no failure`);
      for (const [status, answer] of Object.entries(row.responses))
        assert.ok((answer.description ?? '').length > 0, `${id} ${status}: no description`);
      const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
      const named = (row.parameters ?? []).filter((one) => one.in === 'path');
      assert.deepEqual(named.map(({ name }) => name).sort(), inPath.sort(), `${id}: parameters of the path`);
      for (const one of named) assert.equal(one.required, true, `${id}: ${one.name}`);
      const names = (row.parameters ?? []).map((one) => `${one.in} ${one.name.toLowerCase()}`);
      assert.equal(new Set(names).size, names.length, `${id}: a parameter twice`);
      // RFC 9110: a body there has no meaning, and tools drop it.
      if (/^(get|head|options)$/.test(row.method ?? '')) assert.equal(row.requestBody, undefined, id);
    }
  });

  test('no two paths are the same but for the names of their parameters', () => {
    const shapes = Object.keys(document.paths).map((path) => path.replaceAll(/\{\w+\}/g, '{}'));
    assert.equal(new Set(shapes).size, shapes.length);
  });

  test('every schema is one that a strict reader takes, and leads nowhere but into the document', () => {
    const ajv = new Ajv2020({ strict: true, allowUnionTypes: true, strictRequired: false, strictTypes: false });
    addFormats.default(ajv);
    for (const name of ['components', 'openapi', 'info', 'servers', 'paths']) ajv.addKeyword(name);
    ajv.addFormat('binary', true);
    ajv.addSchema(document, 'api');
    const all = schemasOf(document);
    assert.ok(all.length > 20);
    for (const { at } of all) assert.equal(typeof ajv.compile({ $ref: `api#${at}` }), 'function', at);
  });

  test('objects that are sent to us are closed: what nobody reads is an error of its sender', () => {
    for (const { id, row } of described) {
      const schema = row.requestBody?.content['application/json']?.schema;
      if (schema === undefined) continue;
      const closed = (one: Record<string, unknown>): boolean => {
        const reference = one['$ref'];
        if (typeof reference === 'string') {
          const name = reference.slice('#/components/schemas/'.length);
          return closed((document.components.schemas[name] ?? {}) as Record<string, unknown>);
        }
        const some = (one['oneOf'] ?? one['anyOf']) as Record<string, unknown>[] | undefined;
        return some === undefined ? one['additionalProperties'] === false : some.every(closed);
      };
      assert.ok(closed(schema), `${id}: its body takes properties that it does not name`);
    }
  });
});
