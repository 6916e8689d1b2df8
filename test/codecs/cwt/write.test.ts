import { beforeAll, describe, expect, test } from 'vitest'
import { cwt } from '../../../src/codecs/cwt/index.ts'
import { algorithmNames } from '../../../src/core/algorithms.ts'
import type { Layout } from '../../../src/core/codec.ts'
import type { Draft, Rendering } from '../../../src/core/token.ts'
import { tokenTypes } from '../../../src/core/types.ts'
import { map, type Value } from '../../../src/core/value.ts'
import { type CborMap, decodeCbor, decodeCborMap, Tagged } from '../../../src/wire/cbor.ts'
import { type CoseRules, keyId, parseCose, signatureAlgorithm } from '../../../src/wire/cose.ts'
import { makeSigner, type TestSigner } from '../../support/cose.ts'
import { draft, ID, ISSUER, issue, NOW, rendering, trusting, verify } from '../../support/cwt.ts'

let signer: TestSigner
beforeAll(() => {
  signer = makeSigner('ES256', 'edge')
})

const options = (entries: { readonly [option: string]: Value }) => map(Object.entries(entries))
const lay = (what: Draft, how: Rendering = rendering(), by = signer): Layout =>
  cwt.prepare(how).lay(what, { issuer: ISSUER, now: NOW, id: ID, signer: by })
const message = (how: Rendering, what = draft(), rules: CoseRules = {}) =>
  parseCose(Buffer.from(issue(signer, what, how), 'base64url'), rules)
const claims = (what: Draft, how?: Rendering): CborMap =>
  decodeCborMap(parseCose(Buffer.from(issue(signer, what, how), 'base64url')).payload)
const refuses = (how: Partial<Rendering>, expected: RegExp) =>
  expect(() => cwt.prepare(rendering(how))).toThrow(
    expect.objectContaining({ code: 'ERR_PROFILE_RENDERING', message: expect.stringMatching(expected) }),
  )

describe('prepare', () => {
  test('says what kind of writer it is', () => {
    const writer = cwt.prepare(rendering())
    expect(writer).toMatchObject({ tokenType: tokenTypes.cwt, usage: 'N_A', singleAudience: false, needsKey: false })
    expect(writer.ceiling(signer)).toBeUndefined()
    expect(cwt.prepare(rendering({ tokenType: 'urn:example:cwt' })).tokenType).toBe('urn:example:cwt')
    expect(cwt).toMatchObject({
      format: 'cwt',
      kinds: ['cwt'],
      tokenTypes: [tokenTypes.cwt, tokenTypes.cwtSign1, tokenTypes.cwtSign],
    })
    expect(cwt.prepare(rendering({ options: options({ tag: 'none' }) })).tokenType).toBe(tokenTypes.cwtSign1)
    const sign = options({ tag: 'none', cose: 'sign' })
    expect(cwt.prepare(rendering({ options: sign })).tokenType).toBe(tokenTypes.cwtSign)
  })

  test('refuses options and values that there are not, and says which would do', () => {
    refuses({ options: options({ serialization: 'compact' }) }, /tag, cose, cose_ids, kid_in/)
    refuses({ options: options({ toString: 1 }) }, /tag, cose, cose_ids, kid_in/)
    refuses({ options: options({ tag: true }) }, /cwt, cose, none/)
    refuses({ options: options({ cose: 'mac0' }) }, /sign1, sign/)
    refuses({ options: options({ cose_ids: 'new' }) }, /classic, fully-specified/)
    refuses({ options: options({ kid_in: 'none' }) }, /protected, unprotected/)
  })

  test('refuses kinds that no typ can be', () => {
    for (const kind of ['', 'a b', 'A', 'cf:-1', 'cf:65536', 'cf:01', 'a/b/c', 'ä']) refuses({ kind }, /media type/)
    for (const kind of ['cwt', 'at+cwt', 'text/plain', 'cf:65535'])
      expect(() => cwt.prepare(rendering({ kind }))).not.toThrow()
  })

  test('refuses header members that the codec sets itself', () => {
    for (const name of ['alg', 'kid', 'crit', 'typ', 'cty'])
      refuses({ header: options({ [name]: 1 }) }, /header members/)
  })

  test('every option has a default in its schema that is the one used', () => {
    const defaults = Object.entries(cwt.encodings).map(
      ([name, schema]) => [name, (schema as { default: string }).default] as const,
    )
    const toBeSigned = (how: Rendering) => lay(draft(), how).toBeSigned
    expect(toBeSigned(rendering({ options: map(defaults) }))).toEqual(toBeSigned(rendering()))
  })
})

