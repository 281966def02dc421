/** What to type, and what to put into ~/.ssh/config, once somebody has logged in. Pure. */
import type { SftpPlace } from './known-hosts.ts';

export interface Use {
  /** Null: no SFTP is served. */
  readonly place: SftpPlace | null;
  readonly login: string;
  /** Null: the key is in ssh-agent. */
  readonly keyFile: string | null;
  /** By what the server was reached, where its name has both. */
  readonly family: 4 | 6 | null;
}

export function commandLine({ place, login, keyFile, family }: Use): string | null {
  if (place === null) return null;
  const { host, port } = place;
  const words = [
    'sftp',
    ...(family === null ? [] : [`-${family}`]),
    ...(port === 22 ? [] : ['-P', String(port)]),
    ...(keyFile === null ? [] : ['-i', keyFile]),
    `${login}@${host.includes(':') ? `[${host}]` : host}`,
  ];
  return words.map(shellWord).join(' ');
}

export function configuration({ place, login, keyFile, family }: Use): string[] {
  if (place === null) return [];
  const { host, port } = place;
  return [
    `Host ${host}`,
    `  Port ${port}`,
    `  User ${login}`,
    ...(family === null ? [] : [`  AddressFamily ${family === 4 ? 'inet' : 'inet6'}`]),
    ...(keyFile === null
      ? []
      : [
          `  IdentityFile "${literal(keyFile)}"`,
          `  CertificateFile "${literal(keyFile)}-cert.pub"`,
          '  IdentitiesOnly yes',
        ]),
  ];
}

/** A percent sign begins a token in ssh_config. */
function literal(file: string): string {
  return file.replaceAll('%', '%%');
}

function shellWord(text: string): string {
  return /^[A-Za-z0-9@%+=:,./_[\]-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
