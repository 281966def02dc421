/** What an administrator asks of the ledger's key and of its witnesses, and copies of its files: the rest is in these. */
import { WaybillError } from '../base/errors.ts';
import { changed } from '../ledger/changed.ts';
import { BUNDLE_FILE_MAX } from '../ledger/verify/wide-file.ts';
import { moment } from './administration-parts.ts';
import type { AdminActing, AdminHandlers, AdministrationParts } from './administration-parts.ts';

type LedgerCalls = Pick<AdminHandlers, Extract<keyof AdminHandlers, `ledger.${string}`>>;

const NAMES_PER_ANSWER = 1000;
/** In base64 and JSON it must fit into one message. */
const BYTES_PER_ANSWER = 512 * 1024;
/** A copy is thousands of calls; it is told once in this time for each who makes one. */
const SAME_COPY_MILLISECONDS = 10 * 60_000;

export function ledgerHandlers({ ledger, ledgerKey, ledgerFiles, write }: AdministrationParts): LedgerCalls {
  const told = new Map<string, number>();
  const recordCopy = async ({ actor, approvedBy, within }: AdminActing): Promise<void> => {
    const now = Date.now();
    if (now - (told.get(actor) ?? 0) < SAME_COPY_MILLISECONDS) return;
    await write(() => {
      within?.();
      ledger.append(null, changed('ledger.copy', { actor, approvedBy }));
    });
    told.set(actor, now);
  };
  return {
    'ledger.list': async ({ folder, after }, by) => {
      await recordCopy(by);
      const found = (await ledgerFiles.list(folder)).filter(({ name }) => after === null || name > after);
      return { entries: found.slice(0, NAMES_PER_ANSWER), more: found.length > NAMES_PER_ANSWER };
    },
    'ledger.read': async ({ files, offset }, by) => {
      await recordCopy(by);
      const answer: { path: string; size: number | null; bytes: string }[] = [];
      let room = BYTES_PER_ANSWER;
      for (const path of files) {
        const whole = await ledgerFiles.read(path, BUNDLE_FILE_MAX).catch(asAbsent);
        const bytes = whole?.subarray(answer.length === 0 ? offset : 0) ?? Buffer.alloc(0);
        if (answer.length > 0 && bytes.length > room) break;
        answer.push({ path, size: whole?.length ?? null, bytes: bytes.subarray(0, room).toString('base64') });
        room -= Math.min(room, bytes.length);
      }
      return { files: answer };
    },
    'ledger.status': () => ({
      key: ledgerKey.vkey,
      waiting: ledgerKey.waiting(),
      witnesses: ledgerKey.witnesses().map(({ time, ...rest }) => ({
        ...rest,
        time: time === null ? null : moment(time),
      })),
    }),
    // Recorded first: no pack is signed that the ledger does not know of.
    'ledger.sign-pack': async ({ digest }, { actor, approvedBy, within }) => {
      await write(() => {
        within?.();
        ledger.append(null, changed('ledger.sign-pack', { actor, approvedBy, detail: { digest } }));
      });
      return { signature: ledgerKey.signPack(digest) };
    },
  };
}

/** A folder, or what no ledger of ours writes: whoever copies is told, and nothing here is out of order. */
function asAbsent(error: unknown): never {
  if (error instanceof WaybillError && error.code === 'ledger-damaged')
    throw new WaybillError('not-found', error.message, { cause: error });
  throw error;
}
