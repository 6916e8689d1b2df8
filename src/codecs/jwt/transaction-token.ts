import { FORMER_TRANSACTION_TOKEN, TRANSACTION_TOKEN } from '../../core/acceptance.ts'
import { DragomanError } from '../../core/errors.ts'
import type { Validity } from '../../core/token.ts'
import { tokenTypes } from '../../core/types.ts'
import { type Claims, isMap, map, type Value, type ValueMap } from '../../core/value.ts'
import { isName, type Kind, kindOf, PLAIN, required } from './kind.ts'

const RULE = 'transaction tokens section 9.2'

/**
 * A transaction token (draft-ietf-oauth-transaction-tokens-10 §9): what is done, for whom, within one trust domain.
 *
 * `iat` is checked when one is read; the writer adds it itself.
 */
export const TXN_TOKEN: Kind = {
  ...PLAIN,
  typ: TRANSACTION_TOKEN,
  compactOnly: true,
  // Every example has one domain as text; a token for two domains belongs to neither.
  singleAudience: true,
  tokenType: tokenTypes.txnToken,
  // §9.2: it may be left out where a domain has one service only.
  byIssuer: 'named',
  // §13.15
  frozen: ['txn', 'sub', 'aud', 'tctx', 'rctx'],
  assertTyp: typIs(TRANSACTION_TOKEN),
  assertClaims({ claims, validity }) {
    const missing = missingIn(claims, validity) ?? (validity.issuedAt === undefined ? 'iat' : undefined)
    if (missing !== undefined) throw readWithout(missing)
  },
  assertDraft({ claims, validity }) {
    const missing = missingIn(claims, validity)
    if (missing !== undefined) throw required(missing, RULE)
  },
}

/**
 * A transaction token under the names of older drafts, as tokenetes issues it: `sub` as a subject identifier (RFC 9493),
 * `purp` or `purpose` for `scope`, `azd` for `tctx`, `req_ctx` for `rctx`; no `req_wl`. Read, never written.
 */
export const FORMER_TXN_TOKEN: Kind = {
  ...PLAIN,
  compactOnly: true,
  byIssuer: 'named',
  tokenType: tokenTypes.txnToken,
  assertTyp: typIs(FORMER_TRANSACTION_TOKEN),
  assertClaims({ claims, validity }) {
    if (!isName(claims['txn'])) throw required('txn', RULE)
    if (validity.audience.length === 0) throw readWithout('aud')
  },
  current(set) {
    const { sub, sub_id, purp, purpose, azd, req_ctx, ...rest } = set
    const renamed: readonly (readonly [string, Value | undefined])[] = [
      ['sub', named(sub ?? sub_id)],
      ['scope', purp ?? purpose],
      ['tctx', azd],
      ['rctx', req_ctx],
    ]
    // A name of today says more than one of yesterday.
    const former = renamed.flatMap(([name, value]): [string, Value][] =>
      value === undefined || rest[name] !== undefined ? [] : [[name, value]],
    )
    return map([...Object.entries(rest), ...former] as [string, Value][])
  },
}

function typIs(expected: string): Kind['assertTyp'] {
  return (typ) => {
    if (kindOf(typ) !== expected) throw new DragomanError('ERR_TOKEN_KIND', { detail: { expected } })
  }
}

function missingIn(claims: Claims, { audience, scope, expiresAt }: Validity): string | undefined {
  return (
    ['txn', 'sub', 'req_wl'].find((claim) => !isName(claims[claim])) ??
    (audience.length === 0 ? 'aud' : undefined) ??
    (expiresAt === undefined ? 'exp' : undefined) ??
    (scope === undefined || scope.length === 0 ? 'scope' : undefined) ??
    ['tctx', 'rctx'].find((claim) => claims[claim] !== undefined && !isMap(claims[claim]))
  )
}

/** As every other token is refused for it. */
function readWithout(claim: string): DragomanError {
  switch (claim) {
    case 'sub':
      return new DragomanError('ERR_TOKEN_SUBJECT', { detail: { expected: 'a sub claim' } })
    case 'exp':
      return new DragomanError('ERR_TOKEN_NO_EXPIRY')
    case 'aud':
      return new DragomanError('ERR_TOKEN_AUDIENCE', { detail: { expected: 'a trust domain' } })
    default:
      return required(claim, RULE)
  }
}

/** The formats of RFC 9493 whose name is the same whoever issued it, and the member that has it. */
const NAMES: ReadonlyMap<Value | undefined, string> = new Map([
  ['account', 'uri'],
  ['did', 'url'],
  ['email', 'email'],
  ['uri', 'uri'],
])

function named(subject: Value | undefined): Value | undefined {
  if (!isMap(subject)) return subject
  const member = NAMES.get(subject['format'])
  const name = member === undefined ? undefined : (subject as ValueMap)[member]
  if (typeof name === 'string' && Object.keys(subject).length === 2) return name
  throw new DragomanError('ERR_TOKEN_CLAIM', {
    detail: { claim: 'sub', expected: 'text, or a subject identifier of format account, did, email or uri' },
  })
}
