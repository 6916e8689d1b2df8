import { clientMethods } from '../clients/index.ts'
import { DragomanError } from '../core/errors.ts'
import { type Check, checkFor } from '../profiles/check.ts'
import { type Report, reportOn } from '../profiles/report.ts'
import { readSource, type SourceFile } from '../profiles/source.ts'
import { type Files, onDisk } from './files.ts'
import { placesOf } from './places.ts'
import { checkDocument } from './rules.ts'
import { configurationSchemaWith } from './schema.ts'
import type { Configuration, ListenerEntry, TenantEntry, TracingEntry } from './types.ts'

const DEFAULT_LISTENER: ListenerEntry = { host: '127.0.0.1', port: 8080 }

/**
 * Members whose values no message may show: the two secrets there can be, what stands for one and may hold it by mistake,
 * and what a private JWK has (RFC 7518, 9964).
 */
const SECRETS = [
  ...['client_secret', 'client_secret_sha256', 'client_secret_env', 'value', 'env'],
  // A file or a variable of this name may hold the secret by mistake.
  ...['secret_env'],
  ...['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k', 'priv'],
]

/**
 * The check of a configuration against its schema, made when it is first needed, and kept for a reload.
 *
 * It takes some 20 milliseconds to make, half of them for `tenants`, where all that one tenant has stands again: they are
 * spent where there are any.
 */
export function configurationCheck(methods: readonly { readonly name: string }[] = clientMethods()): Check {
  const schema = configurationSchemaWith(methods.map(({ name }) => name).sort())
  let whole: Check | undefined
  let plain: Check | undefined
  return (value) => {
    if (Object.hasOwn(Object(value), 'tenants')) {
      whole ??= checkFor(schema)
      return whole(value)
    }
    plain ??= checkFor({ ...schema, properties: { ...schema.properties, tenants: {} } })
    return plain(value)
  }
}

/**
 * Reads a configuration file and checks it against its schema, and what a schema cannot say: see {@link checkDocument}.
 * Reads no other file: {@link createTenant} does.
 *
 * @throws {@link DragomanError} `ERR_PROFILE_SYNTAX`, `ERR_PROFILE_SCHEMA`, `ERR_PROFILE_OPTION`, with file, line, column,
 * path and what would be right, for all that is wrong at once; no secret of the file is in it
 */
export function readConfiguration(
  file: string,
  check: Check = configurationCheck(),
  files: Files = onDisk,
): Configuration {
  let text: string
  try {
    text = files.read(file).toString('utf8')
  } catch (cause) {
    throw new DragomanError('ERR_PROFILE_SYNTAX', {
      cause,
      detail: { file, expected: 'a configuration file that can be read' },
      message: `${file}: expected a configuration file that can be read`,
    })
  }
  return configurationOf({ file, text }, check)
}

/** {@link readConfiguration} for text that is at hand. */
export function configurationOf({ file, text }: SourceFile, check: Check = configurationCheck()): Configuration {
  const source = readSource({ file, text }, { secrets: SECRETS })
  const report = reportOn(source)
  for (const problem of check(source.value)) report.add(problem)
  report.settle()
  const document = source.value as {
    listeners?: ListenerEntry[]
    tracing?: TracingEntry
    tenants?: TenantEntry[]
  } & Omit<TenantEntry, 'name'>
  const { listeners = [DEFAULT_LISTENER], tracing, tenants, ...plain } = document
  checkDocument(document, report)
  report.settle()
  const all: readonly TenantEntry[] = tenants ?? [{ name: 'default', ...plain }]
  const reportFor = (tenant: TenantEntry): Report =>
    reportOn(source, tenants === undefined ? [] : ['tenants', all.indexOf(tenant)])
  const origin = source.origin()
  const placesFor = (tenant: TenantEntry) =>
    placesOf(origin, tenant, tenants === undefined ? '' : `tenants[${all.indexOf(tenant)}]`)
  return { file, listeners, ...(tracing && { tracing }), tenants: all, reportFor, placesFor, source }
}
