import type { Exchange, ForwardedRequest } from './exchange.ts'
import type { ExpressionVariables } from './stage.ts'
import type { Draft, Token } from './token.ts'
import type { Value, ValueMap } from './value.ts'
import { copyOf, emptyRecord, map } from './value.ts'

/**
 * What an expression and a `copy` path can read, each record made when it is first read.
 *
 * `claims`: the draft as it is now. `subject`, `actor`: the verified tokens, all their claims, and beside them `iss`,
 * `aud`, `exp`, `nbf`, `iat`, `id`, `format`, `kind`, `scope`, `trust_domain` where they have one. `client`: `id`, `method`.
 * `request`: `audience`, `resource`, `scope`, `requested_token_type`, `context` and `details` (the objects of
 * `request_context` and `request_details`) as sent; `forwarded`, where a proxy asks: `method`, `scheme`, `host`, `path`,
 * `query`, `headers` of the request before it, as the proxy says. `proof`: `method`, `jkt` of the first proof,
 * `methods` of all. What is not there is absent, never null: `has(...)` asks for it.
 */
export const variablesOf = (draft: Draft, exchange: Exchange): ExpressionVariables => new Variables(draft, exchange)

// A class, since the engine makes a hidden class for each object that has a getter of its own: one that is collected late,
// with all that the getter can reach.
class Variables implements ExpressionVariables {
  readonly claims: ValueMap
  readonly now: number
  readonly #exchange: Exchange
  #subject: ValueMap | undefined
  #actor: ValueMap | undefined
  #client: ValueMap | undefined
  #request: ValueMap | undefined
  #proof: ValueMap | undefined

  constructor({ claims }: Draft, exchange: Exchange) {
    this.claims = claims
    this.now = exchange.now
    this.#exchange = exchange
  }

  get subject(): ValueMap {
    this.#subject ??= tokenVariables(this.#exchange.subject)
    return this.#subject
  }

  get actor(): ValueMap {
    const { actor } = this.#exchange
    this.#actor ??= actor ? tokenVariables(actor) : map()
    return this.#actor
  }

  get client(): ValueMap {
    const { id, method } = this.#exchange.client
    this.#client ??= record({ id, method })
    return this.#client
  }

  get request(): ValueMap {
    this.#request ??= requestVariables(this.#exchange)
    return this.#request
  }

  get proof(): ValueMap {
    this.#proof ??= proofVariables(this.#exchange)
    return this.#proof
  }
}

function requestVariables({ request }: Exchange): ValueMap {
  const { audience, resource, scope, requested_token_type, request_context, request_details, forwarded } = request
  return record({
    ...{ audience, resource, scope, requested_token_type },
    ...{ context: request_context, details: request_details },
    forwarded: forwarded && forwardedVariables(forwarded),
  })
}

function proofVariables({ proofs }: Exchange): ValueMap {
  const [first] = proofs
  if (first === undefined) return map()
  return record({
    method: first.method,
    jkt: first.publicKey.jkt,
    methods: proofs.map(({ method }) => method),
  })
}

function tokenVariables({ claims, validity, provenance }: Token): ValueMap {
  const all = copyOf(claims)
  // What we know stands before what the token says, and what we do not know is absent, whatever the token says.
  const tell = (name: string, value: Value | undefined): void => {
    if (value !== undefined) all[name] = value
    else if (name in all) delete all[name]
  }
  tell('iss', provenance.issuer)
  tell('aud', validity.audience)
  tell('exp', validity.expiresAt)
  tell('nbf', validity.notBefore)
  tell('iat', validity.issuedAt)
  tell('id', provenance.id)
  tell('format', provenance.format)
  tell('kind', provenance.kind)
  tell('scope', validity.scope)
  tell('trust_domain', provenance.trustDomain)
  return all
}

const forwardedVariables = ({ method, scheme, host, path, query, headers }: ForwardedRequest): ValueMap =>
  record({ method, scheme, host, path, query, headers })

function record(members: { readonly [name: string]: Value | undefined }): ValueMap {
  const filled = emptyRecord()
  for (const name in members) {
    const value = members[name]
    if (value !== undefined) filled[name] = value
  }
  return filled
}
