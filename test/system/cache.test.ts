import { generateKeyPairSync } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { publicKey } from '../../src/wire/jwk.ts'
import { NOW, newWorld, said, type World } from '../support/world.ts'

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
    const other = generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
    const { kid } = world.alpha.signers.jwt
    const jwks = { keys: [{ ...publicKey(other.publicKey).jwk, kid, alg: 'ES256', use: 'sig' }] }
    writeFileSync(join(world.folder, 'alpha-jwks.json'), JSON.stringify(jwks))
    await world.gateway.reload()
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
    const bound = await world.token('jwt', { claims: said, confirmation: { publicKey: publicKey(key.publicKey) } })
    expect(await ask(bound)).toBe('ERR_TOKEN_UNPROVED')
    expect(await ask(bound)).toBe('ERR_TOKEN_UNPROVED')
  })

  it('is nobody else’s: another gateway verifies for itself', async () => {
    const token = await known()
    const first = world
    world = await newWorld()
    expect(await ask(token)).toBe('ERR_TRUST_KEY')
    await first.close()
  })
})
