/** Syslog messages (RFC 5424) in octet-counted frames (RFC 5425 section 4.3). Pure. */
import type { OutgoingEvent } from '../calls.ts';

/** "log audit", RFC 5424 section 6.2.1. */
const FACILITY = 13;
/** From the schema's severities 0..6: unknown, informational, low, medium, high, critical, fatal. */
const SEVERITIES = [5, 6, 5, 4, 3, 2, 1];
const NOTICE = 5;

export function syslogFrame(event: OutgoingEvent, hostname: string): Buffer {
  const priority = FACILITY * 8 + (SEVERITIES[event.severity] ?? NOTICE);
  const time = new Date(event.time).toISOString();
  const header = `<${priority}>1 ${time} ${headerField(hostname, 255)} waybill - ${headerField(event.kind, 32)} -`;
  const message = Buffer.from(`${header} ${asciiJson(event.json)}`, 'latin1');
  return Buffer.concat([Buffer.from(`${message.length} `), message]);
}

/** Printable US-ASCII, "-" for nothing. */
function headerField(text: string, most: number): string {
  const printable = text.replaceAll(/[^\x21-\x7e]/g, '').slice(0, most);
  return printable === '' ? '-' : printable;
}

/** UTF-8 would have to begin with a mark that JSON parsers stumble over; in ASCII it needs none. */
function asciiJson(json: string): string {
  return json.replaceAll(/[^\x20-\x7e]/g, (unit) => String.raw`\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
