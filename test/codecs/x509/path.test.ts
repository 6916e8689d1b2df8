import { generateKeyPairSync } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { findPath, type PathRequest } from '../../../src/codecs/x509/path.ts'
import { algorithms } from '../../../src/core/algorithms.ts'
import type { ErrorCode } from '../../../src/core/errors.ts'
import { buildCertificate, parseCertificate } from '../../../src/wire/certificate.ts'
import { authorityExtensions } from '../../../src/wire/certificate-build.ts'
import { context } from '../../../src/wire/der.ts'
import {
  boolean,
  der,
  namedBits,
  nullValue,
  octetBits,
  oid,
  sequence,
  smallInteger,
} from '../../../src/wire/der-write.ts'
import { extension, extensionOids, keyUsages, purposes } from '../../../src/wire/extensions.ts'
import { generalName } from '../../../src/wire/general-name.ts'
import { publicKey } from '../../../src/wire/jwk.ts'
import { commonName } from '../../../src/wire/name.ts'
import { authorityKeyIdentifier, keyIdentifier, spkiOf, subjectKeyIdentifier } from '../../../src/wire/spki.ts'
import {
  algorithm,
  altNames,
  authority,
  certificate,
  leaf,
  leafExtensions,
  NOW,
  type TestAuthority,
  testKey,
  uri,
  usages,
} from '../../support/x509.ts'

const root = authority('Root')
const issuing = authority('Issuing', { issuer: root, pathLength: 0 })

type Options = Partial<Omit<PathRequest, 'leaf' | 'presented' | 'anchors' | 'intermediates'>> & {
  presented?: readonly (TestAuthority | Uint8Array)[]
  anchors?: readonly (TestAuthority | Uint8Array)[]
  intermediates?: readonly TestAuthority[]
}

const read = (one: TestAuthority | Uint8Array) => parseCertificate(one instanceof Uint8Array ? one : one.certificate)

function validate(bytes: Uint8Array, { presented = [], anchors = [root], intermediates = [], ...rest }: Options = {}) {
  return findPath({
    leaf: parseCertificate(bytes),
    presented: presented.map(read),
    anchors: anchors.map(read),
    intermediates: intermediates.map(read),
    now: NOW,
    clockSkew: 0,
    algorithms,
    extendedKeyUsage: [],
    unrestricted: true,
    anchorRules: 'enforced',
    conforming: true,
    links: { has: () => false, add: () => undefined },
    ...rest,
  })
}

const refused = (code: ErrorCode, check?: string, depth?: number) =>
  expect.objectContaining({
    code,
    ...(check === undefined
      ? {}
      : { detail: expect.objectContaining({ check, ...(depth === undefined ? {} : { depth }) }) }),
  })
const noPath = (check: string, depth?: number) => refused('ERR_TRUST_PATH', check, depth)

const oids = extensionOids
const ext = (type: string, critical: boolean, value: Uint8Array) => extension(type, critical, value)

/** An authority below root, with some of its extensions changed; `undefined` leaves one out. */
function odd(
  change: {
    basic?: Buffer | undefined
    usage?: Buffer | undefined
    ski?: Buffer | undefined
    aki?: Buffer | undefined
  },
  options: Parameters<typeof authority>[1] = {},
): TestAuthority {
  const key = options.key ?? testKey()
  const issuer = options.issuer ?? root
  const [basic, usage, ski, aki] = authorityExtensions(keyIdentifier(spkiOf(key.publicKey)), issuer.keyId, undefined)
  const extensions = Object.values({ basic, usage, ski, aki, ...change }).filter((value) => value !== undefined)
  return authority('Odd', { issuer, ...options, key, extensions: [...extensions, ...(options.more ?? [])] })
}

