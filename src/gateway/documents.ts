import { algorithms, joseNames } from '../core/algorithms.ts'
import type { Services } from '../core/exchange.ts'
import type { Grant } from '../core/grant.ts'
import type { Signer } from '../core/keys.ts'
import type { Profile } from '../core/profile.ts'
import { encodeCoseKeySet } from '../wire/cose-key-set.ts'
import { pem } from '../wire/pem.ts'
import type { GatewayTenant } from './tenant.ts'
import { pathsOf } from './tenant.ts'

/** A JWK Set (RFC 7517 §5) of the public halves of all keys, current and still published, each with its `use`. */
export const jwks = ({ keys }: Services): string =>
  JSON.stringify({
    keys: keys.all().map(({ kid, algorithm, publicKey }) => ({
      ...publicKey.jwk,
      kid,
      use: 'sig',
      alg: algorithm.jose[0],
    })),
  })

/** The same keys as a COSE_KeySet (RFC 9052 §7). */
export const coseKeys = ({ keys }: Services): Buffer => Buffer.from(encodeCoseKeySet(keys.all()))

/** The certificates of the keys that are authorities, each once, in PEM; `undefined`: there are none. */
export function certificates({ keys }: Services): string | undefined {
  const blocks = new Set(keys.all().flatMap(({ chain }: Signer) => chain.map((der) => pem('CERTIFICATE', der))))
  return blocks.size === 0 ? undefined : [...blocks].join('')
}

type Member = string | boolean | number | readonly string[]

/**
 * The metadata of an issuer (RFC 8414 §2), with what is announced of identity chaining and ID-JAG where a profile serves
 * it (draft-ietf-oauth-identity-chaining §3, draft-ietf-oauth-identity-assertion-authz-grant §7). Members whose list is empty are left out, and so is
 * `response_types_supported`, since there is no authorization endpoint: a strict client can be given it through the
 * configuration. Token types that are taken have no registered member; output types and profiles are for clients only.
 */
export function metadata(tenant: GatewayTenant): string {
  const { services } = tenant
  const { issuer, tokenEndpoint, profiles, grants, clientMethods, proofMethods, proofAlgorithms, keys } = services
  const { base, batch, jwks: keysPath, coseKeys: cosePath, certificates: certificatesPath } = pathsOf(services)
  const root = issuer.replace(/\/$/, '')
  const url = (path: string): string => `${root}${path.slice(base.length)}`
  const served = ({ type }: Grant): boolean => profiles.all.some(({ accepts }) => accepts.grant === type)
  const methods = clientMethods.map(({ name }) => name)
  const open = profiles.all.some(({ accepts }) => accepts.subjectTokenAuthenticates)
  const proofs = new Set(proofMethods.map(({ name }) => name))
  const members: readonly (readonly [string, Member | undefined])[] = [
    ['issuer', issuer],
    ['token_endpoint', tokenEndpoint],
    ['jwks_uri', url(keysPath)],
    ['grant_types_supported', grants.filter(served).map(({ type }) => type)],
    ['authorization_grant_profiles_supported', grants.flatMap(grantProfiles(profiles.all))],
    [
      'identity_chaining_requested_token_types_supported',
      unique(profiles.all.filter(({ writer }) => writer.grant).map(({ writer }) => writer.tokenType)),
    ],
    // draft-mcguinness-oauth-token-exchange-cnf: what is bound is told to be.
    ['token_exchange_cnf_response_supported', true],
    ['token_endpoint_auth_methods_supported', open ? [...methods, 'none'] : methods],
    [
      'token_endpoint_auth_signing_alg_values_supported',
      methods.includes('private_key_jwt') ? algorithms.flatMap(({ jose }) => jose) : [],
    ],
    ['dpop_signing_alg_values_supported', proofs.has('dpop') ? joseNames(proofAlgorithms) : []],
    ['tls_client_certificate_bound_access_tokens', (tenant.mutualTls === true && proofs.has('mtls')) || undefined],
    ['dragoman_subject_token_types_supported', unique(profiles.all.flatMap(({ accepts }) => accepts.subject.types))],
    ['dragoman_batch_endpoint', tenant.batch && url(batch)],
    ['dragoman_batch_items_supported', tenant.batch?.items],
    ['dragoman_cose_keys_uri', url(cosePath)],
    ['dragoman_certificates_uri', keys.all().some(({ chain }) => chain.length > 0) ? url(certificatesPath) : undefined],
  ]
  const own = members.filter(([, value]) => value !== undefined && !(Array.isArray(value) && value.length === 0))
  return JSON.stringify({ ...tenant.metadata, ...Object.fromEntries(own) })
}

/** The profiles of a grant by which some profile of the tenant can be asked; never whose tokens are taken. */
const grantProfiles =
  (all: readonly Profile[]) =>
  ({ type, profiles = new Map() }: Grant): readonly string[] =>
    [...profiles].flatMap(([kind, name]) =>
      all.some(({ accepts }) => accepts.grant === type && accepts.subject.kind?.toLowerCase() === kind) ? [name] : [],
    )

const unique = <T>(values: readonly T[]): readonly T[] => [...new Set(values)]
