/** What the API says about signing in and about one's own account. */
import { z } from 'zod';
import { SCOPES } from './operation.ts';
import { passkeyAssertion, passkeyRegistration } from './webauthn.ts';

const id = z.string().regex(/^[0-9a-f]{32}$/);
const moment = z.iso.datetime();
const factor = z.enum(['passkey', 'password', 'totp', 'recovery']);
const label = z.string().min(1).max(80).meta({ description: 'What its owner calls it.' });
const code = z.string().min(1).max(64);

export const account = z
  .object({
    id,
    login: z.string(),
    tenant: z.string(),
    home: z.string().meta({ description: 'Where its paths begin.' }),
    scopes: z.array(z.enum(SCOPES)),
    factors: z.array(z.string()).meta({ description: '"token", or the steps that the web session began with.' }),
    strong: moment.nullable().meta({ description: 'When a strong factor was shown last; null for a token.' }),
    ends: moment.nullable().meta({ description: 'When this ends at the latest; null when it does not.' }),
  })
  .meta({ id: 'Account' });
export type AccountInfo = z.infer<typeof account>;

export const flow = z
  .string()
  .regex(/^wbf_[A-Za-z0-9_-]{43}$/)
  .meta({ description: 'The `flow` of the answer to start: it is this sign-in, and worth nothing after it.' });

export const flowOnly = z.strictObject({ flow }).meta({ id: 'Flow' });
export const signInStart = z.object({ flow, methods: z.array(factor) }).meta({ id: 'SignInStart' });
export const signInPasskey = z.strictObject({ flow, response: passkeyAssertion }).meta({ id: 'SignInPasskey' });
export const signInPassword = z
  .strictObject({ flow, login: z.string().max(256), password: z.string().max(1024) })
  .meta({ id: 'SignInPassword' });
export const signInCode = z.strictObject({ flow, code }).meta({ id: 'SignInCode' });

/** The same for every login, there or not. */
export const signInStep = z
  .discriminatedUnion('result', [
    z.object({ result: z.literal('success'), account }),
    z.object({
      result: z.literal('failure'),
      methods: z.array(factor).meta({ description: 'Steps that can come now.' }),
      partial: z.boolean().meta({ description: 'True when this step was right, and another is needed.' }),
    }),
    z.object({ result: z.literal('over'), reason: z.string().meta({ description: 'Begin again.' }) }),
  ])
  .meta({ id: 'SignInStep' });

export const enrolmentSecret = z.strictObject({ secret: z.string().max(200) }).meta({ id: 'EnrolmentSecret' });
export const enrolmentStart = z
  .object({ flow, login: z.string(), methods: z.array(z.enum(['passkey', 'password'])) })
  .meta({ id: 'EnrolmentStart' });
export const enrolPasskey = z
  .strictObject({ flow, label, response: passkeyRegistration })
  .meta({ id: 'EnrolmentPasskey' });
export const enrolPassword = z
  .strictObject({ flow, password: z.string().min(1).max(1024) })
  .meta({ id: 'EnrolmentPassword' });
export const totpSecret = z
  .object({ secret: z.string().meta({ description: 'Base32.' }), uri: z.string().meta({ description: 'otpauth:' }) })
  .meta({ id: 'TotpSecret' });

const failed = z.object({ result: z.literal('failure') });
export const enrolmentResult = z
  .discriminatedUnion('result', [z.object({ result: z.literal('enrolled'), recovery: z.array(z.string()) }), failed])
  .meta({ id: 'EnrolmentResult' });

export const ownSessions = z
  .object({
    sessions: z.array(
      z.object({
        id,
        own: z.boolean().meta({ description: 'The one that asks.' }),
        factors: z.array(z.string()),
        address: z.string().meta({ description: 'Where it began.' }),
        client: z.string(),
        begun: moment,
        lastUsed: moment,
        ends: moment.meta({ description: 'Unless it is used before.' }),
      }),
    ),
  })
  .meta({ id: 'OwnSessions' });

export const ownCredentials = z
  .object({
    passkeys: z.array(z.object({ id, label: z.string(), created: moment, lastUsed: moment.nullable() })),
    password: z.boolean(),
    totp: z.boolean(),
    recovery: z.number().int().meta({ description: 'Recovery codes that are left.' }),
  })
  .meta({ id: 'OwnCredentials' });

export const stepUp = z
  .union([z.strictObject({ passkey: passkeyAssertion }), z.strictObject({ totp: code })])
  .meta({ id: 'StepUp' });
export const stepUpResult = z
  .discriminatedUnion('result', [z.object({ result: z.literal('success'), strong: moment }), failed])
  .meta({ id: 'StepUpResult' });

export const newPasskey = z.strictObject({ label, response: passkeyRegistration }).meta({ id: 'NewPasskey' });
export const newPasskeyResult = z
  .discriminatedUnion('result', [z.object({ result: z.literal('success'), passkey: id }), failed])
  .meta({ id: 'NewPasskeyResult' });
export const recoveryCodes = z.object({ recovery: z.array(z.string()) }).meta({ id: 'RecoveryCodes' });

export const certificateWish = z
  .strictObject({
    publicKey: z.string().min(1).max(16_384).meta({ description: 'A line as in a .pub file, without options.' }),
    hours: z.number().positive().max(8784).optional().meta({ description: 'At most as the server allows.' }),
  })
  .meta({ id: 'CertificateWish' });
export const certificate = z
  .object({
    certificate: z.string().meta({ description: 'A line as in a -cert.pub file.' }),
    serial: z.string(),
    login: z.string(),
    until: moment,
    hostCa: z.string().nullable().meta({ description: 'For known_hosts; null where there is none.' }),
    hostKeys: z.array(z.string()),
  })
  .meta({ id: 'Certificate' });
