import { statSync } from 'node:fs'
import process from 'node:process'
import type { Path } from '../profiles/problem.ts'
import type { Configuration, TenantEntry } from './types.ts'

/** A file that only its owner should be able to read, and where the configuration names it. */
export interface SecretFile {
  readonly file: string
  /** What is in it: `key signing`. */
  readonly holds: string
  readonly path: Path
}

/** The files with keys and secrets that a tenant names. Does NOT look at any of them. */
export const secretFilesOf = ({
  keys = [],
  secrets = [],
  clients = [],
}: Partial<TenantEntry>): readonly SecretFile[] => [
  ...keys.flatMap(({ name, file }, index) =>
    file === undefined ? [] : [{ file, holds: `key ${name}`, path: ['keys', index, 'file'] }],
  ),
  ...secrets.flatMap(({ name, file }, index) =>
    file === undefined ? [] : [{ file, holds: `secret ${name}`, path: ['secrets', index, 'file'] }],
  ),
  ...clients.flatMap(({ client_id: id, client_secret_file: file }, index) =>
    file === undefined
      ? []
      : [{ file, holds: `secret of client ${id}`, path: ['clients', index, 'client_secret_file'] }],
  ),
]

/** The same for what belongs to the process: private keys of listeners, header fields with which spans are sent. */
export const processSecretsOf = ({
  listeners,
  tracing,
}: Pick<Configuration, 'listeners' | 'tracing'>): readonly SecretFile[] => [
  ...listeners.flatMap(({ tls, port }, index) =>
    tls === undefined
      ? []
      : [{ file: tls.key, holds: `key of the listener on port ${port}`, path: ['listeners', index, 'tls', 'key'] }],
  ),
  ...(tracing?.headers_file === undefined
    ? []
    : [{ file: tracing.headers_file, holds: 'header fields for tracing', path: ['tracing', 'headers_file'] }]),
]

const GROUP_AND_OTHERS = 0o077

/** What is wrong with the permission bits of such a file, in words; `undefined`: nothing, or it cannot be told. */
export function modeFault(mode: number | undefined): string | undefined {
  if (mode === undefined || (mode & GROUP_AND_OTHERS) === 0) return undefined
  return `group or others may use it (mode ${(mode & 0o7777).toString(8).padStart(4, '0')}); chmod 600`
}

/** Permission bits of a file; `undefined`: it is not there, or this system has none. */
export function modeOf(file: string): number | undefined {
  if (process.platform === 'win32') return undefined
  return statSync(file, { throwIfNoEntry: false })?.mode
}
