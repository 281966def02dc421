/** RFC 9457: how every failure looks. */
import { z } from 'zod';
import { ERRORS } from '../base/errors.ts';
import type { ErrorCode } from '../base/errors.ts';

export const PROBLEM_TYPE = 'application/problem+json';

export const problem = z
  .object({
    type: z.literal('about:blank'),
    status: z.number().int(),
    code: z.enum(Object.keys(ERRORS) as [ErrorCode, ...ErrorCode[]]).meta({ description: 'Stable; docs/errors.md.' }),
    title: z.string().meta({ description: 'What the reader can do.' }),
    detail: z.string().meta({ description: 'What happened.' }),
    reference: z
      .string()
      .optional()
      .meta({
        description: 'What a second person approves, when something waits for one.',
        examples: ['H-7K3QD-0M9XZ'],
      }),
  })
  .meta({ id: 'Problem' });
export type Problem = z.infer<typeof problem>;
