/** One command line for a shipped profile, and what it shows. */
export interface Sample {
  readonly profile: string
  readonly says: string
  readonly command: string
}

const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange'
const JWT = 'urn:ietf:params:oauth:token-type:jwt'
const MTLS = 'urn:ietf:params:oauth:token-type:mtls'
const CWT = 'urn:dragoman:token-type:cwt'

/** The command lines that `dragoman dev` prints: one for each shipped profile, to be pasted as they are. */
export function samples(http: string, https: string, folder: string): readonly Sample[] {
  const at = (file: string) => `@${folder}/${file}`
  const form = (parameters: readonly (readonly [string, string])[]) =>
    [['grant_type', `=${EXCHANGE}`] as const, ...parameters]
      .map(([name, value]) => `  --data-urlencode ${name}${value}`)
      .join(' \\\n')
  const line = (url: string, parameters: readonly (readonly [string, string])[], ...flags: readonly string[]) =>
    [`curl -s ${url}/token -u demo:demo-secret`, ...flags, form(parameters)].join(' \\\n')
  const jwt = [
    ['subject_token', at('subject.jwt')],
    ['subject_token_type', `=${JWT}`],
  ] as const
  const cwt = [
    ['subject_token', at('subject.cwt')],
    ['subject_token_type', `=${CWT}`],
  ] as const
  const certificate = [
    ['subject_token', '=mtls_client_certificate'],
    ['subject_token_type', `=${MTLS}`],
  ] as const
  const target = (host: string) => ['audience', `=https://${host}.beta.example`] as const
  const csr = ['csr', at('client.csr')] as const
  const mutual = `  --cacert ${folder}/tls-ca.pem --cert ${folder}/client.pem --key ${folder}/client.key`
  return [
    {
      profile: 'jwt-to-cwt',
      says: 'a JWT becomes a CWT',
      command: line(http, [...jwt, target('jwt-to-cwt'), ['scope', '=orders.read']]),
    },
    {
      profile: 'cwt-to-jwt',
      says: 'a CWT becomes an access token',
      command: line(http, [...cwt, target('cwt-to-jwt')]),
    },
    {
      profile: 'jwt-to-x509',
      says: 'a JWT becomes a client certificate for the key of a request',
      command: line(http, [...jwt, target('jwt-to-x509'), csr]),
    },
    {
      profile: 'x509-to-jwt',
      says: 'a TLS client certificate becomes an access token, bound to it',
      command: line(https, [...certificate, target('x509-to-jwt')], mutual),
    },
    {
      profile: 'x509-to-cwt',
      says: 'a TLS client certificate becomes a CWT, bound to its key',
      command: line(https, [...certificate, target('x509-to-cwt')], mutual),
    },
    {
      profile: 'cwt-to-x509',
      says: 'a CWT becomes a client certificate',
      command: line(http, [...cwt, target('cwt-to-x509'), csr]),
    },
    {
      profile: 'jwt-downscope',
      says: 'one service of two, one scope of three, two minutes of an hour',
      command: line(http, [...jwt, target('orders'), ['scope', "='orders.read orders.write'"]]),
    },
    {
      profile: 'jwt-resign-pq',
      says: 'ES256 in, ML-DSA-65 out, the same claims',
      command: line(http, [...jwt, target('jwt-resign-pq')]),
    },
    {
      profile: 'pairwise-subject',
      says: 'the subject behind a pseudonym for this audience',
      command: line(http, [...jwt, target('pairwise-a')]),
    },
    {
      profile: 'jwt-delegate',
      says: 'a service acts for the subject',
      command: line(http, [
        ...jwt,
        ['actor_token', at('actor.jwt')],
        ['actor_token_type', `=${JWT}`],
        target('jwt-delegate'),
      ]),
    },
  ]
}
