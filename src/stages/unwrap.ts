import type { AcceptanceOptions } from '../core/acceptance.ts'
import { tokenAcceptance } from '../core/acceptance.ts'
import { DragomanError } from '../core/errors.ts'
import type { Exchange } from '../core/exchange.ts'
import type { TokenAcceptance } from '../core/profile.ts'
import type { Setting } from '../core/stage.ts'
import type { Draft, Envelope, Token, TokenType, Validity, Verified } from '../core/token.ts'
import { claimOf } from '../core/token.ts'
import { tokenTypes } from '../core/types.ts'
import type { Value } from '../core/value.ts'
import { isBytes, map } from '../core/value.ts'

import { AUTHENTICATION, assertFree, assertWritable } from './names.ts'
import { wrongOption } from './options.ts'

export const USES = ['subject', 'claims'] as const

// As many as there can be issuers in a path: each may stand for one token around another.
export const MAX_DEEPER = 8

interface InnerOptions {
  readonly claim: string
  readonly accept: AcceptanceOptions
  readonly claims?: readonly string[]
  readonly prefix?: string
}

export interface UnwrapOptions extends InnerOptions {
  readonly use?: (typeof USES)[number]
  readonly deeper?: readonly InnerOptions[]
}

/**
 * Takes a token out of a claim of the subject token, verifies it by rules of its own, and uses what it says.
 *
 * `use: subject`: it becomes whom the output is about: its `sub`, `acr`, `amr`, `auth_time` and the claims listed take the
 * place of all claims in the draft; only `act` and `client_id` stay. `use: claims`: the claims listed are added, each with
 * the prefix. Either way the output lives no longer than it, starts no sooner, and has no scope that it lacks where it has
 * any; and where it is bound to a key and the outer token is not, the output is bound to that key.
 *
 * `deeper`: the same with the token inside that one, and so on; each is verified by rules of its own, so that the whole way
 * of a token is proved by those who signed each step of it, and not by the last of them alone.
 *
 * @throws {@link DragomanError} `ERR_PROFILE_EMBEDDED`, with the reason inside as `detail.code`; `ERR_TRUST_UNAVAILABLE`
 * and the like as they are, since a retry may help
 */
export function unwrapToken(
  options: UnwrapOptions,
  setting: Setting,
): (draft: Draft, exchange: Exchange) => Promise<Draft> {
  const { claim, use = 'subject', claims = [], deeper = [] } = options
  const outermost = innerIn(options, setting, 'unwrap')
  const further = deeper.map((inner, index) => innerIn(inner, setting, `unwrap.deeper[${index}]`))
  if (use === 'claims' && claims.length === 0) throw wrongOption('unwrap.claims', 'names of claims, for `use: claims`')
  if (use === 'subject' && options.prefix !== undefined)
    throw wrongOption('unwrap.prefix', '`use: claims` with a prefix')
  if (use === 'claims') assertNames(outermost, 'unwrap')
  else for (const [index, name] of claims.entries()) assertFree(name, `unwrap.claims[${index}]`)
  for (const [index, inner] of further.entries()) assertNames(inner, `unwrap.deeper[${index}]`)
  return async (draft, exchange) => {
    let around: Token = await verify(exchange.subject, outermost, exchange)
    const narrowed = narrowedBy(draft, around, outermost, exchange)
    let current =
      use === 'claims' ? withClaims(narrowed, around, outermost) : withSubject(narrowed, around, claims, claim)
    for (const inner of further) {
      around = await verify(around, inner, exchange)
      current = withClaims(narrowedBy(current, around, inner, exchange), around, inner)
    }
    return current
  }
}

/** One token inside another, and what of it is wanted. */
interface Inner {
  readonly claim: string
  readonly type: TokenType
  readonly acceptance: TokenAcceptance
  readonly claims: readonly string[]
  readonly prefix: string
}

function innerIn(
  { claim, accept, claims = [], prefix = `${claim}_` }: InnerOptions,
  setting: Setting,
  path: string,
): Inner {
  const acceptance = tokenAcceptance(accept, setting.acceptance, `${path}.accept`)
  return { claim, acceptance, type: declaredType(accept, acceptance, path), claims, prefix }
}

function assertNames({ claims, prefix }: Inner, path: string): void {
  for (const [index, name] of claims.entries()) assertWritable(`${prefix}${name}`, `${path}.claims[${index}]`)
}

