import { type AskedProof, proofsOf } from '../ask.ts'
import type { Stand } from '../stand.ts'
import { formatOf, type Maker, partsOf, type Seed, withToken } from './twin.ts'

const FOREIGN = 'foreign key'

/** Keys that were not shown, or are somebody else's. */
export const proofTwins: readonly Maker[] = [
  (seed) => {
    const twin = { name: 'replayed_proof', of: '' } as const
    if (!shown(seed).some(({ method }) => method === 'dpop')) return [{ ...twin, reason: 'there is no DPoP proof' }]
    return [{ ...twin, ask: seed.ask, again: 'proof' }]
  },
  (seed) => {
    const twin = { name: 'no_proof', of: '' } as const
    const ask = { ...seed.ask, proofs: [] }
    if (bound(seed)) return [{ ...twin, ask }]
    if (shown(seed).length === 0) return [{ ...twin, reason: 'there is no proof' }]
    if (!mustBind(seed.stand)) return [{ ...twin, reason: 'the output need not be bound to a key' }]
    return [{ ...twin, ask }]
  },
  (seed) => {
    const twin = { name: 'foreign_proof', of: '' } as const
    if (!bound(seed)) return [{ ...twin, reason: 'no token is bound to a key of its presenter' }]
    const proofs = shown(seed).map(({ method, key }) => ({ method, key: method === 'pkcs10' ? key : FOREIGN }))
    return [{ ...twin, ask: { ...seed.ask, proofs } }]
  },
  (seed) => {
    const twin = { name: 'unbound', of: '' } as const
    const [part] = partsOf(seed)
    if (part === undefined || typeof part.token.cnf !== 'string' || formatOf(part) === 'x509') {
      return [{ ...twin, reason: 'the subject token is bound to no key, or cannot be without' }]
    }
    if (!mustBind(seed.stand)) return [{ ...twin, reason: 'the output need not be bound to a key' }]
    const ask = { ...withToken(seed.ask, part, { cnf: false }), proofs: [] }
    return [{ ...twin, ask }]
  },
]

/** Whether a token is bound to a key that its presenter has to show. */
const bound = (seed: Seed): boolean =>
  partsOf(seed).some(
    (part) =>
      part.accepts.presentedBy === 'holder' && (typeof part.token.cnf === 'string' || formatOf(part) === 'x509'),
  )

/** The proofs of the case: those it says, or those that its tokens need. */
function shown(seed: Seed): readonly AskedProof[] {
  const [subject, actor] = partsOf(seed).map((part) => ({
    raw: '',
    type: '',
    format: formatOf(part),
    holder:
      part.token.cnf === false ? undefined : (part.token.cnf ?? (formatOf(part) === 'x509' ? 'holder' : undefined)),
    boundBy: part.token.cnf_by ?? ('key' as const),
    chain: [],
  }))
  return subject === undefined ? [] : proofsOf(seed.ask, { subject, actor })
}

/** Whether nothing is issued that is bound to no key: by the format, or by a stage that always runs. */
const mustBind = ({ profile, document }: Stand): boolean =>
  profile.writer.needsKey ||
  document.stages.some((stage) => {
    const { require } = Object(stage['sender_constraint']) as { readonly require?: boolean }
    return require === true && stage['when'] === undefined
  })
