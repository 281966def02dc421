/** The table of commands: every command of `waybill` is a row here. */
import type { Command, Group } from '../command.ts';
import { ACCOUNT_COMMANDS } from './account.ts';
import { ACQUAINTANCE_COMMANDS } from './acquaintance.ts';
import { ADMINISTRATOR_COMMANDS } from './administrator.ts';
import { APPROVAL_COMMANDS } from './approval.ts';
import { BUDGET_COMMANDS } from './budget.ts';
import { CERTIFICATE_COMMANDS } from './certificate.ts';
import { CHECK_COMMAND } from './check.ts';
import { completionCommand } from './completion.ts';
import { EVENT_COMMANDS } from './event.ts';
import { FOLDER_COMMANDS } from './folder.ts';
import { GRANT_COMMANDS } from './grant.ts';
import { INVESTIGATE_COMMAND } from './investigate.ts';
import { KEY_COMMANDS } from './key.ts';
import { KEY_LIFE_COMMANDS } from './key-life.ts';
import { LEDGER_COMMANDS } from './ledger.ts';
import { LOGIN_COMMANDS } from './login.ts';
import { PACK_COMMAND } from './pack.ts';
import { PRODUCT_COMMANDS } from './product.ts';
import { ROOTKEY_COMMANDS } from './rootkey.ts';
import { SERVE_COMMAND } from './serve.ts';
import { SIGN_IN_COMMANDS } from './sign-in.ts';
import { TOKEN_COMMANDS } from './token.ts';
import { SESSION_COMMANDS } from './session.ts';
import { SSO_COMMANDS } from './sso.ts';
import { STATUS_COMMAND } from './status.ts';
import { TENANT_COMMANDS } from './tenant.ts';
import { TRANSFER_COMMANDS } from './transfer.ts';
import { VERIFY_COMMAND } from './verify.ts';
import { WITNESS_COMMAND } from './witness.ts';

export const COMMANDS: readonly Command[] = [
  SERVE_COMMAND,
  STATUS_COMMAND,
  ...TENANT_COMMANDS,
  ...FOLDER_COMMANDS,
  ...PRODUCT_COMMANDS,
  ...ACCOUNT_COMMANDS,
  ...ACQUAINTANCE_COMMANDS,
  ...GRANT_COMMANDS,
  ...KEY_COMMANDS,
  ...KEY_LIFE_COMMANDS,
  ...CERTIFICATE_COMMANDS,
  ...ROOTKEY_COMMANDS,
  ...SESSION_COMMANDS,
  ...SIGN_IN_COMMANDS,
  ...SSO_COMMANDS,
  ...TOKEN_COMMANDS,
  ...LOGIN_COMMANDS,
  ...TRANSFER_COMMANDS,
  ...ADMINISTRATOR_COMMANDS,
  ...APPROVAL_COMMANDS,
  ...BUDGET_COMMANDS,
  ...EVENT_COMMANDS,
  CHECK_COMMAND,
  VERIFY_COMMAND,
  PACK_COMMAND,
  ...LEDGER_COMMANDS,
  WITNESS_COMMAND,
  INVESTIGATE_COMMAND,
  completionCommand(() => COMMANDS),
];

/** Commands in one line each: groups of verbs, and commands without verbs by their own doc. */
export const GROUPS: readonly Group[] = [
  { name: 'serve', doc: SERVE_COMMAND.doc },
  { name: 'status', doc: STATUS_COMMAND.doc },
  { name: 'tenant', doc: 'Customers: add, list, set quotas, remove.' },
  { name: 'folder', doc: 'Folders of tenants: add, list, remove, legal holds.' },
  { name: 'product', doc: 'What you sell that uses folders: add, list, remove.' },
  { name: 'account', doc: 'People and services: add, suspend, passwords, one-time codes, what a sign-in needs.' },
  { name: 'grant', doc: 'Who may do what in which folder.' },
  { name: 'key', doc: 'SSH keys and certificate authorities that sign in, revocation, host keys.' },
  { name: 'rootkey', doc: 'The root key that everything is wrapped with: where it is, its versions, rotation.' },
  { name: 'sso', doc: 'Single sign-on: identity providers of tenants, and who is linked with them.' },
  ...LOGIN_COMMANDS.map(({ name, doc }) => ({ name, doc })),
  ...TRANSFER_COMMANDS.map(({ name, doc }) => ({ name, doc })),
  { name: 'token', doc: 'API tokens of accounts: add, list, renew, remove.' },
  { name: 'session', doc: 'Sessions that are open now: list and end them.' },
  { name: 'administrator', doc: 'People of the operator by name: add, list, renew their tokens, remove.' },
  ...APPROVAL_COMMANDS.map(({ name, doc }) => ({ name, doc })),
  { name: 'budget', doc: 'How much may leave within a time: set, clear, list, show.' },
  { name: 'event', doc: 'Events out: webhooks, syslog, mail; add, list, remove, what was given up.' },
  { name: 'check', doc: CHECK_COMMAND.doc },
  { name: 'investigate', doc: INVESTIGATE_COMMAND.doc },
  { name: 'verify', doc: VERIFY_COMMAND.doc },
  { name: 'pack', doc: PACK_COMMAND.doc },
  { name: 'ledger', doc: 'The ledger of everything that was recorded: its key, its checkpoint, how large it is.' },
  { name: 'witness', doc: WITNESS_COMMAND.doc },
  { name: 'completion', doc: 'Print a script that completes waybill commands in your shell.' },
];
