import { generateKeyPairSync } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { PROTOBUF_TOKEN } from '../../docs/examples/protobuf.ts'
import { clientMethods } from '../../src/clients/index.ts'
import { configurationCheck, configurationOf } from '../../src/config/read.ts'
import { algorithmNames, algorithms } from '../../src/core/algorithms.ts'
import { DragomanError } from '../../src/core/errors.ts'
import type { TokenRequest } from '../../src/core/exchange.ts'
import type { ProofTools } from '../../src/core/proof.ts'
import { parseSpiffeId } from '../../src/core/spiffe.ts'
import { tokenTypes } from '../../src/core/types.ts'
import { map } from '../../src/core/value.ts'
import { compileExpression } from '../../src/expressions/cel.ts'
import { parseForm } from '../../src/gateway/form.ts'
import { tokenRequest } from '../../src/gateway/request.ts'
import { grants } from '../../src/grants/index.ts'
import { jwtBearer } from '../../src/grants/jwt-bearer.ts'
import { readSource } from '../../src/profiles/source.ts'
import { dpopProof } from '../../src/proofs/dpop.ts'
import { normalised } from '../../src/proofs/htu.ts'
import { pkcs10Proof } from '../../src/proofs/pkcs10.ts'
import { memoryReplay } from '../../src/stores/memory.ts'
import { keysOfJwks } from '../../src/trust/key-set.ts'
import { fromBase64url } from '../../src/wire/base64url.ts'
import { decodeCbor } from '../../src/wire/cbor.ts'
import { parseCertificate } from '../../src/wire/certificate.ts'
import { parseCose } from '../../src/wire/cose.ts'
import { verificationKeysFromCoseKeySet } from '../../src/wire/cose-key-set.ts'
import { parseCsr } from '../../src/wire/csr.ts'
import { parseJson } from '../../src/wire/json.ts'
import { publicKeyFromJwk } from '../../src/wire/jwk.ts'
import { parseNameText } from '../../src/wire/name.ts'
import { parsePem } from '../../src/wire/pem.ts'
import { dpopBy } from '../support/live.ts'
import { formats, type Matrix, newMatrix } from '../support/matrix.ts'
import { generator, mutate, SECONDS, SEED } from '../support/mutate.ts'
import { ISSUER, newWorld, said, TOKEN_EXCHANGE, type World } from '../support/world.ts'

// An input that takes longer than this is an attack. The machine may have other work: a second look decides.
const MAX_MILLISECONDS = 1000
// In everything that is secret or personal, and so in no reason.
const MARK = 'canary-fuzz'

let world: World
let matrix: Matrix
let targets: readonly Target[]

interface Target {
  readonly name: string
  readonly seeds: readonly Buffer[]
  /** What an operator wrote is quoted to him, with a caret. */
  readonly quotes?: true
  parse(input: Buffer): unknown
}

beforeAll(async () => {
  world = await newWorld()
  matrix = await newMatrix()
  targets = await allTargets()
})
afterAll(async () => {
  await world.close()
  await matrix.close()
})

const of = (text: string) => Buffer.from(text, 'latin1')
const claims = map([...Object.entries(said), ['note', `${MARK} ä😀`], ['deep', map([['a', [1, [2.5, null, true]]]])]])

