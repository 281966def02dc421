/** What the API says about `waybill login`: a machine asks, a person confirms on a page, the machine gets a certificate. */
import { z } from 'zod';
import { certificate } from './sign-in.ts';

const moment = z.iso.datetime();
const login = z.string().min(1).max(256);
const hours = z.number().positive().max(8784);
const fingerprint = z.string().max(100).meta({ description: 'Of the public key, as OpenSSH shows it.' });

export const loginWish = z
  .strictObject({
    publicKey: z.string().min(1).max(16_384).meta({ description: 'A line as in a .pub file, without options.' }),
    login: login.optional().meta({ description: 'Who is to confirm it; nobody else can.' }),
    hours: hours.optional().meta({ description: 'How long it is to be good for; at most as the server allows.' }),
  })
  .meta({ id: 'LoginWish' });

export const loginStart = z
  .object({
    deviceCode: z.string().meta({ description: 'What to ask with; the secret of the machine.' }),
    userCode: z.string().meta({ description: 'What the person types, or compares.', examples: ['WDJB-MJHT'] }),
    fingerprint,
    page: z.url().meta({ description: 'Where the person goes.' }),
    pageWithCode: z.url().meta({ description: 'The same with the code in it, which no server is sent.' }),
    expires: moment,
    interval: z.number().meta({ description: 'Seconds between two questions.' }),
  })
  .meta({ id: 'LoginStart' });

export const loginToken = z.strictObject({ deviceCode: z.string().max(64) }).meta({ id: 'LoginToken' });

export const loginCertificate = certificate
  .extend({
    tenant: z.string(),
    address: z.string().meta({ description: 'From where it signs in.' }),
    sftpPort: z.number().int().nullable(),
  })
  .meta({ id: 'LoginCertificate' });

const userCode = z.string().max(32).meta({ description: 'As it was typed.' });
export const loginCode = z.strictObject({ userCode }).meta({ id: 'LoginCode' });
export const loginConfirm = z.strictObject({ userCode, fingerprint }).meta({ id: 'LoginConfirm' });

export const loginRequest = z
  .object({
    userCode: z.string(),
    fingerprint,
    address: z.string().meta({ description: 'Of the machine that asks.' }),
    client: z.string().meta({ description: 'What it calls itself.' }),
    asked: moment,
    expires: moment,
    login: login.nullable(),
    hours: hours.nullable(),
    browser: z.string().meta({ description: 'Your own address.' }),
    elsewhere: z.boolean().meta({ description: 'The machine is not where you are.' }),
    allowed: z.boolean().meta({ description: 'False: this server does not let you confirm it from where you are.' }),
  })
  .meta({ id: 'LoginRequest' });

export const loginConfirmed = z.object({ until: moment, serial: z.string() }).meta({ id: 'LoginConfirmed' });
