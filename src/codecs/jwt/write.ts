import { algorithmNamed } from '../../core/algorithms.ts'
import type { Loss, Writer } from '../../core/codec.ts'
import { chosenEncoding } from '../../core/encodings.ts'
import { DragomanError } from '../../core/errors.ts'
import type { Draft, Rendering, TokenType } from '../../core/token.ts'
import { tokenTypes } from '../../core/types.ts'
import { toBase64url } from '../../wire/base64url.ts'
import { type Encoding, encodings } from './encodings.ts'
import { jsonValue } from './json-value.ts'
import type { Kind } from './kind.ts'
import { assertAlgorithm, kindToWrite } from './kinds.ts'
import { writeClaims } from './write-claims.ts'
import { headerWriter, type Member } from './write-header.ts'

/**
 * Settles how the JWTs of one profile are written.
 *
 * Checks that kind, serialization, algorithm, token type and header members go together. The key comes later; a key
 * that the kind may not be signed with refuses then.
 *
 * @throws {@link DragomanError} `ERR_PROFILE_RENDERING`
 */
export function prepare(rendering: Rendering): Writer {
  const kind = kindToWrite(rendering.kind)
  const encoding = chosenEncoding('jwt', encodings, rendering.options)
  const accessToken = kind.accessToken || rendering.tokenType === tokenTypes.accessToken
  const tokenType = typeOf(rendering, kind, accessToken)
  const usage = accessToken ? 'access_token' : 'N_A'
  assertForm(encoding, kind, accessToken)
  if (rendering.algorithm !== undefined) assertAlgorithm(kind, algorithmNamed(rendering.algorithm))
  const headerFor = headerWriter(rendering, kind, encoding)
  return {
    tokenType,
    usage,
    grant: kind.grant,
    singleAudience: kind.singleAudience,
    needsKey: false,
    frozen: kind.frozen,
    lay(draft, issuance) {
      kind.assertDraft(draft)
      const losses: Loss[] = []
      const header = headerFor(issuance.signer, embeddedMembers(draft, losses))
      const id = toBase64url(issuance.id)
      const payload = Buffer.from(writeClaims(draft, issuance, id, losses)).toString('base64url')
      return {
        losses,
        toBeSigned: Buffer.from(`${header}.${payload}`, 'latin1'),
        finish: (signature) => {
          const raw = serialize(encoding, { header, payload, signature: toBase64url(signature) })
          return { raw, tokenType, usage, id }
        },
      }
    },
    ceiling: () => undefined,
  }
}

function typeOf({ tokenType }: Rendering, kind: Kind, accessToken: boolean): TokenType {
  const own = kind.tokenType ?? (accessToken ? tokenTypes.accessToken : tokenTypes.jwt)
  const wanted = tokenType ?? own
  // A transaction token under another's name, or another under its name, would be taken for what it is not.
  if ((wanted === tokenTypes.txnToken) === (own === tokenTypes.txnToken)) return wanted
  throw new DragomanError('ERR_PROFILE_RENDERING', {
    detail: { option: 'token_type', expected: `${tokenTypes.txnToken} with kind txntoken+jwt, and with no other` },
  })
}

function assertForm({ serialization }: Encoding, kind: Kind, accessToken: boolean): void {
  // An access token goes into an HTTP header as one word (RFC 6750 §2.1).
  if (serialization === 'compact' || !(kind.compactOnly || accessToken)) return
  throw new DragomanError('ERR_PROFILE_RENDERING', {
    detail: { option: 'serialization', expected: 'compact, for this kind of token' },
  })
}

function embeddedMembers({ embedded }: Draft, losses: Loss[]): readonly Member[] {
  const inHeader = embedded.filter(({ place }) => place === 'header')
  return inHeader.map(({ name, value }) => [name, jsonValue(value, name, losses)])
}

interface Parts {
  readonly header: string
  readonly payload: string
  readonly signature: string
}

/** RFC 7515 §7; base64url needs no escapes in JSON. */
function serialize({ serialization }: Encoding, { header, payload, signature }: Parts): string {
  const signed = `"protected":"${header}","signature":"${signature}"`
  switch (serialization) {
    case 'compact':
      return `${header}.${payload}.${signature}`
    case 'flattened':
      return `{"payload":"${payload}",${signed}}`
    case 'general':
      return `{"payload":"${payload}","signatures":[{${signed}}]}`
  }
}
