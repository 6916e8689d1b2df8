import type { Exchange, ForwardedRequest } from './exchange.ts'
import type { ExpressionVariables } from './stage.ts'
import type { Draft, Token } from './token.ts'
import type { Value, ValueMap } from './value.ts'
import { map } from './value.ts'

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
export function variablesOf(draft: Draft, exchange: Exchange): ExpressionVariables {
  let subject: ValueMap | undefined
  let actor: ValueMap | undefined
  let client: ValueMap | undefined
  let request: ValueMap | undefined
  let proof: ValueMap | undefined
  return {
    claims: draft.claims,
    now: exchange.now,
    get subject() {
      subject ??= tokenVariables(exchange.subject)
      return subject
    },
    get actor() {
      actor ??= exchange.actor ? tokenVariables(exchange.actor) : map()
      return actor
    },
    get client() {
      client ??= record({ id: exchange.client.id, method: exchange.client.method })
      return client
    },
    get request() {
      if (request === undefined) {
        const { audience, resource, scope, requested_token_type, request_context, request_details } = exchange.request
        const { forwarded } = exchange.request
        request = record({
          ...{ audience, resource, scope, requested_token_type },
          ...{ context: request_context, details: request_details },
          forwarded: forwarded && forwardedVariables(forwarded),
        })
      }
      return request
    },
    get proof() {
      const [first] = exchange.proofs
      proof ??= first
        ? record({
            method: first.method,
            jkt: first.publicKey.jkt,
            methods: exchange.proofs.map(({ method }) => method),
          })
        : map()
      return proof
    },
  }
}

function tokenVariables({ claims, validity, provenance }: Token): ValueMap {
  const known: readonly (readonly [string, Value | undefined])[] = [
    ['iss', provenance.issuer],
    ['aud', validity.audience],
    ['exp', validity.expiresAt],
    ['nbf', validity.notBefore],
    ['iat', validity.issuedAt],
    ['id', provenance.id],
    ['format', provenance.format],
    ['kind', provenance.kind],
    ['scope', validity.scope],
    ['trust_domain', provenance.trustDomain],
  ]
  const all: Record<string, Value> = Object.create(null)
  for (const name of Object.keys(claims)) all[name] = claims[name] ?? null
  // What we know stands before what the token says, and what we do not know is absent, whatever the token says.
  for (const [name, value] of known) {
    if (value !== undefined) all[name] = value
    else if (name in all) delete all[name]
  }
  return all
}

const forwardedVariables = ({ method, scheme, host, path, query, headers }: ForwardedRequest): ValueMap =>
  record({ method, scheme, host, path, query, headers })

function record(members: { readonly [name: string]: Value | undefined }): ValueMap {
  const entries: [string, Value][] = []
  for (const name of Object.keys(members)) {
    const value = members[name]
    if (value !== undefined) entries.push([name, value])
  }
  return map(entries)
}
