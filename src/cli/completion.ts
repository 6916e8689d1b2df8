import { parseArgs } from 'node:util'
import { type Command, exit, UsageError } from './io.ts'

/** `dragoman completion`: a script that completes commands, their words and their options. */
export const completionCommand = (all: () => Promise<readonly Command[]>): Command => ({
  name: 'completion',
  summary: 'prints a script that lets a shell complete command lines',
  usage: 'bash|zsh|fish',
  example: 'source <(dragoman completion bash)',
  words: ['bash', 'zsh', 'fish'],
  options: [
    ['bash', 'for ~/.bashrc: source <(dragoman completion bash)'],
    ['zsh', 'for ~/.zshrc, behind compinit: source <(dragoman completion zsh)'],
    ['fish', 'dragoman completion fish > ~/.config/fish/completions/dragoman.fish'],
  ],
  async run(args, io) {
    const { positionals } = parseArgs({ args: [...args], allowPositionals: true, options: {} })
    const [shell, more] = positionals
    const script = more === undefined ? SCRIPTS[shell ?? ''] : undefined
    if (script === undefined) throw new UsageError(`one of ${Object.keys(SCRIPTS).join(', ')} is required`)
    io.out(script(await all()))
    return exit.done
  },
})

type Script = (commands: readonly Command[]) => string

const bash: Script = (commands) => `# dragoman completion for bash
_dragoman() {
  local cur=\${COMP_WORDS[COMP_CWORD]} words= flags=
  if [ "$COMP_CWORD" -eq 1 ]; then
    words='${commands.map(({ name }) => name).join(' ')} help version'
  else
    case "\${COMP_WORDS[1]}" in
${commands.map((command) => `      ${command.name}) ${bashWords(command)} ;;`).join('\n')}
      help) words='${commands.map(({ name }) => name).join(' ')}' ;;
    esac
    # Only the first word can be one of the command's; anything else is a file.
    [ "$COMP_CWORD" -eq 2 ] || words=
    case "$cur" in -*) words=$flags ;; esac
  fi
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
}
complete -o default -F _dragoman dragoman
`

const bashWords = (command: Command): string =>
  `words='${(command.words ?? []).join(' ')}' flags='${flagsOf(command).join(' ')}'`

const zsh: Script = (commands) => `#compdef dragoman
_dragoman() {
  local -a commands
  commands=(
${commands.map(({ name, summary }) => `    ${quoted(`${name}:${summary}`)}`).join('\n')}
  )
  if (( CURRENT == 2 )) || [[ $CURRENT == 3 && "$words[2]" == help ]]; then
    _describe command commands
    return
  fi
  case "$words[2]" in
${commands.map(zshCase).join('\n')}
  esac
}
compdef _dragoman dragoman
`

const zshCase = (command: Command): string =>
  [
    `    ${command.name})`,
    '      _arguments \\',
    ...optionsOf(command).map(([flag, value, meaning]) => {
      // Without the star zsh offers an option once.
      const text = `${meaning.endsWith('may be repeated') ? '*' : ''}${flag}[${meaning.replace(/[[\]:]/g, ' ')}]`
      return `        ${quoted(value === undefined ? text : `${text}:${value}:_files`)} \\`
    }),
    `        ${quoted(command.words ? `2:word:(${command.words.join(' ')})` : '*:file:_files')} \\`,
    `        ${quoted('*:file:_files')}`,
    '      ;;',
  ]
    .filter((line, at, all) => at === all.length - 1 || line.replace(/ \\$/, '') !== all[at + 1])
    .join('\n')

const fish: Script = (commands) =>
  [
    '# dragoman completion for fish',
    ...commands.map(
      ({ name, summary }) => `complete -c dragoman -n __fish_use_subcommand -f -a ${name} -d ${quoted(summary)}`,
    ),
    `complete -c dragoman -n '__fish_seen_subcommand_from help' -f -a ${quoted(commands.map(({ name }) => name).join(' '))}`,
    ...commands.flatMap((command) => {
      const only = `complete -c dragoman -n ${quoted(`__fish_seen_subcommand_from ${command.name}`)}`
      return [
        ...(command.words ?? []).map((word) => `${only} -a ${word}`),
        ...optionsOf(command).map(
          ([flag, value, meaning]) =>
            `${only} -l ${flag.slice(2)}${value === undefined ? '' : ' -r'} -d ${quoted(meaning)}`,
        ),
      ]
    }),
    '',
  ].join('\n')

const SCRIPTS: { readonly [shell: string]: Script } = { bash, zsh, fish }

/** The flags of a command: `--config`, what stands for its value, what it means. */
const optionsOf = ({ options }: Command): readonly (readonly [string, string | undefined, string])[] =>
  options.flatMap(([option, meaning]) => {
    const [flag = '', value] = option.split(' ')
    return flag.startsWith('--') ? [[flag, value, meaning] as const] : []
  })

const flagsOf = (command: Command): readonly string[] => [...optionsOf(command).map(([flag]) => flag), '--help']

const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`
