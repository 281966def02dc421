import { command } from '../command.ts';
import type { Command } from '../command.ts';
import { completionScript, SHELLS } from '../completion.ts';

/** Takes the table as a function, because this row is itself in it. */
export function completionCommand(commands: () => readonly Command[]): Command {
  return command({
    name: 'completion',
    doc: 'Print a script that completes waybill commands in your shell.',
    details: [
      'bash: source <(waybill completion bash)',
      'zsh: waybill completion zsh > "${fpath[1]}/_waybill"',
      'fish: waybill completion fish > ~/.config/fish/completions/waybill.fish',
    ],
    arguments: { shell: { doc: 'The shell.', choices: SHELLS } },
    options: {},
    local: 'it only prints a script.',
    run(input, { output }) {
      const script = completionScript(input.shell as (typeof SHELLS)[number], commands());
      output.text(script);
      return Promise.resolve();
    },
  });
}
