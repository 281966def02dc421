/** A real OpenID provider (npm oidc-provider) on loopback, and a browser that signs people in there. */
import { createServer } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import Provider from 'oidc-provider';

export const CLIENT = 'waybill';
export const CLIENT_SECRET = 'a secret of the client';

export interface RealProvider {
  readonly issuer: string;
  close(): void;
}

/** People are who they say: the login is the subject. */
export async function startRealProvider(redirectUris: readonly string[]): Promise<RealProvider> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const issuer = `http://127.0.0.1:${port}`;
  const provider = new Provider(issuer, {
    clients: [
      {
        client_id: CLIENT,
        client_secret: CLIENT_SECRET,
        redirect_uris: redirectUris,
        response_types: ['code'],
        grant_types: ['authorization_code'],
      },
    ],
    conformIdTokenClaims: false,
    claims: { openid: ['sub'], email: ['email', 'email_verified'], acr: null, amr: null, auth_time: null },
    pkce: { required: () => true },
    findAccount: (_context: unknown, id: string) => ({
      accountId: id,
      claims: () => ({ sub: id, email: `${id}@Example.org`, email_verified: true }),
    }),
  });
  server.on('request', provider.callback());
  return {
    issuer,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

/** Keeps cookies, follows redirects, fills in the provider's two forms. */
export class Browser {
  private readonly cookies = new Map<string, string>();

  /** Until an address that is not the provider's: answers it. */
  async signIn(address: string, login: string): Promise<URL> {
    const { origin } = new URL(address);
    let response = await this.fetch(address);
    for (let step = 0; step < 20; step++) {
      const location = response.headers.get('location');
      if (location !== null) {
        const next = new URL(location, response.url);
        if (next.origin !== origin) return next;
        response = await this.fetch(next.href);
        continue;
      }
      const page = await response.text();
      const action = /action="([^"]+)"/.exec(page)?.[1];
      if (action === undefined) throw new Error(`the provider says: ${page.slice(0, 2000)}`);
      const prompt = /name="prompt" value="(\w+)"/.exec(page)?.[1] ?? '';
      const body = new URLSearchParams({ prompt, login, password: 'any' });
      response = await this.fetch(new URL(action, response.url).href, body);
    }
    throw new Error('the provider leads nowhere');
  }

  private async fetch(url: string, body?: URLSearchParams): Promise<Response> {
    const cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const response = await fetch(url, {
      method: body === undefined ? 'GET' : 'POST',
      redirect: 'manual',
      headers: { cookie },
      ...(body === undefined ? {} : { body }),
    });
    for (const text of response.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(text) ?? [];
      if (value === '') this.cookies.delete(name);
      else this.cookies.set(name, value);
    }
    return response;
  }
}
