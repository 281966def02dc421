/** The API described: OpenAPI for programs, one page without scripts for people. */
import { createHash } from 'node:crypto';
import { openApi } from '../../api/openapi.ts';
import type { Operation } from '../../api/operation.ts';
import { OPERATIONS } from '../../api/operations.ts';
import type { Exchange } from './exchange.ts';

const STYLE = `body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1a1a1a;background:#fff}
h1{font-size:1.6rem}h2{font-size:1rem;margin:2rem 0 .2rem;font-family:ui-monospace,monospace}p{margin:.2rem 0}
table{border-collapse:collapse;margin:.4rem 0}td,th{text-align:left;padding:.15rem 1rem .15rem 0;vertical-align:top}
code{font-family:ui-monospace,monospace}.m{display:inline-block;min-width:4.5rem;color:#0b5c3b}
@media(prefers-color-scheme:dark){body{color:#e6e6e6;background:#161616}.m{color:#7fd6ae}a{color:#8ab4f8}}`;
const STYLE_HASH = createHash('sha256').update(STYLE).digest('base64');
const PAGE_POLICY = `default-src 'none'; style-src 'sha256-${STYLE_HASH}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`;

export function pageHandlers(version: string) {
  const document = Buffer.from(JSON.stringify(openApi(version)));
  const page = Buffer.from(pageOf(version));
  const cached = { 'Cache-Control': 'no-cache' };
  return {
    'api.openapi': (exchange: Exchange): void => {
      exchange.sendBytes(200, 'application/json', document, cached);
    },
    'api.page': (exchange: Exchange): void => {
      exchange.sendBytes(200, 'text/html; charset=utf-8', page, { ...cached, 'Content-Security-Policy': PAGE_POLICY });
    },
  };
}

function pageOf(version: string): string {
  const sections = Object.entries<Operation>(OPERATIONS).map(([id, operation]) => sectionOf(id, operation));
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Waybill API</title>
<style>${STYLE}</style></head><body>
<h1>Waybill API <small>${escaped(version)}</small></h1>
<p>For programs: <a href="/api/v1/openapi.json">OpenAPI 3.1</a>. Send a token as <code>Authorization: Bearer TOKEN</code>.
In <code>{path}</code> slashes stay as they are. Failures are <code>application/problem+json</code> with a stable <code>code</code>.</p>
${sections.join('\n')}
</body></html>
`;
}

const SCOPE_WORDS: Readonly<Record<string, string>> = { 'signed-in': 'any: whoever is signed in' };
const NOBODY = 'none: nobody needs to be signed in';

function sectionOf(
  id: string,
  { method, path, doc, scope, page, headers = {}, query = {}, answers }: Operation,
): string {
  const rows = [
    ['Scope', scope === null ? NOBODY : (SCOPE_WORDS[scope] ?? scope)],
    ...(page === undefined ? [] : [['Asked by', "this server's own pages (Sec-Fetch-Site, Origin)"]]),
    ...Object.keys(query).map((name) => [`?${name}=`, '']),
    ...Object.entries(headers),
    ...answers.map((answer) => [String(answer.status), answer.doc]),
  ];
  const table = rows.map(([name = '', text = '']) => `<tr><th>${escaped(name)}</th><td>${escaped(text)}</td></tr>`);
  return `<h2 id="${escaped(id)}"><span class="m">${method}</span> ${escaped(path)}</h2>
<p>${escaped(doc)}</p><table>${table.join('')}</table>`;
}

function escaped(text: string): string {
  return text.replaceAll(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
