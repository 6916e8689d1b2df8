import type { ClientEntry, TenantEntry } from '../../config/types.ts'
import type { Path } from '../../profiles/problem.ts'
import type { FetchEntry, IssuerEntry } from '../../trust/index.ts'
import type { Fact } from './fact.ts'
import { canonical } from './profile-facts.ts'

/** What a tenant's configuration says, but its profiles. */
export function tenantFacts(entry: TenantEntry, base: Path): readonly Fact[] {
  const { issuer, keys, secrets = [], clients = [], issuers = [], x509 = {}, clock_skew: skew = 30 } = entry
  const { limits, audit, verification_cache, replay } = entry
  const at = (list: string, index: number): Path => [...base, list, index]
  return [
    is('issuer', [...base, 'issuer'], 'the issuer identifier of this gateway', issuer),
    ...keys.map(({ name, ...rest }, index) =>
      writes(`key ${name}`, at('keys', index), `the key ${name}`, rest, `${rest.algorithm} ${sourceOf(rest)}`),
    ),
    ...secrets.map(({ name, ...rest }, index) =>
      writes(`secret ${name}`, at('secrets', index), `the secret ${name}`, rest, 'another'),
    ),
    ...clients.flatMap((client, index) =>
      owned(`client ${client.client_id}`, clientFacts(client, at('clients', index))),
    ),
    ...issuers.flatMap((trusted, index) =>
      owned(`issuer ${trusted.issuer}`, issuerFacts(trusted, at('issuers', index))),
    ),
    ...(entry.dpop_nonce === true
      ? [
          takes(
            'nonce',
            [...base, 'dpop_nonce'],
            'DPoP proofs must now have a nonce',
            'DPoP proofs need no longer have a nonce',
          ),
        ]
      : []),
    ...(x509.conforming === false
      ? [
          gives(
            'x509',
            [...base, 'x509', 'conforming'],
            'certificates that RFC 5280 does not allow are now taken',
            'certificates that RFC 5280 does not allow are no longer taken',
          ),
        ]
      : []),
    is(
      'claims extension',
      [...base, 'x509'],
      'the extension whose claims are read',
      String(x509.claims_extension ?? 'the usual one'),
    ),
    {
      ...{ key: 'skew', path: [...base, 'clock_skew'], kind: 'most', value: skew, unit: ' s' },
      says: (now, before) => `clocks may now differ by ${now}, were ${before}`,
    },
    ...Object.entries({ limits, audit, verification_cache, replay }).flatMap(([name, value]) =>
      value === undefined ? [] : [writes(name, [...base, name], `\`${name}\``, value, canonical(value) ?? '')],
    ),
  ]
}

/** A client or issuer that came or went is told by what it can get, or by the profile that trusts it. */
const owned = (owner: string, facts: readonly Fact[]): readonly Fact[] => facts.map((fact) => ({ ...fact, owner }))

function clientFacts(client: ClientEntry, path: Path): readonly Fact[] {
  const { client_id: id, token_endpoint_auth_method: method } = client
  const { assertion_audience, assertion_max_lifetime, dpop_bound_access_tokens, fetch, ...rest } = client
  const credentials = Object.fromEntries(
    Object.entries(rest).filter(([name]) => !['client_id', 'token_endpoint_auth_method'].includes(name)),
  )
  return [
    is(`client ${id} method`, [...path, 'token_endpoint_auth_method'], `how client ${id} authenticates`, method),
    // Never shown: it may be the secret itself.
    {
      ...is(`client ${id} credentials`, path, `what client ${id} authenticates with`, canonical(credentials) ?? ''),
      shown: 'another thing',
      paired: true,
    },
    ...(assertion_audience === 'legacy'
      ? [
          gives(
            `client ${id} legacy`,
            [...path, 'assertion_audience'],
            `an assertion of client ${id} may now be for other servers too`,
            `an assertion of client ${id} may no longer be for other servers too`,
          ),
        ]
      : []),
    {
      ...{ key: `client ${id} assertion`, path: [...path, 'assertion_max_lifetime'], kind: 'most', unit: ' s' },
      value: assertion_max_lifetime ?? 300,
      says: (now, before) => `an assertion of client ${id} may now live ${now}, was ${before}`,
    },
    ...(dpop_bound_access_tokens === true
      ? [
          takes(
            `client ${id} dpop`,
            [...path, 'dpop_bound_access_tokens'],
            `client ${id} now gets tokens with a DPoP proof only`,
            `client ${id} can now get tokens without a DPoP proof`,
          ),
        ]
      : []),
    ...fetchFacts(`client ${id}`, fetch, path),
  ]
}