describe('a path', () => {
  test('leads from the leaf over what was presented to an anchor', () => {
    const { certificate: bytes } = leaf(issuing)
    const path = validate(bytes, { presented: [issuing] })
    expect(path.certificates.map(({ der }) => der)).toEqual([bytes, issuing.certificate, root.certificate])
    expect(path.purposes).toEqual([purposes.serverAuth, purposes.clientAuth])
  })

  test('may use a configured intermediate, and an anchor that is no root', () => {
    const { certificate: bytes } = leaf(issuing)
    expect(validate(bytes, { intermediates: [issuing] }).certificates).toHaveLength(3)
    expect(validate(bytes, { anchors: [issuing] }).certificates).toHaveLength(2)
  })

  test('does not mind the root being presented, nor the order', () => {
    const middle = authority('Middle', { issuer: root })
    const low = authority('Low', { issuer: middle })
    const { certificate: bytes } = leaf(low)
    expect(validate(bytes, { presented: [root, low, middle] }).certificates).toHaveLength(4)
    expect(validate(bytes, { presented: [middle, root, low] }).certificates).toHaveLength(4)
  })

  test('PX-08: may mix algorithms', () => {
    const quantum = authority('Quantum', { key: testKey('ML-DSA-65') })
    const below = authority('Below', { issuer: quantum, key: testKey('Ed25519') })
    const rsa = authority('RSA', { issuer: below, key: testKey('PS256') })
    const { certificate: bytes } = leaf(rsa)
    expect(validate(bytes, { anchors: [quantum], presented: [below, rsa] }).certificates).toHaveLength(4)
  })

  test('PV-21: is found among cross-signed and re-keyed authorities', () => {
    const key = testKey()
    const stranger = authority('Stranger')
    const expired = authority('Cross', { issuer: root, key, notAfter: NOW - 1, notBefore: NOW - 10 })
    const foreign = authority('Cross', { issuer: stranger, key })
    const good = authority('Cross', { issuer: root, key })
    const { certificate: bytes } = leaf(good)
    for (const presented of [
      [expired, foreign, good],
      [good, foreign, expired],
      [foreign, good, expired],
    ]) {
      expect(validate(bytes, { presented }).certificates[1].der).toEqual(good.certificate)
    }
  })
})

