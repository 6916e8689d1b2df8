import type { TenantEntry } from '../config/types.ts'
import type { Services, TokenRequest } from '../core/exchange.ts'
import { map } from '../core/value.ts'
import { fromBase64url } from '../wire/base64url.ts'
import { CLIENT_ISSUER, secretFor } from './configuration.ts'
import { issue } from './issue.ts'
import type { Parties } from './parties.ts'
import type { Workshop } from './stand.ts'

type Credentials = Partial<
  Pick<
    TokenRequest,
    'authorization' | 'client_id' | 'client_secret' | 'client_assertion' | 'client_assertion_type' | 'certificates'
  >
>

interface Around {
  readonly parties: Parties
  readonly entry: TenantEntry
  readonly workshop: Workshop
  /** Of the tenant that is asked. */
  readonly services: Services
  /** Seconds since the epoch. */
  readonly now: number
}

// Seconds; shorter than any configuration may ask for.
const ASSERTION_LIFETIME = 10

const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'

/** Good credentials of a client, by its own method; of one that there is not, a secret that nobody has. */
export async function credentialsOf(client: string | undefined, around: Around): Promise<Credentials> {
  if (client === undefined) return {}
  const entry = around.entry.clients?.find(({ client_id: id }) => id === client)
  switch (entry?.token_endpoint_auth_method) {
    case 'private_key_jwt':
      return {
        client_assertion: await assertion(client, around),
        client_assertion_type: ASSERTION_TYPE,
      }
    case 'tls_client_auth':
      return { client_id: client, certificates: [await certificate(client, entry, around)] }
    case 'client_secret_post':
      return { client_id: client, client_secret: secretFor(client) }
    default: {
      const text = [client, secretFor(client)].map(encodeURIComponent).join(':')
      return { authorization: `Basic ${Buffer.from(text).toString('base64')}` }
    }
  }
}

const assertion = (client: string, { parties, workshop, services, now }: Around): Promise<string> =>
  issue(workshop.catalog.codecs, {
    format: 'jwt',
    issuer: client,
    signer: parties.issuer(client).signer('ES256'),
    claims: map([['sub', client]]),
    validity: {
      issuedAt: now,
      notBefore: undefined,
      expiresAt: now + ASSERTION_LIFETIME,
      audience: [services.issuer],
      scope: undefined,
    },
    now,
  })

async function certificate(
  client: string,
  entry: NonNullable<TenantEntry['clients']>[number],
  { parties, workshop, now }: Around,
): Promise<Buffer> {
  const { tls_client_auth_san_dns: dns, tls_client_auth_san_email: email, tls_client_auth_san_uri: uri } = entry
  const raw = await issue(workshop.catalog.codecs, {
    format: 'x509',
    kind: 'client',
    issuer: CLIENT_ISSUER,
    signer: await parties.issuer(CLIENT_ISSUER).authority('ES256'),
    claims: map([['sub', dns ?? email ?? uri ?? client]]),
    validity: {
      issuedAt: now,
      notBefore: undefined,
      expiresAt: now + ASSERTION_LIFETIME,
      audience: [],
      scope: undefined,
    },
    confirmation: { publicKey: parties.holder(client).publicKey },
    options: map([
      ['form', 'der'],
      ['claims_extension', false],
      ['subject_as', dns !== undefined ? 'san_dns' : email !== undefined ? 'san_email' : 'san_uri'],
    ]),
    now,
  })
  return fromBase64url(raw) ?? Buffer.alloc(0)
}
