import { command } from '../command.ts';

export const SERVE_COMMAND = command({
  name: 'serve',
  doc: 'Run the server on a data folder; the first start makes everything it needs.',
  arguments: {},
  options: {
    sftp: { value: 'ADDRESS:PORT', doc: 'Where SFTP is served; port 0 picks a free one.', fallback: '0.0.0.0:2022' },
  },
  run() {
    return Promise.resolve();
  },
});
