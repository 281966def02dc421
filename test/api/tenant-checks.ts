/** Checks that keep tenants and accounts apart, how each is turned off, and where the test must then find something. */
import type { Edit } from './mutants.ts';

export interface Check {
  readonly name: string;
  readonly edit: Edit;
  /** An operation, or part of why, that is found then. */
  readonly found: string;
}

/** As long as only these operations are asked they do not get in each other's way: each leads to findings of its own. */
export const APART: readonly Check[] = [
  {
    name: 'a web session is ended by its own account',
    edit: {
      file: 'accounts/web/web-sessions.ts',
      from: 'if (store.session(id)?.account !== account.id) return',
      to: 'if (store.session(id) === null) return',
    },
    found: 'account.end-session',
  },
  {
    name: 'a passkey is removed by its own account',
    edit: {
      file: 'broker/web-handlers.ts',
      from: 'if (web.store.passkey(passkey)?.account !== account.id)',
      to: 'if (web.store.passkey(passkey) === null)',
    },
    found: 'account.remove-passkey',
  },
  {
    name: 'a token is removed by its own account',
    edit: {
      file: 'broker/own-tokens.ts',
      from: 'if (web.store.token(token)?.account !== account.id) throw',
      to: 'if (web.store.token(token) === null) throw',
    },
    found: 'account.remove-token',
  },
  {
    name: 'an upload belongs to the account that began it',
    edit: {
      file: 'files/upload-registry.ts',
      from: 'return this.at(parent, name).find((upload) => upload.account === account);',
      to: 'return account === "" ? undefined : this.at(parent, name)[0];',
    },
    found: 'tus.head',
  },
  {
    name: 'a folder is seen by accounts with a grant',
    edit: {
      file: 'policy/grants.ts',
      from: 'return this.view(account).mounts.get(mount);',
      to: 'return [...this.views.values(), this.view(account)].map((one) => one.mounts.get(mount)).find((one) => one !== undefined);',
    },
    found: 'files.get',
  },
  {
    name: 'a token does what its scopes say',
    edit: {
      file: 'broker/web-sign-ins.ts',
      from: 'const { token, account, scopes } = verdict;',
      to: 'const { token, account } = verdict, scopes = FILES;',
    },
    found: 'a token without the scope',
  },
  {
    name: 'a request to log in is shown to whom it is for',
    edit: {
      file: 'broker/logins.ts',
      from: 'return request.asked.login === null || request.asked.login === login ? request : null;',
      to: 'return login === "" ? null : request;',
    },
    found: 'login.show',
  },
  {
    name: 'a sign-in under way belongs to the source that began it',
    edit: {
      file: 'broker/web-flows.ts',
      from: 'const kept = this.sources.get(source)?.get(key);',
      to: 'const kept = [...this.sources.values()].map((one) => one.get(key)).find((one) => one !== undefined);',
    },
    found: 'sign-in.passkey-options',
  },
  {
    name: 'administration is for administrators of the operator',
    edit: {
      file: 'broker/remote-administration.ts',
      from: 'if (this.administrators.accountOf(account.login)?.id !== id)',
      to: 'if (account.login === "")',
    },
    found: 'admin.account.list',
  },
];

/** Lets so much through that nothing else can be told apart. */
export const ALONE: readonly Check[] = [
  {
    name: 'each credential on a connection has a session of its own',
    edit: {
      file: 'protocols/https/credentials.ts',
      from: 'const { kind, text } = credential;',
      to: 'const [kind, text] = ["one", "for all"];',
    },
    found: 'after Ben on the same connection',
  },
];
