import type { Session } from '../../../src/broker/calls.ts';
import type { SftpLog } from '../../../src/protocols/sftp/server.ts';

export const SESSION: Session = {
  session: '0'.repeat(32),
  login: 'maria',
  tenant: 'acme bank',
  account: 'maria',
  home: '/inbox',
};

const nothing = (): void => undefined;
export const SILENT: SftpLog = { debug: nothing, warn: nothing, error: nothing };
