/**
 * Four eyes around the handlers. A guarded act that weakens a control happens at once while there are fewer than two
 * administrators; with two it becomes a proposal, and happens when another one approves it. What was judged is judged
 * again inside the transaction that makes the change, so that nothing slips through between the two.
 */
import { sameName } from '../accounts/administrators.ts';
import type { Administrator } from '../accounts/administrators.ts';
import { WaybillError } from '../base/errors.ts';
import { ADMIN_CALLS } from './admin-calls.ts';
import type { AdminCallName, AdminRequest, GuardedCall } from './admin-calls.ts';
import type { AdminActing, AdminHandlers, AdministrationParts } from './administration-parts.ts';
import { moment } from './administration-parts.ts';
import { judges } from './four-eyes.ts';
import type { Judgement } from './four-eyes.ts';
import type { Proposal } from '../policy/approvals.ts';

type ApprovalCall = 'approval.list' | 'approval.approve' | 'approval.deny';
export type Acts = Omit<AdminHandlers, ApprovalCall>;
type Handler = (request: unknown, caller: AdminActing) => unknown;
type AnyJudge = (request: unknown, caller: AdminActing) => Judgement;
type GuardParts = Pick<AdministrationParts, 'administrators' | 'approvals' | 'web'>;

/** Every handler, those of the acts guarded, and the three that decide about what waits. */
export function guard(acts: Acts, parts: AdministrationParts): AdminHandlers {
  const known = judges(parts) as Readonly<Record<GuardedCall, AnyJudge>>;
  const guarded = Object.entries(acts).map(([name, handler]) => {
    const call = name as AdminCallName;
    const row: { readonly eyes: 'one' | 'two' } = ADMIN_CALLS[call];
    const one = handler as Handler;
    const judged = row.eyes === 'one' ? one : guardOne(call as GuardedCall, one, known[call as GuardedCall], parts);
    return [name, keepOwn(call, judged, parts)] as const;
  });
  return { ...(Object.fromEntries(guarded) as Acts), ...approvalHandlers(acts, known, parts) };
}

/**
 * What signs in the account of an administrator. Whoever sets it for another one has a second pair of eyes, and no
 * approval helps: the secret is known to who asked. So with two of them each sets his own, by a token if he has lost it.
 */
type OwnerOf<N extends AdminCallName> = (request: AdminRequest<N>, parts: GuardParts) => string | null;
const byLogin = ({ login }: { readonly login: string }): string => login;
/** The login whose own it is; null where nobody becomes an administrator by it. */
const OWN: { readonly [N in AdminCallName]?: OwnerOf<N> } = {
  'account.password': byLogin,
  'account.totp-enrol': byLogin,
  'sign-in.enrol': byLogin,
  'sso.link': byLogin,
  'token.add': ({ login, scopes }) => (scopes.includes('admin') ? login : null),
  'token.renew': ({ token: id }, { web }) => {
    const { token, account } = web.tokens.find(id);
    return token.scopes.includes('admin') ? account.login : null;
  },
};

function keepOwn(call: AdminCallName, handler: Handler, parts: GuardParts): Handler {
  const ownerOf = OWN[call] as ((request: unknown, parts: GuardParts) => string | null) | undefined;
  if (ownerOf === undefined) return handler;
  const { administrators } = parts;
  return (request, caller) => {
    const login = ownerOf(request, parts);
    if (login === null) return handler(request, caller);
    const requireOwn = (): void => {
      const others = administrators.accountOf(login) !== null && !isSelf(caller, login);
      if (others && administrators.fourEyes)
        throw new WaybillError(
          'permission-denied',
          `${login} is an administrator, who does this himself: by the account, or by a token that two have given him ` +
            `(waybill administrator renew ${login})`,
        );
    };
    requireOwn();
    const within = (): void => {
      caller.within?.();
      requireOwn();
    };
    return handler(request, { ...caller, within });
  };
}

function isSelf({ administrator }: AdminActing, login: string): boolean {
  return administrator !== null && sameName(administrator.name, login);
}

/** With two administrators, nobody without a name loosens anything: the one with the socket may be one of the two. */
export function requireNamed(parts: Pick<AdministrationParts, 'administrators'>, caller: AdminActing): void {
  if (caller.administrator === null && parts.administrators.fourEyes)
    throw new WaybillError(
      'permission-denied',
      'there are two administrators, so this takes one by name: give your token with --as-token-file FILE',
    );
}

