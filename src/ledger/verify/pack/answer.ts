/** The answer of a pack as a value, from what was proven. Builder and verifier make it with this same code. */
import { canonicalJson } from '../../core/fields.ts';
import type { Json } from '../../core/fields.ts';
import type { Silence } from '../../core/silence.ts';
import type { VerifiedPoint } from '../../core/silence.ts';
import type { Manifest } from './form.ts';
import { momentText, questionJson } from './question.ts';

export type AnswerFields = { readonly [key: string]: Json };

type Subject = Pick<Manifest, 'kind' | 'origin' | 'tenant' | 'name' | 'log' | 'question'>;

function common(
  { kind, origin, tenant, name, log, question }: Subject,
  complete: { head: number; time: number; entries: number },
): AnswerFields {
  return {
    ...{ format: 'waybill-pack-answer@v1', kind, origin, tenant, name, log, question: questionJson(question) },
    complete: { ...complete, time: momentText(complete.time) },
  };
}

export interface ProvenSilence {
  readonly silence: Silence;
  readonly fromHead: number;
  readonly toHead: number;
  /** Of the entry after the silence, when there is one. */
  readonly nextTime: number | null;
}

export function silenceAnswer(subject: Subject, { silence, fromHead, toHead, nextTime }: ProvenSilence): AnswerFields {
  return {
    ...common(subject, { head: toHead, time: silence.to.time, entries: silence.size }),
    fromHead: { head: fromHead, time: momentText(silence.from.time) },
    toHead: { head: toHead, time: momentText(silence.to.time) },
    nextTime: momentText(nextTime),
  };
}

export function scopeAnswer(subject: Subject, head: number, point: VerifiedPoint, found: AnswerFields): AnswerFields {
  return { ...common(subject, { head, time: point.head.time, entries: point.size }), ...found };
}

export function encodeAnswer(answer: AnswerFields): Buffer {
  return Buffer.from(`${canonicalJson(answer)}\n`);
}
