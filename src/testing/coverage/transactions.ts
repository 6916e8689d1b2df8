import type { Stand } from '../stand.ts'
import { rule } from './acceptance.ts'
import type { Observation, Rule } from './coverage.ts'

/** The rules of the table of transactions: that each is started, by each of its clients, and what it needs to be told. */
export function transactionRules({ profile: { transactions = [] }, test }: Stand): readonly Rule[] {
  return transactions.flatMap((kind, index): readonly Rule[] => {
    const path = ['transactions', index]
    const started = ({ record }: Observation) => record.result === 'issued' && record.transaction === kind.name
    const by = (says: (seen: Observation) => boolean) => (seen: Observation) => started(seen) && says(seen)
    return [
      ...kind.clients.map((id, at) =>
        rule(
          [...path, 'clients', at],
          'starts it',
          by(({ record }) => record.client === id),
        ),
      ),
      ...kind.scope.map((name, at) =>
        rule(
          [...path, 'scope', at],
          'granted',
          by(({ record }) => record.scope?.includes(name) === true),
        ),
      ),
      rule(
        [...path, 'lifetime'],
        'what ends a token',
        by(({ record }) => record.expires_at === test.clock + kind.lifetime),
      ),
      ...(['details', 'context'] as const).flatMap((member) =>
        [...kind[member]]
          .filter(([, { required, make }]) => required && make === undefined)
          .map(([name]) => rule([...path, member, name], 'missed (ERR_PROFILE_CONTEXT)', misses(member, name))),
      ),
    ]
  })
}

const misses =
  (member: 'details' | 'context', name: string) =>
  ({ record: { code, trace } }: Observation): boolean => {
    const { parameter, member: missed } = Object(trace.at(-1)?.detail) as { readonly [name: string]: unknown }
    return code === 'ERR_PROFILE_CONTEXT' && parameter === `request_${member}` && missed === name
  }
