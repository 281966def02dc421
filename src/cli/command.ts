/**
 * The form of a row in the table of commands. Help, parsing, shell completion and the reference page in docs/ all come
 * from these rows; `run` sees only input that fits them.
 */
import type { AdminCaller } from '../broker/admin-calls.ts';
import type { Output } from './output.ts';
import { TRUST_OPTION } from './server-trust.ts';

export interface ArgumentSpec {
  readonly doc: string;
  readonly optional?: true;
  /** One or more words; of one argument of a command. */
  readonly many?: true;
  readonly choices?: readonly string[];
}

export interface OptionSpec {
  readonly doc: string;
  /** What stands for the value in help ("DIR"); without it the option is a switch. */
  readonly value?: string;
  readonly many?: true;
  readonly required?: true;
  readonly choices?: readonly string[];
  /** Said in help only: what holds when the option is left out. */
  readonly fallback?: string;
}

type Arguments = Readonly<Record<string, ArgumentSpec>>;
export type Options = Readonly<Record<string, OptionSpec>>;

type ArgumentValue<A extends ArgumentSpec> = A extends { many: true }
  ? readonly string[]
  : A extends { optional: true }
    ? string | null
    : string;
type OptionValue<O extends OptionSpec> = O extends { value: string }
  ? O extends { many: true }
    ? readonly string[]
    : O extends { required: true }
      ? string
      : string | null
  : boolean;

export type Input<A extends Arguments, O extends Options> = { readonly [K in keyof A]: ArgumentValue<A[K]> } & {
  readonly [K in keyof O]: OptionValue<O[K]>;
};

/** What a command may touch. Tests give their own. */
export interface Context {
  readonly output: Output;
  readonly dataFolder: string;
  /** The running server of this data folder, or the one that --server names; connects on first use. */
  readonly server: AdminCaller;
  /** The ledger's folder: that of the data folder, or a copy of the remote server's, brought up to date. */
  readonly ledgerFolder: () => Promise<string>;
  /** Asks on the terminal without echo, or takes the first line of standard input where there is no terminal. */
  readonly readSecret: (prompt: string) => Promise<string>;
  readonly readTextFile: (file: string) => Promise<string>;
  /** --as-token-file or its variable; null: neither was given. */
  readonly token?: () => string | null;
}

export interface CommandSpec<A extends Arguments, O extends Options> {
  /** "tenant add" */
  readonly name: string;
  readonly doc: string;
  /** Further paragraphs of the help. */
  readonly details?: readonly string[];
  /** In the order in which they are typed. */
  readonly arguments: A;
  readonly options: O;
  /** Why it does nothing on a server elsewhere, for those that work on this machine alone: --server is refused then. */
  readonly local?: string;
  /** Resolves with the exit code when it is not 0. */
  run(input: Input<A, O>, context: Context): Promise<number> | Promise<void>;
}

/** A row as parser, help and completion see it: any arguments, any options. */
export interface Command {
  readonly name: string;
  readonly doc: string;
  readonly details?: readonly string[];
  readonly arguments: Arguments;
  readonly options: Options;
  readonly local?: string;
  run(input: Readonly<Record<string, unknown>>, context: Context): Promise<number> | Promise<void>;
}

/** Types `run` by the row's own arguments and options; the parser is what makes that true. */
export function command<const A extends Arguments, const O extends Options>(spec: CommandSpec<A, O>): Command {
  return spec;
}

/** Options that every command understands. */
export const COMMON_OPTIONS = {
  data: { value: 'DIR', doc: 'The data folder of the server.', fallback: './data' },
  server: {
    value: 'https://HOST:PORT',
    doc: 'A server elsewhere, over its HTTPS API; or the variable WAYBILL_SERVER. It takes your access token.',
  },
  trust: { ...TRUST_OPTION, doc: `With --server: ${TRUST_OPTION.doc} Or the variable WAYBILL_TRUST.` },
  'as-token-file': {
    value: 'FILE',
    doc: 'Your access token as an administrator; or the variable WAYBILL_TOKEN_FILE.',
  },
  json: { doc: 'Print JSON for scripts: one document on standard output; a failure as one line on standard error.' },
  help: { doc: 'Print this help.' },
} as const satisfies Options;

export interface Group {
  readonly name: string;
  readonly doc: string;
}
