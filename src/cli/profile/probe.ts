import { generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto'
import { algorithmNamed } from '../../core/algorithms.ts'
import type { Codec, Layout, Loss } from '../../core/codec.ts'
import { DragomanError } from '../../core/errors.ts'
import type { Signer } from '../../core/keys.ts'
import type { Profile } from '../../core/profile.ts'
import type { Draft } from '../../core/token.ts'
import { type Claims, map, type Value } from '../../core/value.ts'
import { generatePrivateKey, signerOf, signingPool } from '../../keys/index.ts'
import { PROBES } from '../../profiles/loss.ts'
import { selfSignedAuthority } from '../../wire/certificate.ts'
import { publicKey } from '../../wire/jwk.ts'

const DAY = 86_400

/** What a draft is made of to see how it is written. */
export interface Sample {
  readonly claims: Claims
  readonly audience: readonly string[]
  readonly scope: readonly string[] | undefined
  readonly lifetime: number
  /** To a P-256 key. */
  readonly bound: boolean
}

/** A draft as the stages could leave it. */
function draftOf({ claims, audience, scope, lifetime, bound }: Sample, now: number): Draft {
  const holder = bound ? publicKey(generateKeyPairSync('ec', { namedCurve: 'prime256v1' }).publicKey) : undefined
  return {
    claims,
    validity: { issuedAt: now, notBefore: now, expiresAt: now + lifetime, audience, scope },
    confirmation: holder && { publicKey: holder, jkt: holder.jkt },
    embedded: [],
    notes: [],
  }
}

/** Lays a sample out as the profile would, for this signer. */
export function layOut({ rendering }: Profile, codec: Codec, sample: Sample, signer: Signer, now: number): Layout {
  const writer = codec.prepare({ ...rendering, algorithm: signer.algorithm.name })
  return writer.lay(draftOf(sample, now), { issuer: 'https://gateway.example', now, id: randomBytes(16), signer })
}

/**
 * What the format of a profile cannot carry, as its codec says of a draft that has one of each kind of value: these names
 * and, under the names of {@link PROBES}, values that not every format has.
 */
export function formatLosses(
  profile: Profile,
  codec: Codec,
  names: readonly string[],
  signer: Signer,
  now: number,
): readonly Loss[] {
  const probes: readonly (readonly [string, Value])[] = [
    [PROBES.bytes, Uint8Array.of(1, 2, 3)],
    [PROBES.fraction, 1.5],
    [PROBES.null, null],
  ]
  const named = [...names, ...addedBy(profile)].map((name): [string, Value] => [name, sampleOf(name)])
  const sample = (claims: Claims): Sample => ({
    claims,
    audience: ['https://a.example'],
    scope: ['read'],
    lifetime: 60,
    bound: true,
  })
  const { losses } = layOut(profile, codec, sample(map(named)), signer, now)
  // One by one: a format may refuse what it cannot write, which is no loss.
  const own = probes.flatMap(([name, value]) => {
    try {
      return layOut(profile, codec, sample(map([...named, [name, value]])), signer, now).losses.filter(
        ({ claim }) => claim === name,
      )
    } catch (error) {
      if (error instanceof DragomanError) return []
      throw error
    }
  })
  return [...losses, ...own]
}

const SUBJECT = 'spiffe://gateway.example/ns/shop/sa/orders'

function sampleOf(name: string): Value {
  if (name === 'sub') return SUBJECT
  if (name === 'act') return map([['sub', SUBJECT]])
  if (name === 'auth_time') return 1_800_000_000
  return name === 'amr' ? ['pwd'] : 'some text of thirty-two letters.'
}

/** RFC 9068 §2.2: an access token names the client that asked for it. */
export const addedBy = ({ writer }: Profile): readonly string[] =>
  writer.usage === 'access_token' ? ['client_id'] : []

/** A value of the usual length for each claim. */
export const sampleClaims = (names: readonly string[]): Claims => map(names.map((name) => [name, sampleOf(name)]))

/** Makes signers with keys of their own, one for each kind of key; for certificates, authorities. */
export function newSigners(authority: boolean, now: number): (name: string) => Promise<Signer> {
  const keys = new Map<string, KeyObject>()
  const pool = signingPool()
  return async (name) => {
    const algorithm = algorithmNamed(name)
    if (algorithm === undefined) throw new TypeError(`an algorithm, not ${name}`)
    const kind = `${algorithm.keyType} ${algorithm.curve}`
    // An RSA key takes a second.
    const key = keys.get(kind) ?? generatePrivateKey(algorithm)
    keys.set(kind, key)
    const signer = signerOf(key, algorithm, { chain: [], pool })
    if (!authority) return signer
    const times = { notBefore: now - DAY, notAfter: now + DAY }
    const certificate = await selfSignedAuthority({ signer, commonName: 'Gateway', ...times })
    return signerOf(key, algorithm, { chain: [certificate], pool })
  }
}