describe('the frame', () => {
  test('tag: 61 and the COSE tag, the COSE tag, or none', () => {
    const tagsOf = (tag: string) => {
      const bytes = Buffer.from(issue(signer, draft(), rendering({ options: options({ tag }) })), 'base64url')
      const tags: number[] = []
      let item = decodeCbor(bytes, { tags: [61, 18] })
      for (; item instanceof Tagged; item = item.value) tags.push(item.tag)
      return tags
    }
    expect(tagsOf('cwt')).toEqual([61, 18])
    expect(tagsOf('cose')).toEqual([18])
    expect(tagsOf('none')).toEqual([])
  })

  test('cose: COSE_Sign1, or COSE_Sign with one signature; both verify', () => {
    for (const cose of ['sign1', 'sign']) {
      const how = rendering({ options: options({ cose }), kind: 'at+cwt', header: options({ x: 1 }) })
      expect(message(how).kind).toBe(cose)
      expect(message(how).headers.protected.get(16)).toBe('application/at+cwt')
      expect(message(how).headers.protected.get('x')).toBe(1)
      expect(verify(issue(signer, draft(), how), trusting([signer])).provenance.kind).toBe('at+cwt')
    }
  })

  test('RFC 9052 §3 an empty protected bucket is the zero-length string', () => {
    const { headers } = message(rendering({ options: options({ cose: 'sign' }) }))
    expect(headers.protectedBytes).toHaveLength(0)
    const raw = Buffer.from(issue(signer, draft(), rendering({ options: options({ cose: 'sign' }) })), 'base64url')
    expect(raw.subarray(0, 6).toString('hex')).toBe('d83dd8628440')
  })

  test.each(algorithmNames)(
    'cose_ids: the identifier of RFC 9053, or that of RFC 9864 where there is one, for %s',
    (name) => {
      const by = name === 'ES256' ? signer : makeSigner(name)
      for (const [at, cose_ids] of ['classic', 'fully-specified'].entries()) {
        const raw = issue(by, draft(), rendering({ options: options({ cose_ids }) }))
        const [signature] = parseCose(Buffer.from(raw, 'base64url')).signatures
        expect(signature.headers.protected.get(1)).toBe(by.algorithm.cose[at] ?? by.algorithm.cose[0])
        expect(signatureAlgorithm(signature)).toBe(by.algorithm)
        expect(verify(raw, trusting([by])).provenance.algorithm).toBe(name)
      }
    },
  )

  test('kid_in: the kid is protected, unprotected, or not there', () => {
    const kidOf = (how: Partial<Rendering>) => {
      const [signature] = message(rendering(how)).signatures
      const kid = keyId(signature)
      return [kid && Buffer.from(kid).toString(), signature.headers.protected.has(4)]
    }
    for (const cose of ['sign1', 'sign']) {
      expect(kidOf({ options: options({ cose }) })).toEqual(['edge', true])
      expect(kidOf({ options: options({ cose, kid_in: 'unprotected' }) })).toEqual(['edge', false])
      expect(kidOf({ options: options({ cose }), kid: false })).toEqual([undefined, false])
    }
  })

  test('typ: the kind as media type or content-format; the plain kind has none', () => {
    const typOf = (kind: string | undefined) => message(rendering({ kind })).headers.protected.get(16)
    expect(typOf(undefined)).toBeUndefined()
    expect(typOf('cwt')).toBeUndefined()
    expect(typOf('at+cwt')).toBe('application/at+cwt')
    expect(typOf('text/plain')).toBe('text/plain')
    expect(typOf('cf:50')).toBe(50)
  })

  test('each signer has its own: a change of key is a change of kid and algorithm', () => {
    const writer = cwt.prepare(rendering())
    const next = makeSigner('Ed25519', 'next')
    for (const by of [signer, next, signer]) {
      const layout = writer.lay(draft(), { issuer: ISSUER, now: NOW, id: ID, signer: by })
      const { raw } = layout.finish(by.sign(layout.toBeSigned))
      expect(verify(raw, trusting([signer, next])).provenance).toMatchObject({ algorithm: by.algorithm.name })
    }
  })
})

