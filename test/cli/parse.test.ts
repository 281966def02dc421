import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { WaybillError } from '../../src/base/errors.ts';
import { command } from '../../src/cli/command.ts';
import { COMMANDS } from '../../src/cli/commands/index.ts';
import { parseCommandLine } from '../../src/cli/parse.ts';

const TABLE = [
  command({
    name: 'thing add',
    doc: 'Add.',
    arguments: { name: { doc: 'Name.' }, colour: { doc: 'Colour.', optional: true, choices: ['red', 'blue'] } },
    options: {
      size: { doc: 'Size.', value: 'SIZE' },
      owner: { doc: 'Owner.', value: 'NAME', required: true },
      tag: { doc: 'Tag.', value: 'TAG', many: true },
      quick: { doc: 'Quick.' },
      shape: { doc: 'Shape.', value: 'SHAPE', choices: ['round', 'square'] },
    },
    run: () => Promise.resolve(),
  }),
  command({ name: 'alone', doc: 'Alone.', arguments: {}, options: {}, run: () => Promise.resolve() }),
];

function parse(...words: string[]) {
  return parseCommandLine(TABLE, words);
}

function refusal(...words: string[]): string {
  try {
    parse(...words);
  } catch (error) {
    assert.ok(error instanceof WaybillError);
    assert.equal(error.code, 'option-invalid');
    assert.doesNotMatch(error.message, /\n/);
    return error.message;
  }
  return assert.fail(`${words.join(' ')} was accepted`);
}

describe('the command line', () => {
  it('gives a command its input', () => {
    const parsed = parse('thing', 'add', 'box', 'red', '--owner', 'me', '--tag=a', '--tag', 'b', '--quick', '--json');
    assert.ok(parsed.kind === 'run');
    assert.equal(parsed.command.name, 'thing add');
    assert.equal(parsed.json, true);
    assert.equal(parsed.data, null);
    assert.deepEqual(parsed.input, {
      name: 'box',
      colour: 'red',
      size: null,
      owner: 'me',
      tag: ['a', 'b'],
      quick: true,
      shape: null,
    });
  });

  it('says in one line what is wrong and what is allowed', () => {
    assert.match(refusal('thing', 'add', '--owner', 'me'), /NAME is missing; usage: waybill thing add NAME \[COLOUR\]/);
    assert.match(refusal('thing', 'add', 'box'), /--owner NAME is missing/);
    assert.match(refusal('thing', 'add', 'box', 'green', '--owner', 'me'), /COLOUR is "green"; allowed: red, blue/);
    assert.match(refusal('thing', 'add', 'a', 'red', 'c', '--owner', 'me'), /"c" is one argument too many/);
    assert.match(refusal('thing', 'add', 'a', '--owner', 'me', '--shape', 'odd'), /--shape is "odd"; allowed: round/);
    assert.match(refusal('thing', 'add', 'a', '--ownr', 'me'), /Unknown option '--ownr'; options: .*--owner/);
    assert.match(refusal('thing', 'add', 'a', '--owner'), /--owner/);
    assert.match(refusal('thing', 'add', 'a', '--owner', 'x', '--owner', 'y'), /--owner is given twice/);
    assert.match(refusal('thing', 'add', '', '--owner', 'x'), /NAME is empty/);
    assert.match(refusal('thing'), /thing needs a verb; verbs: add/);
    assert.match(refusal('thing', 'ad'), /thing has no verb "ad"; verbs: add/);
    assert.match(refusal('thin'), /no command "thin"; commands: thing, alone/);
    assert.match(refusal('--json'), /no command/);
  });

  it('finds help in every place people look for it', () => {
    assert.deepEqual(parse(), { kind: 'help', topic: [] });
    assert.deepEqual(parse('--help'), { kind: 'help', topic: [] });
    assert.deepEqual(parse('help'), { kind: 'help', topic: [] });
    assert.deepEqual(parse('thing', '--help'), { kind: 'help', topic: ['thing'] });
    assert.deepEqual(parse('help', 'thing'), { kind: 'help', topic: ['thing'] });
    assert.deepEqual(parse('help', 'thing', 'add'), { kind: 'help', topic: ['thing', 'add'] });
    assert.deepEqual(parse('thing', 'add', '--help'), { kind: 'help', topic: ['thing', 'add'] });
    assert.deepEqual(parse('alone', '--help'), { kind: 'help', topic: ['alone'] });
  });

  it('takes any words without anything but a refusal in one line', () => {
    const word = fc.oneof(
      fc.constantFrom(
        'tenant',
        'key',
        'add',
        'list',
        '--json',
        '--help',
        '--data',
        '--',
        '-',
        '-x',
        '--quota=',
        '=',
        '--__proto__',
      ),
      fc.string(),
    );
    fc.assert(
      fc.property(fc.array(word, { maxLength: 8 }), (words) => {
        try {
          parseCommandLine(COMMANDS, words);
        } catch (error) {
          assert.ok(error instanceof WaybillError, String(error));
          assert.equal(error.code, 'option-invalid');
        }
      }),
    );
  });
});
