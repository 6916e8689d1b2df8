import { createHmac, generateKeyPairSync, sign } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { tokenTypes } from '../../src/core/types.ts'
import { withMember } from '../../src/core/value.ts'
import { CborWriter } from '../../src/wire/cbor-encode.ts'
import { publicKey } from '../../src/wire/jwk.ts'
import { ISSUER, NOW, newWorld, said, WORKLOAD, type World } from '../support/world.ts'

let world: World

beforeAll(async () => {
  world = await newWorld({
    edit(folder) {
      // One profile that takes each token once, beside the shipped ones.
      const profile = `name: once
accept:
  clients: [demo]
  subject: { format: jwt, issuers: [https://id.alpha.example], single_use: true }
  targets: { allow: [https://once.beta.example] }
stages:
  - format: { to: jwt }
  - crypto: { key: signing }
`
      writeFileSync(join(folder, 'once.yaml'), profile)
      const own = `name: own
accept:
  clients: [demo]
  subject: { format: jwt, kind: at+jwt, issuers: [self], audience: any }
  targets: { allow: [https://own.beta.example] }
stages:
  - format: { to: jwt }
  - crypto: { key: signing }
`
      writeFileSync(join(folder, 'own.yaml'), own)
      rewrite(folder, (text) => text.replace(/^profiles: (.*)$/m, 'profiles: [$1, once.yaml, own.yaml]'))
    },
  })
})
afterAll(() => world.close())
beforeEach(() => {
  world.now = NOW
})

const rewrite = (folder: string, edit: (text: string) => string) => {
  const file = join(folder, 'dragoman.yaml')
  writeFileSync(file, edit(readFileSync(file, 'utf8')))
}

const target = 'https://orders.beta.example'
const b64 = (value: unknown) =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url')

/** A JWS put together by hand, with a signature of whoever's it takes. */
function jws(header: unknown, payload: unknown, signer: (input: Buffer) => Buffer): string {
  const input = `${b64(header)}.${b64(payload)}`
  return `${input}.${signer(Buffer.from(input)).toString('base64url')}`
}

const claims = { iss: 'https://id.alpha.example', sub: WORKLOAD, aud: ISSUER, iat: NOW, exp: NOW + 600 }
const byAlpha = async (input: Buffer) => Buffer.from(await world.alpha.signers.jwt.sign(input))
const kid = () => world.alpha.signers.jwt.kid

async function byHand(header: object, payload: unknown): Promise<string> {
  const input = `${b64(header)}.${b64(payload)}`
  return `${input}.${(await byAlpha(Buffer.from(input))).toString('base64url')}`
}

async function refused(token: string, code: string, more: { [name: string]: string } = {}) {
  const reply = await world.post({ subject_token: token, audience: target, ...more })
  expect(world.last()).toMatchObject({ result: 'refused', code })
  expect(reply.status).toBe(400)
  expect(reply.body).not.toHaveProperty('access_token')
  // What a client hears does not say whether a key is unknown or a signature wrong, and quotes nothing.
  expect(JSON.stringify(reply.body)).not.toContain(token.slice(0, 40))
  return reply
}

const other = generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
const byOther = (input: Buffer) => sign('sha256', input, { key: other.privateKey, dsaEncoding: 'ieee-p1363' })

