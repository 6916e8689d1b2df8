import { compactVerify, FlattenedSign, flattenedVerify, GeneralSign, generalVerify, jwtVerify, SignJWT } from 'jose'
import { describe, expect, test } from 'vitest'
import { jwt } from '../../../src/codecs/jwt/index.ts'
import { algorithmNames } from '../../../src/core/algorithms.ts'
import type { Rendering } from '../../../src/core/token.ts'
import { map } from '../../../src/core/value.ts'
import {
  CLAIMS,
  draft,
  ISSUER,
  NOW,
  RULES,
  rendering,
  subject,
  type TestKey,
  testKey,
  trusted,
} from '../../support/jwt.ts'

const codec = jwt()
const currentDate = new Date(NOW * 1000)

function issue(key: TestKey, options: Partial<Rendering> = {}): string {
  const issuance = { issuer: ISSUER, now: NOW, id: Buffer.alloc(16, 1), signer: key.signer }
  const layout = codec.prepare(rendering(options)).lay(draft({ sub: 'älice', n: 0.5, act: { sub: 'bob' } }), issuance)
  const signature = key.signer.sign(layout.toBeSigned)
  if (signature instanceof Promise) throw new TypeError('test signers are synchronous')
  return layout.finish(signature).raw
}

const options = (name: string, value: string) => ({ options: map([[name, value]]) })
const SAID = { iss: ISSUER, sub: 'älice', aud: 'https://orders.example', exp: NOW + 300, n: 0.5, act: { sub: 'bob' } }

describe.each(algorithmNames)('jose and we, %s', (name) => {
  const key = testKey(name)
  const [alg = '', ...others] = key.algorithm.jose

  test('jose verifies what we issue', async () => {
    const { payload, protectedHeader } = await jwtVerify(issue(key), key.publicKey.key, { currentDate, issuer: ISSUER })
    expect(payload).toMatchObject(SAID)
    expect(protectedHeader).toEqual({ alg, kid: key.signer.kid, typ: 'JWT' })
  })

  test('jose verifies both forms of JSON', async () => {
    const flat = await flattenedVerify(JSON.parse(issue(key, options('serialization', 'flattened'))), key.publicKey.key)
    const general = await generalVerify(JSON.parse(issue(key, options('serialization', 'general'))), key.publicKey.key)
    for (const { payload } of [flat, general]) expect(JSON.parse(Buffer.from(payload).toString())).toMatchObject(SAID)
  })

  test('we verify what jose issues, under each name of the algorithm', async () => {
    for (const written of [alg, ...others]) {
      const raw = await new SignJWT({ ...CLAIMS, n: 0.5 })
        .setProtectedHeader({ alg: written, kid: key.signer.kid })
        .sign(key.privateKey)
      const token = await codec.parse(subject(raw))?.verify(trusted([key.verifier]), RULES)
      expect(token).toMatchObject({ claims: { sub: 'alice', n: 0.5 }, provenance: { algorithm: name, id: 'one' } })
    }
  })

  test('we verify both forms of JSON', async () => {
    const payload = Buffer.from(JSON.stringify(CLAIMS))
    const flat = await new FlattenedSign(payload).setProtectedHeader({ alg }).sign(key.privateKey)
    const general = await new GeneralSign(payload).addSignature(key.privateKey).setProtectedHeader({ alg }).sign()
    for (const form of [flat, general]) {
      const token = await codec.parse(subject(JSON.stringify(form)))?.verify(trusted([key.verifier]), RULES)
      expect(token?.claims).toEqual({ sub: 'alice' })
    }
  })
})

test('jose verifies Ed25519 under the name of RFC 9864', async () => {
  const key = testKey('Ed25519')
  const { protectedHeader } = await compactVerify(
    issue(key, options('alg_names', 'fully-specified')),
    key.publicKey.key,
  )
  expect(protectedHeader.alg).toBe('Ed25519')
})
