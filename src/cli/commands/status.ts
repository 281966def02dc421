import { command } from '../command.ts';

export const STATUS_COMMAND = command({
  name: 'status',
  doc: 'Tell whether the server of the data folder runs, where it listens and how busy it is.',
  arguments: {},
  options: {},
  async run(_input, { server, output }) {
    const status = await server.call('server.status', {});
    const addresses = status.sftp.map(({ host, port }) => `${host}:${port}`).join(', ');
    const web = status.https.map(({ host, port }) => `${host}:${port}`).join(', ');
    const control = status.tcpCongestion === null ? '' : `; congestion control ${status.tcpCongestion}`;
    const people = [
      `Waybill ${status.version} runs as process ${status.pid} since ${status.started}.`,
      ...(status.tlsKey === null ? [] : [`HTTPS on ${web}; its key is ${status.tlsKey}`]),
      `SFTP on ${addresses}; ${status.fronts} fronts, ${status.connections} connections, ${status.sessions} sessions${control}.`,
    ];
    output.answer(status, people.join('\n'));
  },
});