describe('a JWT as subject token', () => {
  it('takes a good one, so that the refusals below are for their own reason', async () => {
    const reply = await world.post({
      subject_token: await byHand({ alg: 'ES256', kid: kid() }, claims),
      audience: 'https://jwt-to-cwt.beta.example',
    })
    // jwt-to-cwt must keep `email`, which is not there: a claim that never came in cannot be lost.
    expect(reply.status).toBe(200)
  })

  it('refuses alg none', () =>
    refused(
      jws({ alg: 'none' }, claims, () => Buffer.alloc(0)),
      'ERR_TOKEN_ALGORITHM',
    ))

  it('refuses a MAC made with the public key', async () => {
    const secret = Buffer.from(String(world.alpha.signers.jwt.publicKey.key.export({ type: 'spki', format: 'pem' })))
    const token = jws({ alg: 'HS256', kid: kid() }, claims, (input) =>
      createHmac('sha256', secret).update(input).digest(),
    )
    await refused(token, 'ERR_TOKEN_ALGORITHM')
  })

  it('refuses an algorithm that the issuer is not trusted with', async () => {
    const { privateKey } = generateKeyPairSync('ed25519')
    await refused(
      jws({ alg: 'EdDSA', kid: kid() }, claims, (input) => sign(null, input, privateKey)),
      'ERR_TOKEN_ALGORITHM',
    )
  })

  it.each(['jwk', 'x5c', 'jku', 'x5u'])('does not use a key that the token brings in %s', async (member) => {
    const jwk = publicKey(other.publicKey).jwk
    const brought = { jwk, x5c: ['MIIB'], jku: 'http://127.0.0.1:9/keys', x5u: 'http://127.0.0.1:9/chain' }[member]
    const reply = await refused(
      jws({ alg: 'ES256', kid: kid(), [member]: brought }, claims, byOther),
      'ERR_TOKEN_SIGNATURE',
    )
    const unknown = await refused(
      jws({ alg: 'ES256', kid: 'nobody', [member]: brought }, claims, byOther),
      'ERR_TRUST_KEY',
    )
    // An unknown key and a wrong signature read the same from outside.
    expect(unknown.body).toEqual(reply.body)
  })

  it('refuses a critical header that is not understood', async () => {
    await refused(await byHand({ alg: 'ES256', kid: kid(), crit: ['exp'], exp: 1 }, claims), 'ERR_TOKEN_HEADER')
  })

  it('refuses a member named twice, in header and claims', async () => {
    await refused(
      await byHand({ alg: 'ES256', kid: kid() }, `{"sub":"a",${JSON.stringify(claims).slice(1)}`),
      'ERR_TOKEN_DUPLICATE',
    )
    const token = await byHand({ alg: 'ES256' }, claims)
    const [, payload = ''] = token.split('.')
    const input = `${b64(`{"alg":"none","alg":"ES256"}`)}.${payload}`
    await refused(`${input}.${(await byAlpha(Buffer.from(input))).toString('base64url')}`, 'ERR_TOKEN_DUPLICATE')
  })

  it('refuses base64url that is not canonical', async () => {
    const token = await byHand({ alg: 'ES256', kid: kid() }, claims)
    for (const wrong of [`${token}=`, `${token} `, token.replace('.', '. '), flipLastBit(token)]) {
      await refused(wrong, 'ERR_TOKEN_MALFORMED')
    }
  })

  it.each([
    ['1e400', 'ERR_TOKEN_MALFORMED'],
    ['"1800000600"', 'ERR_TOKEN_CLAIM'],
    ['null', 'ERR_TOKEN_CLAIM'],
  ])('refuses exp %s', async (exp, code) => {
    const text = JSON.stringify({ ...claims, exp: 0 }).replace('"exp":0', `"exp":${exp}`)
    await refused(await byHand({ alg: 'ES256', kid: kid() }, text), code)
  })

  it('refuses a token that never expires', async () => {
    const { exp: _, ...forever } = claims
    await refused(await byHand({ alg: 'ES256', kid: kid() }, forever), 'ERR_TOKEN_NO_EXPIRY')
  })

  it.each(['at+jwt', 'dpop+jwt', 'token-introspection+jwt', 'secevent+jwt'])(
    'refuses a token of the kind %s',
    async (typ) => {
      await refused(await byHand({ alg: 'ES256', kid: kid(), typ }, claims), 'ERR_TOKEN_KIND')
    },
  )

  it('refuses one that has expired, is not yet valid, or is for somebody else', async () => {
    await refused(await byHand({ alg: 'ES256', kid: kid() }, { ...claims, exp: NOW - 31 }), 'ERR_TOKEN_EXPIRED')
    await refused(await byHand({ alg: 'ES256', kid: kid() }, { ...claims, nbf: NOW + 31 }), 'ERR_TOKEN_NOT_YET_VALID')
    await refused(
      await byHand({ alg: 'ES256', kid: kid() }, { ...claims, aud: 'https://other.example' }),
      'ERR_TOKEN_AUDIENCE',
    )
    await refused(await byHand({ alg: 'ES256', kid: kid() }, { ...claims, aud: `${ISSUER}/` }), 'ERR_TOKEN_AUDIENCE')
  })

  it('refuses an issuer that speaks of a subject outside its space', async () => {
    const sub = 'spiffe://alpha.example.evil/ns/shop/sa/orders'
    await refused(await byHand({ alg: 'ES256', kid: kid() }, { ...claims, sub }), 'ERR_TOKEN_SUBJECT_SPACE')
  })

  it('refuses an unknown issuer, and one that only looks like a known one', async () => {
    for (const iss of ['https://id.beta.example', 'https://id.alpha.example/', 'HTTPS://id.alpha.example']) {
      await refused(await byHand({ alg: 'ES256', kid: kid() }, { ...claims, iss }), 'ERR_TRUST_ISSUER')
    }
  })

  it('refuses a foreign access token under the type of our own', async () => {
    const token = await byHand({ alg: 'ES256', kid: kid() }, claims)
    const type = { subject_token_type: tokenTypes.accessToken }
    await refused(token, 'ERR_REQUEST_TOKEN_TYPE', type)
  })

  it('refuses delegation history from an issuer that is not trusted for it', async () => {
    await refused(await byHand({ alg: 'ES256', kid: kid() }, { ...claims, act: { sub: 'x' } }), 'ERR_TOKEN_ACT')
  })

  it('refuses a client that may_act does not name', async () =>
    refused(
      await byHand({ alg: 'ES256', kid: kid() }, { ...claims, may_act: { sub: 'billing' } }),
      'ERR_TOKEN_MAY_ACT',
    ))

  it('refuses a bound token without its proof', async () => {
    const cnf = { jkt: publicKey(other.publicKey).jkt }
    await refused(await byHand({ alg: 'ES256', kid: kid() }, { ...claims, cnf }), 'ERR_TOKEN_UNPROVED')
  })

  it('takes a single-use token once, also as its twin with the other signature', async () => {
    const token = await byHand({ alg: 'ES256', kid: kid() }, claims)
    const once = { subject_token: token, audience: 'https://once.beta.example' }
    expect((await world.post(once)).status).toBe(200)
    await world.post(once)
    expect(world.last().code).toBe('ERR_TOKEN_REPLAYED')
    await world.post({ ...once, subject_token: twin(token) })
    expect(world.last().code).toBe('ERR_TOKEN_REPLAYED')
  })

  it('lets one of two at the same time through', async () => {
    const token = await byHand({ alg: 'ES256', kid: kid() }, { ...claims, jti: 'race' })
    const once = { subject_token: token, audience: 'https://once.beta.example' }
    const statuses = (await Promise.all([world.post(once), world.post(once), world.post(once)])).map(
      ({ status }) => status,
    )
    expect(statuses.sort()).toEqual([200, 400, 400])
  })
})