async function allTargets(): Promise<readonly Target[]> {
  const jwt = await world.token('jwt', { claims })
  const cwt = await world.token('cwt', { claims })
  const certificate = world.file('client.pem')
  const csr = world.file('client.csr')
  const der = (pem: string) => Buffer.from(parsePem(pem)[0]?.der ?? [])
  const codec = (format: string, type: string) => {
    const found = formats.find((one) => one.format === format)
    return (input: Buffer) => found?.parse({ raw: input.toString('latin1'), type, role: 'subject' })
  }
  const [header = '', payload = '', signature = ''] = jwt.split('.')
  const jws = { payload, protected: header, signature }
  const [message = '', detached = ''] = (await matrix.mint('protobuf', claims)).split('~')
  const keySet = (await world.gateway.http.inject({ url: '/cose-keys' })).rawPayload
  const jwks = (await world.gateway.http.inject({ url: '/jwks' })).body
  const jwk = JSON.stringify(world.alpha.signers.jwt.publicKey.jwk)
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
  const dpop = dpopBy(privateKey, { issuer: ISSUER })
  const form = new URLSearchParams({
    grant_type: TOKEN_EXCHANGE,
    subject_token: jwt,
    subject_token_type: tokenTypes.jwt,
    audience: 'https://orders.beta.example',
    resource: 'https://stock.beta.example/a?b=c',
    scope: 'orders.read stock.read',
    note: `${MARK} ä+`,
  }).toString()
  const redemption = new URLSearchParams({ grant_type: jwtBearer.type, assertion: jwt, note: `${MARK} ä+` }).toString()
  const tools: ProofTools = {
    now: Math.floor(Date.now() / 1000),
    clockSkew: 30,
    tokenEndpoint: `${ISSUER}/token`,
    // Where it is full the seed itself would be refused.
    replay: { ...memoryReplay(), claim: () => true },
    algorithms: algorithmNames,
  }
  const facts = { id: 'fuzz', authorization: undefined, dpop: [], chain: undefined }
  const asked = tokenRequest(parseForm(of(form)), facts, grants)
  const prove = (method: typeof pkcs10Proof, request: Partial<TokenRequest>) =>
    method.prove({ ...asked, ...request }, tools)
  const check = configurationCheck()
  const proof = dpopProof()
  const basic = `Basic ${Buffer.from(`demo:${MARK}`).toString('base64')}`
  return [
    { name: 'JWT', seeds: [of(jwt)], parse: codec('jwt', tokenTypes.jwt) },
    {
      name: 'JWT in JSON',
      seeds: [
        of(JSON.stringify(jws)),
        of(JSON.stringify({ payload, signatures: [{ protected: header, header: {}, signature }] })),
      ],
      parse: codec('jwt', tokenTypes.jwt),
    },
    { name: 'CWT', seeds: [of(cwt)], parse: codec('cwt', tokenTypes.cwt) },
    {
      name: 'CWT, its bytes',
      seeds: [Buffer.from(cwt, 'base64url')],
      parse: (input) => codec('cwt', tokenTypes.cwt)(of(input.toString('base64url'))),
    },
    {
      name: 'X.509 PEM',
      seeds: [of(certificate), of(certificate + world.file('alpha-ca.pem'))],
      parse: codec('x509', tokenTypes.x509),
    },
    {
      name: 'X.509 JSON',
      seeds: [of(JSON.stringify([der(certificate).toString('base64')]))],
      parse: codec('x509', tokenTypes.mtls),
    },
    {
      name: 'X.509 DER',
      seeds: [der(certificate)],
      parse: (input) => codec('x509', tokenTypes.x509Der)(of(input.toString('base64url'))),
    },
    { name: 'protobuf', seeds: [of(`${message}~${detached}`)], parse: codec('protobuf', PROTOBUF_TOKEN) },
    {
      name: 'protobuf, its bytes',
      seeds: [Buffer.from(message, 'base64url')],
      parse: (input) => codec('protobuf', PROTOBUF_TOKEN)(of(`${input.toString('base64url')}~${detached}`)),
    },
    { name: 'JSON', seeds: [Buffer.from(payload, 'base64url'), of(jwks)], parse: (input) => parseJson(input) },
    { name: 'CBOR', seeds: [Buffer.from(cwt, 'base64url')], parse: (input) => decodeCbor(input, { tags: [18, 61] }) },
    { name: 'COSE', seeds: [Buffer.from(cwt, 'base64url')], parse: (input) => parseCose(input) },
    {
      name: 'certificate',
      seeds: [der(certificate), der(world.file('alpha-ca.pem'))],
      parse: (input) => {
        const { publicKey, extensions, subject } = parseCertificate(input)
        return [publicKey.jkt, extensions.subjectAltNames, subject]
      },
    },
    { name: 'request', seeds: [der(csr)], parse: parseCsr },
    { name: 'PEM', seeds: [of(certificate), of(csr)], parse: (input) => parsePem(input.toString('latin1')) },
    { name: 'JWK', seeds: [of(jwk)], parse: (input) => publicKeyFromJwk(parseJson(input)) },
    { name: 'JWK Set', seeds: [of(jwks)], parse: (input) => keysOfJwks(parseJson(input), algorithms, 'skipped') },
    { name: 'COSE key set', seeds: [keySet], parse: (input) => verificationKeysFromCoseKeySet(input, algorithms) },
    { name: 'form', seeds: [of(form)], parse: (input) => parseForm(input) },
    {
      name: 'token request',
      seeds: [of(form), of(redemption)],
      parse: (input) => tokenRequest(parseForm(input), facts, grants),
    },
    { name: 'DPoP proof', seeds: [of(dpop)], parse: (input) => prove(proof, { dpop: [input.toString('latin1')] }) },
    {
      name: 'csr',
      seeds: [of(csr), of(der(csr).toString('base64url'))],
      parse: (input) => prove(pkcs10Proof, { csr: input.toString('latin1') }),
    },
    {
      name: 'client credentials',
      seeds: [of(basic), of('Basic ZGVtbzpkZW1vLXNlY3JldA==')],
      parse: (input) => {
        const sent = { ...asked, authorization: input.toString('latin1') }
        return clientMethods().map((method) => method.claim(sent))
      },
    },
    {
      name: 'client assertion',
      seeds: [of(jwt)],
      parse: (input) => {
        const client_assertion_type = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'
        const sent = { ...asked, client_assertion: input.toString('latin1'), client_assertion_type }
        return clientMethods().map((method) => method.claim(sent))
      },
    },
    { name: 'base64url', seeds: [of(payload)], parse: (input) => fromBase64url(input.toString('latin1')) },
    {
      name: 'URL of a proof',
      seeds: [of('https://gw.example:443/%7Ea/../token?x#y')],
      parse: (input) => normalised(input.toString('utf8')),
    },
    {
      name: 'distinguished name',
      seeds: [of('CN=a\\,b+OU=#0c0161,DC=example\\20')],
      parse: (input) => parseNameText(input.toString('utf8')),
    },
    {
      name: 'SPIFFE ID',
      seeds: [of('spiffe://alpha.example/ns/shop/sa/orders')],
      parse: (input) => parseSpiffeId(input.toString('utf8')),
    },
    {
      name: 'profile',
      quotes: true,
      seeds: [of('name: a # b\naccept: { clients: ["b"] }\nstages:\n  - format: { to: jwt }\n  - text: |\n      c\n')],
      parse: (input) => readSource({ file: 'f', text: input.toString('utf8') }),
    },
    {
      name: 'configuration',
      quotes: true,
      seeds: [of(world.file('dragoman.yaml'))],
      parse: (input) => configurationOf({ file: 'f', text: input.toString('utf8') }, check),
    },
    {
      name: 'CEL',
      quotes: true,
      seeds: [
        of('has(subject.email) && subject.email.matches("^[a-z]+@x$") ? 1 : now + 60'),
        of('claims.groups.exists(g, g in ["a", "b"]) || size(subject.scope) > 2 && !(proof.method == "dpop")'),
      ],
      parse: (input) => compileExpression(input.toString('utf8')),
    },
  ]
}

