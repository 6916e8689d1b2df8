import { readFileSync } from 'node:fs'
import { clientMethods } from '../clients/index.ts'
import { DragomanError } from '../core/errors.ts'
import { type Check, checkFor } from '../profiles/check.ts'
import { type Path, type Problem, readSource, type Source, type SourceFile } from '../profiles/source.ts'
import { configurationSchemaWith } from './schema.ts'
import type { Configuration, ListenerEntry, TenantEntry } from './types.ts'

const DEFAULT_LISTENER: ListenerEntry = { host: '127.0.0.1', port: 8080 }

/** The check of a configuration against its schema; takes some 20 milliseconds to make, so that a reload keeps it. */
export const configurationCheck = (methods: readonly { readonly name: string }[] = clientMethods): Check =>
  checkFor(configurationSchemaWith(methods.map(({ name }) => name).sort()))

/**
 * Reads a configuration file and checks it against its schema. Reads no other file: {@link createTenant} does.
 *
 * @throws {@link DragomanError} `ERR_PROFILE_SYNTAX`, `ERR_PROFILE_SCHEMA`, with file, line, column, path and what would be right
 */
export function readConfiguration(file: string, check: Check = configurationCheck()): Configuration {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (cause) {
    throw new DragomanError('ERR_PROFILE_SYNTAX', {
      cause,
      detail: { file, expected: 'a configuration file that can be read' },
    })
  }
  return configurationOf({ file, text }, check)
}

/** {@link readConfiguration} for text that is at hand. */
export function configurationOf({ file, text }: SourceFile, check: Check = configurationCheck()): Configuration {
  const source = readSource({ file, text })
  const problems = check(source.value)
  if (problems.length > 0) throw source.refuse(problems)
  const document = source.value as { listeners?: ListenerEntry[]; tenants?: TenantEntry[] } & Omit<TenantEntry, 'name'>
  const { listeners = [DEFAULT_LISTENER], tenants, ...plain } = document
  assertMembers(source, tenants, Object.keys(plain))
  const all = tenants ?? [{ name: 'default', ...plain }]
  const wrong = all.flatMap((tenant, index) => issuerProblems(tenant, tenants ? ['tenants', index] : []))
  if (wrong.length > 0) throw source.refuse(wrong)
  assertUnique(source, all)
  return {
    file,
    listeners,
    tenants: all,
    place(tenant, path, error) {
      const base = tenants === undefined ? [] : ['tenants', all.indexOf(tenant)]
      return source.refuse([{ path: [...base, ...path], message: wordsOf(error), code: error.code }])
    },
  }
}

/** What an error of a part says, without its place: that is about to be told. */
function wordsOf({ detail, message }: DragomanError): string {
  const { expected, file, reason } = detail
  const subject = typeof file === 'string' ? `${file}: ` : ''
  if (typeof expected === 'string') return `${subject}expected ${expected}`
  return `${subject}${typeof reason === 'string' ? reason : message}`
}

/** With `tenants`, nothing of a tenant stands beside it: it would be shared, or ignored. */
function assertMembers(source: Source, tenants: readonly TenantEntry[] | undefined, beside: readonly string[]): void {
  const [first] = beside
  if (tenants === undefined || first === undefined) return
  throw source.refuse([{ path: [first], atName: true, message: 'belongs to a tenant; put it under one of `tenants`' }])
}

function issuerProblems({ issuer }: TenantEntry, base: Path): readonly Problem[] {
  const path = [...base, 'issuer']
  const url = URL.parse(issuer)
  if (!url) return [{ path, message: 'expected an absolute URL' }]
  const loopback = ['localhost', '127.0.0.1', '[::1]'].includes(url.hostname)
  if (url.protocol !== 'https:' && !loopback) return [{ path, message: 'expected https; http is for loopback only' }]
  if (url.username !== '' || url.search !== '' || url.hash !== '') {
    return [{ path, message: 'expected a URL without user, query and fragment (RFC 8414 section 2)' }]
  }
  // A slash at the end makes a second name for the same issuer; clients compare character by character.
  if (issuer.endsWith('/')) return [{ path, message: 'expected no slash at the end' }]
  return []
}

function assertUnique(source: Source, tenants: readonly TenantEntry[]): void {
  for (const member of ['name', 'issuer'] as const) {
    const seen = new Set<string>()
    for (const [index, tenant] of tenants.entries()) {
      if (seen.has(tenant[member])) {
        throw source.refuse([{ path: ['tenants', index, member], message: `is that of another tenant too` }])
      }
      seen.add(tenant[member])
    }
  }
}
