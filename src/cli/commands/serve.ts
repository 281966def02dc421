import path from 'node:path';
import { OPTIONS } from '../../config/options.ts';
import type { OptionRow } from '../../config/options.ts';
import { readOptions } from '../../config/read-options.ts';
import type { GivenOptions } from '../../config/read-options.ts';
import type { RunningServer } from '../../main.ts';
import { command, COMMON_OPTIONS } from '../command.ts';
import type { Context, Options, OptionSpec } from '../command.ts';
import { EXIT } from '../exit-codes.ts';
import { SIGNALS, untilSignal } from '../signals.ts';
import { welcome } from '../welcome.ts';

/** The server's options as the configuration has them; those that every command has are not said twice. */
const SERVE_OPTIONS: Options = Object.fromEntries(
  Object.entries(OPTIONS)
    .filter(([name]) => !(name in COMMON_OPTIONS))
    .map(([name, row]) => [name, optionSpec(row)]),
);

function optionSpec(row: OptionRow): OptionSpec {
  return {
    doc: row.doc,
    ...(row.value === undefined ? {} : { value: row.value }),
    ...(row.many === undefined ? {} : { many: row.many }),
    ...(row.fallback === undefined ? {} : { fallback: row.fallback }),
  };
}

export const SERVE_COMMAND = command({
  name: 'serve',
  doc: 'Run the server on a data folder. The first start makes everything that it needs.',
  details: [
    'Each option can also be given in the environment as WAYBILL_ and its name in capitals (WAYBILL_LOG_LEVEL), or in a JSON file named by --config. The command line wins over the environment, the environment over the file.',
    'With --json prints one line when it is ready: {"event":"ready","sftp":{"host","port","fingerprints"},"https":[{"host","port"}],"tlsKey","tcpCongestion","first":{"tenant","login","key","folder"},"enrol"}; `enrol` is the link by which the first administrator enrols (without HTTPS its secret), null once it was used; `tcpCongestion` is null where it is left to the system. SIGTERM and Ctrl-C end it cleanly.',
  ],
  arguments: {},
  options: SERVE_OPTIONS,
  local: 'it is the server.',
  async run(input, context) {
    const options = readOptions(given(input, context));
    // Only here: every other command starts in half the time without the rooms of the server.
    const { startServer } = await import('../../main.ts');
    const ending = untilSignal();
    const server = await startServer(options);
    try {
      await announce(server, context);
      await ending;
    } finally {
      await stop(server);
    }
    return EXIT.success.code;
  },
});

function given(input: Readonly<Record<string, unknown>>, context: Context): GivenOptions {
  const texts: Record<string, string | readonly string[]> = { data: context.dataFolder };
  for (const name of Object.keys(SERVE_OPTIONS)) {
    const value = input[name];
    if (typeof value === 'string') texts[name] = value;
    else if (Array.isArray(value) && value.length > 0) texts[name] = value as string[];
    else if (value === true) texts[name] = 'true';
  }
  if (context.output.json) texts['json'] = 'true';
  return texts;
}

async function announce({ ready }: RunningServer, context: Context): Promise<void> {
  const { sftp, listeners, first, enrol } = ready;
  const text = await welcome(ready, {
    dataFolder: context.dataFolder,
    here: process.cwd(),
    hostKeys: (await context.server.call('key.host', {})).keys,
  });
  const shown = first === null ? null : { ...first, key: path.resolve(first.key) };
  const https = listeners.filter(({ profile }) => profile === 'https').map(({ host, port }) => ({ host, port }));
  const { tlsKey, tcpCongestion } = ready;
  context.output.answer({ event: 'ready', sftp, https, tlsKey, tcpCongestion, first: shown, enrol }, text);
}

/** Listens from before the start, so that a signal during it ends the server as soon as it stands. */
/** Ctrl-C under npm arrives twice: from the terminal and from npm. A second wish comes later than this. */
const SAME_WISH_MILLISECONDS = 1000;
/** Without its fronts the server is taken down in milliseconds. */
const HURRY_MILLISECONDS = 1000;

/**
 * Somebody who asks a second time does not want to wait: the fronts go at once, and what is not done soon after goes as
 * in a crash. Not by process.exit(), which first joins V8's threads, and one of those may wait for ever (front/main.ts).
 */
async function stop(server: RunningServer): Promise<void> {
  const asked = performance.now();
  let hurry: NodeJS.Timeout | undefined;
  const again = (): void => {
    if (performance.now() - asked < SAME_WISH_MILLISECONDS) return;
    server.kill();
    hurry ??= setTimeout(() => process.kill(process.pid, 'SIGKILL'), HURRY_MILLISECONDS);
  };
  for (const signal of SIGNALS) process.on(signal, again);
  await server.stop();
  clearTimeout(hurry);
  for (const signal of SIGNALS) process.off(signal, again);
}
