import { DragomanError } from '../core/errors.ts'
import { version } from '../version.ts'
import { describeFailure } from './describe.ts'
import { type Command, exit, type Io, processIo, UsageError } from './io.ts'

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
    io.error(`dragoman: there is no command ${JSON.stringify(name)}\n\n${await overview()}`)
    return exit.usage
  }
  if (rest.includes('--help') || rest.includes('-h')) {
    io.out(help(command))
    return exit.done
  }
  try {
    return await command.run(rest, io)
  } catch (error) {
    if (error instanceof UsageError || isArgumentError(error)) {
      io.error(`dragoman ${name}: ${error.message}\n\n${help(command)}`)
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

const isArgumentError = (error: unknown): error is Error =>
  error instanceof Error && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS_')

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
