import { parseSpiffeId } from '../../core/spiffe.ts'
import { tokenTypes } from '../../core/types.ts'
import { NEIGHBOUR } from '../configuration.ts'
import type { TokenDocument } from '../document.ts'
import type { Stand } from '../stand.ts'
import { LIFETIME, usualLifetime } from '../tokens.ts'
import type { TwinName } from './names.ts'
import {
  audienceOf,
  formatOf,
  type Maker,
  type Moot,
  type Part,
  partsOf,
  type Seed,
  STRANGER,
  type Variant,
  withClaims,
  withToken,
} from './twin.ts'

/** What is wrong with a token: made for the subject token, and for the actor token where there is one. */
export const tokenTwins: readonly Maker[] = [
  each('expired', ({ accepts, token }) => {
    const lifetime = typeof token.lifetime === 'number' ? token.lifetime : LIFETIME
    return { lifetime, issued: -lifetime - accepts.clockSkew - 1 }
  }),
  each('not_yet_valid', ({ accepts }) => ({ not_before: accepts.clockSkew + 60, issued: 0, lifetime: LIFETIME })),
  each('too_old', ({ accepts }) => {
    const { maxAge, clockSkew } = accepts
    if (maxAge === undefined) return 'the profile sets no max_age'
    const age = maxAge + clockSkew + 1
    return { issued: -age, lifetime: age + usualLifetime(accepts) }
  }),
  each('weak_authentication', ({ accepts: { authentication }, token }) => {
    if (authentication?.acrValues === undefined) return 'the profile does not ask how its user authenticated'
    return { claims: { ...token.claims, acr: `https://${STRANGER}/acr` } }
  }),
  each('old_authentication', ({ accepts: { authentication, clockSkew }, token }, { test: { clock } }) => {
    if (authentication?.maxAge === undefined) return 'the profile does not ask when its user authenticated'
    return { claims: { ...token.claims, auth_time: clock - authentication.maxAge - clockSkew - 1 } }
  }),
  each('too_long', ({ accepts: { maxLifetime, clockSkew } }) => {
    if (maxLifetime === undefined) return 'the profile sets no max_lifetime'
    return { issued: 0, lifetime: maxLifetime + clockSkew + 1 }
  }),
  each('wrong_audience', ({ accepts, token }) => {
    if (accepts.audience.length === 0) return NO_AUDIENCE
    return { claims: { ...token.claims, aud: `https://${STRANGER}` } }
  }),
  otherTenant,
  each('unknown_issuer', (part) => speakingFor(part, `https://${STRANGER}`, STRANGER)),
  each('wrong_issuer', (part) => speakingFor(part, NEIGHBOUR.issuer, NEIGHBOUR.trustDomain)),
  each('bad_signature', (part) => (unsigned(part) ? UNSIGNED : { signed_by: `https://${STRANGER}` })),
  otherAlgorithms,
  each('wrong_kind', (part) => {
    if (unsigned(part)) return UNSIGNED
    const kind = otherKind(part)
    return kind === undefined ? 'any certificate for this trust domain will do' : { kind }
  }),
  each('no_usage', ({ accepts }) => {
    if (accepts.extendedKeyUsage === undefined) return 'the profile asks for no extended key usage'
    return { usages: [] }
  }),
  missingClaims,
  each('foreign_subject', (part, stand) => {
    const { accepts, token } = part
    const sub = foreignSubject(part)
    const issuer = stand.services.trust.find(token.issuer ?? accepts.issuers[0] ?? '')
    if (issuer === undefined || issuer.asserts(sub)) return 'the issuer may speak of anybody'
    return { claims: { ...token.claims, sub } }
  }),
  each('other_presenter', ({ accepts: { forClient }, token }) => {
    if (forClient === undefined) return 'the token names no client which may present it'
    return { claims: { ...token.claims, [forClient]: `https://${STRANGER}/client` } }
  }),
  (seed) => {
    const [part] = partsOf(seed)
    const twin = { name: 'circle', of: '' } as const
    const { services, document } = seed.stand
    const path = document.stages.map((stage) => Object(stage['embedding']).path).find((one) => one !== undefined)
    if (part === undefined || path === undefined) return [{ ...twin, reason: 'the profile notes no path' }]
    if (path.revisit === true) return [{ ...twin, reason: 'the profile takes a token that has been here before' }]
    return [{ ...twin, ask: withClaims(seed.ask, part, { trust_path: [services.issuer] }) }]
  },
  (seed) => {
    const [part] = partsOf(seed)
    const twin = { name: 'may_act_of_another', of: '' } as const
    if (part === undefined || formatOf(part) === 'x509') {
      return [{ ...twin, reason: 'a certificate does not say who may act for its subject' }]
    }
    const ask = withClaims(seed.ask, part, { may_act: { sub: `https://${STRANGER}/actor` } })
    return [{ ...twin, ask }]
  },
  (seed) =>
    partsOf(seed).map(({ of, accepts }) => {
      const twin = { name: 'replayed', of } as const
      if (!accepts.singleUse) return { ...twin, reason: 'the profile takes a token more than once' }
      return { ...twin, ask: seed.ask, again: 'tokens' }
    }),
]

