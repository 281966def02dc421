/**
 * Mail about what waits for somebody. Plain text; the subject holds counts and nothing that anybody chose, the text holds
 * the one-line messages of events, so that no name of a file becomes a header. The server of --smtp-url has to speak TLS
 * unless it is on this machine.
 */
import { createTransport } from 'nodemailer';
import type { Transporter } from 'nodemailer';
import { isMailAddress } from '../../base/mail-address.ts';
import type { DeliverAnswer, MailServer, OutgoingEvent, OutgoingTarget } from '../calls.ts';
import { whyOf } from './why.ts';

const LINES_MAX = 100;
const LINE_MAX = 500;
const WITHIN_MS = 30_000;

const NAMES: Readonly<Record<string, string>> = {
  hold: 'held',
  proposal: 'waiting for approval',
  decision: 'decided',
  containment: 'contained',
  incident: 'incident',
};

export interface Letter {
  readonly subject: string;
  readonly text: string;
}

export function letterOf(events: readonly OutgoingEvent[]): Letter {
  const counts = new Map<string, number>();
  for (const { kind } of events) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  const subject = [...counts].map(([kind, count]) => `${count} ${NAMES[kind] ?? kind}`).join(', ');
  const lines = events
    .slice(0, LINES_MAX)
    .map(({ time, message }) => `${new Date(time).toISOString()}  ${oneLine(message)}`);
  const more = events.length > LINES_MAX ? [`... and ${events.length - LINES_MAX} more.`] : [];
  const footer = [
    '',
    'To see what waits: waybill approvals',
    'To decide: waybill approve REFERENCE, waybill deny REFERENCE',
  ];
  return { subject: oneLine(`Waybill: ${subject}`).slice(0, 200), text: [...lines, ...more, ...footer, ''].join('\n') };
}

function oneLine(text: string): string {
  return text.replaceAll(/[\p{C}\u2028\u2029]+/gu, ' ').slice(0, LINE_MAX);
}

export class Mail {
  private readonly server: MailServer;
  private readonly transport: Transporter;

  constructor(server: MailServer) {
    this.server = server;
    this.transport = transportOf(server);
  }

  async deliver({ address }: OutgoingTarget, events: readonly OutgoingEvent[]): Promise<DeliverAnswer> {
    try {
      if (!isMailAddress(address)) throw new Error('the address is not one plain mail address');
      const { subject, text } = letterOf(events);
      await this.transport.sendMail({
        // As objects they are not parsed for further recipients.
        from: { name: 'Waybill', address: this.server.from },
        to: { name: '', address },
        subject,
        text,
        headers: { 'Auto-Submitted': 'auto-generated' },
        disableFileAccess: true,
        disableUrlAccess: true,
      });
      return { delivered: events.length, failure: null, retryAfter: null };
    } catch (error) {
      return { delivered: 0, failure: whyOf(error), retryAfter: null };
    }
  }
}

function transportOf({ url: text, password, ca }: MailServer): Transporter {
  const url = new URL(text);
  const secure = url.protocol === 'smtps:';
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  const local = host === 'localhost' || host === '::1' || host.startsWith('127.');
  const user = decodeURIComponent(url.username);
  return createTransport({
    host,
    port: url.port === '' ? (secure ? 465 : 587) : Number(url.port),
    secure,
    requireTLS: !secure && !local,
    ...(user === '' || password === null ? {} : { auth: { user, pass: password } }),
    tls: { minVersion: 'TLSv1.2', ...(ca === null ? {} : { ca }) },
    connectionTimeout: WITHIN_MS,
    greetingTimeout: WITHIN_MS,
    socketTimeout: WITHIN_MS,
    disableFileAccess: true,
    disableUrlAccess: true,
  });
}
