import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { verifyingKey } from '../../../src/codecs/jwt/verifying-key.ts'
import { algorithms } from '../../../src/core/algorithms.ts'
import { DragomanError } from '../../../src/core/errors.ts'
import type { VerificationKey } from '../../../src/core/keys.ts'
import type { ValueMap } from '../../../src/core/value.ts'
import { verificationKeyFromJwk } from '../../../src/wire/jwk.ts'
import { type Jws, parseCompact, parseJsonJws } from '../../../src/wire/jws.ts'

const VECTORS = new URL('../../vectors/', import.meta.url)
const read = (file: string) => JSON.parse(readFileSync(new URL(file, VECTORS), 'utf8'))
const filesIn = (folder: string): string[] =>
  readdirSync(new URL(folder, VECTORS), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.json'))
    .map((name) => `${folder}${name}`)
    .sort()

/** A JWK as its owner would publish it. */
function published(jwk: ValueMap): ValueMap {
  const { d, p, q, dp, dq, qi, priv, ...rest } = jwk
  return rest
}

const keyOf = (jwk: ValueMap): VerificationKey[] => {
  const key = verificationKeyFromJwk(published(jwk), algorithms)
  return key ? [key] : []
}

/** The payload, or the code of the refusal. */
function verified(parse: () => Jws, keys: () => readonly VerificationKey[]): string {
  try {
    const jws = parse()
    if (!jws.header.algorithm) return 'ERR_TOKEN_ALGORITHM'
    const named = keys().filter(
      ({ kid }) => jws.header.kid === undefined || kid === undefined || kid === jws.header.kid,
    )
    verifyingKey(named, jws.header.algorithm, jws)
    return jws.payload.toString()
  } catch (error) {
    if (error instanceof DragomanError) return error.code
    throw error
  }
}

describe('RFC 7520, RFC 8037, RFC 7797', () => {
  /** What is refused on purpose: the code, and the reason. */
  const REFUSED: { readonly [file: string]: readonly [code: string, reason: string] } = {
    'jws/4_4.hmac-sha2_integrity_protection.json': ['ERR_TOKEN_ALGORITHM', 'a MAC, whose key its readers could use'],
    'jws/4_5.signature_with_detached_content.json': [
      'ERR_TOKEN_MALFORMED',
      'no payload; in the compact form an empty one, and a MAC',
    ],
    'jws/4_6.protecting_specific_header_fields.json': ['ERR_TOKEN_ALGORITHM', 'a MAC'],
    'jws/4_7.protecting_content_only.json': ['ERR_TOKEN_HEADER', 'alg is not protected'],
    'jws/4_8.multiple_signatures.json': ['ERR_TOKEN_MALFORMED', 'several signatures'],
    'rfc7797/4.2.hmac-sha2_b64_false.json': ['ERR_TOKEN_HEADER', 'a payload that is not encoded'],
    'rfc7797/hmac-sha2_b64_false.json': ['ERR_TOKEN_HEADER', 'a payload that is not encoded'],
  }

  interface Example {
    readonly input: { readonly payload: string; readonly key: ValueMap | readonly ValueMap[] }
    readonly output: { readonly compact?: string; readonly json?: object; readonly json_flat?: object }
  }

  /** The forms of one example. */
  function forms({ compact, json, json_flat }: Example['output']): (() => Jws)[] {
    const text = [json, json_flat].filter((form) => form !== undefined).map((form) => JSON.stringify(form))
    return [
      ...(compact === undefined ? [] : [() => parseCompact(compact)]),
      ...text.map((form) => () => parseJsonJws(form)),
    ]
  }

  const files = [
    ...filesIn('jose-cookbook/jws/'),
    ...filesIn('jose-cookbook/rfc7797/'),
    'jose-cookbook/curve25519/jws.json',
  ]

  test.each(files)('%s', (file) => {
    const { input, output }: Example = read(file)
    const keys = [input.key].flat().flatMap(keyOf)
    const expected = REFUSED[file.replace('jose-cookbook/', '')]
    const parsers = forms(output)
    expect(parsers).not.toHaveLength(0)
    const results = parsers.map((parse) => verified(parse, () => keys))
    if (expected === undefined) for (const result of results) expect(result).toBe(input.payload)
    else {
      expect(results).toContain(expected[0])
      for (const result of results) expect(result).toMatch(/^ERR_TOKEN_/)
    }
  })

  test('each signature of several verifies when it stands alone, where it is protected and no MAC', () => {
    const { input, output } = read('jose-cookbook/jws/4_8.multiple_signatures.json')
    const keys = [input.key].flat().flatMap(keyOf)
    const results = output.json.signatures.map((signature: object) =>
      verified(
        () => parseJsonJws(JSON.stringify({ payload: output.json.payload, ...signature })),
        () => keys,
      ),
    )
    expect(results).toEqual([input.payload, 'ERR_TOKEN_HEADER', 'ERR_TOKEN_ALGORITHM'])
  })

  test('the signed token inside the nested one verifies', () => {
    const { sign } = read('jose-cookbook/6.nesting_signatures_and_encryption.json')
    const [parse] = forms(sign.output)
    expect(
      verified(
        () => parse?.() ?? parseCompact(''),
        () => keyOf(sign.input.key),
      ),
    ).toBe(sign.input.payload)
  })

  const encrypted = [...filesIn('jose-cookbook/jwe/'), 'jose-cookbook/curve25519/ecdh-es.json']
  test.each(encrypted)('%s is encrypted, and refused in every form', (file) => {
    const parsers = forms(read(file).output)
    expect(parsers).not.toHaveLength(0)
    for (const parse of parsers) expect(verified(parse, () => [])).toMatch(/^ERR_TOKEN_(MALFORMED|HEADER)$/)
  })

  test('a nested token is refused as well', () => {
    const { encrypt } = read('jose-cookbook/6.nesting_signatures_and_encryption.json')
    for (const parse of forms(encrypt.output)) {
      expect(verified(parse, () => [])).toMatch(/^ERR_TOKEN_(MALFORMED|HEADER)$/)
    }
  })

  test.each(filesIn('jose-cookbook/jwk/'))(
    '%s is a key that verifies, or one that is passed over or refused',
    (file) => {
      const jwk = read(file)
      if (jwk.kty === 'oct') expect(verificationKeyFromJwk(jwk, algorithms)).toBeUndefined()
      else if (jwk.d === undefined) expect(verificationKeyFromJwk(jwk, algorithms)?.kid).toBe(jwk.kid)
      else {
        expect(() => verificationKeyFromJwk(jwk, algorithms)).toThrow(
          expect.objectContaining({ code: 'ERR_TRUST_CONFIG' }),
        )
        expect(keyOf(jwk)).toHaveLength(1)
      }
    },
  )
})

describe('RFC 9964', () => {
  test.each(['ML_DSA_44', 'ML_DSA_65'])(
    'the example of %s verifies, with the key that its kid is the thumbprint of',
    (name) => {
      const example = read(`mldsa-jose-cose/${name}.jose.json`)
      const [key] = keyOf(example.jwk)
      const jws = parseCompact(example.jws)
      expect(jws.header.kid).toBe(key?.publicKey.jkt)
      expect(jws.signingInput.toString('hex')).toBe(example.raw_to_be_signed)
      expect(jws.signature.toString('hex')).toBe(example.raw_signature)
      expect(
        verified(
          () => jws,
          () => keyOf(example.jwk),
        ),
      ).toBe(jws.payload.toString())
    },
  )
})

describe('Wycheproof', () => {
  interface Group {
    readonly comment: string
    readonly public?: ValueMap & { readonly keys?: readonly ValueMap[] }
    readonly private?: ValueMap & { readonly keys?: readonly ValueMap[] }
    readonly tests: readonly {
      readonly tcId: number
      readonly comment: string
      readonly jws: string
      readonly result: 'valid' | 'invalid' | 'acceptable'
    }[]
  }

  const jwks = (group: Group): readonly ValueMap[] => {
    const key = group.public ?? group.private ?? {}
    return Array.isArray(key.keys) ? key.keys : [key]
  }
  const isMac = (group: Group) => jwks(group).every(({ kty }) => kty === 'oct')

  /** Cases that contradict others or themselves. */
  const LEFT_OUT: { readonly [tcId: number]: string } = {
    346: 'the JWK says PS256, the token PS384: one key, one algorithm',
    347: 'the JWK says ES521, which there is not',
    350: 'as 346',
    351: 'as 347',
  }

  function verdict(group: Group, jws: unknown): string {
    const text = typeof jws === 'string' ? jws : JSON.stringify(jws)
    return verified(
      () => parseCompact(text),
      () => jwks(group).flatMap(keyOf),
    )
  }

  test('json_web_signature: what is signed verifies, everything else is refused', () => {
    const groups: Group[] = read('wycheproof/json_web_signature_test.json').testGroups
    const wrong: string[] = []
    let run = 0
    for (const group of groups) {
      for (const { tcId, comment, jws, result } of group.tests) {
        if (LEFT_OUT[tcId]) continue
        run += 1
        const got = verdict(group, jws)
        const accepted = !got.startsWith('ERR_')
        // What is authenticated by a MAC is refused, valid or not.
        if (accepted !== (result === 'valid' && !isMac(group))) wrong.push(`${tcId} ${result} ${comment}: ${got}`)
      }
    }
    expect(wrong).toEqual([])
    expect(run).toBe(401 - Object.keys(LEFT_OUT).length)
  })

  test.each([
    [360, 'spaces in the signature'],
    [365, 'spaces after the header'],
    [368, 'spaces before the payload'],
    [375, 'unused bits that are set'],
  ])('json_web_signature %i, with %s, is refused for its form, before any key is looked for', (wanted) => {
    const groups: Group[] = read('wycheproof/json_web_signature_test.json').testGroups
    const jws = groups.flatMap(({ tests }) => tests).find(({ tcId }) => tcId === wanted)?.jws ?? ''
    expect(() => parseCompact(jws)).toThrow(expect.objectContaining({ code: 'ERR_TOKEN_MALFORMED' }))
  })

  /** Faults of keys that are not looked for. */
  const KEYS_LEFT_OUT: { readonly [tcId: number]: string } = {
    7: 'a modulus made by flawed hardware (ROCA): whether a trusted issuer makes its keys well is not looked into',
  }

  test('json_web_key: a key that must not be used verifies nothing', () => {
    const groups: Group[] = read('wycheproof/json_web_key_test.json').testGroups
    const wrong: string[] = []
    for (const group of groups) {
      for (const { tcId, comment, jws, result } of group.tests) {
        if (KEYS_LEFT_OUT[tcId]) continue
        const got = verdict(group, jws)
        const accepted = !got.startsWith('ERR_')
        if (accepted !== (result === 'valid' && !isMac(group))) {
          wrong.push(`${tcId} ${result} ${group.comment} ${comment}: ${got}`)
        }
      }
    }
    expect(wrong).toEqual([])
  })
})
