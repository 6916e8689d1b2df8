import { generateKeyPairSync } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { tokenTypes } from '../../src/core/types.ts'
import { isMap, type Value } from '../../src/core/value.ts'
import { buildCsr } from '../../src/wire/csr.ts'
import { parsePem, pem } from '../../src/wire/pem.ts'
import { ISSUER, NOW, newWorld, TOKEN_EXCHANGE, type World } from '../support/world.ts'

const api = (name: string) => `https://${name}.example`

/** One hop: who calls, with what of ours, for whom; the caller becomes the newest actor. */
const hop = (
  client: string,
  from: string,
  to: string,
  targets: readonly string[],
  scope: string,
  more = '',
) => `name: ${client}-hop
accept:
  clients: [${client}]
  subject: { format: ${from}, ${from === 'jwt' ? 'kind: at+jwt, ' : ''}issuers: [self], audience: [${api(client)}]${more} }
  targets: { allow: [${targets.map(api).join(', ')}] }
stages:
  - embedding: { act: { from: client } }
  - validity: { lifetime: 120, audience: { from: subject }, scope: { allow: [${scope}], default: subject } }
${to === 'x509' ? '  - sender_constraint: { mode: bind, method: [pkcs10], require: true }\n' : ''}  - format: { to: ${to}${to === 'jwt' ? ', kind: at+jwt' : to === 'x509' ? ', kind: client' : ''} }
  - crypto: { key: ${to === 'x509' ? 'ca' : 'signing'} }
`

let world: World
beforeAll(async () => {
  world = await newWorld({
    edit(folder) {
      mkdirSync(join(folder, 'hops'))
      const first = `name: first
accept:
  clients: [demo]
  subject: { format: jwt, issuers: [https://id.alpha.example] }
  targets: { allow: [${['a', 'b', 'c'].map(api).join(', ')}] }
stages:
  - validity: { lifetime: 300, scope: { allow: [orders.read, orders.write, stock.read], default: subject } }
  - format: { to: jwt, kind: at+jwt }
  - crypto: { key: signing }
`
      writeFileSync(join(folder, 'hops', 'first.yaml'), first)
      writeFileSync(join(folder, 'hops', 'a.yaml'), hop('a', 'jwt', 'cwt', ['b', 'c'], 'orders.read, orders.write'))
      writeFileSync(join(folder, 'hops', 'b.yaml'), hop('b', 'cwt', 'x509', ['c'], 'orders.read'))
      const file = join(folder, 'dragoman.yaml')
      const clients = ['a', 'b', 'c'].map(
        (id) =>
          `  - { client_id: ${id}, token_endpoint_auth_method: client_secret_basic, client_secret: tester-secret }\n`,
      )
      const text = readFileSync(file, 'utf8').replace(/^profiles: .*$/m, 'profiles: hops')
      writeFileSync(file, text.replace('issuers:\n', `${clients.join('')}issuers:\n`))
    },
  })
})
afterAll(() => world.close())

const as = (client: string) => ({
  authorization: `Basic ${Buffer.from(client === 'demo' ? 'demo:demo-secret' : `${client}:tester-secret`).toString('base64')}`,
})
const services = () => world.gateway.tenants[0]?.services

async function read(format: string, raw: string, type: string) {
  const codec = services()?.codecs.find((one) => one.format === format)
  const own = services()?.trust.find(ISSUER)
  const unverified = codec?.parse({ raw, type, role: 'subject' })
  if (!unverified || !own) throw new Error('not read')
  return unverified.verify(own, {
    now: NOW,
    clockSkew: 0,
    kind: format === 'jwt' ? 'at+jwt' : undefined,
    subjectFrom: 'san_uri',
  })
}

const actors = (act: Value | undefined): readonly Value[] =>
  isMap(act) ? [act['sub'] ?? '', ...actors(act['act'])] : []

describe('client → A → B → C', () => {
  let at1: string
  let at2: string
  const csr = pem(
    'CERTIFICATE REQUEST',
    buildCsr({ privateKey: generateKeyPairSync('ec', { namedCurve: 'prime256v1' }).privateKey }),
  )

  it('starts with a token for A, B and C', async () => {
    const { body } = await world.post({ subject_token: await world.token('jwt'), audience: ['a', 'b', 'c'].map(api) })
    at1 = String(body['access_token'])
    const token = await read('jwt', at1, tokenTypes.accessToken)
    expect(token.validity).toMatchObject({
      audience: ['a', 'b', 'c'].map(api),
      scope: ['orders.read', 'orders.write', 'stock.read'],
    })
    expect(token.claims['act']).toBeUndefined()
  })

  it('A gets a CWT for B and C, with less scope and life, and is its actor', async () => {
    const parameters = { subject_token: at1, subject_token_type: tokenTypes.accessToken, audience: ['b', 'c'].map(api) }
    const { body } = await world.post(parameters, as('a'))
    at2 = String(body['access_token'])
    const token = await read('cwt', at2, tokenTypes.cwt)
    expect(token.validity).toMatchObject({
      audience: ['b', 'c'].map(api),
      scope: ['orders.read', 'orders.write'],
      expiresAt: NOW + 120,
    })
    expect(actors(token.claims['act'])).toEqual(['a'])
  })

  it('B gets a certificate for C alone, and the chain of actors is in it', async () => {
    const parameters = { subject_token: at2, subject_token_type: tokenTypes.cwt, audience: api('c'), csr }
    const { body } = await world.post(parameters, as('b'))
    const token = await read('x509', String(body['access_token']), tokenTypes.x509)
    expect(token.validity).toMatchObject({ audience: [api('c')], scope: ['orders.read'], expiresAt: NOW + 120 })
    expect(actors(token.claims['act'])).toEqual(['b', 'a'])
    expect(parsePem(String(body['access_token'])).length).toBe(1)
  })

  it('nobody calls backwards, and nobody uses a token that is not for him', async () => {
    const ask = async (client: string, parameters: { [name: string]: string }) => {
      await world.post({ grant_type: TOKEN_EXCHANGE, ...parameters }, as(client))
      return world.last().code
    }
    const ofB = { subject_token: at2, subject_token_type: tokenTypes.cwt, csr }
    // B asks for A, which its token is not for and its profile does not serve; C presents B's; A presents its own output.
    expect(await ask('b', { ...ofB, audience: api('a') })).toBe('ERR_PROFILE_TARGET')
    expect(await ask('c', { ...ofB, audience: api('c') })).toBe('ERR_PROFILE_NONE')
    expect(await ask('a', { ...ofB, audience: api('c') })).toBe('ERR_REQUEST_TOKEN_TYPE')
    expect(await ask('b', { subject_token: at1, subject_token_type: tokenTypes.accessToken, audience: api('c') })).toBe(
      'ERR_REQUEST_TOKEN_TYPE',
    )
  })

  it('more scope than the hop has is not given back', async () => {
    const parameters = {
      subject_token: at2,
      subject_token_type: tokenTypes.cwt,
      audience: api('c'),
      scope: 'orders.read stock.read',
      csr,
    }
    const { body } = await world.post(parameters, as('b'))
    expect(body['scope']).toBe('orders.read')
  })
})