describe('a path is refused', () => {
  test('PV-05: when no name leads to an anchor', () => {
    const { certificate: bytes } = leaf(issuing)
    expect(() => validate(bytes)).toThrow(noPath('anchor', 0))
    expect(() => validate(bytes, { presented: [issuing], anchors: [authority('Other')] })).toThrow(noPath('anchor', 0))
    expect(() => validate(bytes, { anchors: [] })).toThrow(noPath('anchor', 0))
  })

  test('PV-05: when the name is another encoding of the same text', () => {
    // The relaxed comparison of RFC 5280 §7.1 would take it; two readers would not agree about it.
    const { certificate: bytes } = leaf({ ...root, name: commonName('ROOT') })
    expect(() => validate(bytes)).toThrow(noPath('anchor'))
  })

  test('PV-05: when the key that is identified is not the one of the anchor', () => {
    const other = authority('Root')
    const replace = { authorityKeyId: ext(oids.authorityKeyIdentifier, false, authorityKeyIdentifier(other.keyId)) }
    expect(() => validate(leaf(root, { replace }).certificate)).toThrow(noPath('key_identifier', 1))
  })

  test('PV-05: when the serial number or issuer that is identified is not that of the anchor', () => {
    const identified = (issuer: Uint8Array, serial: Uint8Array) =>
      ext(
        oids.authorityKeyIdentifier,
        false,
        sequence(der(0x80, root.keyId), der(context(1), der(context(4), issuer)), der(0x82, serial)),
      )
    const serial = read(root).serialNumber
    const good = { authorityKeyId: identified(root.name, serial) }
    expect(validate(leaf(root, { replace: good }).certificate).certificates).toHaveLength(2)
    const wrongSerial = { authorityKeyId: identified(root.name, Buffer.of(1)) }
    expect(() => validate(leaf(root, { replace: wrongSerial }).certificate)).toThrow(noPath('key_identifier'))
    const wrongIssuer = { authorityKeyId: identified(commonName('Other'), serial) }
    expect(() => validate(leaf(root, { replace: wrongIssuer }).certificate)).toThrow(noPath('key_identifier'))
  })

  test('PV-06: when another root of the same name signed it', () => {
    const impostor = authority('Root')
    const { certificate: bytes } = leaf({ ...impostor, keyId: root.keyId })
    expect(() => validate(bytes)).toThrow(noPath('signature', 1))
  })

  test('PV-06: when a bit of the leaf or of an intermediate was changed', () => {
    const { certificate: bytes } = leaf(issuing)
    const flip = (whole: Uint8Array, at: number) =>
      Buffer.from(whole.map((octet, index) => (index === at ? octet ^ 1 : octet)))
    const inSerial = 20
    expect(() => validate(flip(bytes, inSerial), { presented: [issuing] })).toThrow(noPath('signature', 1))
    expect(() => validate(bytes, { presented: [flip(issuing.certificate, inSerial)] })).toThrow(noPath('signature', 2))
  })

  test('PV-06: when an algorithm is not allowed, also above the leaf', () => {
    const rsa = authority('RSA', { key: testKey('RS256') })
    const below = authority('Below', { issuer: rsa })
    const { certificate: bytes } = leaf(below)
    const presented = [below]
    const only = (...names: string[]) => names.map(algorithm)
    expect(() => validate(bytes, { anchors: [rsa], presented, algorithms: only('ES256') })).toThrow(
      noPath('algorithm', 2),
    )
    expect(() => validate(bytes, { anchors: [rsa], presented, algorithms: only('RS256') })).toThrow(
      refused('ERR_TOKEN_ALGORITHM'),
    )
    expect(
      validate(bytes, { anchors: [rsa], presented, algorithms: only('ES256', 'RS256') }).certificates,
    ).toHaveLength(3)
  })

  test('PV-06: when a certificate is signed with an algorithm that its issuer cannot have used', () => {
    const p384 = testKey('ES384')
    // ES256 with a P-384 key: RFC 5758 allows it, and one key is for one algorithm here.
    const odd = authority('P384', { key: { ...p384, algorithm: algorithm('ES256') } })
    expect(() => validate(leaf(odd).certificate, { anchors: [odd] })).toThrow(noPath('algorithm', 1))
  })

  test('PV-07: when an intermediate has expired or is not yet valid, both ends included', () => {
    const times = { issuer: root, notBefore: NOW - 10, notAfter: NOW + 10 }
    const short = authority('Short', times)
    const { certificate: bytes } = leaf(short)
    const at = (now: number, clockSkew = 0) => validate(bytes, { presented: [short], now, clockSkew })
    expect(at(NOW + 10.9).certificates).toHaveLength(3)
    expect(at(NOW - 10).certificates).toHaveLength(3)
    expect(() => at(NOW + 11)).toThrow(noPath('validity', 1))
    expect(() => at(NOW - 10.1)).toThrow(noPath('validity', 1))
    expect(at(NOW + 40, 30).certificates).toHaveLength(3)
    expect(() => at(NOW + 41, 30)).toThrow(noPath('validity', 1))
  })

  test('PV-08: when an issuer is no authority', () => {
    const plain = leaf(root, { subject: commonName('Odd'), key: testKey() })
    const below = leaf({
      name: commonName('Odd'),
      key: plain.key,
      keyId: keyIdentifier(spkiOf(plain.key.publicKey)),
      certificate: plain.certificate,
    })
    expect(() => validate(below.certificate, { presented: [plain.certificate] })).toThrow(
      noPath('basic_constraints', 1),
    )
    const without = odd({ basic: undefined })
    expect(() => validate(leaf(without).certificate, { presented: [without] })).toThrow(noPath('basic_constraints', 1))
  })

  test('PV-09: when an issuer may not sign certificates', () => {
    const usage = ext(oids.keyUsage, true, namedBits(keyUsages.digitalSignature | keyUsages.cRLSign))
    const signer = odd({ usage })
    expect(() => validate(leaf(signer).certificate, { presented: [signer] })).toThrow(noPath('key_usage', 1))
    const unrestricted = odd({ usage: undefined })
    expect(validate(leaf(unrestricted).certificate, { presented: [unrestricted] }).certificates).toHaveLength(3)
  })

  test('PV-10: when there are more intermediates than an authority allows', () => {
    const top = authority('Top', { issuer: root, pathLength: 1 })
    const middle = authority('Middle', { issuer: top, pathLength: 5 })
    const low = authority('Low', { issuer: middle })
    expect(validate(leaf(middle).certificate, { presented: [top, middle] }).certificates).toHaveLength(4)
    expect(() => validate(leaf(low).certificate, { presented: [top, middle, low] })).toThrow(noPath('path_length', 3))
  })

  test('PV-10: not counting self-issued ones, which change a key', () => {
    const top = authority('Top', { issuer: root, pathLength: 0 })
    const rekeyed = authority('Top', { issuer: top })
    expect(validate(leaf(rekeyed).certificate, { presented: [top, rekeyed] }).certificates).toHaveLength(4)
  })

  test('PV-12: when an authority insists on policies', () => {
    const insist = (type: string, critical: boolean, value: Uint8Array) => {
      const strict = authority('Strict', { issuer: root, more: [ext(type, critical, value)] })
      return () => validate(leaf(strict).certificate, { presented: [strict] })
    }
    const mappings = sequence(sequence(oid('1.2.3'), oid('1.2.4')))
    const constraints = sequence(der(0x80, Buffer.of(0)))
    expect(insist(oids.policyMappings, true, mappings)).toThrow(noPath('critical_extension'))
    expect(insist(oids.policyConstraints, true, constraints)).toThrow(noPath('critical_extension'))
    expect(insist(oids.inhibitAnyPolicy, true, smallInteger(0))).toThrow(noPath('critical_extension'))
    expect(insist(oids.policyConstraints, false, constraints)).toThrow(noPath('conformance'))
    expect(insist(oids.policyMappings, false, mappings)().certificates).toHaveLength(3)
    expect(insist(oids.certificatePolicies, true, sequence(sequence(oid('1.2.3'))))().certificates).toHaveLength(3)
  })

  test('PV-13: when a critical extension is unknown, in an authority as in the leaf', () => {
    const unknown = ext('1.3.6.1.4.1.32473.1', true, nullValue())
    const strict = authority('Strict', { issuer: root, more: [unknown] })
    expect(() => validate(leaf(strict).certificate, { presented: [strict] })).toThrow(noPath('critical_extension', 1))
    const marked = leaf(root, { more: [unknown] }).certificate
    expect(() => validate(marked)).toThrow(refused('ERR_TOKEN_CRITICAL'))
    expect(validate(marked, { claims: '1.3.6.1.4.1.32473.1' }).certificates).toHaveLength(2)
    // The claims extension is for end entities.
    const request = { presented: [strict], claims: '1.3.6.1.4.1.32473.1' }
    expect(() => validate(leaf(strict).certificate, request)).toThrow(noPath('critical_extension', 1))
  })

  test('PV-14: when an authority is not for the purpose, by its extended key usage', () => {
    const servers = authority('Servers', { issuer: root, more: [usages(purposes.serverAuth)] })
    const any = authority('Any', { issuer: root, more: [usages(purposes.any)] })
    const extendedKeyUsage = [purposes.clientAuth]
    const both = leaf(servers).certificate
    expect(() => validate(both, { presented: [servers], extendedKeyUsage })).toThrow(noPath('extended_key_usage', 1))
    expect(validate(both, { presented: [servers] }).purposes).toEqual([purposes.serverAuth])
    const clients = leaf(servers, { replace: { extendedKeyUsage: usages(purposes.clientAuth) } }).certificate
    expect(() => validate(clients, { presented: [servers] })).toThrow(noPath('extended_key_usage', 1))
    expect(validate(leaf(any).certificate, { presented: [any], extendedKeyUsage }).purposes).toHaveLength(2)
    const open = leaf(servers, { replace: { extendedKeyUsage: undefined } }).certificate
    expect(() => validate(open, { presented: [servers], extendedKeyUsage })).toThrow(noPath('extended_key_usage', 1))
    expect(validate(open, { presented: [servers] }).purposes).toEqual([purposes.serverAuth])
  })

  test('PV-18: when it has more than eight certificates', () => {
    const chain = (length: number): readonly TestAuthority[] => {
      const list = [root]
      for (let at = 1; at <= length; at += 1) {
        const issuer = list.at(-1) ?? root
        list.push(authority(`Level ${at}`, { issuer }))
      }
      return list
    }
    const six = chain(6)
    expect(validate(leaf(six.at(-1) ?? root).certificate, { presented: six }).certificates).toHaveLength(8)
    const seven = chain(7)
    expect(() => validate(leaf(seven.at(-1) ?? root).certificate, { presented: seven })).toThrow(noPath('path_length'))
  })

  test('PV-18, P-05: when a hundred authorities of one name and key lead nowhere', () => {
    const key = testKey()
    const decoys = Array.from({ length: 100 }, () =>
      authority('Decoy', { issuer: { ...root, keyId: root.keyId, key: testKey() }, key }),
    )
    const { certificate: bytes } = leaf(decoys[0] ?? root)
    expect(() => validate(bytes, { presented: decoys })).toThrow(noPath('budget'))
  })

  test('PV-18, P-05: when decoys of one name sign one another', () => {
    const name = commonName('Mesh')
    const bare = { keyId: Buffer.alloc(20, 1), certificate: new Uint8Array() }
    const nodes = Array.from({ length: 12 }, () => ({ ...bare, name, key: testKey() }))
    const ski = ext(oids.subjectKeyIdentifier, false, subjectKeyIdentifier(bare.keyId))
    const mesh = nodes.flatMap((issuer) =>
      nodes.map((node) => {
        const [basic, usage, , aki] = authorityExtensions(bare.keyId, bare.keyId, undefined)
        const extensions = [basic, usage, ski, aki].filter((value) => value !== undefined)
        return certificate({ issuer, key: node.key, subject: name, extensions })
      }),
    )
    const above = authority('Mesh', { issuer: { ...root, key: testKey() } })
    const { certificate: bytes } = leaf(nodes[0] ?? root)
    expect(() => validate(bytes, { presented: [...mesh, above] })).toThrow(noPath('budget'))
  })

  test('PV-18: when there are more names and constraints than can be compared', () => {
    const subtrees = Array.from({ length: 400 }, (_, at) => sequence(generalName('dns', `d${at}.example`)))
    const names = Array.from({ length: 400 }, (_, at) => generalName('dns', `n${at}.d${at}.example`))
    const constraints = ext(oids.nameConstraints, true, sequence(der(context(0), ...subtrees)))
    const constrained = authority('Constrained', { more: [constraints] })
    const { certificate: bytes } = leaf(constrained, { names })
    expect(() => validate(bytes, { anchors: [constrained] })).toThrow(noPath('budget'))
  })

  test('PV-20: when it would go through one authority twice', () => {
    const [one, two] = [testKey(), testKey()]
    const first = {
      name: commonName('One'),
      key: one,
      keyId: keyIdentifier(spkiOf(one.publicKey)),
      certificate: new Uint8Array(),
    }
    const second = authority('Two', { issuer: first, key: two })
    const back = authority('One', { issuer: second, key: one })
    const lost = authority('One', { issuer: authority('Root', { key: testKey() }), key: one })
    const { certificate: bytes } = leaf(back)
    expect(() => validate(bytes, { presented: [back, second, lost] })).toThrow(noPath('key_identifier'))
  })
})

