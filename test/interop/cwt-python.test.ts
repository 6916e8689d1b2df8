import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { algorithms } from '../../src/core/algorithms.ts'
import { map } from '../../src/core/value.ts'
import { decodeCbor, decodeCborMap } from '../../src/wire/cbor.ts'
import { encodeCbor } from '../../src/wire/cbor-encode.ts'
import { parseCose } from '../../src/wire/cose.ts'
import { publicKeyFromCoseKey } from '../../src/wire/cose-key.ts'
import { coseKeyOf, coseThumbprint } from '../../src/wire/cose-key-write.ts'
import { verificationKey } from '../../src/wire/jwk.ts'
import { makeSigner, type TestSigner } from '../support/cose.ts'
import { draft, ID, ISSUER, issue, NOW, rendering, trusting, verify } from '../support/cwt.ts'

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url))
const python = process.env['DRAGOMAN_PYTHON'] ?? path('../../.cache/venv/bin/python')
const present = hasPackages()
const required = process.env['CI'] === 'true'
if (!present && !required) {
  console.warn(
    `skipped: no Python with the packages of test/interop/python-requirements.txt. Make one with
  python3 -m venv .cache/venv && .cache/venv/bin/pip install -r test/interop/python-requirements.txt
or name one in DRAGOMAN_PYTHON.`,
  )
}

function hasPackages(): boolean {
  try {
    execFileSync(python, ['-c', 'import cwt, cbor2, cryptography.hazmat.primitives.asymmetric.mldsa'], {
      stdio: 'ignore',
    })
    return true
  } catch {
    return false
  }
}

type Answer = { readonly ok?: unknown; readonly error?: string; readonly text?: string }

/** Starting Python takes longer than what it is asked, so a test asks everything at once. */
function ask(requests: readonly object[]): Answer[] {
  const output = execFileSync(python, [path('cwt_peer.py')], { input: JSON.stringify(requests), encoding: 'utf8' })
  return JSON.parse(output)
}

/** The form in which values travel, see cwt_peer.py. */
function travelling(value: unknown): unknown {
  if (value instanceof Uint8Array) return { $bytes: Buffer.from(value).toString('hex') }
  if (Array.isArray(value)) return value.map(travelling)
  if (value instanceof Map) return { $map: [...value].map(([key, item]) => [key, travelling(item)]) }
  return value
}

const CLASSICAL = ['ES256', 'ES384', 'ES512', 'Ed25519', 'RS256', 'PS256', 'PS384'] as const
const PQ = ['ML-DSA-44', 'ML-DSA-65', 'ML-DSA-87'] as const
const theirName = (name: string) => (name === 'Ed25519' ? 'EdDSA' : name)

const what = () =>
  draft(
    {
      email: 'a@b.example',
      ratio: 0.1,
      big: 2 ** 40,
      bytes: Buffer.of(0, 255),
      act: map([
        ['sub', 'gateway'],
        ['act', map([['sub', 'caller']])],
      ]),
      groups: ['a', 'ü', '\u{1f600}'],
      nothing: null,
      'cwt:70000': true,
    },
    {
      validity: {
        issuedAt: NOW,
        notBefore: NOW - 5,
        expiresAt: 2 ** 32 + 300,
        audience: ['https://orders.example', 'https://rates.example'],
        scope: ['read', 'write'],
      },
      confirmation: { publicKey: makeSigner('ES256').publicKey },
    },
  )

test.runIf(required)('the Python peer is there, as CI demands', () => {
  expect(present).toBe(true)
})

