import { randomUUID } from 'node:crypto'
import type { Services, TokenRequest } from '../core/exchange.ts'
import type { TokenAcceptance } from '../core/profile.ts'
import { OF_THE_CLIENT } from '../core/types.ts'
import { isMap, type ValueMap } from '../core/value.ts'
import { credentialsOf } from './credentials.ts'
import type { CaseDocument, ProofName, TokenDocument } from './document.ts'
import { csrFor, dpopProof } from './proofs.ts'
import type { Stand } from './stand.ts'
import { type Made, makeToken, neutral, scopesOf, textsOf, whole } from './tokens.ts'

/** A request as a case has it, nothing of it left to be looked up; negative twins change one thing in it. */
export interface Ask {
  /** `undefined`: nobody authenticates. */
  readonly client: string | undefined
  readonly subject: TokenDocument
  readonly actor: TokenDocument | undefined
  readonly audience: readonly string[]
  readonly resource: readonly string[]
  readonly scope: readonly string[] | undefined
  readonly requestedTokenType: string | undefined
  readonly details: Members | undefined
  readonly context: Members | undefined
  /** `undefined`: those that the tokens need. */
  readonly proofs: readonly AskedProof[] | undefined
}

/** What a client tells, by member. */
export type Members = { readonly [member: string]: unknown }

export interface AskedProof {
  readonly method: ProofName
  /** Name of the holder of the key; `undefined`: of the one that the subject token is bound to, or a new one. */
  readonly key: string | undefined
}

/** The request of a case. */
export function askOf({ request }: CaseDocument, { profile, test }: Stand): Ask {
  const tokens = test.document.tokens ?? {}
  const { clients, targets } = profile.accepts
  const [target] = targets.allowed.keys()
  const { client = clients[0] ?? false, actor, audience, resource, scope, proofs } = request
  const type = request.requested_token_type ?? (profile.transactions && profile.writer.tokenType)
  const asked = audience ?? (resource === undefined && targets.fallback.length === 0 ? (target ?? []) : [])
  return {
    client: client === false ? undefined : client,
    subject: saidBy(client, whole(request.subject ?? {}, tokens), profile.accepts.subject),
    actor: actor === undefined ? undefined : whole(actor, tokens),
    audience: textsOf(asked),
    resource: resource === undefined ? [] : textsOf(resource),
    scope: scope === undefined ? undefined : scopesOf(scope),
    requestedTokenType: type,
    details: request.request_details,
    context: request.request_context,
    proofs: proofs?.map((proof) =>
      typeof proof === 'string' ? { method: proof, key: undefined } : { method: proof.method, key: proof.key },
    ),
  }
}

/** What a client says by itself is of that client, unless the test says of whom. */
function saidBy(client: string | false, token: TokenDocument, { types }: TokenAcceptance): TokenDocument {
  const own = types.some((type) => OF_THE_CLIENT.has(type))
  return own && client !== false && token.issuer === undefined ? { ...token, issuer: client } : token
}

/** The tokens of a request, made. */
export interface Tokens {
  readonly subject: Made
  readonly actor: Made | undefined
}

export async function tokensFor(ask: Ask, stand: Stand): Promise<Tokens> {
  const { subject, actor } = stand.profile.accepts
  return {
    subject: await makeToken(ask.subject, subject, stand),
    actor: ask.actor && (await makeToken(ask.actor, actor ?? subject, stand)),
  }
}

/** The proofs of a request: those that it says, or those that its tokens need. */
export function proofsOf({ proofs }: Ask, { subject, actor }: Tokens): readonly AskedProof[] {
  if (proofs !== undefined) return proofs
  const needed = [subject, ...(actor ? [actor] : [])].flatMap(({ holder, format, boundBy }): readonly AskedProof[] =>
    holder === undefined
      ? []
      : [{ method: format === 'x509' || boundBy === 'certificate' ? 'mtls' : 'dpop', key: holder }],
  )
  return needed.filter(({ method }, index) => needed.findIndex((proof) => proof.method === method) === index)
}

/** Whose key a proof is by, where nothing is said and the subject token is bound to none. */
const NEW_KEY = 'new key'

/** The request as the gateway gets it, for the tenant of `services`: with credentials and proofs made for it. */
export async function requestFor(
  ask: Ask,
  tokens: Tokens,
  { parties, test, entry, workshop, profile }: Stand,
  services: Services,
): Promise<TokenRequest> {
  const { subject, actor } = tokens
  const proofs = proofsOf(ask, tokens).map(({ method, key }) => ({ method, key: key ?? subject.holder ?? NEW_KEY }))
  const keyFor = (method: ProofName) => proofs.find((proof) => proof.method === method)?.key
  const [dpop, mtls, pkcs10] = [keyFor('dpop'), keyFor('mtls'), keyFor('pkcs10')]
  const shown = mtls === undefined ? undefined : (chainOf(mtls, tokens) ?? [await parties.holder(mtls).certificate()])
  if (mtls !== undefined && shown?.[0] !== undefined) parties.certified(mtls, shown[0])
  const credentials = await credentialsOf(ask.client, { parties, entry, now: test.clock, workshop, services })
  return {
    id: randomUUID(),
    grant_type: profile.accepts.grant,
    subject_token: subject.raw,
    subject_token_type: subject.type,
    actor_token: actor?.raw,
    actor_token_type: actor?.type,
    requested_token_type: ask.requestedTokenType,
    audience: ask.audience,
    resource: ask.resource,
    scope: ask.scope,
    request_details: toldIn(ask.details),
    request_context: toldIn(ask.context),
    csr: pkcs10 === undefined ? undefined : csrFor(parties.holder(pkcs10)),
    client_id: undefined,
    client_secret: undefined,
    client_assertion: undefined,
    client_assertion_type: undefined,
    authorization: undefined,
    ...credentials,
    dpop: dpop === undefined ? [] : [dpopProof(parties.holder(dpop), { url: services.tokenEndpoint, now: test.clock })],
    certificates: shown ?? credentials.certificates,
  }
}

function toldIn(members: Members | undefined): ValueMap | undefined {
  const value = members === undefined ? undefined : neutral(members)
  return isMap(value) ? value : undefined
}

/** The certificate that somebody presents as a token is the one of the handshake too. */
function chainOf(holder: string, { subject, actor }: Tokens): readonly Buffer[] | undefined {
  return [subject, actor].find((token) => token?.holder === holder && token.chain.length > 0)?.chain
}