test('PV-20: a certificate is not its own authority, nor an anchor that is presented twice in one path', () => {
  const own = authority('Own', { extensions: authorityExtensions(root.keyId, root.keyId, undefined).slice(2) })
  const request = { anchors: [own], conforming: false, anchorRules: 'bare' as const }
  expect(() => validate(own.certificate, request)).toThrow(noPath('anchor', 1))
  expect(validate(leaf(root).certificate, { presented: [root] }).certificates).toHaveLength(2)
})

describe('PV-19: an anchor', () => {
  const unknown = ext('1.3.6.1.4.1.32473.1', true, nullValue())
  test.each([
    ['has expired', authority('Anchor', { notAfter: NOW - 1, notBefore: NOW - 10 }), 'validity'],
    ['has an unknown critical extension', authority('Anchor', { more: [unknown] }), 'critical_extension'],
    ['is no authority by its certificate', authority('Anchor', { extensions: [] }), 'basic_constraints'],
    [
      'constrains names',
      authority('Anchor', {
        more: [
          ext(oids.nameConstraints, true, sequence(der(context(0), sequence(generalName('uri', 'other.example'))))),
        ],
      }),
      'name_constraints',
    ],
    ['is for another purpose', authority('Anchor', { more: [usages('1.3.6.1.5.5.7.3.8')] }), 'extended_key_usage'],
  ])('that %s is held to it, unless it is a bare key', (_, anchor, check) => {
    const { certificate: bytes } = leaf(anchor)
    expect(() => validate(bytes, { anchors: [anchor] })).toThrow(noPath(check, 1))
    expect(validate(bytes, { anchors: [anchor], anchorRules: 'bare' }).certificates).toHaveLength(2)
  })

  test('need not be signed by itself', () => {
    const renamed = certificate({
      issuer: authority('Somebody'),
      key: root.key,
      subject: root.name,
      extensions: authorityExtensions(root.keyId, Buffer.alloc(20), undefined),
    })
    expect(validate(leaf(root).certificate, { anchors: [renamed] }).certificates).toHaveLength(2)
  })
})

