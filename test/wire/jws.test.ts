import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { DragomanError } from '../../src/core/errors.ts'
import { toBase64url } from '../../src/wire/base64url.ts'
import { headerReader, JWS_LIMITS, parseCompact, parseJsonJws } from '../../src/wire/jws.ts'

const numRuns = Number(process.env['FUZZ_RUNS'] ?? 200)
const encode = (value: object | string): string =>
  toBase64url(Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)))
const HEADER = encode({ alg: 'ES256', kid: 'a', typ: 'JWT' })
const PAYLOAD = encode('payload')
const SIGNATURE = 'c2ln'
const TOKEN = `${HEADER}.${PAYLOAD}.${SIGNATURE}`
const withHeader = (header: object | string) => `${encode(header)}.${PAYLOAD}.${SIGNATURE}`
const refuses = (text: string, code: string) =>
  expect(() => parseCompact(text)).toThrow(expect.objectContaining({ code }))

describe('the compact serialization', () => {
  test('is taken apart', () => {
    const { header, payload, signature, signingInput } = parseCompact(TOKEN)
    expect(header).toMatchObject({
      alg: 'ES256',
      kid: 'a',
      typ: 'JWT',
      members: { alg: 'ES256', kid: 'a', typ: 'JWT' },
    })
    expect(header.algorithm?.name).toBe('ES256')
    expect(payload.toString()).toBe('payload')
    expect(signature.toString()).toBe('sig')
    expect(signingInput.toString()).toBe(`${HEADER}.${PAYLOAD}`)
  })

  test.each(['', 'a', 'a.b', `${HEADER}.${PAYLOAD}`, `${TOKEN}.`, `${TOKEN}.x`, `${TOKEN}.x.y`, `.${TOKEN}`])(
    'JB-16: has exactly three parts, unlike %.50s',
    (text) => refuses(text, 'ERR_TOKEN_MALFORMED'),
  )

  test.each([
    ['padding in the header', `${encode('{"alg":"ES256"}')}=.${PAYLOAD}.${SIGNATURE}`],
    ['padding in the payload', `${HEADER}.YQ==.${SIGNATURE}`],
    ['padding in the signature', `${HEADER}.${PAYLOAD}.YQ==`],
    ['white space in the signature', `${HEADER}.${PAYLOAD}.c2 ln`],
    ['white space after the token', `${TOKEN}\n`],
    ['white space before the token', ` ${TOKEN}`],
    ['trailing bits in the signature', `${HEADER}.${PAYLOAD}.YR`],
    ['trailing bits in the payload', `${HEADER}.YR.${SIGNATURE}`],
    ['the other alphabet', `${HEADER}.${PAYLOAD}.+/+/`],
    ['a character outside ASCII', `${HEADER}.${PAYLOAD}.YWJ\u0141`],
  ])('T-02, P-01: refuses %s', (_, text) => refuses(text, 'ERR_TOKEN_MALFORMED'))

  test.each(['', 'null', '[]', '"a"', '{', '{"alg":"ES256"}x', '\ufeff{"alg":"ES256"}'])(
    'refuses the header %j',
    (header) => refuses(withHeader(header), 'ERR_TOKEN_MALFORMED'),
  )

  test('T-03: refuses a repeated header member', () => {
    refuses(withHeader('{"alg":"none","alg":"ES256"}'), 'ERR_TOKEN_DUPLICATE')
    refuses(withHeader('{"alg":"ES256","jwk":{"kty":"EC","kty":"RSA"}}'), 'ERR_TOKEN_DUPLICATE')
  })

  test.each([
    ['no alg', {}],
    ['an alg that is a number', { alg: 1 }],
    ['an alg that is a list', { alg: ['ES256'] }],
    ['an alg that is null', { alg: null }],
    ['a kid that is a number', { alg: 'ES256', kid: 1 }],
    ['a kid that is an object', { alg: 'ES256', kid: {} }],
    ['a typ that is null', { alg: 'ES256', typ: null }],
    ['a cty that is a list', { alg: 'ES256', cty: [] }],
    ['a jku that is no text', { alg: 'ES256', jku: 1 }],
    ['an x5u that is no text', { alg: 'ES256', x5u: true }],
    ['an x5c that is text', { alg: 'ES256', x5c: 'AAAA' }],
    ['an x5c that is empty', { alg: 'ES256', x5c: [] }],
    ['an x5t that is no text', { alg: 'ES256', x5t: 5 }],
    ['an x5t#S256 that is no text', { alg: 'ES256', 'x5t#S256': {} }],
    ['a jwk that is text', { alg: 'ES256', jwk: '{}' }],
  ])('refuses %s', (_, header) => refuses(withHeader(header), 'ERR_TOKEN_HEADER'))

  test.each([
    ['an unknown extension', { crit: ['x'], x: 1 }],
    ['an extension that is not there', { crit: ['exp'] }],
    ['a registered name', { crit: ['alg'] }],
    ['an empty list', { crit: [] }],
    ['text', { crit: 'x' }],
    ['null', { crit: null }],
    ['b64, RFC 7797', { crit: ['b64'], b64: true }],
  ])('refuses crit that has %s', (_, more) => refuses(withHeader({ alg: 'ES256', ...more }), 'ERR_TOKEN_HEADER'))

  test.each([false, 'false', 0, null])('refuses b64 %j, critical or not', (b64) => {
    refuses(withHeader({ alg: 'ES256', b64 }), 'ERR_TOKEN_HEADER')
    refuses(withHeader({ alg: 'ES256', b64, crit: ['b64'] }), 'ERR_TOKEN_HEADER')
  })

  test.each(['none', 'NONE', 'HS256', 'es256', 'ES256K', 'toString'])(
    'an algorithm %s is read, and is no row of the table',
    (alg) => {
      const { header } = parseCompact(withHeader({ alg }))
      expect(header.alg).toBe(alg)
      expect(header.algorithm).toBeUndefined()
    },
  )

  test('whoever asks sees the whole header, as a DPoP verifier has to', () => {
    const jwk = { kty: 'EC', crv: 'P-256', x: 'AA', y: 'AA' }
    const { header } = parseCompact(
      withHeader({ alg: 'ES256', typ: 'dpop+jwt', jwk, x5c: ['AAAA'], jku: 'https://a/' }),
    )
    expect(header.members['jwk']).toEqual(jwk)
  })

  test('an empty signature and an empty payload are empty, and not an error of form', () => {
    expect(parseCompact(`${HEADER}..`)).toMatchObject({ payload: Buffer.alloc(0), signature: Buffer.alloc(0) })
  })

  test('refuses what is longer than the limit', () => {
    const long = 'A'.repeat(JWS_LIMITS.characters)
    refuses(`${HEADER}.${long}.${SIGNATURE}`, 'ERR_TOKEN_TOO_LARGE')
    expect(() => parseCompact(TOKEN, { limits: { ...JWS_LIMITS, characters: TOKEN.length - 1 } })).toThrow(
      expect.objectContaining({ code: 'ERR_TOKEN_TOO_LARGE' }),
    )
    refuses(withHeader({ alg: 'ES256', x5c: Array(300).fill('A') }), 'ERR_TOKEN_TOO_LARGE')
  })
})