function issuerFacts(entry: IssuerEntry, path: Path): readonly Fact[] {
  const { issuer, trust_domain: domain, subjects, algorithms, history, fetch, ...sources } = entry
  return [
    {
      ...{ key: `issuer ${issuer} subjects`, path: [...path, 'subjects'], kind: 'choice' },
      values: subjects.includes('*') ? undefined : subjects,
      has: (values) => `issuer ${issuer} may now speak of ${values}`,
      gone: (values) => `issuer ${issuer} may no longer speak of ${values}`,
      all: 'any subject',
    },
    {
      ...{ key: `issuer ${issuer} algorithms`, path: [...path, 'algorithms'], kind: 'choice', values: algorithms },
      has: (values) => `issuer ${issuer} may now sign with ${values}`,
      gone: (values) => `issuer ${issuer} may no longer sign with ${values}`,
      all: 'any algorithm',
    },
    ...(history === true
      ? [
          gives(
            `issuer ${issuer} history`,
            [...path, 'history'],
            `issuer ${issuer} is now believed who acted before`,
            `issuer ${issuer} is no longer believed who acted before`,
          ),
        ]
      : []),
    {
      ...is(`issuer ${issuer} keys`, path, `where the keys of issuer ${issuer} come from`, canonical(sources) ?? ''),
      ...{ shown: sourceOf(sources), paired: true },
    },
    {
      ...is(
        `issuer ${issuer} domain`,
        [...path, 'trust_domain'],
        `the trust domain of issuer ${issuer}`,
        domain ?? 'none',
      ),
      paired: true,
    },
    ...fetchFacts(`issuer ${issuer}`, fetch, path),
  ]
}

function fetchFacts(whose: string, fetch: FetchEntry | undefined, path: Path): readonly Fact[] {
  const {
    allow_private_addresses: inside,
    stale_limit: stale = 86_400,
    certificate_authority_file,
    ...rest
  } = fetch ?? {}
  return [
    ...(inside === true
      ? [
          gives(
            `${whose} inside`,
            [...path, 'fetch', 'allow_private_addresses'],
            `keys of ${whose} may now come from a private address`,
            `keys of ${whose} may no longer come from a private address`,
          ),
        ]
      : []),
    {
      ...{ key: `${whose} stale`, path: [...path, 'fetch', 'stale_limit'], kind: 'most', value: stale, unit: ' s' },
      says: (now, before) => `keys of ${whose} may now be used ${now} beyond their time, were ${before}`,
    },
    {
      ...is(
        `${whose} authority`,
        [...path, 'fetch'],
        `whose TLS certificates are taken for the keys of ${whose}`,
        certificate_authority_file ?? 'those of public authorities',
      ),
      paired: true,
    },
    {
      ...writes(`${whose} fetch`, [...path, 'fetch'], `how keys of ${whose} are fetched`, rest, canonical(rest) ?? ''),
      paired: true,
    },
  ]
}

const is = (key: string, path: Path, what: string, value: string): Extract<Fact, { kind: 'is' | 'writes' }> => ({
  ...{ key, path, kind: 'is', what, value },
})

const writes = (
  key: string,
  path: Path,
  what: string,
  value: unknown,
  shown: string,
): Extract<Fact, { kind: 'is' | 'writes' }> => ({
  ...{ key, path, kind: 'writes', what, value: canonical(value) ?? '', shown },
})

const gives = (key: string, path: Path, has: string, gone: string): Fact => ({ key, path, kind: 'gives', has, gone })
const takes = (key: string, path: Path, has: string, gone: string): Fact => ({ key, path, kind: 'takes', has, gone })

/** The name of the option that says where something comes from, and a URL or file where it is one. */
const sourceOf = (entry: object): string =>
  Object.entries(entry)
    .filter(([name]) => name !== 'algorithm' && name !== 'kid')
    .map(([name, value]) =>
      typeof value === 'string' && !value.startsWith('---') && name !== 'value' ? `${name} ${value}` : name,
    )
    .join(', ')
