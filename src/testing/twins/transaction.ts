import type { Member, TransactionKind } from '../../core/transaction.ts'
import type { Kind } from '../../core/value.ts'
import { isList, isMap } from '../../core/value.ts'
import type { Members } from '../ask.ts'
import { neutral } from '../tokens.ts'
import type { TwinName } from './names.ts'
import { type Maker, type Moot, partsOf, type Seed, STRANGER, type Variant, withClaims } from './twin.ts'

/** Of a profile with a table of transactions: who starts what, and what is told of it. Another has none of these. */
export const transactionTwins: readonly Maker[] = [
  (seed) => {
    const twin = { name: 'other_transaction', of: '' } as const
    const { transactions } = seed.stand.profile
    if (transactions === undefined) return []
    const other = transactions.find(
      ({ clients }) => seed.ask.client !== undefined && !clients.includes(seed.ask.client),
    )
    if (other === undefined) return [{ ...twin, reason: 'no transaction is for other clients alone' }]
    return [{ ...twin, of: other.name, ask: { ...seed.ask, scope: other.scope } }]
  },
  within('unknown_detail', (_, seed) => {
    const details = { ...seed.ask.details, [UNKNOWN]: 'x' }
    return [{ name: 'unknown_detail', of: '', ask: { ...seed.ask, details } }]
  }),
  within('missing_detail', (kind, seed) =>
    told(kind, seed).flatMap(({ parameter, name, member }): readonly Variant[] => {
      if (!member.required) return []
      const { [name]: _, ...rest } = seed.ask[parameter] ?? {}
      return [{ name: 'missing_detail', of: name, ask: { ...seed.ask, [parameter]: rest } }]
    }),
  ),
  within('wrong_detail', (kind, seed) =>
    told(kind, seed).flatMap(({ parameter, name, member }) => {
      const wrong = [OTHER_TYPE[member.type], ...(member.among === undefined ? [] : [OTHER_VALUE])]
      return wrong.map((value): Variant => {
        const of = value === OTHER_VALUE ? `${name} value` : name
        return {
          name: 'wrong_detail',
          of,
          ask: { ...seed.ask, [parameter]: { ...seed.ask[parameter], [name]: value } },
        }
      })
    }),
  ),
  within('altered_detail', (_, seed) => {
    const { tctx } = replacedClaims(seed) ?? {}
    return Object.keys(isMap(neutral(tctx ?? null)) ? Object(tctx) : {}).map((name) => ({
      name: 'altered_detail',
      of: name,
      ask: { ...seed.ask, details: { ...seed.ask.details, [name]: OTHER_VALUE } },
    }))
  }),
  within('replaced_too_often', (kind, seed) => {
    const [part] = partsOf(seed)
    const claims = replacedClaims(seed)
    if (part === undefined || claims === undefined) return []
    const { dragoman_chain: earlier, req_wl: last } = claims
    const chain = isList(neutral(earlier ?? null)) ? (earlier as readonly unknown[]) : [last]
    const more = Array.from({ length: Math.max(0, kind.replacements + 1 - chain.length) }, () => STRANGER)
    const ask = withClaims(seed.ask, part, { dragoman_chain: [...chain, ...more] })
    return [{ name: 'replaced_too_often', of: '', ask }]
  }),
]

const UNKNOWN = 'dragoman_test_unknown'
const OTHER_VALUE = 'dragoman-test:other'

/** A value that is of another type. */
const OTHER_TYPE: { readonly [type in Kind]: unknown } = {
  string: 7,
  number: 'x',
  integer: 1.5,
  boolean: 'x',
  bytes: 7,
  list: 'x',
  map: 'x',
}

/** Twins of the transaction that a case has started. */
function within(name: TwinName, make: (kind: TransactionKind, seed: Seed) => readonly Variant[]): Maker {
  return (seed): readonly (Variant | Moot)[] => {
    const { transactions } = seed.stand.profile
    if (transactions === undefined) return []
    const { client, scope = [] } = seed.ask
    const kind = transactions.find(
      (row) => client !== undefined && row.clients.includes(client) && scope.every((one) => row.scope.includes(one)),
    )
    const variants = kind === undefined ? [] : make(kind, seed)
    return variants.length > 0 ? variants : [{ name, of: '', reason: 'the transaction has nothing of the kind' }]
  }
}

interface Told {
  readonly parameter: 'details' | 'context'
  readonly name: string
  readonly member: Member
}

/** What the client itself tells, of a transaction that it starts: what a replaced token said, it need not tell again. */
function told(kind: TransactionKind, seed: Seed): readonly Told[] {
  const { tctx, rctx } = replacedClaims(seed) ?? {}
  const of = (parameter: Told['parameter'], members: ReadonlyMap<string, Member>, earlier: unknown) =>
    [...members]
      .filter(([name, { make }]) => make === undefined && !Object.hasOwn(Object(earlier ?? {}), name))
      .map(([name, member]) => ({ parameter, name, member }))
  return [...of('details', kind.details, tctx), ...of('context', kind.context, rctx)]
}

/** What the token says that is replaced; `undefined`: the case starts a transaction. */
function replacedClaims({ ask, stand: { profile } }: Seed): Members | undefined {
  const { writer, accepts } = profile
  return writer.frozen !== undefined && accepts.subject.types.includes(writer.tokenType)
    ? ask.subject.claims
    : undefined
}
