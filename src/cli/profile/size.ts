import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import type { Alone } from '../../config/alone.ts'
import { algorithmNames } from '../../core/algorithms.ts'
import type { Extension } from '../../core/catalog.ts'
import type { Codec } from '../../core/codec.ts'
import { DragomanError } from '../../core/errors.ts'
import type { Signer } from '../../core/keys.ts'
import { map, type Value } from '../../core/value.ts'
import { OTHERS } from '../../profiles/loss.ts'
import { configurationIn, exit, type Io, UsageError } from '../io.ts'
import { fatesOf } from './loss.ts'
import { addedBy, layOut, newSigners, type Sample, sampleClaims } from './probe.ts'

/** What a token travels in, how many bytes may, and how many of them are not the token. */
const CARRIERS: { readonly [carrier: string]: { readonly limit: number; readonly around: number } | undefined } = {
  // Most servers and proxies take 8 KiB for a header field, or for all of them.
  header: { limit: 8192, around: 'authorization: Bearer \r\n'.length },
  // RFC 6265 §6.1: what a browser keeps at least, name and attributes included.
  cookie: { limit: 4096, around: 64 },
  uri: { limit: 2048, around: 64 },
  body: { limit: 65_536, around: 0 },
}

export const SIZE_OPTIONS = {
  config: { type: 'string', short: 'c' },
  carrier: { type: 'string', default: 'header' },
  limit: { type: 'string' },
  claims: { type: 'string' },
  json: { type: 'boolean', default: false },
} as const

/** How large one token is with each algorithm. */
interface Size {
  readonly algorithm: string
  /** Bytes of the signature and of the public key (SPKI), as measured. */
  readonly signature: number
  readonly public_key: number
  /** Bytes of the token, and of what travels. */
  readonly token: number
  readonly carried: number
  readonly fits: boolean
}

/** `dragoman profile size`: how large the output is with each algorithm, against what its carrier takes. */
export async function showSize(
  alone: Alone,
  codec: Codec,
  args: readonly string[],
  now: number,
  io: Io,
  more: Extension,
): Promise<number> {
  const { values } = parseArgs({ args: [...args], options: SIZE_OPTIONS })
  const carrier = CARRIERS[values.carrier]
  if (carrier === undefined) throw new UsageError(`--carrier is to be one of ${Object.keys(CARRIERS).join(', ')}`)
  const limit = values.limit === undefined ? carrier.limit : bytesOf(values.limit)
  const sample = sampleOf(alone, codec, now, values.claims)
  const sizes: Size[] = []
  const signerFor = newSigners(alone.profile.rendering.format === 'x509', now)
  for (const name of algorithmNames) {
    const size = await sizeWith(await signerFor(name), alone, codec, sample, now)
    if (size === undefined) continue
    const carried = size.token + carrier.around
    sizes.push({ ...size, carried, fits: carried <= limit })
  }
  const chosen = alone.algorithm ?? configured(values.config, alone.profile.key, more)
  const own = sizes.find(({ algorithm }) => algorithm === chosen)
  const { profile } = alone
  if (values.json) {
    const answer = { profile: profile.name, algorithm: own?.algorithm, carrier: values.carrier, limit, sizes }
    io.out(`${JSON.stringify(answer)}\n`)
  } else io.out(text(profile.name, own, sizes, { carrier: values.carrier, limit }))
  // Without an algorithm it is enough that one could be found.
  return (own === undefined ? sizes.some(({ fits }) => fits) : own.fits) ? exit.done : exit.refused
}

/** The algorithm of a key, as a configuration has it. */
function configured(file: string | undefined, key: string, more: Extension): string | undefined {
  if (file === undefined) return undefined
  const keys = configurationIn(file, more).tenants.flatMap((tenant) => tenant.keys)
  return keys.find(({ name }) => name === key)?.algorithm
}

