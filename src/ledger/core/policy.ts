/**
 * C2SP tlog-policy: which logs are accepted, and whose cosignatures together make a checkpoint one that everybody saw.
 * Names are octets, not characters: the file is read as latin1, and only verifier keys are decoded further.
 */
import { WaybillError } from '../../base/errors.ts';
import { openCheckpoint, parseCheckpoint } from './checkpoint.ts';
import type { OpenedCheckpoint } from './checkpoint.ts';
import { SIGNATURE_ALGORITHMS } from './note-algorithms.ts';
import { parseNote, parseVerifierKey } from './note.ts';
import type { VerifierKey } from './note.ts';
import { malformed } from './text-forms.ts';

export interface PolicyParty {
  readonly key: VerifierKey;
  readonly url: string | null;
}

export interface PolicyGroup {
  readonly threshold: number;
  readonly members: readonly string[];
}

export interface Policy {
  readonly logs: readonly PolicyParty[];
  readonly witnesses: ReadonlyMap<string, PolicyParty>;
  readonly groups: ReadonlyMap<string, PolicyGroup>;
  /** The name of a witness or a group; null needs no cosignature. */
  readonly quorum: string | null;
}

const POLICY_BYTES_MAX = 1 << 20;
const LINES_MAX = 4096;
const NONE = 'none';

interface Draft {
  readonly logs: PolicyParty[];
  readonly witnesses: Map<string, PolicyParty>;
  readonly groups: Map<string, PolicyGroup>;
  quorum: string | null | undefined;
}

/** Thrown with the number of the line by `parsePolicy`. */
class LineError extends Error {}

function wrong(what: string): LineError {
  return new LineError(what);
}

const LINES: Readonly<Record<string, (draft: Draft, words: readonly string[]) => void>> = {
  log: (draft, [vkey = '', url, ...rest]) => {
    if (rest.length > 0) throw wrong('a log has a key and perhaps a URL');
    draft.logs.push(party(vkey, url, draft.logs));
  },
  witness: (draft, [name = '', vkey = '', url, ...rest]) => {
    if (rest.length > 0) throw wrong('a witness has a name, a key and perhaps a URL');
    checkNew(draft, name);
    const witness = party(vkey, url, [...draft.witnesses.values()]);
    if (!SIGNATURE_ALGORITHMS[witness.key.algorithm].timed) throw wrong('the key of a witness is not one that cosigns');
    draft.witnesses.set(name, witness);
  },
  group: (draft, [name = '', count = '', ...members]) => {
    checkNew(draft, name);
    for (const member of members) checkKnown(draft, member);
    if (new Set(members).size !== members.length) throw wrong('a group names a member twice');
    const all = [...draft.groups.values()].flatMap((group) => group.members);
    const again = members.find((member) => all.includes(member));
    if (again !== undefined) throw wrong(`${again} is already a member of a group`);
    draft.groups.set(name, { threshold: threshold(count, members.length), members });
  },
  quorum: (draft, [name = '', ...rest]) => {
    if (draft.quorum !== undefined) throw wrong('there is a second quorum');
    if (rest.length > 0) throw wrong('a quorum has one name');
    if (name !== NONE) checkKnown(draft, name);
    draft.quorum = name === NONE ? null : name;
  },
};

function party(vkey: string, url: string | undefined, before: readonly PolicyParty[]): PolicyParty {
  let key: VerifierKey;
  try {
    key = parseVerifierKey(Buffer.from(vkey, 'latin1').toString('utf8'));
  } catch (error) {
    throw wrong(error instanceof WaybillError ? error.message : 'the key is malformed');
  }
  if (before.some((other) => other.key.publicKey.equals(key.publicKey))) throw wrong('the key is there already');
  return { key, url: url ?? null };
}

function checkNew(draft: Draft, name: string): void {
  if (name === '' || name === NONE) throw wrong('a witness or group needs a name, and "none" is none');
  if (draft.witnesses.has(name) || draft.groups.has(name)) throw wrong(`the name ${name} is taken`);
}

