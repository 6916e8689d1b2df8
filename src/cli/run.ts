import { loadExtensions } from '../config/extensions.ts'
import { DragomanError } from '../core/errors.ts'
import { closest } from '../profiles/nearest.ts'
import { version } from '../version.ts'
import { completionCommand } from './completion.ts'
import { describeFailure } from './describe.ts'
import { devCommand } from './dev/dev.ts'
import { diffCommand } from './diff.ts'
import { doctorCommand } from './doctor/doctor.ts'
import { explainCommand } from './explain/explain.ts'
import { inspectCommand } from './inspect/inspect.ts'
import { type Command, EXTENSION, exit, type Io, processIo, UsageError } from './io.ts'
import { issuersCommand } from './issuers.ts'
import { keysCommand } from './keys.ts'
import { lintCommand } from './lint.ts'
import { profileCommand } from './profile/profile.ts'
import { serveCommand } from './serve.ts'
import { testCommand } from './test.ts'
import { translateCommand } from './translate.ts'
import { validateCommand } from './validate.ts'

/** Every command, in the order of the overview. */
export const commands: readonly Command[] = [
  devCommand,
  serveCommand,
  validateCommand,
  translateCommand,
  explainCommand,
  inspectCommand,
  profileCommand,
  testCommand,
  lintCommand,
  diffCommand,
  issuersCommand,
  keysCommand,
  doctorCommand,
  completionCommand(() => commands),
]

/** Runs one command line and resolves with its exit code. */
export async function run(args: readonly string[], io: Io = processIo): Promise<number> {
  const [name, ...rest] = args
  if (name === undefined || name === 'help' || name === '--help' || name === '-h') {
    io.out(overview())
    return name === undefined ? exit.usage : exit.done
  }
  if (name === '--version' || name === 'version') {
    io.out(`${version()}\n`)
    return exit.done
  }
  const command = commands.find((candidate) => candidate.name === name)
  if (command === undefined) {
    const meant = closest(name, [...commands.map((one) => one.name), 'help', 'version'])
    io.error(
      `dragoman: there is no command ${JSON.stringify(name)}${meant ? `; did you mean \`${meant}\`?` : ''}\n\n${overview()}`,
    )
    return exit.usage
  }
  if (rest.includes('--help') || rest.includes('-h')) {
    io.out(help(command))
    return exit.done
  }
  try {
    const { args, files } = command.options.includes(EXTENSION) ? extensionsIn(rest) : { args: rest, files: [] }
    return await command.run(args, io, await loadExtensions(files), files)
  } catch (error) {
    if (error instanceof UsageError || isArgumentError(error)) {
      io.error(`dragoman ${name}: ${error.message}${meantBy(error, command)}\n\n${help(command)}`)
      return exit.usage
    }
    io.error(`dragoman ${name}: ${describeFailure(error)}\n`)
    return exitOf(error)
  }
}

/** What is outside: an issuer, a store, a port, a file that the command line names. */
function exitOf(error: unknown): number {
  if (!(error instanceof DragomanError) || error.code.endsWith('_UNAVAILABLE')) return exit.outside
  const { cause } = error
  const system = cause instanceof Error && 'syscall' in cause && error.detail['problems'] === undefined
  return system ? exit.outside : exit.refused
}

/** Taken out of a command line: `--extension FILE` and `--extension=FILE`, as often as they are there. */
function extensionsIn(line: readonly string[]): {
  readonly args: readonly string[]
  readonly files: readonly string[]
} {
  const [flag = ''] = EXTENSION[0].split(' ')
  const args: string[] = []
  const files: string[] = []
  for (let at = 0; at < line.length; at += 1) {
    const word = line[at] ?? ''
    if (word.startsWith(`${flag}=`)) files.push(word.slice(flag.length + 1))
    else if (word === flag) {
      at += 1
      files.push(line[at] ?? '')
    } else args.push(word)
  }
  if (files.some((file) => file === '' || file.startsWith('-'))) throw new UsageError(`${flag} takes a file`)
  return { args, files }
}

const isArgumentError = (error: unknown): error is Error =>
  error instanceof Error && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS_')

/** The option that was meant by one that there is not. */
function meantBy({ message }: Error, { options }: Command): string {
  const [, written] = /^Unknown option '--?([^']+)'/.exec(message) ?? []
  if (written === undefined) return ''
  const known = options.flatMap(([flag]) => (flag.startsWith('--') ? [flag.slice(2).split(' ', 1)[0] ?? ''] : []))
  const meant = closest(written, [...known, 'help'])
  return meant === undefined ? '' : `; did you mean \`--${meant}\`?`
}

const overview = (): string =>
  [
    'dragoman: translates a token of one trust domain into a token of another (RFC 8693)',
    '',
    'usage: dragoman <command> [options]',
    '',
    ...commands.map(({ name, summary }) => `  ${name.padEnd(10)} ${summary}`),
    '',
    'dragoman <command> --help shows its options and an example.',
    '',
  ].join('\n')

const help = ({ name, summary, usage, example, options }: Command): string =>
  [
    `dragoman ${name}: ${summary}`,
    '',
    `usage: dragoman ${name} ${usage}`,
    ...(options.length > 0 ? ['', ...options.map(([flag, meaning]) => `  ${flag.padEnd(24)} ${meaning}`)] : []),
    '',
    `example: ${example}`,
    '',
  ].join('\n')