describe('a header reader', () => {
  test('reads the same header once', () => {
    const headers = headerReader()
    const [one, two] = [parseCompact(TOKEN, { headers }), parseCompact(`${HEADER}.AAAA.AAAA`, { headers })]
    expect(two.header).toBe(one.header)
    expect(parseCompact(withHeader({ alg: 'ES256', kid: 'b' }), { headers }).header.kid).toBe('b')
  })

  test('remembers no more than its share, and forgets what nobody has used for long', () => {
    const headers = headerReader()
    const of = (kid: number) => headers(encode({ alg: 'ES256', kid: String(kid) }))
    const first = of(0)
    const used = of(1)
    for (let kid = 2; kid < 600; kid += 1) {
      of(kid)
      expect(of(1)).toBe(used)
    }
    expect(of(0)).not.toBe(first)
    expect(of(0).kid).toBe('0')
  })

  test('does not keep long headers', () => {
    const headers = headerReader()
    const long = encode({ alg: 'ES256', x5c: ['A'.repeat(2000)] })
    expect(headers(long)).not.toBe(headers(long))
  })

  test('refuses the same header each time', () => {
    const headers = headerReader()
    for (const _ of [1, 2]) {
      expect(() => headers(encode({ alg: 'ES256', crit: ['x'] }))).toThrow(
        expect.objectContaining({ code: 'ERR_TOKEN_HEADER' }),
      )
    }
  })
})

