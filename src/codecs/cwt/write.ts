import type { Issuance, Layout, Loss, Writer } from '../../core/codec.ts'
import { chosenEncoding } from '../../core/encodings.ts'
import { DragomanError } from '../../core/errors.ts'
import type { Signer } from '../../core/keys.ts'
import type { Draft, Embedded, Issued, Rendering } from '../../core/token.ts'
import { tokenTypes } from '../../core/types.ts'
import type { Value } from '../../core/value.ts'
import { toBase64url } from '../../wire/base64url.ts'
import type { CborLabel } from '../../wire/cbor.ts'
import { CborWriter, type Encodable } from '../../wire/cbor-encode.ts'
import { byteHead } from '../../wire/cose.ts'
import { writeConfirmation } from './confirmation.ts'
import { encodings } from './encodings.ts'
import { type Frame, frame } from './frame.ts'
import { isKind } from './kind.ts'
import { claimKey, keyOfName } from './names.ts'
import { idText } from './read.ts'

/**
 * Settles how the CWTs of one profile are written (RFC 8392), in core deterministic CBOR.
 *
 * Checks that kind, options and header members are such as a CWT can have. Does NOT know the key yet: each row of the
 * algorithm table has a COSE identifier, so any will do.
 *
 * @throws {@link DragomanError} `ERR_PROFILE_RENDERING`
 */
export function prepare(rendering: Rendering): Writer {
  const { kind, kid, header } = rendering
  if (kind !== undefined && !isKind(kind)) {
    throw new DragomanError('ERR_PROFILE_RENDERING', {
      detail: { option: 'kind', expected: 'cwt, a media type without application/, or cf: and a content-format' },
    })
  }
  const encoding = chosenEncoding('cwt', encodings, rendering.options)
  const shape = { kind, kid, encoding }
  const members = Object.entries(header)
  assertMembers(members.map(([name]) => name))
  // What stands around the claims is the same for every token by one signer, and a profile has one or two.
  const frames = new WeakMap<Signer, Frame>()
  const frameFor = (signer: Signer, embedded: readonly Embedded[]): Frame => {
    if (embedded.length > 0) {
      const all = [...members, ...embedded.map(({ name, value }): [string, Value] => [name, value])]
      assertMembers(all.map(([name]) => name))
      return frame(signer, shape, all)
    }
    const known = frames.get(signer) ?? frame(signer, shape, members)
    frames.set(signer, known)
    return known
  }
  // Without a tag only its type says which message it is.
  const untagged = encoding.cose === 'sign' ? tokenTypes.cwtSign : tokenTypes.cwtSign1
  const tokenType = rendering.tokenType ?? (encoding.tag === 'none' ? untagged : tokenTypes.cwt)
  return {
    tokenType,
    usage: 'N_A',
    singleAudience: false,
    needsKey: false,
    lay(draft, issuance) {
      const inHeader = draft.embedded.filter(({ place }) => place === 'header')
      const { prefix, head, middle } = frameFor(issuance.signer, inHeader)
      const { payload, losses } = claimsSet(draft, issuance)
      const content = [byteHead(payload.length), payload]
      return {
        losses,
        toBeSigned: Buffer.concat([prefix, ...content]),
        finish(signature): Issued {
          const token = Buffer.concat([head, ...content, middle, byteHead(signature.length), signature])
          return { raw: toBase64url(token), tokenType, usage: 'N_A', id: idText(issuance.id) }
        },
      } satisfies Layout
    },
    ceiling: () => undefined,
  }
}

// These say how a message is to be verified or what it is; a second one under its JOSE name would only confuse.
const RESERVED: ReadonlySet<string> = new Set(['alg', 'kid', 'crit', 'typ', 'cty'])

function assertMembers(names: readonly string[]): void {
  const wrong = names.find((name) => RESERVED.has(name)) ?? names.find((name, at) => names.indexOf(name) !== at)
  if (wrong === undefined) return
  throw new DragomanError('ERR_PROFILE_RENDERING', {
    detail: { member: wrong, expected: 'header members once each, and none that the codec sets itself' },
  })
}

function claimsSet(draft: Draft, issuance: Issuance): { payload: Uint8Array; losses: readonly Loss[] } {
  const { validity, confirmation } = draft
  const set = new Map<CborLabel, Encodable>()
  const put = (key: CborLabel, value: Encodable | undefined): void => {
    if (value !== undefined) set.set(key, value)
  }
  put(claimKey.iss, issuance.issuer)
  put(claimKey.aud, validity.audience.length > 1 ? validity.audience : validity.audience[0])
  // A time between two seconds is cut so that the token is never valid for longer than the draft says.
  put(claimKey.exp, validity.expiresAt === undefined ? undefined : Math.floor(validity.expiresAt))
  put(claimKey.nbf, validity.notBefore === undefined ? undefined : Math.ceil(validity.notBefore))
  put(claimKey.iat, Math.floor(validity.issuedAt ?? issuance.now))
  put(claimKey.cti, issuance.id)
  put(claimKey.cnf, confirmation && writeConfirmation(confirmation))
  put(claimKey.scope, validity.scope?.join(' '))
  const losses: Loss[] = []
  for (const [claim, value] of Object.entries(draft.claims)) {
    const place = claim === 'sub' ? subject(value) : keyOfName(claim, value)
    if ('key' in place) set.set(place.key, value)
    else losses.push({ claim, became: 'lost', reason: place.reason })
  }
  for (const { name, place, value } of draft.embedded) {
    if (place === 'claim') set.set(embeddedKey(name, value, set), value)
  }
  return { payload: new CborWriter().entries([...set]).done(), losses }
}

function subject(value: Value): { key: CborLabel } {
  if (typeof value === 'string') return { key: claimKey.sub }
  throw new DragomanError('ERR_PROFILE_SUBJECT', { detail: { expected: 'a subject as text' } })
}

function embeddedKey(name: string, value: Value, set: ReadonlyMap<CborLabel, Encodable>): CborLabel {
  const place = keyOfName(name, value)
  if ('key' in place && !set.has(place.key)) return place.key
  throw new DragomanError('ERR_PROFILE_RENDERING', {
    detail: { claim: name, expected: 'another name for the embedded token, since the claim is there' },
  })
}
