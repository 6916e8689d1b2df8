import { DragomanError } from '../core/errors.ts'
import { hint } from '../profiles/nearest.ts'
import type { Report } from '../profiles/report.ts'
import type { TrustTools } from '../trust/index.ts'
import type { SecretEntry } from './types.ts'

/** What loading clients and secrets needs of its surroundings. */
export interface SecretTools extends TrustTools {
  readonly env: { readonly [name: string]: string | undefined }
}

// RFC 2104 §3: a key for HMAC-SHA-256 is at least as long as its output.
const MIN_SECRET_BYTES = 32

/**
 * The keyed-hash secrets of one tenant, by name: bytes of a file as they are, or text in UTF-8.
 *
 * @throws {@link DragomanError} `ERR_PROFILE_OPTION` for one that is absent or too short, where `report` does not gather
 * it; what it returns throws for a name that there is not
 */
export function loadSecrets(
  entries: readonly SecretEntry[],
  tools: SecretTools,
  report: Report,
): (name: string) => Uint8Array {
  const secrets = new Map<string, Uint8Array>()
  for (const [index, entry] of entries.entries()) {
    report.attempt(['secrets', index], () => {
      if (secrets.has(entry.name)) throw wrong(entry, 'name', 'a name of its own')
      secrets.set(entry.name, bytesOf(entry, tools))
    })
  }
  return (name) => {
    const secret = secrets.get(name)
    if (secret) return secret
    // Not by its name: it may be the secret itself, where its name should stand.
    const words = hint(
      name,
      entries.map((entry) => entry.name),
      'there are',
    )
    throw new DragomanError('ERR_PROFILE_OPTION', { detail: { expected: `there is no such secret; ${words}` } })
  }
}

function bytesOf(entry: SecretEntry, tools: SecretTools): Uint8Array {
  const { file, env, value } = entry
  const [source, secret] =
    file !== undefined
      ? (['file', readBytes(file, 'file', tools)] as const)
      : value !== undefined
        ? (['value', Buffer.from(value)] as const)
        : (['env', textIn(entry, env ?? '', tools)] as const)
  if (secret.length < MIN_SECRET_BYTES) throw wrong(entry, source, `at least ${MIN_SECRET_BYTES} bytes`)
  return secret
}

function textIn(entry: SecretEntry, name: string, { env }: SecretTools): Buffer {
  const text = env[name]
  if (text === undefined) throw wrong(entry, 'env', variableThatIsSet(name))
  return Buffer.from(text)
}

/** Says which, unless it looks as if the secret itself stood there. */
export const variableThatIsSet = (name: string): string =>
  `an environment variable that is set${/^[A-Z][A-Z0-9_]*$/.test(name) ? `: ${name}` : ''}`

const wrong = ({ name }: SecretEntry, path: string, expected: string): DragomanError =>
  new DragomanError('ERR_PROFILE_OPTION', { detail: { secret: name, path, expected } })

/** A file of the configuration as text; `path`: the option that names it. @throws `ERR_PROFILE_OPTION` */
export const readText = (file: string, path: string, tools: Pick<TrustTools, 'readFile'>): string =>
  readBytes(file, path, tools).toString('utf8')

function readBytes(file: string, path: string, tools: Pick<TrustTools, 'readFile'>): Buffer {
  try {
    return tools.readFile(file)
  } catch (cause) {
    throw new DragomanError('ERR_PROFILE_OPTION', {
      detail: { path, file, expected: 'a file that can be read' },
      cause,
    })
  }
}
