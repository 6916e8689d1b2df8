import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { DragomanError } from '../../src/core/errors.ts'
import { map } from '../../src/core/value.ts'
import { dpopProof } from '../../src/proofs/dpop.ts'
import { rollingNonces } from '../../src/proofs/nonce.ts'
import { publicKeyFromJwk } from '../../src/wire/jwk.ts'
import { fakeReplay, request } from '../support/fakes.ts'
import { base64url, compact, NOW, testKey } from '../support/jwt.ts'
import { dpopText, type ProofDifferences, proofTools, sha256, TOKEN_ENDPOINT, withProofs } from '../support/proofs.ts'

const RUNS = Number(process.env['FUZZ_RUNS'] ?? 200)
const key = testKey('ES256')
const dpop = dpopProof()
const prove = async (differs: ProofDifferences = {}, tools = proofTools()) =>
  dpop.prove(withProofs(dpopText(key, differs)), tools)
const failed = (check: string) =>
  expect.objectContaining({ code: 'ERR_PROOF_DPOP', detail: expect.objectContaining({ check }) })

describe('dpop', () => {
  it('shows the key in the header', async () => {
    expect(await prove()).toMatchObject({ method: 'dpop', publicKey: { jkt: key.publicKey.jkt } })
  })

  it('is not there without the header field', async () => {
    expect(await dpop.prove(withProofs(), proofTools())).toBeUndefined()
  })

  it.each(['Ed25519', 'PS256', 'ML-DSA-44', 'ML-DSA-87'])('DP-05, PQ-02: takes %s', async (name) => {
    const other = testKey(name)
    expect(await dpop.prove(withProofs(dpopText(other)), proofTools())).toMatchObject({
      publicKey: { jkt: other.publicKey.jkt },
    })
  })

  it('DP-05: takes Ed25519 under its fully specified name', async () => {
    const other = testKey('Ed25519')
    const proof = dpopText(other, { header: { alg: 'Ed25519' } })
    expect(await dpop.prove(withProofs(proof), proofTools())).toMatchObject({ method: 'dpop' })
  })

  it('DP-01: refuses more than one header field', async () => {
    const proof = dpopText(key)
    await expect(dpop.prove(withProofs(proof, proof), proofTools())).rejects.toEqual(failed('one'))
  })

  it.each([
    ['two joined by a comma', `${dpopText(key)}, ${dpopText(key)}`],
    ['nothing', ''],
    ['no JWS', 'proof'],
    ['two parts', 'a.b'],
    ['four parts', `${dpopText(key)}.x`],
    ['padding', `${dpopText(key)}=`],
    ['a JSON serialization', '{"payload":""}'],
    ['more than fits', `${'a'.repeat(16_384)}.a.a`],
  ])('DP-02: refuses a value that is not one compact JWS: %s', async (_what, text) => {
    await expect(dpop.prove(withProofs(text), proofTools())).rejects.toEqual(failed('form'))
  })

  it.each(['jti', 'htm', 'htu', 'iat'])(
    'DP-03: refuses a proof without %s, or with it of another type',
    async (claim) => {
      for (const value of [undefined, null, true, ['x'], claim === 'iat' ? String(NOW) : 1]) {
        await expect(prove({ claims: { [claim]: value } })).rejects.toEqual(failed(claim))
      }
    },
  )

  it.each(['nonce', 'ath'])('DP-03: refuses %s of another type', async (claim) => {
    await expect(prove({ claims: { [claim]: 1 } })).rejects.toEqual(failed(claim))
  })

  it('DP-03: refuses a payload that is no object', async () => {
    const header = { typ: 'dpop+jwt', alg: 'ES256', jwk: key.publicKey.jwk }
    for (const payload of ['[]', '"x"', '{', '{"jti":"a","jti":"b"}']) {
      const proof = compact(header, payload, key)
      await expect(dpop.prove(withProofs(proof), proofTools())).rejects.toEqual(failed('claims'))
    }
  })

  it.each([undefined, 'JWT', 'dpop', 'DPoP+JWT', 'application/dpop+jwt', 'at+jwt'])(
    'DP-04: refuses the typ %s',
    async (typ) => {
      await expect(prove({ header: { typ } })).rejects.toEqual(failed('typ'))
    },
  )

  it.each(['none', 'HS256', 'es256', 'ES256K', 'RS256', 'ES384'])('DP-05: refuses the alg %s', async (alg) => {
    await expect(prove({ header: { alg } })).rejects.toEqual(failed('alg'))
  })

  it('DP-05: refuses a key of another kind than alg', async () => {
    const other = testKey('Ed25519')
    await expect(prove({ header: { jwk: other.publicKey.jwk } })).rejects.toEqual(failed('jwk'))
  })

  it('DP-06: refuses a signature by another key', async () => {
    const other = testKey('ES256')
    await expect(prove({ header: { jwk: other.publicKey.jwk } })).rejects.toEqual(failed('signature'))
  })

  it('DP-06: refuses a payload that was altered', async () => {
    const [header, , signature] = dpopText(key).split('.')
    const altered = base64url(JSON.stringify({ jti: 'other', htm: 'POST', htu: TOKEN_ENDPOINT, iat: NOW }))
    await expect(dpop.prove(withProofs(`${header}.${altered}.${signature}`), proofTools())).rejects.toEqual(
      failed('signature'),
    )
  })

  it('DP-06: a header that was seen with a good proof vouches for no other one', async () => {
    const own = dpopProof()
    const [header, payload] = dpopText(key).split('.')
    expect(await own.prove(withProofs(dpopText(key)), proofTools())).toBeDefined()
    expect(await own.prove(withProofs(dpopText(key)), proofTools())).toBeDefined()
    const [, , signature] = dpopText(testKey('ES256')).split('.')
    await expect(own.prove(withProofs(`${header}.${payload}.${signature}`), proofTools())).rejects.toEqual(
      failed('signature'),
    )
    const narrower = proofTools(undefined, { algorithms: ['Ed25519'] })
    await expect(own.prove(withProofs(dpopText(key)), narrower)).rejects.toEqual(failed('alg'))
  })

  it('DP-06: the key that is remembered cannot be changed by whoever has it in hand', async () => {
    const own = dpopProof()
    const [first, second] = [
      await own.prove(withProofs(dpopText(key)), proofTools()),
      await own.prove(withProofs(dpopText(key)), proofTools()),
    ]
    expect(second?.publicKey).toBe(first?.publicKey)
    expect(() => Object.assign(first?.publicKey.jwk ?? {}, { x: 'A' })).toThrow(TypeError)
  })

  it.each(['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k', 'priv'])(
    'DP-07: refuses a jwk with the private member %s',
    async (member) => {
      const jwk = { ...key.publicKey.jwk, [member]: member === 'oth' ? [] : 'AA' }
      await expect(prove({ header: { jwk } })).rejects.toEqual(failed('jwk'))
    },
  )

  it.each([
    ['none', undefined],
    ['an empty one', {}],
    ['a symmetric one', { kty: 'oct', x: 'AA' }],
    ['a point off the curve', { kty: 'EC', crv: 'P-256', x: 'A'.repeat(43), y: 'A'.repeat(43) }],
  ])('DP-07: refuses a header with %s for jwk', async (_what, jwk) => {
    await expect(prove({ header: { jwk } })).rejects.toEqual(failed('jwk'))
  })

  it('refuses a critical header', async () => {
    await expect(prove({ header: { crit: ['x'], x: 1 } })).rejects.toEqual(failed('form'))
  })

  it.each(['post', 'GET', 'POST ', ''])('DP-08: refuses the method %j', async (htm) => {
    await expect(prove({ claims: { htm } })).rejects.toEqual(failed('htm'))
  })

  it.each(['HTTPS://GW.example:443/token', 'https://gw.example/./%74oken?x=1', 'https://gw.example/token#f'])(
    'DP-09: takes %s for our token endpoint',
    async (htu) => {
      expect(await prove({ claims: { htu } })).toMatchObject({ method: 'dpop' })
    },
  )

  it.each([
    'https://gw.example/other',
    'https://gw.example/token/',
    'http://gw.example/token',
    'https://other.example/token',
    'https://gw.example:8443/token',
    'https://gw.example@other.example/token',
    '/token',
    'token',
  ])('DP-09: refuses the htu %s', async (htu) => {
    await expect(prove({ claims: { htu } })).rejects.toEqual(failed('htu'))
  })

  it('DP-11: takes a proof for a minute, and from a clock that is a little ahead', async () => {
    for (const iat of [NOW - 60, NOW - 59.5, NOW, NOW + 5]) {
      expect(await prove({ claims: { iat } })).toMatchObject({ method: 'dpop' })
    }
    for (const iat of [NOW - 61, NOW - 60.5, NOW + 6, 0, -1, NOW * 1000]) {
      await expect(prove({ claims: { iat } })).rejects.toEqual(failed('iat'))
    }
  })

  it('DP-12: compares ath, where it is sent, with the subject token', async () => {
    const { subject_token } = request()
    expect(await prove({ claims: { ath: sha256(subject_token) } })).toMatchObject({ method: 'dpop' })
    await expect(prove({ claims: { ath: sha256('another') } })).rejects.toEqual(failed('ath'))
    await expect(prove({ claims: { ath: '' } })).rejects.toEqual(failed('ath'))
  })

  it('DP-21, DP-35: refuses a proof that was used, under whichever spelling of our URL', async () => {
    const tools = proofTools()
    await prove({}, tools)
    const replayed = expect.objectContaining({ code: 'ERR_PROOF_REPLAYED' })
    await expect(prove({}, tools)).rejects.toEqual(replayed)
    await expect(prove({ claims: { htu: 'https://GW.example/%74oken' } }, tools)).rejects.toEqual(replayed)
    expect(await prove({ claims: { jti: 'proof-2' } }, tools)).toMatchObject({ method: 'dpop' })
  })

  it('DP-35: two keys may use the same jti', async () => {
    const tools = proofTools()
    const other = testKey('ES256')
    await prove({}, tools)
    expect(await dpop.prove(withProofs(dpopText(other)), tools)).toMatchObject({ method: 'dpop' })
  })

  it('DP-35: counts the uses at each URL apart', async () => {
    const replay = fakeReplay()
    await prove({}, proofTools(replay))
    const htu = 'https://gw.example/eu/token'
    const elsewhere = proofTools(replay, { tokenEndpoint: htu })
    expect(await prove({ claims: { htu } }, elsewhere)).toMatchObject({ method: 'dpop' })
  })

  it('DP-35: remembers a proof for as long as it would be taken, and not its jti but a digest', async () => {
    const replay = fakeReplay()
    await prove({ claims: { jti: 'findable' } }, proofTools(replay))
    await expect(prove({ claims: { jti: 'findable' } }, proofTools(replay, { now: NOW + 60 }))).rejects.toEqual(
      expect.objectContaining({ code: 'ERR_PROOF_REPLAYED' }),
    )
    const [[name, until] = ['', 0]] = [...replay.spent]
    expect(name).toMatch(/^dpop [0-9a-f]{64}$/)
    expect(until).toBe(NOW + 61)
  })

  it('DP-35: takes a jti of 256 characters, and none that is longer or empty', async () => {
    expect(await prove({ claims: { jti: 'j'.repeat(256) } })).toMatchObject({ method: 'dpop' })
    await expect(prove({ claims: { jti: 'j'.repeat(257) } })).rejects.toEqual(failed('jti'))
    await expect(prove({ claims: { jti: '' } })).rejects.toEqual(failed('jti'))
  })

  it('remembers nothing of a proof that fails: nobody can fill the store or use up the jti of another', async () => {
    const replay = fakeReplay()
    const tools = proofTools(replay)
    const other = testKey('ES256')
    const differences: readonly ProofDifferences[] = [
      { header: { jwk: other.publicKey.jwk } },
      { claims: { iat: NOW - 100 } },
      { claims: { htu: 'https://other.example/token' } },
      { claims: { ath: 'x' } },
    ]
    for (const differs of differences) await expect(prove(differs, tools)).rejects.toThrow()
    expect(replay.spent.size).toBe(0)
  })

  it('fails closed when the store cannot take it', async () => {
    const replay = {
      claim: () => {
        throw new DragomanError('ERR_STORE_UNAVAILABLE')
      },
    }
    await expect(prove({}, proofTools(replay))).rejects.toEqual(
      expect.objectContaining({ code: 'ERR_STORE_UNAVAILABLE' }),
    )
  })

  it('gives a refusal with a code for any header value', async () => {
    const good = dpopText(key)
    const part = fc.oneof(fc.string(), fc.json().map(base64url), fc.constantFrom(...good.split('.')))
    await fc.assert(
      fc.asyncProperty(fc.array(part, { maxLength: 4 }), async (parts) => {
        const text = parts.join('.')
        if (text === good) return
        await expect(dpop.prove(withProofs(text), proofTools())).rejects.toBeInstanceOf(DragomanError)
      }),
      { numRuns: RUNS },
    )
  })
})

