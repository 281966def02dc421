import type { Session } from '../../../src/broker/calls.ts';

export const SESSION: Session = {
  session: '0'.repeat(32),
  login: 'maria',
  tenant: 'acme bank',
  account: 'maria',
  home: '/inbox',
};
