import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { beforeAll, describe, expect, test } from 'vitest'
import { cwt } from '../../../src/codecs/cwt/index.ts'
import { algorithms } from '../../../src/core/algorithms.ts'
import { tokenTypes } from '../../../src/core/types.ts'
import { map } from '../../../src/core/value.ts'
import { fromBase64url, toBase64url } from '../../../src/wire/base64url.ts'
import type { CborLabel } from '../../../src/wire/cbor.ts'
import { type Encodable, Encoded, encodeCbor } from '../../../src/wire/cbor-encode.ts'
import { parseCose, signedBytes } from '../../../src/wire/cose.ts'
import { publicKeyFromJwk, verificationKey } from '../../../src/wire/jwk.ts'
import { algorithm, makeSigner, sign1, type TestSigner } from '../../support/cose.ts'
import { claimsSet, draft, forge, ISSUER, issue, NOW, parse, rendering, trusting, verify } from '../../support/cwt.ts'

const entries = (...all: [CborLabel, Encodable][]): Map<CborLabel, Encodable> => new Map(all)
const code = (name: string) => expect.objectContaining({ code: name })

let signer: TestSigner
beforeAll(() => {
  signer = makeSigner('ES256', 'edge')
})

const good = () => forge(signer, claimsSet())
const refuses = (raw: string, name: string) => expect(() => verify(raw, trusting([signer]))).toThrow(code(name))