describe('a leaf is refused', () => {
  test('PV-16: when it is an authority', () => {
    expect(() => validate(issuing.certificate)).toThrow(refused('ERR_TOKEN_KIND', 'end_entity'))
  })

  test('PV-15: when its key may not sign', () => {
    const keyUsage = ext(oids.keyUsage, true, namedBits(keyUsages.keyEncipherment))
    expect(() => validate(leaf(root, { replace: { keyUsage } }).certificate)).toThrow(
      refused('ERR_TOKEN_KIND', 'key_usage'),
    )
    expect(validate(leaf(root, { replace: { keyUsage: undefined } }).certificate).certificates).toHaveLength(2)
  })

  test('PV-14: when it lacks a purpose that is asked for', () => {
    const servers = leaf(root, { replace: { extendedKeyUsage: usages(purposes.serverAuth) } }).certificate
    const any = leaf(root, { replace: { extendedKeyUsage: usages(purposes.any) } }).certificate
    const open = leaf(root, { replace: { extendedKeyUsage: undefined } }).certificate
    const extendedKeyUsage = [purposes.clientAuth]
    const wrong = refused('ERR_TOKEN_KIND', 'extended_key_usage')
    expect(() => validate(servers, { extendedKeyUsage })).toThrow(wrong)
    expect(() => validate(any, { extendedKeyUsage })).toThrow(wrong)
    expect(validate(open, { extendedKeyUsage }).purposes).toBeUndefined()
    expect(() => validate(open, { extendedKeyUsage, unrestricted: false })).toThrow(wrong)
    expect(() => validate(leaf(root).certificate, { extendedKeyUsage: [...extendedKeyUsage, '1.2.3'] })).toThrow(wrong)
  })

  test('PV-07: outside its validity, both ends included, skew allowed', () => {
    const { certificate: bytes } = leaf(root)
    const long = authority('Root', { key: root.key, notBefore: NOW - 9000, notAfter: NOW + 9000 })
    const at = (now: number, clockSkew = 0) => validate(bytes, { now, clockSkew, anchors: [long] })
    expect(at(NOW + 1800.5).certificates).toHaveLength(2)
    expect(() => at(NOW + 1801)).toThrow(refused('ERR_TOKEN_EXPIRED'))
    expect(at(NOW + 1801, 1).certificates).toHaveLength(2)
    expect(() => at(NOW - 1801)).toThrow(refused('ERR_TOKEN_NOT_YET_VALID'))
    expect(at(NOW - 1801, 1).certificates).toHaveLength(2)
  })

  test('PV-06: when its key is too small or of a kind that is not in use', () => {
    const pair = generateKeyPairSync('rsa', { modulusLength: 1024 })
    const small = { ...testKey(), publicKey: publicKey(pair.publicKey) }
    expect(() => validate(leaf(root, { key: small }).certificate)).toThrow(refused('ERR_TOKEN_ALGORITHM', 'key'))
    const key = testKey()
    const { toBeSigned, finish } = buildCertificate({
      serial: Buffer.of(1),
      issuer: root.name,
      subject: sequence(),
      notBefore: NOW,
      notAfter: NOW,
      publicKey: sequence(sequence(oid('1.3.101.110')), octetBits(Buffer.alloc(32, 9))),
      algorithm: root.key.algorithm,
      extensions: Object.values(leafExtensions(root, key, [uri('a:b')])),
    })
    expect(() => validate(finish(root.key.sign(toBeSigned)))).toThrow(refused('ERR_TOKEN_ALGORITHM'))
  })

  const strange = (change: Parameters<typeof leaf>[1], message: string) => ({ change, message })
  const ca = ext(oids.basicConstraints, true, sequence(smallInteger(1)))
  const certSign = ext(oids.keyUsage, true, namedBits(keyUsages.digitalSignature | keyUsages.keyCertSign))
  const constraints = ext(oids.nameConstraints, false, sequence(der(context(0), sequence(generalName('dns', 'a')))))
  const aki = ext(oids.authorityKeyIdentifier, true, authorityKeyIdentifier(root.keyId))
  test.each([
    strange({ replace: { authorityKeyId: undefined } }, 'without authority key identifier'),
    strange({ replace: { authorityKeyId: aki } }, 'with a critical key identifier'),
    strange(
      { replace: { altNames: altNames(false, uri('a:b')) } },
      'without subject and with names that are not critical',
    ),
    strange({ replace: { altNames: undefined } }, 'without any name'),
    strange({ replace: { basicConstraints: ca } }, 'with a path length'),
    strange({ replace: { keyUsage: certSign } }, 'for signing certificates'),
    strange({ more: [constraints] }, 'with name constraints'),
    strange({ serial: Buffer.alloc(21, 1) }, 'with a serial number of 21 octets'),
    strange({ serial: Buffer.of(0) }, 'with the serial number nought'),
    strange({ more: [ext(oids.authorityInformationAccess, true, sequence())] }, 'with critical access information'),
  ])('PV-02 when it was made $message', ({ change }) => {
    const { certificate: bytes } = leaf(root, change)
    expect(() => validate(bytes)).toThrow(
      expect.objectContaining({ code: expect.stringMatching(/^ERR_(?:TRUST_PATH|TOKEN_CRITICAL)$/) }),
    )
  })

  test('PV-02: and the same passes where conformance is not asked for', () => {
    const { certificate: bytes } = leaf(root, { replace: { authorityKeyId: undefined } })
    expect(validate(bytes, { conforming: false }).certificates).toHaveLength(2)
  })

  test('an authority that does not conform is refused too', () => {
    const critical = [
      odd({ basic: ext(oids.basicConstraints, false, sequence(boolean(true))) }),
      odd({ ski: undefined }),
      odd({ aki: undefined }),
      odd({}, { more: [ext(oids.noRevocationAvailable, false, nullValue())] }),
      odd({}, { serial: Buffer.alloc(21, 1) }),
    ]
    for (const strange of critical) {
      expect(() => validate(leaf(strange).certificate, { presented: [strange] })).toThrow(noPath('conformance', 1))
    }
  })
})

describe('verified signatures of authorities', () => {
  test('are remembered, and nothing else is', () => {
    const known = new Set<string>()
    let asked = 0
    const links: PathRequest['links'] = {
      has: (subject, issuer) => {
        asked += 1
        return known.has(`${subject.thumbprint} ${issuer.thumbprint}`)
      },
      add: (subject, issuer) => known.add(`${subject.thumbprint} ${issuer.thumbprint}`),
    }
    const { certificate: bytes } = leaf(issuing)
    validate(bytes, { presented: [issuing], links })
    expect([...known]).toEqual([`${read(issuing).thumbprint} ${read(root).thumbprint}`])
    expect(asked).toBe(2)
    // The signature is known to be good; the time is looked at again.
    expect(() => validate(bytes, { presented: [issuing], links, now: NOW + 1801 })).toThrow(
      refused('ERR_TOKEN_EXPIRED'),
    )
    const impostor = leaf({ ...authority('Issuing'), keyId: issuing.keyId }).certificate
    expect(() => validate(impostor, { presented: [issuing], links })).toThrow(noPath('signature', 1))
  })
})
