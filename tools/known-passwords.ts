/**
 * Writes src/accounts/known-passwords.txt: words that people choose and what they do to them, from 8 characters on. No
 * list of anybody's was taken over: words and endings stand here, and are what guidance for administrators has named
 * for years (names of seasons and months, rows of keys, "password" and its kin). Run by hand: node tools/known-passwords.ts
 */
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import path from 'node:path';

const WORDS =
  `password passwort passw0rd p@ssword p@ssw0rd pa55word motdepasse contrasena wachtwoord welcome willkommen bienvenue
  letmein iloveyou qwerty qwertz azerty qwertyuiop asdfghjkl zxcvbnm asdfgh 1q2w3e4r 1qaz2wsx q1w2e3r4 zaq12wsx
  admin administrator root manager superuser sysadmin backup server network computer internet secret changeme default
  master dragon monkey sunshine princess football baseball basketball soccer hockey superman batman spiderman starwars
  pokemon shadow michael jennifer jessica daniel charlie jordan thomas andrew joshua ashley nicole hunter ranger buster
  tigger ginger pepper cookie summer winter spring autumn january february march april may june july august september
  october november december monday tuesday wednesday thursday friday saturday sunday sommer herbst fruehling
  liverpool chelsea arsenal barcelona madrid london berlin paris newyork america germany england france canada
  whatever freedom trustno1 blink182 abc123 abcd1234 aa123456 mustang corvette ferrari porsche mercedes yamaha harley
  company business office support service customer test testing tester guest temp temporary training student teacher
  waybill transfer upload download sftp ftpuser fileserver exchange delivery hello friend family mother father`.split(
    /\s+/,
  );
const ENDINGS = [
  '',
  '1',
  '12',
  '123',
  '1234',
  '12345',
  '123456',
  '!',
  '!!',
  '1!',
  '123!',
  '@123',
  '#1',
  '01',
  '007',
  '.',
  '?',
];
const YEARS = Array.from({ length: 14 }, (_, at) => String(2017 + at));
const DIGITS = [
  '0123456789',
  '1234567890',
  '9876543210',
  '0987654321',
  '1122334455',
  '1029384756',
  '1357924680',
  '147258369',
  '987654321',
  '123456789',
  '12345678',
  '87654321',
  '123123123',
  '123321123',
  '11223344',
  '12344321',
  '1q2w3e4r5t',
  '1q2w3e4r5t6y',
  '1qaz2wsx3edc',
  'qazwsxedc',
  'qweasdzxc',
  'qwer1234',
  'asdf1234',
  'qwerty123456',
  'q1w2e3r4t5y6',
];

function* candidates(): Generator<string> {
  const words = [...WORDS, ...DIGITS];
  for (const word of words) {
    for (const form of new Set([word, capital(word)])) {
      for (const ending of ENDINGS) yield form + ending;
      for (const year of YEARS) {
        yield form + year;
        yield `${form}${year}!`;
      }
      yield form + form;
      yield `${form} ${form}`;
    }
  }
  for (const digit of '0123456789') for (let length = 8; length <= 20; length++) yield digit.repeat(length);
}

function capital(word: string): string {
  return word.charAt(0).toUpperCase() + word.slice(1);
}

const sums = new Set<string>();
for (const text of candidates())
  if (text.length >= 8) sums.add(createHash('sha1').update(text).digest('hex').toUpperCase());
// How often each was seen is not known here: 1.
const lines = [...sums].sort().map((sum) => `${sum.slice(0, 5)}:${sum.slice(5)}:1\n`);
writeFileSync(path.join(import.meta.dirname, '..', 'src', 'accounts', 'known-passwords.txt'), lines.join(''));
process.stdout.write(`${lines.length} passwords\n`);
