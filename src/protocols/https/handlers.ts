/** Every operation and what does it: an operation without a handler does not compile. */
import type { OperationId } from '../../api/operations.ts';
import { accountHandlers } from './own-account.ts';
import { administrationHandlers } from './administration.ts';
import { archiveHandlers } from './archive.ts';
import { contentHandlers } from './content.ts';
import { enrolmentHandlers } from './enrolment.ts';
import type { Exchange } from './exchange.ts';
import { fileHandlers } from './files.ts';
import { loginHandlers } from './login.ts';
import { ownTokenHandlers } from './own-tokens.ts';
import { pageHandlers } from './pages.ts';
import { portalHandlers } from './portal.ts';
import { signInHandlers } from './sign-in.ts';
import { ssoHandlers } from './sso.ts';
import { storeHandlers } from './store.ts';
import { transferHandlers } from './transfers.ts';
import { tusHandlers } from './tus.ts';

export type Handler = (exchange: Exchange) => void | Promise<void>;
export type Handlers = Readonly<Record<OperationId, Handler>>;

export function httpsHandlers(version: string): Handlers {
  return {
    ...pageHandlers(version),
    ...portalHandlers(),
    ...signInHandlers,
    ...ssoHandlers,
    ...enrolmentHandlers,
    ...accountHandlers,
    ...loginHandlers,
    ...fileHandlers,
    ...contentHandlers,
    ...storeHandlers,
    ...archiveHandlers,
    ...tusHandlers,
    ...transferHandlers,
    ...ownTokenHandlers,
    ...administrationHandlers,
  };
}
