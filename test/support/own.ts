import { generateKeyPairSync } from 'node:crypto'

/** A profile with the codec and the stage of docs/examples. */
export const outsideProfile = `name: outside
accept:
  clients: [demo]
  subject: { format: jwt, issuers: [https://id.alpha.example] }
  targets: { allow: [https://outside.beta.example] }
stages:
  - residency: { regions: { DE: eu, US: us }, here: eu }
  - format: { to: protobuf }
  - crypto: { key: signing }
`

export const outsideTest = `tokens:
  orders: { issuer: https://id.alpha.example, claims: { sub: spiffe://alpha.example/ns/shop/sa/orders, country: DE } }
cases:
  - name: a token of this region is translated
    request: { subject: orders }
    expect:
      token: { format: protobuf, claims: { region: eu }, audience: https://outside.beta.example }
  - name: one of another region is refused
    request: { subject: { like: orders, claims: { country: US } } }
    expect: { refused: ERR_PROFILE_CONDITION, at: "stages[0].residency" }
`

const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
const jwks = JSON.stringify({ keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'a', alg: 'ES256' }] })

/** A configuration that has it, and needs no other file. */
export const outsideConfiguration = `issuer: http://127.0.0.1:8080
listeners:
  - { port: 0 }
keys:
  - { name: signing, algorithm: ES256, generate: true }
clients:
  - { client_id: demo, token_endpoint_auth_method: client_secret_basic, client_secret_sha256: ${'a'.repeat(64)} }
issuers:
  - { issuer: https://id.alpha.example, jwks: ${jwks}, algorithms: [ES256], subjects: [spiffe://alpha.example/*] }
profiles: [outside.yaml]
`