describe('a CWT as subject token', () => {
  const cwt = { subject_token_type: tokenTypes.cwt, audience: 'https://cwt-to-jwt.beta.example' }
  const refusedCwt = async (token: string, code: string) => {
    const reply = await world.post({ ...cwt, subject_token: token })
    expect(world.last()).toMatchObject({ result: 'refused', code })
    expect(reply.status).toBe(400)
  }

  it('refuses alg in the unprotected header', async () => {
    const payload = new CborWriter().entries([[1, 'https://edge.alpha.example']]).done()
    const message = Buffer.concat([
      Buffer.from('d83dd28440', 'hex'),
      new CborWriter().entries([[1, -7]]).done(),
      Buffer.concat([Buffer.from([0x58, payload.length]), payload]),
      Buffer.concat([Buffer.from('5840', 'hex'), Buffer.alloc(64, 1)]),
    ])
    await refusedCwt(message.toString('base64url'), 'ERR_TOKEN_HEADER')
  })

  it('refuses bytes behind the message, and a tag that builds things', async () => {
    const good = Buffer.from(await world.token('cwt'), 'base64url')
    await refusedCwt(Buffer.concat([good, Buffer.from([0])]).toString('base64url'), 'ERR_TOKEN_MALFORMED')
    await refusedCwt(Buffer.from('d81b83654572726f72617861f6', 'hex').toString('base64url'), 'ERR_TOKEN_MALFORMED')
  })

  it('refuses one that was altered anywhere', async () => {
    const good = Buffer.from(await world.token('cwt'), 'base64url')
    for (let at = 4; at < good.length; at += 17) {
      const altered = Buffer.from(good)
      altered[at] = (altered[at] ?? 0) ^ 1
      const reply = await world.post({ ...cwt, subject_token: altered.toString('base64url') })
      expect(reply.status).toBe(400)
    }
  })

  it('is not taken for a JWT, nor a JWT for it', async () => {
    await refusedCwt(await world.token('jwt'), 'ERR_TOKEN_MALFORMED')
    await world.post({ subject_token: await world.token('cwt'), audience: target })
    expect(world.last().code).toBe('ERR_TOKEN_MALFORMED')
  })
})

