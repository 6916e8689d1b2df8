import type { Extension } from '../core/catalog.ts'
import { closest } from '../profiles/nearest.ts'
import { version } from '../version.ts'
import { describeFailure, exitOf } from './describe.ts'
import { type Command, EXTENSION, exit, type Io, processIo, UsageError } from './io.ts'

/** Every command, in the order of the overview. Each is read when it is asked for: most of them are no part of a start. */
const loaders: { readonly [name: string]: () => Promise<Command> } = {
  dev: async () => (await import('./dev/dev.ts')).devCommand,
  serve: async () => (await import('./serve.ts')).serveCommand,
  validate: async () => (await import('./validate.ts')).validateCommand,
  translate: async () => (await import('./translate.ts')).translateCommand,
  explain: async () => (await import('./explain/explain.ts')).explainCommand,
  inspect: async () => (await import('./inspect/inspect.ts')).inspectCommand,
  profile: async () => (await import('./profile/profile.ts')).profileCommand,
  test: async () => (await import('./test.ts')).testCommand,
  lint: async () => (await import('./lint.ts')).lintCommand,
  diff: async () => (await import('./diff.ts')).diffCommand,
  issuers: async () => (await import('./issuers.ts')).issuersCommand,
  keys: async () => (await import('./keys.ts')).keysCommand,
  doctor: async () => (await import('./doctor/doctor.ts')).doctorCommand,
  completion: async () => (await import('./completion.ts')).completionCommand(allCommands),
}

/** All of them, read. */
export const allCommands = (): Promise<readonly Command[]> => Promise.all(Object.values(loaders).map((load) => load()))

/** Runs one command line and resolves with its exit code. */
export async function run(args: readonly string[], io: Io = processIo): Promise<number> {
  const [name, ...rest] = args
  const [about] = rest
  if (name === 'help' && about !== undefined && !about.startsWith('-')) return run([about, '--help'], io)
  if (name === undefined || name === 'help' || name === '--help' || name === '-h') {
    io.out(await overview())
    return name === undefined ? exit.usage : exit.done
  }
  if (name === '--version' || name === 'version') {
    io.out(`${version()}\n`)
    return exit.done
  }
  const command = Object.hasOwn(loaders, name) ? await loaders[name]?.() : undefined
  if (command === undefined) {
    const meant = closest(name, [...Object.keys(loaders), 'help', 'version'])
    const hint = meant ? `; did you mean \`${meant}\`?` : ''
    io.error(`dragoman: there is no command ${JSON.stringify(name)}${hint}\n\n${await overview()}`)
    return exit.usage
  }
  if (rest.includes('--help') || rest.includes('-h')) {
    io.out(help(command))
    return exit.done
  }
  try {
    const { args, files } = command.options.includes(EXTENSION) ? extensionsIn(rest) : { args: rest, files: [] }
    return await command.run(args, io, await extensionOf(files), files)
  } catch (error) {
    if (error instanceof UsageError || isArgumentError(error)) {
      io.error(`dragoman ${name}: ${error.message}${meantBy(error, command)}\n\n${help(command)}`)
      return exit.usage
    }
    io.error(`dragoman ${name}: ${describeFailure(error)}\n`)
    return exitOf(error)
  }
}

/** Of most command lines there is none, and no need to read what reads one. */
const extensionOf = async (files: readonly string[]): Promise<Extension> =>
  files.length === 0 ? {} : (await import('../config/extensions.ts')).loadExtensions(files)

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

const overview = async (): Promise<string> =>
  [
    'dragoman: translates a token of one trust domain into a token of another (RFC 8693)',
    '',
    'usage: dragoman <command> [options]',
    '',
    ...(await allCommands()).map(({ name, summary }) => `  ${name.padEnd(10)} ${summary}`),
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
