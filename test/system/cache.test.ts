import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { publicKey } from '../../src/wire/jwk.ts'
import { basicOf, dpopBy, rewrite } from '../support/live.ts'
import { ISSUER, NOW, newWorld, said, TOKEN_EXCHANGE, type World } from '../support/world.ts'

let world: World
afterEach(() => world.close())

const target = 'https://orders.beta.example'
const ask = async (token: string, more: { [name: string]: string } = {}, headers = {}) => {
  const reply = await world.post({ subject_token: token, audience: target, ...more }, headers)
  return reply.status === 200 ? 'issued' : world.last().code
}

/** A known token is asked for twice: the second time it is in the cache. Each test then changes one thing. */
async function known(): Promise<string> {
  world = await newWorld()
  const token = await world.token('jwt')
  expect(await ask(token)).toBe('issued')
  expect(await ask(token)).toBe('issued')
  return token
}

/** A key set with another key under the name of the one that signs. */
function otherKeys(): string {
  const { publicKey: key } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
  const { kid } = world.alpha.signers.jwt
  return JSON.stringify({ keys: [{ ...publicKey(key).jwk, kid, alg: 'ES256', use: 'sig' }] })
}

describe('a token whose signature was verified a moment ago', () => {
  it('is refused once it has expired, by the second', async () => {
    const token = await known()
    world.now = NOW + 3600 + 29
    // Within the skew the input is taken, and nothing is issued that is dead already.
    expect(await ask(token)).toBe('ERR_TOKEN_EXPIRED')
    world.now = NOW + 30
    expect(await ask(token)).toBe('issued')
    world.now = NOW - 60
    expect(await ask(token)).toBe('ERR_TOKEN_NOT_YET_VALID')
  })

  it('is refused when its issuer has other keys, or is no longer trusted', async () => {
    const token = await known()
    writeFileSync(join(world.folder, 'alpha-jwks.json'), otherKeys())
    await world.gateway.reload()
    expect(await ask(token)).toBe('ERR_TOKEN_SIGNATURE')
  })

  it('is refused when its issuer may sign with its algorithm no more', async () => {
    const token = await known()
    const { keys } = JSON.parse(world.file('alpha-jwks.json')) as { readonly keys: readonly object[] }
    const later = { ...publicKey(generateKeyPairSync('ed25519').publicKey).jwk, kid: 'later', alg: 'EdDSA' }
    writeFileSync(join(world.folder, 'alpha-jwks.json'), JSON.stringify({ keys: [...keys, later] }))
    rewrite(world.folder, 'dragoman.yaml', /(?<=alpha-jwks.json\n)( *)algorithms: .*$/m, '    algorithms: [Ed25519]')
    await world.gateway.reload()
    expect(await ask(token)).toBe('ERR_TOKEN_ALGORITHM')
  })

  it('is refused once its issuer is known to have other keys behind its URL', async () => {
    let body = ''
    world = await newWorld({
      fetch: async () => ({ status: 200, body: Buffer.from(body), etag: undefined, maxAge: 10 }),
      edit(folder) {
        body = readFileSync(join(folder, 'alpha-jwks.json'), 'utf8')
        rewrite(folder, 'dragoman.yaml', 'jwks_file: alpha-jwks.json', 'jwks_uri: https://id.alpha.example/jwks')
      },
    })
    const token = await world.token('jwt')
    expect(await ask(token)).toBe('issued')
    world.now = NOW + 50
    for (let n = 0; n < 2; n += 1) expect(await ask(token)).toBe('issued')
    body = otherKeys()
    // Keys are used for a minute at least: these are past their time, and the token is still known.
    world.now = NOW + 61
    expect(await ask(await world.token('jwt'))).toBe('ERR_TOKEN_SIGNATURE')
    expect(await ask(token)).toBe('ERR_TOKEN_SIGNATURE')
  })

  it('is refused when the profile has changed', async () => {
    const token = await known()
    const file = join(world.folder, 'dragoman.yaml')
    const [, profiles = ''] = /^profiles: "(.*)"$/m.exec(readFileSync(file, 'utf8')) ?? []
    const profile = readFileSync(join(profiles, 'jwt-downscope.yaml'), 'utf8').replace(
      'format: jwt',
      'format: jwt\n    kind: at+jwt',
    )
    writeFileSync(join(world.folder, 'stricter.yaml'), profile)
    writeFileSync(file, readFileSync(file, 'utf8').replace(/^profiles: .*$/m, 'profiles: [stricter.yaml]'))
    await world.gateway.reload()
    expect(await ask(token)).toBe('ERR_TOKEN_KIND')
  })

  it('is no authentication: the client is asked for its own each time', async () => {
    const token = await known()
    expect(
      await ask(token, {}, { authorization: `Basic ${Buffer.from('demo:wrong-secret').toString('base64')}` }),
    ).toBe('ERR_CLIENT_SECRET')
    expect(await ask(token, {}, { authorization: '' })).toBe('ERR_CLIENT_MISSING')
  })

  it('does not vouch for one that differs in a single character', async () => {
    const token = await known()
    for (let at = token.indexOf('.') + 1; at < token.length; at += 11) {
      const other = token[at] === 'A' ? 'B' : 'A'
      expect(await ask(token.slice(0, at) + other + token.slice(at + 1))).not.toBe('issued')
    }
  })

  it('is held to each profile of its own: target, type, kind', async () => {
    const token = await known()
    expect(await ask(token, { audience: 'https://nowhere.example' })).toBe('ERR_PROFILE_TARGET')
    expect(
      await ask(token, {
        subject_token_type: 'urn:dragoman:token-type:cwt',
        audience: 'https://cwt-to-jwt.beta.example',
      }),
    ).toBe('ERR_TOKEN_MALFORMED')
  })

  it('is refused without the proof of the key it is bound to, also after it was taken with it', async () => {
    world = await newWorld()
    const key = generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
    const other = generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
    const proof = ({ privateKey }: { privateKey: KeyObject }) => ({
      dpop: dpopBy(privateKey, { issuer: ISSUER }, { iat: NOW }),
    })
    const bound = await world.token('jwt', { claims: said, confirmation: { publicKey: publicKey(key.publicKey) } })
    expect(await ask(bound)).toBe('ERR_TOKEN_UNPROVED')
    for (let n = 0; n < 3; n += 1) expect(await ask(bound, {}, proof(key))).toBe('issued')
    expect(await ask(bound)).toBe('ERR_TOKEN_UNPROVED')
    expect(await ask(bound, {}, proof(other))).toBe('ERR_PROOF_MISMATCH')
  })

  it('is refused when its issuer is no longer one that the profile takes', async () => {
    const token = await known()
    const profile = `name: one
accept:
  clients: [demo]
  subject: { format: jwt, issuers: [https://edge.alpha.example] }
  targets: { allow: [${target}] }
stages:
  - format: { to: jwt }
  - crypto: { key: signing }
`
    writeFileSync(join(world.folder, 'one.yaml'), profile)
    rewrite(world.folder, 'dragoman.yaml', /^profiles: .*$/m, 'profiles: [one.yaml]')
    await world.gateway.reload()
    expect(await ask(token)).toBe('ERR_TRUST_ISSUER')
  })

  it('is refused when a condition that it met is now another', async () => {
    const token = await known()
    const condition = (text: string) => `name: one
accept:
  clients: [demo]
  subject: { format: jwt, issuers: [https://id.alpha.example] }
  targets: { allow: [${target}] }
stages:
  - context: { conditions: ['${text}'] }
  - format: { to: jwt }
  - crypto: { key: signing }
`
    writeFileSync(join(world.folder, 'one.yaml'), condition('subject.email.endsWith("@alpha.example")'))
    rewrite(world.folder, 'dragoman.yaml', /^profiles: .*$/m, 'profiles: [one.yaml]')
    await world.gateway.reload()
    for (let n = 0; n < 3; n += 1) expect(await ask(token)).toBe('issued')
    writeFileSync(join(world.folder, 'one.yaml'), condition('subject.email.endsWith("@beta.example")'))
    await world.gateway.reload()
    expect(await ask(token)).toBe('ERR_PROFILE_CONDITION')
  })

  it('is not for another client, which has profiles of its own', async () => {
    world = await newWorld({
      edit: (folder) =>
        rewrite(
          folder,
          'dragoman.yaml',
          'issuers:\n',
          '  - { client_id: stranger, token_endpoint_auth_method: client_secret_basic, client_secret: stranger-secret }\nissuers:\n',
        ),
    })
    const token = await world.token('jwt')
    for (let n = 0; n < 3; n += 1) expect(await ask(token)).toBe('issued')
    expect(await ask(token, {}, { authorization: basicOf('stranger', 'stranger-secret') })).toBe('ERR_PROFILE_NONE')
  })

  it('is not for another tenant, which believes others', async () => {
    world = await newWorld({
      edit(folder) {
        const file = join(folder, 'dragoman.yaml')
        const [before = '', tenant = ''] = readFileSync(file, 'utf8').split(/^(?=keys:)/m)
        const [, listeners = ''] = before.split(/^(?=listeners:)/m)
        const of = (name: string, path: string, text: string) =>
          `  - name: ${name}\n    issuer: ${ISSUER}${path}\n${text.replace(/^(?=.)/gm, '    ')}`
        // The same issuer by name, with other keys.
        const second = tenant.replace('jwks_file: alpha-jwks.json', 'jwks_file: alpha-edge-jwks.json')
        writeFileSync(file, `${listeners}tenants:\n${of('first', '', tenant)}${of('second', '/second', second)}`)
      },
    })
    const token = await world.token('jwt')
    for (let n = 0; n < 3; n += 1) expect(await ask(token)).toBe('issued')
    const form = new URLSearchParams({
      grant_type: TOKEN_EXCHANGE,
      subject_token: token,
      subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
      audience: target,
    })
    const reply = await world.gateway.http.inject({
      method: 'POST',
      url: '/second/token',
      headers: {
        'content-type': 'application/x-www-form-urlencoded',
        authorization: basicOf('demo', 'demo-secret'),
      },
      payload: form.toString(),
    })
    expect(reply.statusCode).toBe(400)
    expect(world.last()).toMatchObject({ tenant: 'second', code: 'ERR_TRUST_KEY' })
  })

  it('is nobody else’s: another gateway verifies for itself', async () => {
    const token = await known()
    const first = world
    world = await newWorld()
    expect(await ask(token)).toBe('ERR_TRUST_KEY')
    await first.close()
  })
})