/** What came of one input, and how long it took. */
async function outcome({ name, parse, quotes }: Target, input: Buffer): Promise<{ refused: boolean; took: number }> {
  const where = `${name} for ${input.toString('base64')} (FUZZ_SEED=${SEED})`
  const started = performance.now()
  try {
    const result = parse(input)
    if (result instanceof Promise) await result
    return { refused: false, took: performance.now() - started }
  } catch (error) {
    const took = performance.now() - started
    if (!(error instanceof DragomanError)) throw new Error(`${where} threw ${String(error)}`, { cause: error })
    if (!quotes && `${error.message}${JSON.stringify(error.detail)}`.includes(MARK)) {
      throw new Error(`${where} tells what was in it`, { cause: error })
    }
    return { refused: true, took }
  }
}

describe('whatever is read', () => {
  it('takes the seeds as they are, so that what is broken is broken from something good', async () => {
    for (const target of targets) {
      for (const seed of target.seeds)
        expect([target.name, (await outcome(target, seed)).refused]).toEqual([target.name, false])
    }
  })

  it(
    `a parser gives a value or a reason, in bounded time (${SECONDS} seconds)`,
    async () => {
      const random = generator(SEED)
      const until = performance.now() + SECONDS * 1000
      const refused = new Map<string, number>()
      let rounds = 0
      const all = targets.flatMap(({ seeds }) => seeds)
      while (rounds < 20 || performance.now() < until) {
        rounds += 1
        for (const target of targets) {
          const { name, seeds } = target
          const input = mutate(seeds[random(seeds.length)] ?? Buffer.alloc(0), random(4) === 0 ? all : seeds, random)
          const first = await outcome(target, input)
          if (first.refused) refused.set(name, (refused.get(name) ?? 0) + 1)
          if (first.took < MAX_MILLISECONDS) continue
          const { took } = await outcome(target, input)
          expect(took, `${name} for ${input.toString('base64')} (FUZZ_SEED=${SEED})`).toBeLessThan(MAX_MILLISECONDS)
        }
      }
      // Each parser met what it refuses; those that answer `undefined` never throw.
      const silent = ['base64url', 'URL of a proof', 'distinguished name', 'SPIFFE ID']
      expect(
        targets
          .filter(({ name }) => !refused.has(name))
          .map(({ name }) => name)
          .sort(),
      ).toEqual(silent.sort())
    },
    SECONDS * 1000 + 60_000,
  )
})

