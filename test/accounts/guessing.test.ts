import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { totpCode, totpStep } from '../../src/accounts/totp.ts';
import { WorkLine } from '../../src/accounts/work-line.ts';
import { fromBase32 } from './base32.ts';
import { PASSWORD, Scene } from './scene.ts';

/** Counts what costs, instead of timing it. */
class CountingLine extends WorkLine {
  jobs = 0;
  override run<T>(source: string, work: () => Promise<T>): Promise<T> {
    this.jobs++;
    return super.run(source, work);
  }
}

describe('guessing', () => {
  let scene: Scene;
  beforeEach(() => {
    scene = new Scene();
  });
  afterEach(() => {
    scene.close();
  });

  /** An unknown login that looks as if it took passwords. */
  async function unknownWithPassword(): Promise<string> {
    for (let index = 0; ; index++) {
      const outcome = await scene.connect().signIn.none(`nobody${index}`);
      if (outcome.result === 'failure' && outcome.methods[0] === 'password') return `nobody${index}`;
    }
  }

  it('costs the same work and gets the same answers for every kind of login', async () => {
    await scene.account('ada', [['password']]);
    await scene.accounts.setPassword('ada', PASSWORD);
    await scene.account('without', [['password']]);
    await scene.account('gone', [['password']]);
    await scene.accounts.setPassword('gone', PASSWORD);
    await scene.accounts.suspend('gone');
    const logins = ['ada', 'without', 'gone', await unknownWithPassword()];
    const transcripts = [];
    for (const login of logins) {
      const passwords = new CountingLine();
      Object.assign(scene.parts, { passwords });
      scene.waits.length = 0;
      const visit = scene.connect();
      const guess = login === 'gone' ? PASSWORD : 'a wrong guess';
      const answers = [await visit.signIn.none(login)];
      for (let tries = 0; tries < 4; tries++) answers.push(await visit.password(login, guess));
      answers.push(
        await visit.signIn.interactive(login),
        await visit.answers(guess),
        await visit.password(login, guess),
      );
      transcripts.push({ answers, jobs: passwords.jobs, waits: [...scene.waits] });
    }
    for (const transcript of transcripts) assert.deepEqual(transcript, transcripts[0]);
    assert.equal(transcripts[0]?.jobs, 6);
    assert.deepEqual(transcripts[0].waits, [500, 1000]);
  });

  it('slows the guesser and not the owner elsewhere', async () => {
    await scene.account('ada', [['password']]);
    await scene.accounts.setPassword('ada', PASSWORD);
    for (let index = 0; index < 12; index++) await scene.connect('198.51.100.1').password('ada', `guess ${index}`);
    assert.equal(Math.max(...scene.waits), 30_000);
    scene.waits.length = 0;
    assert.equal((await scene.connect('192.0.2.7').password('ada', PASSWORD)).result, 'success');
    assert.deepEqual(scene.waits, []);
  });

  it('answers as if it had failed when too much is waiting', async () => {
    Object.assign(scene.parts, { passwords: new WorkLine({ atOnce: 1, waiting: 1, perSource: 1 }) });
    await scene.account('ada', [['password']]);
    await scene.accounts.setPassword('ada', PASSWORD);
    const results = await Promise.all([1, 2, 3].map(() => scene.connect().password('ada', PASSWORD)));
    assert.deepEqual(results.map(({ result }) => result).sort(), ['failure', 'success', 'success']);
    assert.deepEqual(scene.codes(), ['overloaded']);
  });

  it('of codes from many addresses is slowed for the account, but not for where its owner was before', async () => {
    await scene.account('ada', [['password', 'totp']]);
    await scene.accounts.setPassword('ada', PASSWORD);
    const { secret } = await scene.accounts.enrolTotp('ada');
    const attempt = async (address: string, code: string) => {
      const visit = scene.connect(address);
      await visit.password('ada', PASSWORD);
      await visit.signIn.interactive('ada');
      return (await visit.answers(code)).result;
    };
    const right = () => totpCode(fromBase32(secret), totpStep(scene.now));
    assert.equal(await attempt('192.0.2.7', right()), 'success');
    for (let index = 0; index < 12; index++) assert.equal(await attempt(`198.51.100.${index}`, 'abcdef'), 'failure');
    assert.equal(Math.max(...scene.waits), 30_000);
    scene.waits.length = 0;
    scene.now += 30_000;
    assert.equal(await attempt('192.0.2.7', right()), 'success');
    assert.deepEqual(scene.waits, []);
  });
});
