import { DragomanError } from '../core/errors.ts'
import type { Exchange } from '../core/exchange.ts'
import type { Setting } from '../core/stage.ts'
import { claimOf } from '../core/token.ts'
import { faultOf } from './sub.ts'

export interface LookupOptions {
  readonly file: string
  readonly claim?: string
  readonly default?: string
}

/**
 * The subject that a table has for this one. A subject is who an issuer says it is, so the table is keyed by issuer and
 * then by subject: equal names from two issuers are two subjects.
 *
 * The file is JSON: `{ "https://issuer.example": { "subject there": "subject here" } }`; read when the profile is loaded.
 *
 * @throws {@link DragomanError} `ERR_PROFILE_LOOKUP` when there is no row and no default
 */
export function lookupIn(options: LookupOptions, setting: Setting): (exchange: Exchange) => string {
  const { claim = 'sub', default: fallback } = options
  if (fallback !== undefined) assertSubject(fallback, 'lookup.default')
  const table = tableIn(options.file, setting)
  return ({ subject }) => {
    const key = claimOf(subject, claim)
    const found = typeof key === 'string' ? table.get(subject.provenance.issuer)?.get(key) : undefined
    const sub = found ?? fallback
    if (sub !== undefined) return sub
    throw new DragomanError('ERR_PROFILE_LOOKUP', { detail: { issuer: subject.provenance.issuer, claim } })
  }
}

type Table = ReadonlyMap<string, ReadonlyMap<string, string>>

function tableIn(file: string, setting: Setting): Table {
  let json: unknown
  try {
    json = JSON.parse(setting.readFile(file))
  } catch (cause) {
    throw new DragomanError('ERR_PROFILE_OPTION', {
      detail: { path: 'lookup.file', expected: 'a file that can be read, with JSON in it', file },
      cause,
    })
  }
  const issuers = membersOf(json, file).map(([issuer, subjects]): [string, Map<string, string>] => [
    issuer,
    new Map(
      membersOf(subjects, file).map(([subject, sub]): [string, string] => {
        if (typeof sub !== 'string') throw wrongShape(file)
        assertSubject(sub, 'lookup.file', file)
        return [subject, sub]
      }),
    ),
  ])
  return new Map(issuers)
}

function membersOf(value: unknown, file: string): [string, unknown][] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw wrongShape(file)
  return Object.entries(value)
}

const wrongShape = (file: string): DragomanError =>
  new DragomanError('ERR_PROFILE_OPTION', {
    detail: { path: 'lookup.file', expected: '{ "issuer": { "subject": "new subject" } }', file },
  })

function assertSubject(sub: string, path: string, file?: string): void {
  const fault = faultOf(sub)
  if (fault !== undefined) throw new DragomanError('ERR_PROFILE_OPTION', { detail: { path, expected: fault, file } })
}