describe('the token endpoint', () => {
  it(
    'answers whatever arrives with an OAuth error or a token, and never fails',
    async () => {
      const random = generator(SEED ^ 0x5eed)
      const until = performance.now() + (SECONDS * 1000) / 3
      const tokens: readonly (readonly [type: string, audience: string, token: string])[] = [
        [tokenTypes.jwt, 'https://jwt-to-cwt.beta.example', await world.token('jwt', { claims })],
        [tokenTypes.cwt, 'https://cwt-to-jwt.beta.example', await world.token('cwt', { claims })],
        [tokenTypes.x509, 'https://x509-to-jwt.beta.example', world.file('client.pem')],
      ]
      const seeds = tokens.map(([type, audience, token]) =>
        of(
          new URLSearchParams({
            grant_type: TOKEN_EXCHANGE,
            subject_token: token,
            subject_token_type: type,
            audience,
          }).toString(),
        ),
      )
      const authorization = `Basic ${Buffer.from('demo:demo-secret').toString('base64')}`
      const statuses = new Set<number>()
      for (let round = 0; round < 50 || performance.now() < until; round += 1) {
        const at = random(seeds.length)
        const before = world.records.length
        let payload: Buffer = seeds[at] ?? Buffer.alloc(0)
        if (random(2) === 0) payload = mutate(payload, seeds, random)
        else {
          // The form stays whole, and the token in it does not.
          const [type, audience, token] = tokens[at] ?? ['', '', '']
          const altered = mutate(
            of(token),
            tokens.map(([, , other]) => of(other)),
            random,
          ).toString('latin1')
          const form = { grant_type: TOKEN_EXCHANGE, subject_token: altered, subject_token_type: type, audience }
          payload = of(new URLSearchParams(form).toString())
        }
        const { statusCode: status, body } = await world.gateway.http.inject({
          method: 'POST',
          url: '/token',
          headers: { 'content-type': 'application/x-www-form-urlencoded', authorization },
          payload,
        })
        const where = `${payload.toString('base64')} (FUZZ_SEED=${SEED})`
        statuses.add(status)
        expect([200, 400, 413], where).toContain(status)
        const answer = JSON.parse(body) as { [name: string]: string }
        // RFC 6749 §5.2
        if (status !== 200)
          expect(`${answer['error']}${answer['error_description']}`, where).toMatch(/^[\x20\x21\x23-\x5b\x5d-\x7e]+$/)
        if (status !== 413) expect(world.records.length, where).toBe(before + 1)
        expect(JSON.stringify(world.last()), where).not.toContain(MARK)
        expect(world.last().code, where).not.toBe('ERR_INTERNAL')
      }
      expect(statuses).toContain(400)
    },
    SECONDS * 1000 + 60_000,
  )
})