describe('delegation', () => {
  const type = { actor_token_type: tokenTypes.jwt }

  it('refuses an actor token where no profile takes one (S-14)', async () => {
    await world.post({
      subject_token: await world.token('jwt'),
      audience: target,
      actor_token: await world.token('jwt'),
      ...type,
    })
    expect(world.last().code).toBe('ERR_PROFILE_ACTOR_REFUSED')
  })

  it('refuses a subject that acts for itself', async () => {
    const audience = 'https://jwt-delegate.beta.example'
    await world.post({
      subject_token: await world.token('jwt'),
      audience,
      actor_token: await world.token('jwt'),
      ...type,
    })
    expect(world.last()).toMatchObject({ code: 'ERR_TOKEN_ACT' })
  })

  it('builds act from the actor token, never from a parameter', async () => {
    const actor = await world.token('jwt', {
      claims: withMember(said, 'sub', 'spiffe://alpha.example/ns/shop/sa/billing'),
    })
    const audience = 'https://jwt-delegate.beta.example'
    const { body } = await world.post({
      subject_token: await world.token('jwt'),
      audience,
      actor_token: actor,
      act: '{"sub":"root"}',
      ...type,
    })
    const [, payload = ''] = String(body['access_token']).split('.')
    const { act } = JSON.parse(Buffer.from(payload, 'base64url').toString())
    expect(act).toEqual({ iss: 'https://id.alpha.example', sub: 'spiffe://alpha.example/ns/shop/sa/billing' })
  })
})

describe('what a claim may be called', () => {
  it.each(['__proto__', 'constructor', 'prototype'])('refuses a claim %s', async (name) => {
    const text = JSON.stringify(claims).replace('{', `{${JSON.stringify(name)}:{"admin":true},`)
    await refused(await byHand({ alg: 'ES256', kid: kid() }, text), 'ERR_TOKEN_MALFORMED')
  })
})

/** The same signature read as another text: trailing bits that nobody counts. */
function flipLastBit(token: string): string {
  const last = token.at(-1) ?? ''
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  return token.slice(0, -1) + alphabet[alphabet.indexOf(last) ^ 1]
}

const ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n

/** ECDSA: with (r, s) also (r, n - s) verifies. */
function twin(token: string): string {
  const [header = '', payload = '', signature = ''] = token.split('.')
  const bytes = Buffer.from(signature, 'base64url')
  const s = ORDER - BigInt(`0x${bytes.subarray(32).toString('hex')}`)
  const turned = Buffer.concat([bytes.subarray(0, 32), Buffer.from(s.toString(16).padStart(64, '0'), 'hex')])
  return `${header}.${payload}.${turned.toString('base64url')}`
}
