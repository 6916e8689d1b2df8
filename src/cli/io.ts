import process from 'node:process'
import { text } from 'node:stream/consumers'
import { parseArgs } from 'node:util'
import { builtin, extended } from '../catalog.ts'
import { configurationCheck, readConfiguration } from '../config/read.ts'
import type { Configuration } from '../config/types.ts'
import type { Extension } from '../core/catalog.ts'

/** What a command talks to: replaced in tests. */
export interface Io {
  /** Standard input, whole. */
  input(): Promise<string>
  out(text: string): void
  error(text: string): void
  readonly terminal: boolean
}

export const processIo: Io = {
  // Not readFileSync(0): what another Node writes into a pipe is not there at once, and it does not wait (EAGAIN).
  input: () => text(process.stdin.setEncoding('latin1')),
  out(text) {
    process.stdout.write(text)
  },
  error(text) {
    process.stderr.write(text)
  },
  terminal: process.stdin.isTTY === true,
}

/** Exit codes, the same for every command. */
export const exit = {
  done: 0,
  /** The exchange, or what was looked at, was refused. */
  refused: 1,
  /** The command line is wrong. */
  usage: 2,
  /** Something outside failed: a file, a port, an issuer. */
  outside: 3,
} as const

/** A wrong command line: the message is shown with the command's usage. */
export class UsageError extends Error {}

export interface Command {
  readonly name: string
  readonly summary: string
  readonly usage: string
  readonly example: string
  readonly options: readonly (readonly [string, string])[]
  /** What may stand first behind its name, where that is one of a few words. */
  readonly words?: readonly string[]
  /** `more`: what the files `modules` of `--extension` export, for a command that has {@link EXTENSION} as an option. */
  run(args: readonly string[], io: Io, more: Extension, modules: readonly string[]): Promise<number>
}

/** The option of each command that reads configurations or profiles: what they may name beside what is built in. */
export const EXTENSION = [
  '--extension MODULE',
  'a JavaScript or TypeScript file with stages, codecs and the like of your own; may be repeated',
] as const

/** What is asked of a command that takes a configuration and says what it finds. @throws UsageError */
export function configurationAsked(args: readonly string[]): { readonly config: string; readonly json: boolean } {
  const { values } = parseArgs({
    args: [...args],
    options: { config: { type: 'string', short: 'c' }, json: { type: 'boolean', default: false } },
  })
  const { config, json } = values
  if (config === undefined) throw new UsageError('--config is required')
  return { config, json }
}

/** The configuration in a file, which may name what an extension has. @throws as {@link readConfiguration} */
export const configurationIn = (file: string, more: Extension): Configuration =>
  readConfiguration(file, configurationCheck(extended(builtin(), more).clientMethods))
