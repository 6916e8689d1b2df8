import { fromBase64url } from '../../wire/base64url.ts'
import { claimLine, NOT_VERIFIED } from './lines.ts'

/** A compact JWS or JWE, recognised by its dots. */
export function readCompact(text: string, now: number): readonly string[] | undefined {
  const parts = text.split('.')
  if (parts.length === 5) {
    const header = objectIn(parts[0])
    return header && ['JWE (compact), encrypted: only its header can be read', ...members(header, now)]
  }
  const [encodedHeader, payload, signature] = parts
  const header = parts.length === 3 ? objectIn(encodedHeader) : undefined
  if (header === undefined) return undefined
  return [
    `JWT (JWS compact), ${NOT_VERIFIED}`,
    ...layer(header, payload, now),
    `signature: ${fromBase64url(signature ?? '')?.length ?? 0} bytes`,
  ]
}

/** JWS JSON serialization, flattened or general (RFC 7515 §7.2). */
export function readJsonSerialization(text: string, now: number): readonly string[] | undefined {
  const object = text.startsWith('{') ? parsed(text) : undefined
  if (object === undefined || typeof object['payload'] !== 'string') return undefined
  const signatures: unknown = object['signatures'] ?? [object]
  if (!Array.isArray(signatures)) return undefined
  const name = object['signatures'] === undefined ? 'flattened' : `general, ${signatures.length} signature(s)`
  const headers = signatures.flatMap((entry: { protected?: string }) => {
    const header = objectIn(entry.protected)
    return header ? ['protected header', ...members(header, now)] : ['no protected header']
  })
  return [`JWS JSON (${name}), ${NOT_VERIFIED}`, ...headers, ...claims(object['payload'], now)]
}

const layer = (header: Members, payload: string | undefined, now: number): readonly string[] => [
  'header',
  ...members(header, now),
  ...claims(payload, now),
]

function claims(payload: string | undefined, now: number): readonly string[] {
  const object = objectIn(payload)
  if (object) return ['claims', ...members(object, now)]
  return [`payload: ${fromBase64url(payload ?? '')?.length ?? 0} bytes, not a JSON object`]
}

type Members = { readonly [name: string]: unknown }

const members = (object: Members, now: number): readonly string[] =>
  Object.entries(object).map(([name, value]) => claimLine(name, value, now))

const objectIn = (encoded: string | undefined): Members | undefined => {
  const bytes = encoded === undefined ? undefined : fromBase64url(encoded)
  return bytes && parsed(bytes.toString('utf8'))
}

function parsed(text: string): Members | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : undefined
  } catch {
    return undefined
  }
}