describe('the vectors of RFC 9449', () => {
  it('DP-26: the thumbprint of the key of its examples', () => {
    const jwk = map([
      ['kty', 'EC'],
      ['x', 'l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs'],
      ['y', '9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA'],
      ['crv', 'P-256'],
    ])
    expect(publicKeyFromJwk(jwk).jkt).toBe('0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I')
  })

  it('DP-12: the ath of its example', async () => {
    const subject_token = 'Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU'
    const ath = 'fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo'
    const asked = request({ subject_token, dpop: [dpopText(key, { claims: { ath } })] })
    expect(await dpop.prove(asked, proofTools())).toMatchObject({ method: 'dpop' })
  })
})

describe('dpop with nonces', () => {
  const nonces = rollingNonces(Buffer.alloc(32, 7), 120)
  const strict = dpopProof({ nonces })
  const asked = (nonce?: string) => withProofs(dpopText(key, { claims: { nonce } }))
  const wanted = expect.objectContaining({ code: 'ERR_PROOF_NONCE' })

  it('DP-10, DP-32: takes the current nonce and the one before it', async () => {
    for (const nonce of [nonces.current(NOW), nonces.current(NOW - 120)]) {
      expect(await strict.prove(asked(nonce), proofTools())).toMatchObject({ method: 'dpop' })
    }
  })

  it('DP-10, DP-33, EX-10: asks for one where it is missing, made up, or from before or after', async () => {
    const wrong = [undefined, '', 'n-51', nonces.current(NOW - 240), nonces.current(NOW + 120)]
    for (const nonce of wrong) await expect(strict.prove(asked(nonce), proofTools())).rejects.toEqual(wanted)
    const others = rollingNonces(Buffer.alloc(32, 8), 120)
    await expect(strict.prove(asked(others.current(NOW)), proofTools())).rejects.toEqual(wanted)
  })

  it('still remembers the proof', async () => {
    const tools = proofTools()
    await strict.prove(asked(nonces.current(NOW)), tools)
    await expect(strict.prove(asked(nonces.current(NOW)), tools)).rejects.toEqual(
      expect.objectContaining({ code: 'ERR_PROOF_REPLAYED' }),
    )
  })

  it('DP-32: wants a secret that cannot be guessed', () => {
    expect(() => rollingNonces(Buffer.alloc(31))).toThrow(TypeError)
  })
})
