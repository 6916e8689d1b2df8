import { createHash } from 'node:crypto'
import type { AssertionRules, ClientClaim, ClientMethod, ClientTools, RegisteredClient } from '../core/client.ts'
import { DragomanError } from '../core/errors.ts'
import type { Token } from '../core/token.ts'
import { tokenTypes } from '../core/types.ts'
import { fromBase64url } from '../wire/base64url.ts'
import { parseJsonObject } from '../wire/json.ts'

const JWT_BEARER = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'

// RFC 7523bis §4 names the first for new clients; those that are out there write `JWT` or nothing.
const KINDS: ReadonlySet<string | undefined> = new Set(['client-authentication+jwt', 'jwt', undefined])

/**
 * A JWT signed with a key of the client (RFC 7523 §3 as updated by 7523bis; OpenID Connect Core §9).
 *
 * Checks: compact form, signature and `alg` against the client's own keys; `iss` and `sub` are the client id; `aud` is
 * our issuer identifier and nothing else, or as {@link AssertionRules} says for an older client; `exp`, no further ahead
 * than the rules allow; `nbf`; `iat` not older than that either; no other explicit type; first use of `jti`.
 */
export const privateKeyJwt: ClientMethod = {
  name: 'private_key_jwt',
  claim({ client_id, client_assertion, client_assertion_type }) {
    if (client_assertion === undefined && client_assertion_type === undefined) return undefined
    if (client_assertion === undefined) throw malformed('client_assertion with client_assertion_type')
    if (client_assertion_type !== JWT_BEARER) throw malformed(`client_assertion_type ${JWT_BEARER}`)
    const clientId = client_id ?? subjectOf(client_assertion)
    if (clientId === undefined) throw malformed('one compact JWT with a sub')
    return { method: 'private_key_jwt', clientId, assertion: client_assertion }
  },
  async verify(claim, client, tools) {
    const token = await verified(claim, client, tools)
    assertParties(token, client, tools)
    const until = assertTimes(token, client.assertion, tools)
    await assertFirstUse(token, client, until, tools)
  },
}

const malformed = (expected: string) => new DragomanError('ERR_CLIENT_MALFORMED', { detail: { expected } })

const refuse = (check: string, detail: { readonly [name: string]: unknown } = {}) =>
  new DragomanError('ERR_CLIENT_ASSERTION', { detail: { check, ...detail } })

/** Whose assertion it says it is. Read leniently and believed by nobody: it only finds the client to check against. */
function subjectOf(assertion: string): string | undefined {
  const payload = fromBase64url(assertion.split('.', 3)[1] ?? '')
  if (!payload) return undefined
  try {
    const { sub } = parseJsonObject(payload)
    return typeof sub === 'string' && sub !== '' ? sub : undefined
  } catch {
    return undefined
  }
}

async function verified({ assertion }: ClientClaim, client: RegisteredClient, tools: ClientTools): Promise<Token> {
  const { now, clockSkew } = tools
  if (assertion === undefined || client.issuer === undefined) throw refuse('key')
  const envelope = { raw: assertion, type: tokenTypes.jwt, role: 'client' } as const
  try {
    return await tools.verify(envelope, client.issuer, { now, clockSkew })
  } catch (cause) {
    throw asRefusal(cause)
  }
}

/** RFC 7523 §3.2: bad in any way is `invalid_client`. What is no fault of the assertion's stays what it is. */
function asRefusal(cause: unknown): unknown {
  if (!(cause instanceof DragomanError) || cause.code === 'ERR_TRUST_UNAVAILABLE') return cause
  if (!/^ERR_(?:TOKEN|TRUST|PROFILE)_/.test(cause.code)) return cause
  return new DragomanError('ERR_CLIENT_ASSERTION', { cause, detail: { ...cause.detail, reason: cause.code } })
}

function assertParties({ claims, validity, provenance }: Token, client: RegisteredClient, tools: ClientTools): void {
  if (!KINDS.has(provenance.kind)) throw refuse('typ', { expected: 'client-authentication+jwt' })
  // OpenID Connect Core §9 asks for both; RFC 7523 alone would let another party issue it.
  if (provenance.issuer !== client.id) throw refuse('iss', { expected: 'the client id' })
  if (claims['sub'] !== client.id) throw refuse('sub', { expected: 'the client id' })
  const { audience } = validity
  const { issuer, tokenEndpoint } = tools
  // 7523bis §4: a second value could be another server's, at which this assertion would be good as well.
  const ours =
    client.assertion.audience === 'issuer'
      ? audience.length === 1 && audience[0] === issuer
      : audience.includes(issuer) || audience.includes(tokenEndpoint)
  if (!ours) throw refuse('aud', { expected: issuer })
}

/** The second until which it could be presented. */
function assertTimes({ validity }: Token, rules: AssertionRules, { now, clockSkew }: ClientTools): number {
  const { expiresAt, notBefore, issuedAt } = validity
  if (expiresAt === undefined) throw refuse('exp', { expected: 'an expiry' })
  if (now >= expiresAt + clockSkew) throw refuse('exp', { expected: `after ${now}`, actual: expiresAt })
  const latest = now + rules.maxLifetime + clockSkew
  if (expiresAt > latest) throw refuse('exp', { expected: `at most ${latest}`, actual: expiresAt })
  if (notBefore !== undefined && notBefore > now + clockSkew) throw refuse('nbf', { expected: `at most ${now}` })
  if (issuedAt !== undefined) {
    if (issuedAt > now + clockSkew) throw refuse('iat', { expected: `at most ${now}`, actual: issuedAt })
    const earliest = now - rules.maxLifetime - clockSkew
    if (issuedAt < earliest) throw refuse('iat', { expected: `at least ${earliest}`, actual: issuedAt })
  }
  return Math.ceil(expiresAt) + clockSkew
}

/** Last of all, so that only a good assertion takes a place in the store. */
async function assertFirstUse(
  { provenance }: Token,
  { id, assertion }: RegisteredClient,
  until: number,
  { now, replay }: ClientTools,
): Promise<void> {
  if (provenance.id === undefined) {
    if (assertion.requireJti) throw refuse('jti', { expected: 'a jti' })
    return
  }
  const key = createHash('sha256').update(`${id}\0${provenance.id}`).digest('hex')
  if (!(await replay.claim(`assertion ${key}`, until, now))) throw new DragomanError('ERR_CLIENT_ASSERTION_REPLAYED')
}