describe.runIf(present)('python-cwt', () => {
  test('verifies CWTs of ours, as COSE_Sign1 and COSE_Sign, with kid in either bucket, and reads what we wrote', () => {
    const cases = CLASSICAL.flatMap((name) =>
      ['sign1', 'sign'].flatMap((cose) =>
        ['protected', 'unprotected'].map((kid_in) => {
          const signer = makeSigner(name, 'edge')
          const token = issue(signer, what(), rendering({ options: map(Object.entries({ cose, kid_in })) }))
          return { op: 'verify', name, token, alg: theirName(name), kid: 'edge', jwk: signer.publicKey.jwk }
        }),
      ),
    )
    ask(cases).forEach((answer, at) => {
      const { payload } = parseCose(Buffer.from(cases[at]?.token ?? '', 'base64url'))
      expect(answer, `${cases[at]?.name}: ${answer.text}`).toEqual({ ok: travelling(decodeCborMap(payload)) })
    })
  })

  test('refuses a CWT of ours that was changed', () => {
    const signer = makeSigner('ES256', 'edge')
    const bytes = Buffer.from(issue(signer, what()), 'base64url')
    const at = bytes.indexOf('a@b.example')
    bytes[at] = 'b'.charCodeAt(0)
    const [answer] = ask([
      { op: 'verify', token: bytes.toString('base64url'), alg: 'ES256', kid: 'edge', jwk: signer.publicKey.jwk },
    ])
    expect(answer?.error).toBe('VerifyError')
  })

  test('makes CWTs that we verify and read, tagged with 61 or not', () => {
    const claims = new Map<number | string, unknown>([
      [1, ISSUER],
      [2, 'me'],
      [3, ['a', 'b']],
      [4, NOW + 0.5],
      [5, NOW],
      [6, NOW],
      [7, ID],
      [9, 'read write'],
    ])
    const signers: TestSigner[] = []
    const requests = CLASSICAL.flatMap((name) =>
      [true, false].flatMap((tagged) =>
        [true, false].map((sign) => {
          const signer = makeSigner(name, 'edge')
          signers.push(signer)
          const jwk = signer.privateKey.export({ format: 'jwk' })
          return { op: 'issue', alg: theirName(name), kid: 'edge', jwk, tagged, sign, claims: travelling(claims) }
        }),
      ),
    )
    ask(requests).forEach((answer, at) => {
      const signer = signers[at] ?? makeSigner('ES256')
      const label = `${requests[at]?.alg} ${requests[at]?.tagged} ${requests[at]?.sign}: ${answer.text}`
      expect(answer.error, label).toBeUndefined()
      const token = verify(String(answer.ok), trusting([signer]))
      expect({ ...token.claims }).toEqual({ sub: 'me' })
      expect(token.validity).toEqual({
        issuedAt: NOW,
        notBefore: NOW,
        expiresAt: NOW + 0.5,
        audience: ['a', 'b'],
        scope: ['read', 'write'],
      })
      expect(token.provenance).toMatchObject({
        algorithm: signer.algorithm.name,
        id: `b64:${ID.toString('base64url')}`,
      })
    })
  })
})

describe.runIf(present)('cbor2 and cryptography', () => {
  test('verify our ML-DSA CWTs, and we theirs', () => {
    const signers = PQ.map((name) => makeSigner(name, 'edge'))
    const ours = signers.map((signer) => ({
      op: 'verify_mldsa',
      token: issue(signer, what()),
      cose_key: Buffer.from(encodeCbor(coseKeyOf(signer.publicKey))).toString('base64url'),
    }))
    const claims = travelling(
      new Map<number, unknown>([
        [1, ISSUER],
        [2, 'me'],
        [4, NOW],
      ]),
    )
    const theirs = signers.map(({ algorithm }) => ({ op: 'issue_mldsa', alg: algorithm.cose[0], kid: 'edge', claims }))
    const answers = ask([...ours, ...theirs])
    answers.slice(0, ours.length).forEach((answer, at) => {
      const { payload } = parseCose(Buffer.from(ours[at]?.token ?? '', 'base64url'))
      expect(answer).toEqual({ ok: travelling(decodeCborMap(payload)) })
    })
    answers.slice(ours.length).forEach((answer, at) => {
      const { token, cose_key } = answer.ok as { token: string; cose_key: string }
      const key = publicKeyFromCoseKey(decodeCbor(Buffer.from(cose_key, 'base64url')))
      const verifying = verificationKey(key, algorithms, { kid: 'edge' })
      const issuer = trusting([])
      const trusted = { ...issuer, anchor: { ...issuer.anchor, keys: () => (verifying ? [verifying] : []) } }
      expect(verify(token, trusted).provenance).toMatchObject({ algorithm: PQ[at], keyThumbprint: key.jkt })
    })
  })

  test('compute the same RFC 9679 thumbprint of every kind of key', () => {
    const keys = [...CLASSICAL, ...PQ].map((name) => makeSigner(name).publicKey)
    const answers = ask(keys.map((key) => ({ op: 'thumbprint', key: travelling(coseKeyOf(key)) })))
    expect(answers.map(({ ok }) => ok)).toEqual(keys.map(coseThumbprint))
  })

  test('encode again what we wrote into the same bytes', () => {
    const values = [
      what().claims,
      [1.5, 0.1, -0.25, 65_504.5, 2 ** -24, 1e-300, 2 ** 53 - 1, -(2 ** 53) + 1],
      ['', 'ä', '\u{1f600}', 'a'.repeat(300), Buffer.alloc(300)],
      // Keys whose order is the same by RFC 8949 as by RFC 7049, which is the one that cbor2 has.
      new Map<number | string, number>(
        [...Array(20).keys()].flatMap((n) => [
          [n, n],
          [-1 - n, n],
          [`k${n}`, n],
        ]),
      ),
    ]
    const written = values.map((value) => Buffer.from(encodeCbor(value)).toString('hex'))
    expect(ask(written.map((hex) => ({ op: 'recode', hex }))).map(({ ok }) => ok)).toEqual(written)
  })
})
