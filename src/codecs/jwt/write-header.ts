import { DragomanError } from '../../core/errors.ts'
import type { Signer } from '../../core/keys.ts'
import type { Rendering } from '../../core/token.ts'
import { map, type Value } from '../../core/value.ts'
import type { Encoding } from './encodings.ts'
import type { Kind } from './kind.ts'
import { assertAlgorithm } from './kinds.ts'

export type Member = readonly [name: string, value: Value]

/** Gives the protected header of a token, encoded; `embedded`: members of this token only. */
export type HeaderWriter = (signer: Signer, embedded: readonly Member[]) => string

/**
 * Prepares the protected headers of one profile's tokens.
 *
 * @throws {@link DragomanError} `ERR_PROFILE_RENDERING` for a member that is not the profile's to set; later also for a
 * signer whose algorithm the kind of token may not have
 */
export function headerWriter(rendering: Rendering, kind: Kind, encoding: Encoding): HeaderWriter {
  const members = Object.entries(rendering.header)
  assertMembers(members, kind)
  const encode = (signer: Signer, embedded: readonly Member[]): string => {
    assertAlgorithm(kind, signer.algorithm)
    const header = map([...ownMembers(signer, kind, encoding, rendering), ...members, ...embedded])
    return Buffer.from(JSON.stringify(header)).toString('base64url')
  }
  // The header is the same for each token by one signer, and a profile has one at a time.
  let last: { readonly signer: Signer; readonly encoded: string } | undefined
  return (signer, embedded) => {
    if (embedded.length > 0) {
      assertMembers([...members, ...embedded], kind)
      return encode(signer, embedded)
    }
    if (last?.signer !== signer) last = { signer, encoded: encode(signer, []) }
    return last.encoded
  }
}

/** How a token is verified and what it is: for the codec alone to say, or never said (RFC 8725 §3.10 for the URLs). */
const RESERVED: ReadonlySet<string> = new Set(['alg', 'kid', 'typ', 'crit', 'b64', 'jku', 'x5u', 'jwk', 'x5c'])

function assertMembers(more: readonly Member[], { members }: Kind): void {
  const names = more.map(([name]) => name)
  const refused = names.find((name, at) => RESERVED.has(name) || members !== undefined || names.indexOf(name) !== at)
  if (refused === undefined) return
  throw new DragomanError('ERR_PROFILE_RENDERING', {
    detail: {
      member: refused,
      expected: members
        ? `no header members but ${[...members].join(', ')}`
        : 'header members once each, and none that the codec sets itself',
    },
  })
}

function ownMembers({ kid, algorithm }: Signer, kind: Kind, { alg_names }: Encoding, rendering: Rendering): Member[] {
  const [classic] = algorithm.jose
  // The name of RFC 9864 stands last in the table where there is one.
  const alg = alg_names === 'classic' ? classic : (algorithm.jose.at(-1) ?? classic)
  const typ: Member = ['typ', kind.typ]
  return rendering.kid ? [['alg', alg], ['kid', kid], typ] : [['alg', alg], typ]
}