const UNSIGNED = 'the token has no signature'

const unsigned = ({ accepts }: Part): boolean => accepts.types.includes(tokenTypes.unsignedJson)

const NO_AUDIENCE = 'the profile asks for no audience'

/** A twin of each token in a request: what is changed in it, or why it does not apply. */
function each(name: TwinName, change: (part: Part, stand: Stand) => TokenDocument | string): Maker {
  return (seed) =>
    partsOf(seed).map((part) => {
      const changed = change(part, seed.stand)
      if (typeof changed === 'string') return { name, of: part.of, reason: changed }
      return { name, of: part.of, ask: withToken(seed.ask, part, changed) }
    })
}

/** A good token of this tenant, presented to another with the same profile, clients and issuers. */
function otherTenant(seed: Seed): readonly (Variant | Moot)[] {
  const twin = { name: 'other_tenant', of: '' } as const
  const [part] = partsOf(seed)
  if (part === undefined || part.accepts.audience.length === 0) return [{ ...twin, reason: NO_AUDIENCE }]
  const named = seed.stand.document.accept.subject.audience
  const own = [seed.stand.services.issuer, 'self'].includes(part.token.issuer ?? part.accepts.issuers[0] ?? '')
  if (!own && named !== undefined && audienceOf(part).some((value) => named.includes(value))) {
    return [{ ...twin, reason: 'the profile names the audience itself, the same in each tenant' }]
  }
  return [{ ...twin, ask: seed.ask, elsewhere: true }]
}

/** Each algorithm that the issuer has a key for and the profile does not take. */
function otherAlgorithms(seed: Seed): readonly (Variant | Moot)[] {
  const name = 'other_algorithm'
  return partsOf(seed).flatMap((part): readonly (Variant | Moot)[] => {
    const { algorithms, issuers } = part.accepts
    if (algorithms === undefined) {
      return [{ name, of: part.of, reason: 'the profile takes all algorithms that the issuer is trusted with' }]
    }
    const party = seed.stand.parties.issuer(part.token.issuer ?? issuers[0] ?? '')
    const others = party.algorithms.filter((algorithm) => !algorithms.includes(algorithm))
    if (others.length === 0) return [{ name, of: part.of, reason: 'the issuer is trusted with no other algorithm' }]
    return others.map((algorithm) => ({
      name,
      of: [part.of, algorithm].join(' ').trim(),
      ask: withToken(seed.ask, part, { algorithm }),
    }))
  })
}

/** What another issuer would say. A JWT-SVID names its issuer by the trust domain of its subject. */
function speakingFor({ accepts, token }: Part, issuer: string, trustDomain: string): TokenDocument {
  if (accepts.kind !== 'jwt-svid') return { issuer }
  return { issuer, claims: { ...token.claims, sub: `spiffe://${trustDomain}/workload` } }
}

function otherKind(part: Part): string | undefined {
  const { kind, extendedKeyUsage } = part.accepts
  const format = formatOf(part)
  if (format !== 'x509') return `dragoman-test+${format}`
  if (kind === 'x509-svid' && extendedKeyUsage === undefined) return undefined
  return kind === 'server' ? 'client' : 'server'
}

/** Each claim that the profile asks for and the token has. */
function missingClaims(seed: Seed): readonly (Variant | Moot)[] {
  const name = 'missing_claim'
  const variants = partsOf(seed).flatMap((part) => {
    const names = new Set([...part.accepts.require, ...(part.role === 'subject' ? requiredByStages(seed.stand) : [])])
    return [...names]
      .filter((claim) => part.token.claims?.[claim] !== undefined && claim !== 'aud')
      .map((claim): Variant => {
        const { [claim]: _, ...claims } = part.token.claims ?? {}
        const of = part.of === '' ? claim : `${part.of} ${claim}`
        return { name, of, ask: withToken(seed.ask, part, { claims }) }
      })
  })
  return variants.length > 0 ? variants : [{ name, of: '', reason: 'the profile asks for no claim that the token has' }]
}

/** Claims that a `context` stage asks for each time. */
function requiredByStages({ document }: Stand): readonly string[] {
  return document.stages.flatMap((stage) => {
    const { require } = Object(stage['context']) as {
      readonly require?: readonly (string | { readonly claim: string })[]
    }
    if (require === undefined || stage['when'] !== undefined) return []
    return require.map((entry) => (typeof entry === 'string' ? entry : entry.claim))
  })
}

/** A subject that no issuer with a subject space should speak of, in a form that the token can have. */
function foreignSubject({ accepts, token }: Part): string {
  const id = parseSpiffeId(String(token.claims?.['sub']))
  if (accepts.kind?.endsWith('-svid') === true && id !== undefined)
    return `spiffe://${id.trustDomain}/dragoman-test/stranger`
  if (accepts.subjectFrom === 'san_dns' || accepts.subjectFrom === 'subject_cn') return STRANGER
  return accepts.subjectFrom === 'san_email' ? `stranger@${STRANGER}` : `https://${STRANGER}/subject`
}
