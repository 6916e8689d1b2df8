// A program that uses Dragoman as a library, with a codec, a stage, a client method and a proof of its own. It knows
// nothing but what the package exports; what it was told comes in as JSON, what came of it goes out as JSON.
import { createPublicKey, type KeyObject, verify as verifyBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import process from 'node:process'
import {
  type AuditRecord,
  algorithmNamed,
  type ClientMethod,
  type Codec,
  createGateway,
  DragomanError,
  exchangeToken,
  fromBase64url,
  map,
  type ProofMethod,
  publicKey,
  type Stage,
  type TokenRequest,
  toBase64url,
  tokenDigests,
  type Value,
  verifySignature,
  withMember,
} from '../../src/index.ts'

const TYPE = 'urn:example:token-type:lines'

/** Claims as JSON, then the signature: `base64url.base64url`. */
const lines: Codec = {
  format: 'lines',
  tokenTypes: [TYPE],
  kinds: [],
  encodings: {},
  parse({ raw, type }) {
    if (type !== TYPE) return undefined
    const [payload = '', signature = '', more] = raw.split('.')
    const bytes = fromBase64url(payload)
    const signed = fromBase64url(signature)
    if (!bytes || !signed || more !== undefined) throw new DragomanError('ERR_TOKEN_MALFORMED')
    const said = JSON.parse(bytes.toString('utf8')) as { [name: string]: Value }
    const { iss, aud, exp, ...claims } = said
    const algorithm = algorithmNamed('ES256')
    return {
      issuer: typeof iss === 'string' ? iss : undefined,
      hint: {},
      async verify(issuer) {
        if (!algorithm) throw new DragomanError('ERR_TOKEN_ALGORITHM')
        const keys = await issuer.anchor.keys({ algorithm }, 0)
        const key = keys.find((one) => verifySignature(algorithm, one.cryptoKey(algorithm), bytes, signed))
        if (!key) throw new DragomanError('ERR_TOKEN_SIGNATURE')
        return {
          claims: map(Object.entries(claims)),
          validity: {
            issuedAt: undefined,
            notBefore: undefined,
            expiresAt: Number(exp),
            audience: [String(aud)],
            scope: undefined,
          },
          confirmation: undefined,
          provenance: {
            format: 'lines',
            type: TYPE,
            issuer: issuer.issuer,
            trustDomain: undefined,
            algorithm: 'ES256',
            keyThumbprint: key.publicKey.jkt,
            kind: undefined,
            id: undefined,
            ...tokenDigests(issuer.issuer, 'lines', undefined, bytes),
          },
        }
      },
    }
  },
  prepare: () => ({
    tokenType: TYPE,
    usage: 'N_A',
    singleAudience: true,
    needsKey: false,
    ceiling: () => undefined,
    lay({ claims, validity, confirmation }, { issuer, id }) {
      const jkt = confirmation?.jkt ?? confirmation?.publicKey?.jkt
      const said = { ...claims, iss: issuer, aud: validity.audience[0], exp: validity.expiresAt, ...(jkt && { jkt }) }
      const bytes = Buffer.from(JSON.stringify(said))
      return {
        losses: [],
        toBeSigned: bytes,
        finish: (signature) => ({
          raw: `${toBase64url(bytes)}.${toBase64url(signature)}`,
          tokenType: TYPE,
          usage: 'N_A',
          id: toBase64url(id),
        }),
      }
    },
  }),
}

const greeting: Stage<{ readonly words: string }> = {
  name: 'greeting',
  phase: 'meaning',
  summary: 'says something',
  schema: {
    type: 'object',
    additionalProperties: false,
    required: ['words'],
    properties: { words: { type: 'string', description: 'What.' } },
  },
  prepare: ({ words }) => ({
    transform: (draft) => ({ ...draft, claims: withMember(draft.claims, 'greeting', words) }),
  }),
}

/** `Authorization: Key <client id>.<public key>.<signature over the subject token>` */
function keyIn({ authorization, subject_token }: TokenRequest): { id: string; key: KeyObject } | undefined {
  const [, id = '', spki = '', signature = ''] = /^Key ([a-z]+)\.([\w-]+)\.([\w-]+)$/.exec(authorization ?? '') ?? []
  if (id === '') return undefined
  const key = createPublicKey({ key: Buffer.from(spki, 'base64url'), format: 'der', type: 'spki' })
  const good = verifyBytes('sha256', Buffer.from(subject_token), key, Buffer.from(signature, 'base64url'))
  if (!good) throw new DragomanError('ERR_CLIENT_MALFORMED')
  return { id, key }
}

const keyHeader: ClientMethod = {
  name: 'key_header',
  claim(request) {
    const found = keyIn(request)
    return found && { method: 'key_header', clientId: found.id, secret: publicKey(found.key).jkt }
  },
  async verify({ secret }, { issuer }, { now }) {
    const keys = (await issuer?.anchor.keys({}, now)) ?? []
    if (!keys.some((key) => key.publicKey.jkt === secret)) throw new DragomanError('ERR_CLIENT_SECRET')
  },
}

const keyProof: ProofMethod = {
  name: 'key_header',
  prove(request) {
    const found = keyIn(request)
    return found && { method: 'key_header', publicKey: publicKey(found.key) }
  },
}

interface Told {
  readonly configuration: string
  readonly now: number
  readonly requests: readonly TokenRequest[]
}

const { configuration, now, requests } = JSON.parse(readFileSync(0, 'utf8')) as Told
const records: AuditRecord[] = []
const gateway = await createGateway(configuration, {
  codecs: [lines],
  stages: [greeting],
  clientMethods: [keyHeader],
  proofMethods: [keyProof],
  clock: () => now,
  audit: () => ({ write: (record) => void records.push(record) }),
})
const [tenant] = gateway.tenants
if (!tenant) throw new TypeError('no tenant')

const outcome = async (exchange: Promise<unknown>) => {
  try {
    return await exchange
  } catch (error) {
    if (!(error instanceof DragomanError)) throw error
    return { code: error.code }
  }
}
const answers: unknown[] = []
// JSON has no undefined: absent members are that.
for (const request of requests) answers.push(await outcome(gateway.exchange(request)))
for (const request of requests) answers.push(await outcome(exchangeToken(request, tenant.services)))

const [address = ''] = await gateway.listen()
const metadata: unknown = await (await fetch(`${address}/.well-known/oauth-authorization-server`)).json()
const injected = (await gateway.http.inject({ url: '/livez' })).json() as unknown
await gateway.close()
process.stdout.write(JSON.stringify({ answers, records, metadata, injected }))