/** Made with a key of its own, signed once: what is measured is what there is. */
async function sizeWith(
  signer: Signer,
  { profile }: Alone,
  codec: Codec,
  sample: Sample,
  now: number,
): Promise<Omit<Size, 'carried' | 'fits'> | undefined> {
  try {
    const layout = layOut(profile, codec, sample, signer, now)
    const signature = await signer.sign(layout.toBeSigned)
    const { raw } = layout.finish(signature)
    const spki = signer.publicKey.key.export({ type: 'spki', format: 'der' })
    return {
      algorithm: signer.algorithm.name,
      signature: signature.length,
      public_key: spki.length,
      token: Buffer.byteLength(raw),
    }
  } catch (error) {
    // Some kinds of token take some algorithms only.
    if (error instanceof DragomanError && error.code === 'ERR_PROFILE_RENDERING') return undefined
    throw error
  }
}

function sampleOf(alone: Alone, codec: Codec, now: number, file: string | undefined): Sample {
  const { profile, document } = alone
  const { targets } = profile.accepts
  const longest = [...targets.allowed.values(), ...targets.fallback].toSorted((a, b) => b.length - a.length)
  const names = fatesOf(alone, codec, now)
    .filter(({ claim, becomes }) => becomes !== 'dropped' && becomes !== 'lost' && claim !== OTHERS)
    .map(({ claim }) => claim)
    .filter((claim) => !APART.has(claim) && !claim.includes(' '))
  const scopes = document.stages.flatMap((item) => allowedIn(item['validity']))
  return {
    claims: file === undefined ? sampleClaims([...names, ...addedBy(profile)]) : claimsIn(file),
    audience: [longest[0] ?? 'https://service.example'],
    scope: scopes.length > 0 ? scopes : undefined,
    lifetime: Math.min(profile.maxLifetime, 300),
    bound: profile.writer.needsKey || profile.steps.some(({ stage }) => stage === 'sender_constraint'),
  }
}

/** Not among the claims; and what few tokens have. */
const APART: ReadonlySet<string> = new Set([
  'iss',
  'jti',
  'aud',
  'exp',
  'nbf',
  'iat',
  'scope',
  'cnf',
  'act',
  'auth_time',
  'acr',
  'amr',
])

function allowedIn(validity: unknown): readonly string[] {
  const { scope } = Object(validity) as { scope?: { allow?: readonly string[] } }
  return scope?.allow ?? []
}

function claimsIn(file: string) {
  try {
    const value: unknown = JSON.parse(readFileSync(file, 'utf8'))
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new TypeError('an object')
    return map(Object.entries(value).filter(([name]) => !APART.has(name) || name === 'act') as [string, Value][])
  } catch {
    throw new UsageError(`${file} is not a JSON object of claims`)
  }
}

function bytesOf(text: string): number {
  const [, count, unit] = /^([0-9]{1,9})(KiB)?$/.exec(text) ?? []
  if (count === undefined) throw new UsageError(`${text} is not a number of bytes, such as 8192 or 8KiB`)
  return Number(count) * (unit === undefined ? 1 : 1024)
}

function text(
  profile: string,
  own: Size | undefined,
  sizes: readonly Size[],
  { carrier, limit }: { readonly carrier: string; readonly limit: number },
): string {
  const head = own
    ? `${profile}: about ${own.carried} bytes in a ${carrier} with ${own.algorithm}, ${own.fits ? 'within' : 'beyond'} ${limit}`
    : `${profile}: bytes in a ${carrier}, of at most ${limit}`
  const rows = sizes.map(
    (size) =>
      `  ${size === own ? '*' : ' '} ${size.algorithm.padEnd(10)} ${cell(size.carried)} ${cell(size.token)} ${cell(size.signature)} ${cell(size.public_key)}  ${size.fits ? 'fits' : `${size.carried - limit} too many`}`,
  )
  return [
    head,
    `    ${'algorithm'.padEnd(10)} ${['carried', 'token', 'signature', 'key'].map((name) => name.padStart(9)).join(' ')}`,
    ...rows,
    '',
  ].join('\n')
}

const cell = (value: number): string => String(value).padStart(9)