function checkKnown(draft: Draft, name: string): void {
  if (!draft.witnesses.has(name) && !draft.groups.has(name))
    throw wrong(`no witness or group before this line is named ${name}`);
}

function threshold(text: string, members: number): number {
  if (members === 0) throw wrong('a group needs a member');
  if (text === 'any') return 1;
  if (text === 'all') return members;
  const value = /^[1-9][0-9]{0,3}$/.test(text) ? Number(text) : 0;
  if (value < 1 || value > members)
    throw wrong(`a group of ${members} needs "all", "any" or a number up to ${members}`);
  return value;
}

export function parsePolicy(input: Uint8Array | string): Policy {
  const bytes = Buffer.from(typeof input === 'string' ? Buffer.from(input) : input);
  const lines = bytes.length > POLICY_BYTES_MAX ? [] : bytes.toString('latin1').split('\n');
  if (lines.length === 0 || lines.length > LINES_MAX)
    throw new WaybillError('option-invalid', 'the policy is too long');
  const draft: Draft = { logs: [], witnesses: new Map(), groups: new Map(), quorum: undefined };
  lines.forEach((line, at) => {
    try {
      parseLine(draft, line);
    } catch (error) {
      if (!(error instanceof LineError)) throw error;
      throw new WaybillError('option-invalid', `policy, line ${at + 1}: ${error.message}`);
    }
  });
  if (draft.quorum === undefined) throw new WaybillError('option-invalid', 'the policy has no quorum');
  return { ...draft, quorum: draft.quorum };
}

function parseLine(draft: Draft, line: string): void {
  if (/[^\t\x20-\x7e\x80-\xff]/.test(line)) throw wrong('a control character');
  const [word = '', ...words] = line.split(/[\t ]+/).filter((part) => part !== '');
  if (word === '' || word.startsWith('#')) return;
  const rule = Object.hasOwn(LINES, word) ? LINES[word] : undefined;
  if (rule === undefined) throw wrong('begins with none of log, witness, group and quorum');
  rule(draft, words);
}

/** Whether the witnesses that cosigned (their names in the policy) are enough. */
export function meetsQuorum(policy: Policy, cosigned: ReadonlySet<string>): boolean {
  // Groups name only what was defined before them, so one pass in their order decides each.
  const met = new Set([...cosigned].filter((name) => policy.witnesses.has(name)));
  for (const [name, { threshold: needed, members }] of policy.groups)
    if (members.filter((member) => met.has(member)).length >= needed) met.add(name);
  return policy.quorum === null || met.has(policy.quorum);
}

export interface WitnessedCheckpoint extends OpenedCheckpoint {
  /** Names in the policy of the witnesses whose cosignatures are valid. */
  readonly witnesses: readonly string[];
}

/** The checkpoint of a note that the policy accepts: signed by one of its logs, and cosigned by its quorum. */
export function openWithPolicy(note: Uint8Array | string, policy: Policy): WitnessedCheckpoint {
  // A log's key name is its origin. What is not signed is only used to choose the keys that must have signed it.
  const { origin } = parseCheckpoint(parseNote(note).text);
  const logs = policy.logs.map(({ key }) => key).filter(({ name }) => name === origin);
  if (logs.length === 0) throw malformed(`the policy knows no log ${origin}`);
  const parties = [...policy.witnesses];
  // One key may be a log's and a witness's at once.
  const cosigners = parties.map(([, { key }]) => logs.find((log) => sameKey(log, key)) ?? key);
  const opened = openCheckpoint(
    note,
    logs,
    origin,
    cosigners.filter((key) => !logs.includes(key)),
  );
  const valid = (at: number): boolean => opened.verified.some(({ key }) => key === cosigners[at]);
  const witnesses = parties.filter((_, at) => valid(at)).map(([name]) => name);
  if (!meetsQuorum(policy, new Set(witnesses)))
    throw malformed(
      `the checkpoint is cosigned by ${witnesses.join(', ') || 'no witness'}: not the quorum of the policy`,
    );
  return { ...opened, witnesses };
}

function sameKey(a: VerifierKey, b: VerifierKey): boolean {
  return a.name === b.name && a.id === b.id && a.publicKey.equals(b.publicKey);
}