describe('parse', () => {
  test('takes the CWT token types and no other', () => {
    for (const type of Object.values(tokenTypes)) {
      const mine = cwt.parse({ raw: good(), type, role: 'subject' }) !== undefined
      expect(mine).toBe(([tokenTypes.cwt, tokenTypes.cwtSign1, tokenTypes.cwtSign] as string[]).includes(type))
    }
  })

  test('CT-03 takes an untagged COSE_Sign1 under the type that says so, and no untagged message under the other', () => {
    const untagged = toBase64url(fromBase64url(good())?.subarray(3) ?? new Uint8Array())
    expect(cwt.parse({ raw: untagged, type: tokenTypes.cwtSign1, role: 'subject' })?.issuer).toBe(ISSUER)
    const parseTagged = () => cwt.parse({ raw: untagged, type: tokenTypes.cwt, role: 'subject' })
    expect(parseTagged).toThrow(expect.objectContaining({ code: 'ERR_TOKEN_MALFORMED' }))
  })

  test('CT-03 takes an untagged COSE_Sign under the type that says so, and under no other', () => {
    const how = rendering({
      options: map([
        ['cose', 'sign'],
        ['tag', 'none'],
      ]),
    })
    const raw = issue(signer, draft(), how)
    const parseAs = (type: string) => cwt.parse({ raw, type, role: 'subject' })
    expect(parseAs(tokenTypes.cwtSign)?.issuer).toBe(ISSUER)
    for (const type of [tokenTypes.cwt, tokenTypes.cwtSign1]) {
      expect(() => parseAs(type)).toThrow(expect.objectContaining({ code: 'ERR_TOKEN_MALFORMED' }))
    }
  })

  test('shows who signed and with which key, and nothing else', () => {
    const unverified = parse(good())
    expect(unverified.issuer).toBe(ISSUER)
    expect(unverified.hint).toEqual({ kid: 'edge', algorithm: algorithm('ES256') })
    expect(Object.keys(unverified).sort()).toEqual(['hint', 'issuer', 'verify'])
  })

  test('a kid that is no text is found as b64: and its base64url; none is no hint', () => {
    const bytes = forge(signer, claimsSet(), { unprotected: entries([4, Buffer.of(0xff, 0)]) })
    expect(parse(bytes).hint.kid).toBe('b64:_wA')
    expect(parse(forge(signer, claimsSet(), { unprotected: entries() })).hint.kid).toBeUndefined()
  })

  test('P-01 refuses padding, white space, the other alphabet and unused bits', () => {
    const raw = good()
    const bytes = fromBase64url(raw) ?? Buffer.alloc(0)
    for (const bad of [`${raw}=`, ` ${raw}`, `${raw}\n`, bytes.toString('base64'), `${raw}A`, raw.slice(0, -1)]) {
      if (bad !== raw) expect(() => parse(bad)).toThrow(code('ERR_TOKEN_MALFORMED'))
    }
    expect(() => parse('')).toThrow(code('ERR_TOKEN_MALFORMED'))
  })

  test('refuses a token of more than 64 KiB, and claims of more than 16 KiB', () => {
    expect(() => parse('A'.repeat(65_537))).toThrow(code('ERR_TOKEN_TOO_LARGE'))
    const padded = (length: number) => claimsSet(['a', Buffer.alloc(length)])
    const overhead = encodeCbor(padded(1000)).length - 1000
    expect(() => parse(forge(signer, padded(16_384 - overhead)))).not.toThrow()
    expect(() => parse(forge(signer, padded(16_385 - overhead)))).toThrow(code('ERR_TOKEN_TOO_LARGE'))
  })

  test('CT-01 CT-04 refuses a payload that is no claims map: a nested CWT, an array, nothing', () => {
    const inner = sign1(signer, encodeCbor(claimsSet()))
    for (const payload of [inner, encodeCbor([]), Buffer.alloc(0), Buffer.from('{}')]) {
      expect(() => parse(toBase64url(sign1(signer, payload)))).toThrow(code('ERR_TOKEN_MALFORMED'))
    }
  })

  test('CT-02 CT-03 refuses an untagged message, 61 over an untagged array, and other COSE tags', () => {
    for (const tags of [[], [61], [17], [61, 17], [61, 61, 18], [27]]) {
      expect(() => parse(forge(signer, claimsSet(), { tags }))).toThrow(code('ERR_TOKEN_MALFORMED'))
    }
    expect(() => parse(forge(signer, claimsSet(), { tags: [18] }))).not.toThrow()
  })

  test('T-06 CO-06 refuses alg outside the protected bucket, and none at all', () => {
    const unprotectedAlg = { protectedMap: entries(), unprotected: entries([1, -7], [4, Buffer.from('edge')]) }
    expect(() => parse(forge(signer, claimsSet(), unprotectedAlg))).toThrow(code('ERR_TOKEN_HEADER'))
    expect(() => parse(forge(signer, claimsSet(), { protectedMap: entries() }))).toThrow(code('ERR_TOKEN_ALGORITHM'))
  })

  test('T-06 refuses an unknown crit, and a label in both buckets', () => {
    const critical = { protectedMap: entries([1, -7], [2, ['b']], ['b', 1]) }
    expect(() => parse(forge(signer, claimsSet(), critical))).toThrow(code('ERR_TOKEN_HEADER'))
    const both = { protectedMap: entries([1, -7], [4, Buffer.from('edge')]) }
    expect(() => parse(forge(signer, claimsSet(), both))).toThrow(code('ERR_TOKEN_DUPLICATE'))
  })

  test('CO-05 takes a crit of what it acts on: alg, kid, CWT Claims, typ', () => {
    const protectedMap = entries(
      [1, -7],
      [2, [1, 4, 15, 16]],
      [4, Buffer.from('edge')],
      [15, entries([1, ISSUER])],
      [16, 'a/b'],
    )
    expect(
      verify(forge(signer, claimsSet(), { protectedMap, unprotected: entries() }), trusting([signer])).claims,
    ).toBeDefined()
  })

  test('CO-12 refuses a COSE_Sign with two signatures', () => {
    const one =
      fromBase64url(issue(signer, undefined, rendering({ options: map([['cose', 'sign']]) }))) ?? Buffer.alloc(0)
    const message = parseCose(one)
    const [{ headers, signature }] = message.signatures
    const entry = [headers.protectedBytes, new Map(), signature]
    const two = encodeCbor([message.headers.protectedBytes, new Map(), message.payload, [entry, entry]])
    const tagged = Buffer.concat([Buffer.from('d83dd862', 'hex'), two])
    expect(() => parse(toBase64url(tagged))).toThrow(code('ERR_TOKEN_MALFORMED'))
  })

  test('RFC 9596 §2 typ: text and content-format become the kind; unprotected, empty or of another type refuses', () => {
    const kindOf = (typ: Encodable) => {
      const raw = forge(signer, claimsSet(), { protectedMap: entries([1, -7], [16, typ]) })
      return verify(raw, trusting([signer])).provenance.kind
    }
    expect(verify(good(), trusting([signer])).provenance.kind).toBeUndefined()
    expect(kindOf('application/at+cwt')).toBe('at+cwt')
    expect(kindOf('Application/AT+cwt')).toBe('at+cwt')
    expect(kindOf('at+cwt')).toBe('at+cwt')
    expect(kindOf('text/plain')).toBe('text/plain')
    expect(kindOf('application/cwt')).toBe('cwt')
    expect(kindOf(61)).toBe('cwt')
    expect(kindOf(50)).toBe('cf:50')
    for (const typ of ['', 'a b', 'cf:50', 'a/b/c', 'application/', -1, 1.5, 65_536 * 10, Buffer.from('x'), null, []]) {
      expect(() => kindOf(typ)).toThrow(code('ERR_TOKEN_HEADER'))
    }
    const unprotected = entries([4, Buffer.from('edge')], [16, 'application/at+cwt'])
    expect(() => parse(forge(signer, claimsSet(), { unprotected }))).toThrow(code('ERR_TOKEN_HEADER'))
  })

  test('in a COSE_Sign, typ and CWT Claims stand in the body: beside a signature they refuse', () => {
    const withSignerHeader = (label: number, value: Encodable) => {
      const own = encodeCbor(entries([1, -7], [label, value]))
      const payload = encodeCbor(claimsSet())
      const signed = encodeCbor(['Signature', Buffer.alloc(0), own, Buffer.alloc(0), payload])
      const message = encodeCbor([Buffer.alloc(0), entries(), payload, [[own, entries(), signer.sign(signed)]]])
      return toBase64url(Buffer.concat([Buffer.from('d862', 'hex'), message]))
    }
    expect(verify(withSignerHeader(3, 61), trusting([signer])).provenance.issuer).toBe(ISSUER)
    expect(() => parse(withSignerHeader(16, 'application/at+cwt'))).toThrow(code('ERR_TOKEN_HEADER'))
    expect(() => parse(withSignerHeader(15, entries([2, 'root'])))).toThrow(code('ERR_TOKEN_HEADER'))
  })

  test('takes no notice of content type, certificates and other headers that nothing hangs on', () => {
    const unprotected = entries(
      [4, Buffer.from('edge')],
      [3, 61],
      [33, Buffer.alloc(10)],
      [34, [-16, Buffer.alloc(32)]],
    )
    expect(() => verify(forge(signer, claimsSet(), { unprotected }), trusting([signer]))).not.toThrow()
    const uri = new Encoded(
      Buffer.concat([
        Buffer.from('a21823d820', 'hex'),
        encodeCbor('https://x.example'),
        Buffer.from('04', 'hex'),
        encodeCbor(Buffer.from('edge')),
      ]),
    )
    expect(() => verify(forge(signer, claimsSet(), { unprotected: uri.bytes }), trusting([signer]))).not.toThrow()
  })
})

