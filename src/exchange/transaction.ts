import type { Client } from '../core/client.ts'
import { DragomanError } from '../core/errors.ts'
import type { Exchange, TokenRequest } from '../core/exchange.ts'
import type { Profile } from '../core/profile.ts'
import type { Draft, Token } from '../core/token.ts'
import type { Member, Transaction, TransactionKind } from '../core/transaction.ts'
import { copyOf, isList, isMap, map, sameValue, type Value, type ValueMap } from '../core/value.ts'
import { variablesOf } from '../core/variables.ts'
import { frozen, isReplacement } from './frozen.ts'
import { fits, memberOf } from './members.ts'

/** What a transaction is chosen by. */
export interface Asked {
  readonly request: TokenRequest
  readonly client: Client
  readonly subject: Token
  readonly profile: Profile
}

/**
 * The transaction that a token is asked for: the one row of the profile's table that names this client and this type of
 * subject token and has all of the requested scope.
 *
 * A replacement keeps its identifier, and the list of those who asked; its scope is among what the token has. Does NOT look
 * at what the output will say: {@link startTransaction} makes it and `assertTransaction` holds it to the row.
 *
 * @throws {@link DragomanError} `ERR_REQUEST_MISSING`, `ERR_PROFILE_SCOPE`, `ERR_PROFILE_TRANSACTION`
 */
export function transactionOf(
  table: readonly TransactionKind[],
  asked: Asked,
  random: (bytes: number) => Uint8Array,
): Transaction {
  const { request, client, subject, profile } = asked
  const scope = required('scope', request.scope)
  required('requested_token_type', request.requested_token_type)
  required('audience', request.audience[0])
  const replaced = isReplacement(subject, profile) ? subject : undefined
  const held = replaced?.validity.scope
  if (held !== undefined && !scope.every((name) => held.includes(name))) {
    throw new DragomanError('ERR_PROFILE_SCOPE', { detail: { expected: held } })
  }
  const kind = kindFor(scope, table, asked)
  assertTwoParties(asked)
  if (replaced === undefined) {
    return { kind, txn: Buffer.from(random(16)).toString('base64url'), requesters: [client.id] }
  }
  const requesters = [...requestersOf(replaced), client.id]
  if (requesters.length - 1 > kind.replacements) {
    throw new DragomanError('ERR_PROFILE_TRANSACTION', {
      detail: { transaction: kind.name, rule: 'replacements', expected: `at most ${kind.replacements}` },
    })
  }
  return { kind, txn: String(replaced.claims['txn']), requesters }
}

function required<T>(parameter: string, value: T | undefined): T {
  if (value === undefined) throw new DragomanError('ERR_REQUEST_MISSING', { detail: { parameter } })
  return value
}

function kindFor(scope: readonly string[], table: readonly TransactionKind[], { client, subject }: Asked) {
  const { type } = subject.provenance
  const own = table.filter(({ clients, types }) => clients.includes(client.id) && types.includes(type))
  const kind = own.find((row) => scope.every((name) => row.scope.includes(name)))
  if (kind !== undefined) return kind
  const touches = (row: TransactionKind) => scope.some((name) => row.scope.includes(name))
  const foreign = own.some(touches) ? undefined : table.find(touches)
  if (foreign === undefined) {
    throw new DragomanError('ERR_PROFILE_SCOPE', { detail: { expected: own.map((row) => row.scope) } })
  }
  throw new DragomanError('ERR_PROFILE_TRANSACTION', {
    detail: { transaction: foreign.name, expected: foreign.clients },
  })
}

/** One certificate says who the program is or who sits before it, not both, unless those are the same. */
function assertTwoParties({ request, client, subject }: Asked): void {
  const { certificate } = subject.provenance
  const [shown] = request.certificates ?? []
  if (client.method !== 'tls_client_auth' || certificate === undefined || shown === undefined) return
  if (Buffer.compare(certificate, shown) !== 0 || subject.claims['sub'] === client.id) return
  throw new DragomanError('ERR_PROFILE_TRANSACTION', {
    detail: { rule: 'one certificate for two parties', expected: 'a client that authenticates in another way' },
  })
}

function requestersOf({ claims }: Token): readonly string[] {
  const { [CHAIN]: chain, req_wl } = claims
  if (isList(chain)) return chain.map(String)
  return typeof req_wl === 'string' ? [req_wl] : []
}

/** All who asked for a token of one transaction, oldest first; `req_wl` is the last of them. */
export const CHAIN = 'dragoman_chain'

/** What the chain of a transaction's requesters is in the output: nothing, as long as `req_wl` says it all. */
export const chainOf = ({ requesters }: Transaction): Value | undefined =>
  requesters.length > 1 ? requesters : undefined

/**
 * The draft with what a transaction token says of itself: `txn`, `req_wl`, `tctx` and `rctx`, made of what the client told
 * as far as the row lets it, and of what the row adds. What a replaced token said stays.
 *
 * @throws {@link DragomanError} `ERR_PROFILE_CONTEXT`, `ERR_PROFILE_FROZEN`, `ERR_PROFILE_EXPRESSION`
 */
export function startTransaction(draft: Draft, exchange: Exchange): Draft {
  const { transaction, request, client, subject, profile } = exchange
  if (transaction === undefined) return draft
  const earlier = isReplacement(subject, profile) ? subject.claims : undefined
  const { details, context } = transaction.kind
  const variables = variablesOf(draft, exchange)
  const told = tellerOf(transaction.kind.name, variables)
  const tctx = told(details, request.request_details, earlier?.['tctx'], 'request_details')
  const rctx = told(context, request.request_context, earlier?.['rctx'], 'request_context')
  const chain = chainOf(transaction)
  const claims = copyOf(draft.claims)
  claims['txn'] = transaction.txn
  claims['req_wl'] = client.id
  if (tctx !== undefined) claims['tctx'] = tctx
  if (rctx !== undefined) claims['rctx'] = rctx
  if (chain !== undefined) claims[CHAIN] = chain
  return { ...draft, claims }
}

type Variables = ReturnType<typeof variablesOf>
type Parameter = keyof typeof CLAIMS

/** The claims that are made of what a client tells. */
const CLAIMS = { request_details: 'tctx', request_context: 'rctx' } as const

const tellerOf =
  (transaction: string, variables: Variables) =>
  (
    members: ReadonlyMap<string, Member>,
    sent: ValueMap = map(),
    before: Value | undefined,
    parameter: Parameter,
  ): ValueMap | undefined => {
    const earlier = isMap(before) ? before : map()
    for (const name of Object.keys(sent)) {
      const value = sent[name]
      if (earlier[name] !== undefined) {
        if (!sameValue(value, earlier[name])) throw frozen(CLAIMS[parameter], name)
      } else if (!members.has(name) && parameter === 'request_details') {
        // What surrounds a call is told by many, for many: what no row has is left out. What is to be done is not.
        throw new DragomanError('ERR_PROFILE_CONTEXT', {
          detail: { transaction, parameter, expected: [...members.keys()] },
        })
      }
    }
    const entries = new Map(Object.entries(earlier))
    for (const [name, member] of members) {
      if (entries.has(name)) continue
      const made = member.make === undefined ? sent[name] : member.make(variables)
      // An expression has no other way to say that there is none.
      const value = made === null ? undefined : made
      if (!fits(value, member)) {
        throw new DragomanError('ERR_PROFILE_CONTEXT', {
          detail: { transaction, parameter, member: name, expected: memberOf(member) },
        })
      }
      if (value !== undefined) entries.set(name, value)
    }
    return entries.size === 0 ? undefined : map(entries)
  }