describe('the JSON serialization', () => {
  const flattened = { payload: PAYLOAD, protected: HEADER, signature: SIGNATURE }
  const general = { payload: PAYLOAD, signatures: [{ protected: HEADER, signature: SIGNATURE }] }
  const json = (value: unknown) => parseJsonJws(JSON.stringify(value))
  const refusesJson = (value: unknown, code: string) =>
    expect(() => json(value)).toThrow(expect.objectContaining({ code }))

  test('flattened and general say the same as compact', () => {
    expect(json(flattened)).toEqual(parseCompact(TOKEN))
    expect(json(general)).toEqual(parseCompact(TOKEN))
    const headers = headerReader()
    expect(parseJsonJws(JSON.stringify(general), { headers })).toEqual(parseCompact(TOKEN, { headers }))
  })

  test('members of both headers are seen together', () => {
    const bare = encode({ alg: 'ES256' })
    const { header } = json({ ...flattened, protected: bare, header: { kid: 'a', jku: 'https://a/' } })
    expect(header).toMatchObject({ kid: 'a', members: { alg: 'ES256', kid: 'a', jku: 'https://a/' } })
    expect(
      json({ payload: PAYLOAD, signatures: [{ protected: bare, header: { kid: 'b' }, signature: '' }] }).header.kid,
    ).toBe('b')
  })

  test('a member in both headers is refused', () =>
    refusesJson({ ...flattened, header: { kid: 'a' } }, 'ERR_TOKEN_DUPLICATE'))

  test.each(['alg', 'typ', 'cty', 'crit', 'b64'])('%s must be protected', (member) => {
    refusesJson({ ...flattened, protected: encode({ alg: 'ES256' }), header: { [member]: 'x' } }, 'ERR_TOKEN_HEADER')
  })

  test('alg in no protected header is refused', () => {
    refusesJson({ payload: PAYLOAD, header: { alg: 'ES256' }, signature: SIGNATURE }, 'ERR_TOKEN_HEADER')
    refusesJson({ ...flattened, protected: encode({ kid: 'a' }), header: { alg: 'ES256' } }, 'ERR_TOKEN_HEADER')
  })

  test('an unprotected member has the type of its name', () =>
    refusesJson({ ...flattened, protected: encode({ alg: 'ES256' }), header: { kid: 1 } }, 'ERR_TOKEN_HEADER'))

  test.each([
    ['two signatures', { payload: PAYLOAD, signatures: [general.signatures[0], general.signatures[0]] }],
    ['no signature', { payload: PAYLOAD, signatures: [] }],
    ['signatures that are no list', { payload: PAYLOAD, signatures: general.signatures[0] }],
    ['a signature that is no object', { payload: PAYLOAD, signatures: ['x'] }],
    ['both forms at once', { ...flattened, ...general }],
    ['a protected header beside signatures', { ...general, protected: HEADER }],
    ['an unprotected header beside signatures', { ...general, header: {} }],
    ['a payload that is no text', { ...flattened, payload: {} }],
    ['no payload', { protected: HEADER, signature: SIGNATURE }],
    ['no signature member', { payload: PAYLOAD, protected: HEADER }],
    ['a protected header that is no text', { ...flattened, protected: { alg: 'ES256' } }],
    ['an unprotected header that is no object', { ...flattened, header: [] }],
    ['padding', { ...flattened, signature: 'YQ==' }],
    ['a list', [flattened]],
  ])('refuses %s', (_, value) => refusesJson(value, 'ERR_TOKEN_MALFORMED'))

  test('members that nobody knows are passed over (RFC 7515 §7.2.1)', () =>
    expect(json({ ...flattened, note: { a: [1] } })).toEqual(parseCompact(TOKEN)))

  test('refuses a repeated member, at any level', () => {
    const twice = (text: string) =>
      expect(() => parseJsonJws(text)).toThrow(expect.objectContaining({ code: 'ERR_TOKEN_DUPLICATE' }))
    twice(`{"payload":"AA","payload":"${PAYLOAD}","protected":"${HEADER}","signature":"${SIGNATURE}"}`)
    twice(`{"payload":"${PAYLOAD}","signatures":[{"protected":"AA","protected":"${HEADER}","signature":""}]}`)
  })

  test('refuses what is longer than the limit', () =>
    refusesJson({ ...flattened, payload: 'A'.repeat(JWS_LIMITS.characters) }, 'ERR_TOKEN_TOO_LARGE'))

  test('takes a payload as long as a compact token may have', () =>
    expect(json({ ...flattened, payload: 'A'.repeat(40_000) }).payload).toHaveLength(30_000))
})

test('whatever the text, the answer is a token or a refusal with a code', () => {
  const position = fc.nat({ max: TOKEN.length - 1 })
  fc.assert(
    fc.property(position, fc.string({ unit: 'binary', maxLength: 3 }), fc.nat({ max: 3 }), (at, put, cut) => {
      const text = TOKEN.slice(0, at) + put + TOKEN.slice(at + cut)
      for (const parse of [parseCompact, parseJsonJws]) {
        try {
          parse(text)
        } catch (error) {
          expect(error).toBeInstanceOf(DragomanError)
        }
      }
    }),
    { numRuns },
  )
})
