import { randomBytes } from 'node:crypto'
import type { Codec, Writer } from '../core/codec.ts'
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
  const draft: Draft = {
    claims: wanted.claims,
    validity: wanted.validity,
    confirmation: wanted.confirmation,
    embedded: [],
    notes: [],
  }
  const { issuer, now, signer } = wanted
  const layout = writerOf(codecs, wanted, signer.algorithm.name).lay(draft, {
    issuer,
    now,
    id: randomBytes(16),
    signer,
  })
  return layout.finish(await signer.sign(layout.toBeSigned)).raw
}

/** What writes the tokens of a kind. */
export function writerOf(
  codecs: readonly Codec[],
  { format, kind, options = map() }: Pick<Wanted, 'format' | 'kind' | 'options'>,
  algorithm: string | undefined,
): Writer {
  const codec = codecs.find((one) => one.format === format)
  if (!codec) throw new TypeError(`no codec for ${format}`)
  const rendering: Rendering = {
    format,
    kind,
    options,
    key: undefined,
    algorithm,
    header: map(),
    kid: true,
    tokenType: undefined,
  }
  return codec.prepare(rendering)
}