const narrowedBy = (draft: Draft, inner: Token, { acceptance }: Inner, exchange: Exchange): Draft => ({
  ...draft,
  validity: narrower(draft.validity, inner.validity),
  confirmation: narrowerKey(draft, inner, acceptance, exchange),
})

/** An envelope has one declared type, and a codec reads several. */
function declaredType({ types }: AcceptanceOptions, acceptance: TokenAcceptance, path: string): TokenType {
  const [type, another] = types ?? [EMBEDDED_TYPES.get(acceptance.format) ?? acceptance.types[0]]
  if (type === undefined || another !== undefined) throw wrongOption(`${path}.accept.types`, 'one token type')
  return type
}

const EMBEDDED_TYPES: ReadonlyMap<string, TokenType> = new Map([
  ['jwt', tokenTypes.jwt],
  ['cwt', tokenTypes.cwt],
  ['x509', tokenTypes.x509Der],
])

function envelopeIn({ claims }: Token, claim: string, type: TokenType): Envelope {
  const value = claims[claim]
  // In a CWT a token inside is bytes; the types of binary formats are base64url of them.
  const raw = isBytes(value) ? Buffer.from(value).toString('base64url') : value
  if (typeof raw !== 'string' || raw === '') throw refused(claim, { expected: 'a token in this claim' })
  return { raw, type, role: 'embedded' }
}

async function verify(around: Token, { claim, type, acceptance }: Inner, exchange: Exchange): Promise<Verified<Token>> {
  const envelope = envelopeIn(around, claim, type)
  try {
    return await exchange.verify(envelope, acceptance)
  } catch (error) {
    if (!(error instanceof DragomanError) || error.retryAfter !== undefined || TEMPORARY.has(error.code)) throw error
    throw refused(claim, { ...error.detail, code: error.code }, error)
  }
}

// Not the token's fault: the client hears 503, as for any other token.
const TEMPORARY: ReadonlySet<string> = new Set(['ERR_TRUST_UNAVAILABLE', 'ERR_STORE_UNAVAILABLE', 'ERR_INTERNAL'])

function narrower(outer: Validity, inner: Validity): Validity {
  const starts = [outer.notBefore, inner.notBefore].filter((time) => time !== undefined)
  const ends = [outer.expiresAt, inner.expiresAt].filter((time) => time !== undefined)
  const { scope } = inner
  return {
    ...outer,
    notBefore: starts.length > 0 ? Math.ceil(Math.max(...starts)) : undefined,
    expiresAt: ends.length > 0 ? Math.floor(Math.min(...ends)) : undefined,
    scope: scope === undefined ? outer.scope : outer.scope?.filter((name) => scope.includes(name)),
  }
}

/** What a token was bound to counts for more than a proof that only this request came with. */
function narrowerKey(draft: Draft, inner: Token, { presentedBy }: TokenAcceptance, { subject }: Exchange) {
  if (subject.confirmation !== undefined) return draft.confirmation
  const proved = presentedBy === 'holder' ? inner.confirmation : undefined
  return proved ?? draft.confirmation ?? inner.confirmation
}

/** The history of the exchange, and who asked for it: neither is about the subject. */
const STAYS: ReadonlySet<string> = new Set(['act', 'client_id'])

function withSubject(draft: Draft, inner: Token, claims: readonly string[], claim: string): Draft {
  if (inner.claims['act'] !== undefined) {
    // Who acted for the inner subject, and who for the outer, has no common order.
    throw refused(claim, { code: 'ERR_TOKEN_ACT', expected: 'an embedded token without act' })
  }
  const entries: [string, Value][] = Object.entries(draft.claims).filter(([name]) => STAYS.has(name))
  for (const name of new Set(['sub', ...AUTHENTICATION, ...claims])) {
    const value = inner.claims[name]
    if (value !== undefined) entries.push([name, value])
  }
  return { ...draft, claims: map(entries), notes: [...draft.notes, { claim: 'sub', became: 'mapped' }] }
}

function withClaims(draft: Draft, inner: Token, { claims, prefix }: Inner): Draft {
  const entries = claims.flatMap((name): [string, Value][] => {
    const value = claimOf(inner, name)
    return value === undefined ? [] : [[`${prefix}${name}`, value]]
  })
  return { ...draft, claims: map([...Object.entries(draft.claims), ...entries]) }
}

const refused = (claim: string, detail: { readonly [name: string]: unknown }, cause?: DragomanError): DragomanError =>
  new DragomanError('ERR_PROFILE_EMBEDDED', { detail: { ...detail, claim }, cause })