describe('lay', () => {
  test('registered claims go under their keys, with their types', () => {
    const validity = {
      issuedAt: NOW,
      notBefore: NOW - 10,
      expiresAt: NOW + 300,
      audience: ['https://a.example', 'https://b.example'],
      scope: ['read', 'write'],
    }
    const written = claims(draft({}, { validity }))
    expect(written).toEqual(
      new Map<number, unknown>([
        [1, ISSUER],
        [2, 'spiffe://cluster.example.com/orders'],
        [3, ['https://a.example', 'https://b.example']],
        [4, NOW + 300],
        [5, NOW - 10],
        [6, NOW],
        [7, ID],
        [9, 'read write'],
      ]),
    )
  })

  test('one audience is text, none is no claim; what is not there is not written', () => {
    const validity = { issuedAt: undefined, notBefore: undefined, expiresAt: NOW, audience: [], scope: undefined }
    expect([...claims(draft({}, { validity })).keys()]).toEqual([1, 2, 4, 6, 7])
    expect(claims(draft({}, { validity })).get(6)).toBe(NOW)
    expect(claims(draft()).get(3)).toBe('https://orders.example')
    expect(claims(draft({}, { validity: { ...validity, scope: [] } })).get(9)).toBe('')
  })

  test('times between two seconds never make the token valid for longer', () => {
    const validity = { issuedAt: NOW + 0.9, notBefore: NOW + 0.1, expiresAt: NOW + 9.9, audience: [], scope: undefined }
    const written = claims(draft({}, { validity }))
    expect([written.get(4), written.get(5), written.get(6)]).toEqual([NOW + 9, NOW + 1, NOW])
  })

  test('T-14 times above 2^32 are integers', () => {
    const expiresAt = 2 ** 32 + 5
    const validity = { issuedAt: undefined, notBefore: undefined, expiresAt, audience: [], scope: undefined }
    const raw = issue(signer, draft({}, { validity }))
    expect(Buffer.from(raw, 'base64url').includes(Buffer.from('041b0000000100000005', 'hex'))).toBe(true)
    expect(verify(raw, trusting([signer])).validity.expiresAt).toBe(expiresAt)
  })

  test('claims with a registered key go there when they have its type, and under their name when not', () => {
    const bytes = Buffer.of(1, 2)
    const written = claims(draft({ eat_nonce: bytes, cnonce: bytes, ace_profile: 2, status: map([['a', 1]]) }))
    expect([written.get(10), written.get(39), written.get(38)]).toEqual([bytes, bytes, 2])
    expect(written.get(65535)).toEqual(new Map([['a', 1]]))
    const asText = claims(draft({ eat_nonce: 'AQI', cnonce: 'AQI', ace_profile: 'p', status: 'active', nonce: 'n' }))
    expect(asText.get('eat_nonce')).toBe('AQI')
    expect([10, 38, 39, 65535].some((key) => asText.has(key))).toBe(false)
    expect(asText.get('nonce')).toBe('n')
  })

  test('an integer key that came in as cwt: and its number goes out as that number', () => {
    const written = claims(draft({ 'cwt:500': 1, 'cwt:-70000': 2, 'cwt:007': 3 }))
    expect([written.get(500), written.get(-70_000), written.get('cwt:007')]).toEqual([1, 2, 3])
  })

  test('no name is a way around the claims that the gateway sets: they are lost, with the reason', () => {
    const names = ['iss', 'aud', 'exp', 'nbf', 'iat', 'jti', 'cti', 'cnf', 'scope', 'exi', 'constructor']
    const numbered = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 38, 39, 40, 65535].map((key) => `cwt:${key}`)
    const evil = Object.fromEntries([...names, ...numbered].map((name) => [name, 'evil'] as const))
    const { losses } = lay(draft(evil))
    expect(losses.map(({ claim }) => claim).sort()).toEqual([...names, ...numbered].sort())
    expect(losses.every(({ became, reason }) => became === 'lost' && reason.length > 10)).toBe(true)
    const written = claims(draft(evil))
    expect(JSON.stringify([...written])).not.toContain('evil')
    expect(written.get(4)).toBe(NOW + 300)
  })

  test('nothing else is lost', () => {
    const { losses } = lay(
      draft({ a: 1.5, b: Buffer.of(1), c: null, d: [map([['e', true]])], act: map([['sub', 'x']]) }),
    )
    expect(losses).toEqual([])
  })

  test('a subject that is no text refuses', () => {
    expect(() => lay(draft({ sub: 5 }))).toThrow(expect.objectContaining({ code: 'ERR_PROFILE_SUBJECT' }))
  })

  test('values that CBOR cannot hold refuse: lone surrogates and integers beyond ±(2^53-1)', () => {
    for (const value of ['\ud800', 2 ** 60]) {
      expect(() => lay(draft({ value }))).toThrow(expect.objectContaining({ code: 'ERR_TOKEN_CLAIM' }))
    }
  })

  test('what is embedded goes into a claim or the protected header', () => {
    const embedded = [
      { name: 'src_jwt', place: 'claim', value: 'e30.e30.' },
      { name: 'src_sha256', place: 'header', value: Buffer.alloc(32, 1) },
    ] as const
    for (const cose of ['sign1', 'sign']) {
      const how = rendering({ header: options({ x: 1 }), options: options({ cose }) })
      const { headers, payload } = message(how, draft({}, { embedded }))
      expect(headers.protected.get('src_sha256')).toEqual(Buffer.alloc(32, 1))
      expect(headers.protected.get('x')).toBe(1)
      expect(decodeCborMap(payload).get('src_jwt')).toBe('e30.e30.')
      const raw = issue(signer, draft({}, { embedded }), how)
      expect(verify(raw, trusting([signer])).claims['src_jwt']).toBe('e30.e30.')
    }
    // The next token without it has the plain frame again.
    expect(message(rendering()).headers.protected.has('src_sha256')).toBe(false)
  })

  test('an embedded token never takes the place of another claim or header member', () => {
    const over = (name: string, place: 'claim' | 'header' = 'claim') =>
      lay(
        draft({ src: 'theirs' }, { embedded: [{ name, place, value: 'ours' }] }),
        rendering({ header: options({ x: 1 }) }),
      )
    expect(over('src2').losses).toEqual([])
    for (const name of ['src', 'sub', 'iss', 'exp', 'cnf', 'cwt:4', '__proto__']) {
      expect(() => over(name)).toThrow(expect.objectContaining({ code: 'ERR_PROFILE_RENDERING' }))
    }
    for (const name of ['alg', 'kid', 'crit', 'typ', 'x']) {
      expect(() => over(name, 'header')).toThrow(expect.objectContaining({ code: 'ERR_PROFILE_RENDERING' }))
    }
  })

  test('finish answers the token, its type and its identifier', () => {
    const layout = lay(draft())
    const issued = layout.finish(signer.sign(layout.toBeSigned))
    expect(issued).toMatchObject({ tokenType: tokenTypes.cwt, usage: 'N_A', id: `b64:${ID.toString('base64url')}` })
    expect(issued.raw).toMatch(/^[A-Za-z0-9_-]+$/)
    expect(verify(issued.raw, trusting([signer])).provenance.id).toBe(issued.id)
  })

  test('the same draft gives the same bytes to sign, whatever the order of its claims', () => {
    const one = lay(
      draft({
        a: 1,
        bb: map([
          ['x', 1],
          ['y', 2],
        ]),
      }),
    )
    const other = lay(
      draft({
        bb: map([
          ['y', 2],
          ['x', 1],
        ]),
        a: 1,
      }),
    )
    expect(one.toBeSigned).toEqual(other.toBeSigned)
  })
})
