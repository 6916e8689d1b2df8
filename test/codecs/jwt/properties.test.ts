import fc from 'fast-check'
import { expect, test } from 'vitest'
import { jwt } from '../../../src/codecs/jwt/index.ts'
import { DragomanError } from '../../../src/core/errors.ts'
import type { Draft } from '../../../src/core/token.ts'
import { map, type Value, type ValueMap } from '../../../src/core/value.ts'
import { CLAIMS, compact, ISSUER, NOW, RULES, rendering, subject, testKey, trusted } from '../../support/jwt.ts'

const numRuns = Number(process.env['FUZZ_RUNS'] ?? 100)
const codec = jwt()
const key = testKey('ES256')
const issuer = trusted([key.verifier])

// Names that the neutral token holds apart, that have a type of their own, or that no reader takes.
const TAKEN = ['iss', 'sub', 'aud', 'exp', 'nbf', 'iat', 'jti', 'scope', 'cnf', 'act', 'client_id']
const FORBIDDEN = ['__proto__', 'constructor', 'prototype']

const text = fc.string({ unit: 'binary', maxLength: 40 })
const name = text.filter((candidate) => ![...TAKEN, ...FORBIDDEN].includes(candidate))
const number = fc.oneof(
  fc.maxSafeInteger(),
  fc.double({ noNaN: true, min: -1e9, max: 1e9 }).map((value) => (value === 0 ? 0 : value)),
)
const { value } = fc.letrec<{ value: Value }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    text,
    number,
    fc.boolean(),
    fc.constant(null),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.array(fc.tuple(name, tie('value')), { maxLength: 4 }).map((entries) => map(entries)),
  ),
}))

const token = fc.constantFrom('read', 'write', 'a:b', 'x')
const validity = fc.record({
  issuedAt: fc.constant(NOW),
  notBefore: fc.option(fc.nat({ max: NOW }), { nil: undefined }),
  expiresAt: fc.integer({ min: NOW, max: 2 ** 40 }),
  audience: fc.array(fc.webUrl(), { minLength: 1, maxLength: 4 }),
  scope: fc.option(fc.uniqueArray(token), { nil: undefined }),
})
const confirmation = fc.constantFrom(
  undefined,
  { jkt: key.publicKey.jkt },
  { x5tS256: Buffer.alloc(32).toString('base64url') },
)
const forms = fc.constantFrom('compact', 'flattened', 'general')

test('parse(issue(x)) says x', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(name, value), { maxLength: 6 }),
      validity,
      confirmation,
      fc.uint8Array({ minLength: 16, maxLength: 16 }),
      forms,
      (entries, when, cnf, id, serialization) => {
        const claims: ValueMap = map([['sub', 'alice'], ...entries])
        const draft: Draft = { claims, validity: when, confirmation: cnf, embedded: [], notes: [] }
        const writer = codec.prepare(rendering({ options: map([['serialization', serialization]]) }))
        const layout = writer.lay(draft, { issuer: ISSUER, now: NOW, id, signer: key.signer })
        expect(layout.losses).toEqual([])
        const signature = key.signer.sign(layout.toBeSigned)
        if (signature instanceof Promise) throw new TypeError('test signers are synchronous')
        const issued = layout.finish(signature)
        const said = codec.parse(subject(issued.raw))?.verify(issuer, RULES)
        expect(said).toMatchObject({ validity: when, provenance: { id: issued.id, kind: 'jwt', issuer: ISSUER } })
        expect(said).toHaveProperty('claims', claims)
        expect(said).toHaveProperty(
          'confirmation',
          cnf && { publicKey: undefined, jkt: undefined, x5tS256: undefined, ...cnf },
        )
      },
    ),
    { numRuns },
  )
})

const RAW = compact(
  { alg: 'ES256', typ: 'JWT' },
  { ...CLAIMS, cnf: { jkt: key.publicKey.jkt }, act: { sub: 'b' } },
  key,
)
const [HEADER = '', PAYLOAD = '', SIGNATURE = ''] = RAW.split('.')
const JSON_FORM = JSON.stringify({ payload: PAYLOAD, signatures: [{ protected: HEADER, signature: SIGNATURE }] })

/** `true`: verified; `false`: refused with a code. Anything else is a defect. */
function accepted(raw: string): boolean {
  try {
    codec.parse(subject(raw))?.verify(issuer, RULES)
    return true
  } catch (error) {
    if (error instanceof DragomanError) return false
    throw error
  }
}

test('no text crashes the reader, and none but the token itself is believed', () => {
  const characters = fc.oneof(
    fc.constantFrom('.', '=', '{', '}', '"', 'A', '_', ' ', ''),
    fc.string({ unit: 'binary' }),
  )
  const edit = fc.tuple(fc.nat(), fc.nat({ max: 3 }), characters)
  fc.assert(
    fc.property(fc.constantFrom(RAW, JSON_FORM), fc.array(edit, { minLength: 1, maxLength: 3 }), (token, edits) => {
      const changed = edits.reduce((text, [at, cut, put]) => {
        const from = at % (text.length + 1)
        return text.slice(0, from) + put + text.slice(from + cut)
      }, token)
      // In JSON white space and members that nobody knows may change, so there only the compact form is compared.
      if (accepted(changed) && token === RAW) expect(changed).toBe(RAW)
    }),
    { numRuns: numRuns * 10 },
  )
})

test('no signed payload crashes the reader', () => {
  const json = Buffer.from(PAYLOAD, 'base64url').toString()
  const edit = fc.tuple(
    fc.nat({ max: json.length }),
    fc.nat({ max: 3 }),
    fc.constantFrom(...'{}[]",:0-.e\\ ', 'null', '"x"'),
  )
  fc.assert(
    fc.property(edit, fc.option(fc.uint8Array(), { nil: undefined }), ([at, cut, put], bytes) => {
      accepted(compact({ alg: 'ES256' }, bytes ?? json.slice(0, at) + put + json.slice(at + cut), key))
    }),
    { numRuns },
  )
})

test('no signed value of a claim crashes the reader', () => {
  fc.assert(
    fc.property(fc.constantFrom(...TAKEN), fc.jsonValue(), (claim, odd) => {
      accepted(compact({ alg: 'ES256' }, { ...CLAIMS, [claim]: odd }, key))
    }),
    { numRuns },
  )
})