describe('verify', () => {
  test.each(['ES256', 'ES384', 'ES512', 'Ed25519', 'RS256', 'PS256', 'PS512', 'ML-DSA-44', 'ML-DSA-65', 'ML-DSA-87'])(
    'a token of ours, signed with %s',
    (name) => {
      const mine = makeSigner(name)
      const token = verify(issue(mine), trusting([mine]))
      expect(token.provenance).toMatchObject({
        format: 'cwt',
        type: tokenTypes.cwt,
        issuer: ISSUER,
        trustDomain: 'cluster.example.com',
        algorithm: name,
        keyThumbprint: mine.publicKey.jkt,
      })
    },
  )

  test('answers at once when the keys are there, and with a promise when they are not', async () => {
    const promise = parse(good()).verify(trusting([signer], { asynchronous: true }), { now: NOW, clockSkew: 0 })
    expect(promise).toBeInstanceOf(Promise)
    expect((await promise).provenance.issuer).toBe(ISSUER)
    expect(verify(good(), trusting([signer])).provenance.issuer).toBe(ISSUER)
  })

  test('an issuer without such a key is ERR_TRUST_KEY', () => {
    expect(() => verify(good(), trusting([]))).toThrow(code('ERR_TRUST_KEY'))
    const other = forge(signer, claimsSet(), { unprotected: entries([4, Buffer.from('another')]) })
    expect(() => verify(other, trusting([signer]))).toThrow(code('ERR_TRUST_KEY'))
  })

  test('CO-11 without a kid each key of the issuer is tried', () => {
    const raw = forge(signer, claimsSet(), { unprotected: entries() })
    const others = [makeSigner('ES256', 'a'), makeSigner('Ed25519', 'b')]
    expect(verify(raw, trusting([...others, signer])).provenance.keyThumbprint).toBe(signer.publicKey.jkt)
    expect(() => verify(raw, trusting(others))).toThrow(code('ERR_TOKEN_SIGNATURE'))
  })

  test("an algorithm that the issuer is not trusted with, or that is not the key's, is ERR_TOKEN_ALGORITHM", () => {
    const allowed = algorithms.filter(({ name }) => name !== 'ES256')
    expect(() => verify(good(), trusting([signer], { allowed }))).toThrow(code('ERR_TOKEN_ALGORITHM'))
    const wrongKey = makeSigner('Ed25519', 'edge')
    expect(() => verify(good(), trusting([wrongKey]))).toThrow(code('ERR_TOKEN_ALGORITHM'))
  })

  test('CO-07 ES256 with a key on P-384 refuses, though RFC 9053 would permit it, and so does RS256 for a PS256 key', () => {
    const p384 = makeSigner('ES384', 'edge')
    const asEs256 = forge(p384, claimsSet(), { protectedMap: entries([1, -7]) })
    expect(() => verify(asEs256, trusting([p384]))).toThrow(code('ERR_TOKEN_ALGORITHM'))
    const pss = makeSigner('PS256', 'edge')
    const asRs256 = forge(pss, claimsSet(), { protectedMap: entries([1, -257]) })
    expect(() => verify(asRs256, trusting([pss]))).toThrow(code('ERR_TOKEN_ALGORITHM'))
  })

  test('a signature by another key, cut, or over other claims is ERR_TOKEN_SIGNATURE', () => {
    const stranger = makeSigner('ES256', 'edge')
    refuses(forge(stranger, claimsSet()), 'ERR_TOKEN_SIGNATURE')
    const bytes = Buffer.from(good(), 'base64url')
    const last = bytes.length - 1
    bytes[last] = (bytes[last] ?? 0) ^ 1
    refuses(toBase64url(bytes), 'ERR_TOKEN_SIGNATURE')
    const message = parseCose(Buffer.from(good(), 'base64url'))
    const parts = (payload: Uint8Array, signature: Uint8Array) =>
      toBase64url(
        Buffer.concat([
          Buffer.of(0xd2),
          encodeCbor([message.headers.protectedBytes, entries([4, Buffer.from('edge')]), payload, signature]),
        ]),
      )
    refuses(parts(encodeCbor(claimsSet(['admin', true])), message.signatures[0].signature), 'ERR_TOKEN_SIGNATURE')
    for (const signature of [Buffer.alloc(0), message.signatures[0].signature.subarray(1), Buffer.alloc(64)]) {
      refuses(parts(message.payload, signature), 'ERR_TOKEN_SIGNATURE')
    }
  })

  test('PQ-07 an ML-DSA signature of another length is ERR_TOKEN_SIGNATURE', () => {
    const mine = makeSigner('ML-DSA-44', 'edge')
    const message = parseCose(Buffer.from(forge(mine, claimsSet()), 'base64url'))
    const [{ headers, signature }] = message.signatures
    for (const wrong of [signature.subarray(0, -1), Buffer.concat([signature, Buffer.of(0)])]) {
      const bytes = Buffer.concat([
        Buffer.of(0xd2),
        encodeCbor([headers.protectedBytes, new Map(), message.payload, wrong]),
      ])
      expect(() => verify(toBase64url(bytes), trusting([mine]))).toThrow(code('ERR_TOKEN_SIGNATURE'))
    }
  })

  test('checked against another issuer than the one it names is ERR_TRUST_ISSUER', () => {
    expect(() => verify(good(), trusting([signer], { issuer: 'https://other.example' }))).toThrow(
      code('ERR_TRUST_ISSUER'),
    )
  })

  test('the issuer is compared as it stands: case, a slash, an invisible character count', () => {
    for (const iss of [`${ISSUER}/`, ISSUER.toUpperCase(), `${ISSUER}\u200b`]) {
      refuses(forge(signer, claimsSet([1, iss])), 'ERR_TRUST_ISSUER')
    }
  })

  test('digest and replay key: of what was signed, and of the cti where there is one', () => {
    const sha256 = (data: Uint8Array | string) => createHash('sha256').update(data).digest('hex')
    const raw = good()
    const message = parseCose(Buffer.from(raw, 'base64url'))
    const digest = sha256(signedBytes(message, message.signatures[0]))
    expect(verify(raw, trusting([signer])).provenance).toMatchObject({ id: undefined, digest, replayKey: digest })
    const named = verify(forge(signer, claimsSet([7, Buffer.of(1, 2)])), trusting([signer])).provenance
    expect(named.id).toBe('b64:AQI')
    expect(named.replayKey).toBe(sha256(`${ISSUER}\0cwt\0b64:AQI`))
  })

  test('P-04 ID-02 the twin of an ECDSA signature, other tags and unprotected headers make no new token', () => {
    const message = parseCose(Buffer.from(good(), 'base64url'))
    const [{ headers, signature }] = message.signatures
    const order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n
    const s = BigInt(`0x${Buffer.from(signature.subarray(32)).toString('hex')}`)
    const twin = Buffer.concat([
      signature.subarray(0, 32),
      Buffer.from((order - s).toString(16).padStart(64, '0'), 'hex'),
    ])
    const wrapped = (bytes: Uint8Array, tag: string, unprotected: Map<CborLabel, Encodable>) =>
      toBase64url(
        Buffer.concat([
          Buffer.from(tag, 'hex'),
          encodeCbor([headers.protectedBytes, unprotected, message.payload, bytes]),
        ]),
      )
    const variants = [
      wrapped(signature, 'd83dd2', new Map()),
      wrapped(twin, 'd83dd2', new Map()),
      wrapped(signature, 'd2', new Map()),
      wrapped(signature, 'd2', entries(['x', 1])),
    ]
    expect(new Set(variants).size).toBe(4)
    expect(new Set(variants.map((raw) => verify(raw, trusting([signer])).provenance.replayKey)).size).toBe(1)
  })
})

