import { randomBytes } from 'node:crypto'
import type { Codec } from '../core/codec.ts'
import type { Signer } from '../core/keys.ts'
import type { Confirmation, Draft, Rendering, Validity } from '../core/token.ts'
import { type Claims, map } from '../core/value.ts'

/** A token to be issued in somebody's name. */
export interface Wanted {
  readonly format: string
  readonly kind?: string
  readonly issuer: string
  readonly signer: Signer
  readonly claims: Claims
  readonly validity: Validity
  readonly confirmation?: Confirmation
  readonly options?: Claims
  readonly now: number
}

/** Issues one token with the codecs' own writers, without a profile: what any other issuer would do. */
export async function issue(codecs: readonly Codec[], wanted: Wanted): Promise<string> {
  const codec = codecs.find(({ format }) => format === wanted.format)
  if (!codec) throw new TypeError(`no codec for ${wanted.format}`)
  const rendering: Rendering = {
    format: wanted.format,
    kind: wanted.kind,
    options: wanted.options ?? map(),
    key: undefined,
    algorithm: wanted.signer.algorithm.name,
    header: map(),
    kid: true,
    tokenType: undefined,
  }
  const draft: Draft = {
    claims: wanted.claims,
    validity: wanted.validity,
    confirmation: wanted.confirmation,
    embedded: [],
    notes: [],
  }
  const { issuer, now, signer } = wanted
  const layout = codec.prepare(rendering).lay(draft, { issuer, now, id: randomBytes(16), signer })
  return layout.finish(await signer.sign(layout.toBeSigned)).raw
}