function guardOne(call: GuardedCall, handler: Handler, judge: AnyJudge, parts: GuardParts): Handler {
  const { administrators, approvals } = parts;
  return async (request, caller) => {
    const judgement = judge(request, caller);
    const needsTwo = (found: Judgement): boolean => found.weakens && administrators.fourEyes;
    if (!needsTwo(judgement)) {
      const within = (): void => {
        caller.within?.();
        if (needsTwo(judge(request, caller))) throw changedMeanwhile();
      };
      return handler(request, { ...caller, within });
    }
    requireNamed(parts, caller);
    if (caller.administrator === null) throw changedMeanwhile();
    const about = JSON.stringify(judgement.about);
    const { tenant, summary } = judgement;
    const { reference } = await approvals.propose(
      { action: call, request, tenant, summary, about },
      caller.administrator,
      () => {
        caller.within?.();
        if (JSON.stringify(judge(request, caller).about) !== about) throw changedMeanwhile();
      },
    );
    throw new WaybillError('approval-needed', `${reference} waits for another administrator: ${summary}`);
  };
}

function approvalHandlers(
  acts: Acts,
  known: Readonly<Record<GuardedCall, AnyJudge>>,
  parts: GuardParts,
): Pick<AdminHandlers, ApprovalCall> {
  const { approvals } = parts;
  return {
    'approval.list': async () => {
      const { proposals, altered } = await approvals.waiting();
      return { proposals: proposals.map(proposalRow), altered };
    },
    'approval.approve': async ({ reference }, caller) => {
      const approver = named(caller);
      const proposal = await approvals.approvable(reference, approver);
      await carryOut(proposal, { ...caller, administrator: approver }, { acts, known, parts });
      return { reference, action: proposal.action, summary: proposal.summary };
    },
    'approval.deny': async ({ reference }, caller) => {
      const outcome = await approvals.deny(reference, named(caller));
      return { reference, outcome: outcome === 'withdrawn' ? outcome : 'denied' };
    },
  };
}

interface Carrying {
  readonly acts: Acts;
  readonly known: Readonly<Record<GuardedCall, AnyJudge>>;
  readonly parts: GuardParts;
}

async function carryOut(
  proposal: Proposal,
  { administrator: approver, within: standing }: AdminActing & { readonly administrator: Administrator },
  { acts, known, parts }: Carrying,
): Promise<void> {
  const { approvals, administrators } = parts;
  const { call, request } = stored(proposal);
  const administrator = administrators.find(proposal.proposer.id);
  const proposer: AdminActing = { actor: proposal.proposer.name, approvedBy: approver.name, administrator };
  const requireSame = (): void => {
    if (JSON.stringify(known[call](request, proposer).about) === proposal.about) return;
    const message = `what ${proposal.reference} is about has changed since it was proposed; deny it, and propose it again`;
    throw new WaybillError('in-use', message);
  };
  requireSame();
  const decision = { made: false };
  const within = (): void => {
    standing?.();
    requireSame();
    approvals.settle(proposal.reference, approver);
    decision.made = true;
  };
  await (acts[call] as Handler)(request, { ...proposer, within });
  // A handler that forgets `within` would leave its proposal open, to be carried out again.
  if (!decision.made) throw new WaybillError('internal', 'the act was carried out without its decision');
}

/** An older release may have sealed what this one no longer takes. */
function stored({ action, request, reference }: Proposal): { call: GuardedCall; request: AdminRequest<GuardedCall> } {
  const row = Object.hasOwn(ADMIN_CALLS, action) ? ADMIN_CALLS[action as AdminCallName] : null;
  const parsed = row?.eyes === 'two' ? row.request.safeParse(request) : null;
  if (parsed?.success !== true)
    throw new WaybillError('unsupported', `${reference} is for another release; deny it, and propose it again`);
  return { call: action as GuardedCall, request: parsed.data };
}

function named({ administrator }: AdminActing): NonNullable<AdminActing['administrator']> {
  if (administrator === null)
    throw new WaybillError('permission-denied', 'this takes an administrator by name: --as-token-file FILE');
  return administrator;
}

function proposalRow({ reference, action, summary, proposer, created, expires }: Proposal) {
  const times = { proposed: moment(created), expires: moment(expires) };
  return { reference, action, summary, proposer: proposer.name, ...times };
}

function changedMeanwhile(): WaybillError {
  return new WaybillError('in-use', 'what this is about was changed at the same moment; look again, then try again');
}
