import { command } from '../command.ts';
import { WaybillError } from '../../base/errors.ts';

export const SESSION_COMMANDS = [
  command({
    name: 'session list',
    doc: 'List the sessions that are open now.',
    arguments: { login: { doc: 'Only the sessions of this account.', optional: true } },
    options: {},
    async run(input, { server, output }) {
      const answer = await server.call('session.list', { login: input.login });
      const rows = answer.sessions.map((row) => [
        row.session,
        row.login,
        row.tenant,
        row.protocol,
        row.address,
        row.credential,
        row.started,
        row.client,
      ]);
      const headings = ['SESSION', 'LOGIN', 'TENANT', 'PROTOCOL', 'ADDRESS', 'CREDENTIAL', 'STARTED', 'CLIENT'];
      output.table(answer, headings, rows, 'No sessions.');
    },
  }),
  command({
    name: 'session end',
    doc: 'End sessions. Acts at once: what they had open is refused from this moment on.',
    details: [
      'It can sign in again. To keep an account out: waybill account suspend; to keep a key out: waybill key revoke.',
    ],
    arguments: { session: { doc: 'The session, as waybill session list prints it.', optional: true } },
    options: {
      login: { value: 'LOGIN', doc: 'End all sessions of this account.' },
      reason: { value: 'TEXT', doc: 'What the client is told.', fallback: 'ended by the operator' },
    },
    async run(input, { server, output }) {
      if ((input.session === null) === (input.login === null)) {
        throw new WaybillError('option-invalid', 'waybill session end: give either SESSION or --login LOGIN');
      }
      const answer = await server.call('session.end', {
        session: input.session,
        login: input.login,
        reason: input.reason ?? 'ended by the operator',
      });
      output.answer(answer, answer.ended === 1 ? '1 session is ended.' : `${answer.ended} sessions are ended.`);
    },
  }),
];
