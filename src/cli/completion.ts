/** Completion scripts from the table of commands; pure. Nothing is asked of the server while a key is pressed. */
import { COMMON_OPTIONS } from './command.ts';
import type { Command, OptionSpec } from './command.ts';

export const SHELLS = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof SHELLS)[number];

export function completionScript(shell: Shell, commands: readonly Command[]): string {
  return SCRIPTS[shell](commands);
}

const SCRIPTS: Readonly<Record<Shell, (commands: readonly Command[]) => string>> = { bash, zsh, fish };

function optionsOf(command: Command): [string, OptionSpec][] {
  return Object.entries({ ...command.options, ...COMMON_OPTIONS });
}

function groups(commands: readonly Command[]): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const { name } of commands) {
    const [group = name, verb] = name.split(' ');
    found.set(group, [...(found.get(group) ?? []), ...(verb === undefined ? [] : [verb])]);
  }
  return found;
}

function isFile(spec: OptionSpec): boolean {
  return spec.value === 'FILE' || spec.value === 'DIR';
}

/** Words that may stand where an argument does, when the table knows them all. */
function argumentChoices(command: Command): readonly string[] {
  return Object.values(command.arguments).flatMap((spec) => spec.choices ?? []);
}

function bash(commands: readonly Command[]): string {
  const verbs = [...groups(commands)].filter(([, list]) => list.length > 0);
  const words = commands.map((row) => {
    const options = optionsOf(row).map(([name]) => `--${name}`);
    return `    "${row.name}") words="${[...options, ...argumentChoices(row)].join(' ')}" ;;`;
  });
  return `_waybill() {
  local cur="\${COMP_WORDS[COMP_CWORD]}" prev="\${COMP_WORDS[COMP_CWORD-1]}" words=""
  COMPREPLY=()
  if [[ $prev == --data || $prev == --key ]]; then COMPREPLY=($(compgen -f -- "$cur")); return; fi
  if ((COMP_CWORD == 1)); then COMPREPLY=($(compgen -W "${[...groups(commands).keys()].join(' ')}" -- "$cur")); return; fi
  case "\${COMP_WORDS[1]}" in
${verbs.map(([group, list]) => `    ${group}) if ((COMP_CWORD == 2)); then COMPREPLY=($(compgen -W "${list.join(' ')} --help" -- "$cur")); return; fi ;;`).join('\n')}
  esac
  local name="\${COMP_WORDS[1]}"
  case "$name" in ${verbs.map(([group]) => group).join('|')}) name="$name \${COMP_WORDS[2]}" ;; esac
  case "$name" in
${words.join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
  if [[ \${#COMPREPLY[@]} -eq 0 && $cur != -* ]]; then COMPREPLY=($(compgen -f -- "$cur")); fi
}
complete -o filenames -F _waybill waybill
`;
}

function zsh(commands: readonly Command[]): string {
  const quote = (text: string): string =>
    text.replaceAll(/['[\]:\\]/g, (character) => (character === "'" ? "'\\''" : `\\${character}`));
  const firstOf = [...groups(commands)].map(([group, list]) => {
    const row = commands.find(({ name }) => name === group);
    return `    '${group}:${quote(row?.doc ?? list.join(', '))}'`;
  });
  const describe = (group: string, list: readonly string[]): string =>
    list
      .map((verb) => `'${verb}:${quote(commands.find(({ name }) => name === `${group} ${verb}`)?.doc ?? '')}'`)
      .join(' ');
  const verbs = [...groups(commands)]
    .filter(([, list]) => list.length > 0)
    .map(
      ([group, list]) =>
        `    ${group}) if ((CURRENT == 3)); then local -a verbs=(${describe(group, list)}); _describe verb verbs; return; fi; name="$words[2] $words[3]" ;;`,
    );
  const rows = commands.map((row) => {
    const options = optionsOf(row).map(([name, spec]) => {
      const value = spec.value === undefined ? '' : `:${spec.value}:${isFile(spec) ? '_files' : ' '}`;
      return `'${spec.many === true ? '*' : ''}--${name}[${quote(spec.doc)}]${value}'`;
    });
    const choices = argumentChoices(row);
    const rest = choices.length > 0 ? `'*:value:(${choices.join(' ')})'` : "'*:value:_files'";
    return `    '${row.name}') _arguments ${[...options, rest].join(' ')} ;;`;
  });
  return `#compdef waybill
_waybill() {
  local -a commands=(
${firstOf.join('\n')}
  )
  if ((CURRENT == 2)); then _describe command commands; return; fi
  local name="$words[2]"
  case "$name" in
${verbs.join('\n')}
  esac
  case "$name" in
${rows.join('\n')}
  esac
}
# Sourced it registers itself; from fpath it is the function's own body.
if [[ "$funcstack[1]" == _waybill ]]; then _waybill "$@"; else compdef _waybill waybill; fi
`;
}

function fish(commands: readonly Command[]): string {
  const quote = (text: string): string => `'${text.replaceAll(/['\\]/g, (character) => `\\${character}`)}'`;
  const lines = ['complete -c waybill -f'];
  for (const [group, list] of groups(commands)) {
    const row = commands.find(({ name }) => name === group);
    lines.push(`complete -c waybill -n __fish_use_subcommand -a ${group} -d ${quote(row?.doc ?? list.join(', '))}`);
    const unchosen = `__fish_seen_subcommand_from ${group}; and not __fish_seen_subcommand_from ${list.join(' ')}`;
    for (const verb of list) {
      const doc = commands.find(({ name }) => name === `${group} ${verb}`)?.doc ?? '';
      lines.push(`complete -c waybill -n ${quote(unchosen)} -a ${verb} -d ${quote(doc)}`);
    }
  }
  for (const row of commands) {
    const condition = row.name
      .split(' ')
      .map((word) => `__fish_seen_subcommand_from ${word}`)
      .join('; and ');
    for (const [name, spec] of optionsOf(row)) {
      const value = spec.value === undefined ? '' : isFile(spec) ? ' -r -F' : ' -x';
      lines.push(`complete -c waybill -n ${quote(condition)} -l ${name}${value} -d ${quote(spec.doc)}`);
    }
    for (const choice of argumentChoices(row)) lines.push(`complete -c waybill -n ${quote(condition)} -a ${choice}`);
  }
  return `${lines.join('\n')}\n`;
}
