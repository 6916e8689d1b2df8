import { createPublicKey, type KeyObject } from 'node:crypto'
import type { Codec } from '../../core/codec.ts'
import type { Signer } from '../../core/keys.ts'
import { type Claims, map, type Value } from '../../core/value.ts'
import { checkFor } from '../../profiles/check.ts'
import { reportOn } from '../../profiles/report.ts'
import { readSource, type SourceFile } from '../../profiles/source.ts'
import { buildCsr } from '../../wire/csr.ts'
import { publicKey } from '../../wire/jwk.ts'
import { pem } from '../../wire/pem.ts'
import { type Alpha, issue } from './alpha.ts'
import { BACKDATED, jwks, LIFETIME, newAuthority, newKey, privatePem } from './keys.ts'

interface SampleKey {
  readonly name: string
  readonly algorithm?: string
  /** The common name of a certification authority of this key. */
  readonly authority?: string
}

interface SampleToken {
  readonly file: string
  readonly format?: string
  readonly kind?: string
  readonly key: string
  readonly issuer: string
  readonly claims: { readonly [name: string]: Value }
  readonly audience?: readonly string[]
  readonly scope?: readonly string[]
  readonly lifetime?: number
  /** Seconds since its user authenticated: `auth_time`. */
  readonly authenticated?: number
  /** Whose key the token is bound to: `cnf`, or the key of a certificate. */
  readonly bound_to?: string
  readonly options?: { readonly [name: string]: Value }
}

interface Samples {
  readonly keys?: readonly SampleKey[]
  readonly tokens?: readonly SampleToken[]
  readonly requests?: readonly { readonly file: string; readonly key: string }[]
}

const text = { type: 'string', minLength: 1 }
const object = (required: readonly string[], properties: object) => ({
  type: 'object',
  additionalProperties: false,
  required,
  properties,
})
const schema = object([], {
  keys: { type: 'array', items: object(['name'], { name: text, algorithm: text, authority: text }) },
  tokens: {
    type: 'array',
    items: object(['file', 'key', 'issuer', 'claims'], {
      ...{ file: text, format: text, kind: text, key: text, issuer: text, bound_to: text },
      ...{ audience: { type: 'array', items: text }, scope: { type: 'array', items: text } },
      ...{ claims: { type: 'object' }, options: { type: 'object' } },
      ...{ lifetime: { type: 'integer' }, authenticated: { type: 'integer', minimum: 0 } },
    }),
  },
  requests: { type: 'array', items: object(['file', 'key'], { file: text, key: text }) },
})

/**
 * Makes what a scenario's `samples.yaml` describes, with keys made now: for each key `NAME.key` (PKCS#8) and
 * `NAME-jwks.json`, for an authority `NAME.pem`, and every token and certification request under its file name. A token
 * lives an hour from `now`, or `lifetime` seconds: negative, it is over. The signers of `alpha` can be named as well: `alpha`
 * of JWTs, `alpha-edge` of CWTs, `alpha-ca` of certificates.
 *
 * @throws {@link DragomanError} naming file, line and place of what is wrong in the description
 */
export async function makeSamples(
  file: SourceFile,
  codecs: readonly Codec[],
  signers: Alpha['signers'],
  now: number,
): Promise<ReadonlyMap<string, string>> {
  const source = readSource(file)
  const report = reportOn(source)
  for (const problem of checkFor(schema)(source.value)) report.add(problem)
  report.settle()
  const { keys = [], tokens = [], requests = [] } = source.value as Samples
  const made = new Map<string, { readonly signer: Signer; readonly key?: KeyObject }>([
    ['alpha', { signer: signers.jwt }],
    ['alpha-edge', { signer: signers.cwt }],
    ['alpha-ca', { signer: signers.x509 }],
  ])
  const find = (name: string) => {
    const found = made.get(name)
    if (found === undefined) throw new TypeError(`${file.file}: there is no key ${name}`)
    return found
  }
  const privateKey = (name: string) => {
    const { key } = find(name)
    if (key === undefined) throw new TypeError(`${file.file}: the key ${name} is alpha's own`)
    return key
  }
  const files = new Map<string, string>()
  for (const { name, algorithm = 'ES256', authority } of keys) {
    const one = authority === undefined ? newKey(algorithm) : await newAuthority(algorithm, authority, now)
    made.set(name, one)
    const { key, signer } = one
    files.set(`${name}.key`, privatePem(key))
    files.set(`${name}-jwks.json`, jwks(signer))
    const [certificate] = signer.chain
    if (certificate !== undefined) files.set(`${name}.pem`, pem('CERTIFICATE', certificate))
  }
  for (const token of tokens) {
    const holder = token.bound_to === undefined ? undefined : publicKey(createPublicKey(privateKey(token.bound_to)))
    files.set(
      token.file,
      await issue(codecs, {
        format: token.format ?? 'jwt',
        ...(token.kind !== undefined && { kind: token.kind }),
        issuer: token.issuer,
        signer: find(token.key).signer,
        claims: claimsOf(saidBy(token, now)),
        validity: validityOf(token, now),
        ...(holder && {
          confirmation: token.format === 'x509' ? { publicKey: holder } : { publicKey: holder, jkt: holder.jkt },
        }),
        ...(token.options && { options: claimsOf(token.options) }),
        now,
      }),
    )
  }
  for (const { file: name, key } of requests) {
    files.set(name, pem('CERTIFICATE REQUEST', buildCsr({ privateKey: privateKey(key) })))
  }
  return files
}

const saidBy = ({ claims, authenticated }: SampleToken, now: number) => ({
  ...claims,
  ...(authenticated !== undefined && { auth_time: now - authenticated }),
})

function validityOf({ lifetime = LIFETIME, audience = [], scope }: SampleToken, now: number) {
  const start = Math.min(now, now + lifetime) - BACKDATED
  return { issuedAt: start, notBefore: start, expiresAt: now + lifetime, audience, scope }
}

/** As the codecs want their maps, all the way down. */
function claimsOf(members: { readonly [name: string]: unknown }): Claims {
  return map(Object.entries(members).map(([name, value]): [string, Value] => [name, asValue(value)]))
}

function asValue(value: unknown): Value {
  if (Array.isArray(value)) return value.map(asValue)
  if (typeof value === 'object' && value !== null) return claimsOf(value as { readonly [name: string]: unknown })
  return value as Value
}