describe('RFC 8392 appendix A.3', () => {
  test('the signed CWT example verifies and says what it says', () => {
    const vector = JSON.parse(readFileSync(new URL('../../vectors/cose-wg/CWT/A_3.json', import.meta.url), 'utf8'))
    const { x_hex: x, y_hex: y } = vector.input.sign0.key
    const b64 = (hex: string) => Buffer.from(hex, 'hex').toString('base64url')
    const key = publicKeyFromJwk(
      map([
        ['kty', 'EC'],
        ['crv', 'P-256'],
        ['x', b64(x)],
        ['y', b64(y)],
      ]),
    )
    const verifying = verificationKey(key, algorithms)
    const issuer = trusting([signer], { issuer: 'coap://as.example.com' })
    const trusted = { ...issuer, anchor: { ...issuer.anchor, keys: () => (verifying ? [verifying] : []) } }
    const token = verify(toBase64url(Buffer.from(vector.output.cbor, 'hex')), trusted)
    expect({ ...token.claims }).toEqual({ sub: 'erikw' })
    expect(token.validity).toEqual({
      issuedAt: 1443944944,
      notBefore: 1443944944,
      expiresAt: 1444064944,
      audience: ['coap://light.example.com'],
      scope: undefined,
    })
    expect(token.provenance.id).toBe('b64:C3E')
    expect(token.confirmation).toBeUndefined()
  })
})
