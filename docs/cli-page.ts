import { allCommands } from '../src/cli/run.ts'

const commands = await allCommands()

/** The reference of the commands, from their own help. */
export function cliPage(): readonly string[] {
  return [
    '`dragoman <command> --help` says the same. Tokens are read from standard input, so that they stay out of the history',
    'of the shell.',
    '',
    '| Exit code | Is |',
    '| --- | --- |',
    '| 0 | done |',
    '| 1 | refused: an exchange, a configuration, what was looked at; findings of `lint`, a gain in `diff` |',
    '| 2 | the command line is wrong |',
    '| 3 | something outside failed: a file that the command line names, a port, an issuer |',
    '',
    ...commands.flatMap(({ name, summary, usage, example, options }) => [
      `## ${name}`,
      '',
      `${summary.charAt(0).toUpperCase()}${summary.slice(1)}.`,
      '',
      `Usage: \`dragoman ${name} ${usage}\``,
      '',
      ...(options.length === 0
        ? []
        : [
            '| Option | Meaning |',
            '| --- | --- |',
            ...options.map(([flag, meaning]) => `| \`${flag}\` | ${cell(meaning)} |`),
            '',
          ]),
      `Example: \`${example}\``,
      '',
    ]),
  ]
}

const cell = (text: string): string => text.replaceAll('|', '\\|')
