import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { x509Codec } from '../../src/codecs/x509/index.ts'
import { algorithms } from '../../src/core/algorithms.ts'
import type { KeyStore, Signer } from '../../src/core/keys.ts'
import type { TrustedIssuer } from '../../src/core/trust.ts'
import { tokenTypes } from '../../src/core/types.ts'
import type { Value } from '../../src/core/value.ts'
import { clientIssuer, createTrust, type IssuerEntry, selfIssuer, type TrustTools } from '../../src/trust/index.ts'
import { encodeCbor } from '../../src/wire/cbor-encode.ts'
import { encodeCoseKeySet } from '../../src/wire/cose-key-set.ts'
import { pem } from '../../src/wire/pem.ts'
import { makeSigner } from '../support/cose.ts'
import { NOW, testKey } from '../support/jwt.ts'
import { authority, leaf, signerOf, type TestAuthority } from '../support/x509.ts'

const vector = (path: string) => readFileSync(new URL(`../vectors/spiffe/${path}`, import.meta.url))

const KEY = testKey('ES256')
const JWKS: Value = { keys: [{ ...KEY.publicKey.jwk, kid: 'a' }] }

/** Files by name; nothing is ever fetched. */
function tools(files: { readonly [name: string]: string | Uint8Array } = {}): TrustTools {
  return {
    clock: () => NOW,
    fetch: () => Promise.reject(new TypeError('nothing is fetched here')),
    readFile(name) {
      const file = files[name]
      if (file === undefined) throw Object.assign(new Error('ENOENT'), { code: 'ENOENT' })
      return Buffer.from(file)
    },
  }
}

function trusting(entry: Partial<IssuerEntry>, files: Parameters<typeof tools>[0] = {}) {
  const trust = createTrust([{ issuer: 'https://issuer.example', subjects: ['*'], ...entry }], tools(files))
  const [issuer] = trust.all()
  if (!issuer) throw new TypeError('no issuer')
  return { trust, issuer }
}

async function found({ anchor }: TrustedIssuer, kid?: string) {
  return (await anchor.keys({ kid }, NOW)).map((key) => key.kid)
}

const refused = (expected: string | RegExp) =>
  expect.objectContaining({
    code: 'ERR_TRUST_CONFIG',
    detail: expect.objectContaining({
      issuer: 'https://issuer.example',
      expected: typeof expected === 'string' ? expected : expect.stringMatching(expected),
    }),
  })

const pemOf = (...authorities: readonly TestAuthority[]) =>
  authorities.map(({ certificate }) => pem('CERTIFICATE', certificate)).join('')

describe('an issuer of the configuration', () => {
  it('is found by its exact name only', () => {
    const { trust } = trusting({ jwks: JWKS })
    expect(trust.find('https://issuer.example')).toBe(trust.all()[0])
    for (const name of ['https://issuer.example/', 'https://ISSUER.example', 'issuer.example', '', '__proto__']) {
      expect(trust.find(name)).toBeUndefined()
    }
  })

  it('is there once', () => {
    const entry: IssuerEntry = { issuer: 'https://issuer.example', subjects: ['*'], jwks: JWKS }
    const twice = { code: 'ERR_TRUST_CONFIG', detail: { issuer: entry.issuer, expected: 'each issuer once' } }
    expect(() => createTrust([entry, entry], tools())).toThrow(expect.objectContaining(twice))
    const own = selfIssuer(entry.issuer, storeOf(makeSigner('ES256')))
    expect(() => createTrust([entry], tools(), [own])).toThrow(expect.objectContaining(twice))
  })

  it('may sign with every algorithm of the table, or with those it lists', () => {
    expect(trusting({ jwks: JWKS }).issuer.algorithms).toEqual(algorithms)
    const { issuer } = trusting({ jwks: JWKS, algorithms: ['ES256', 'EdDSA'] })
    expect(issuer.algorithms.map(({ name }) => name)).toEqual(['ES256', 'Ed25519'])
  })

  it('has keys of its algorithms alone', () => {
    expect(() => trusting({ jwks: JWKS, algorithms: ['ES384'] })).toThrow(refused(/^at least one key/))
  })

  it('S-02 speaks of its subjects alone, and has no history unless it is said', () => {
    const { issuer } = trusting({ jwks: JWKS, subjects: ['spiffe://d/a/*'], trust_domain: 'd' })
    expect(issuer).toMatchObject({ trustDomain: 'd', history: false })
    expect(issuer.asserts('spiffe://d/a/1')).toBe(true)
    expect(issuer.asserts('spiffe://d/b/1')).toBe(false)
    expect(trusting({ jwks: JWKS, history: true }).issuer.history).toBe(true)
    expect(() => trusting({ jwks: JWKS, subjects: ['a*'] })).toThrow(refused(/prefix ending in/))
  })

  it('has what it was given: keys, certificates, or both', () => {
    const certificates = pemOf(authority('CA'))
    expect(trusting({ jwks: JWKS }).issuer.has).toEqual({ keys: true, certificates: false })
    expect(trusting({ certificates }).issuer.has).toEqual({ keys: false, certificates: true })
    expect(trusting({ jwks: JWKS, certificates }).issuer.has).toEqual({ keys: true, certificates: true })
  })

  it('never changes its epoch when nothing is fetched, and is always ready', () => {
    const { trust, issuer } = trusting({ jwks: JWKS })
    expect(issuer.anchor.epoch).toBe(issuer.anchor.epoch)
    expect(trust.status()).toMatchObject([{ issuer: 'https://issuer.example', ready: true, keys: 1 }])
  })

  it('fetches nothing before it is asked', () => {
    const { trust } = trusting({ jwks_uri: 'https://issuer.example/keys' })
    expect(trust.status()[0]).toMatchObject({ ready: false, keys: 0 })
  })
})

describe('what cannot work stops the start', () => {
  it.each<readonly [string, Partial<IssuerEntry>, string | RegExp]>([
    ['nothing', {}, 'keys or certificates'],
    ['keys from two places', { jwks: JWKS, jwks_uri: 'https://issuer.example/keys' }, 'keys from one place'],
    ['an empty set', { jwks: { keys: [] } }, /^at least one key/],
    ['a private key', { jwks: { keys: [KEY.privateKey.export({ format: 'jwk' }) as Value] } }, /^a public JWK/],
    ['a missing file', { jwks_file: 'none.json' }, 'a file that can be read'],
    ['a missing file of certificates', { certificates_file: 'none.pem' }, 'a file that can be read'],
    [
      'a missing file of a fetch',
      { jwks_uri: 'https://issuer.example/', fetch: { certificate_authority_file: 'none' } },
      'a file that can be read',
    ],
    ['a file that is no JSON', { jwks_file: 'text' }, /JSON/],
    [
      'an authority of a fetch that is no certificate',
      { jwks_uri: 'https://issuer.example/', fetch: { certificate_authority_file: 'text' } },
      /PEM/,
    ],
    ['certificates that are none', { certificates: 'text' }, /PEM/],
    ['a key in place of a certificate', { certificates: 'KEY' }, 'at least one certificate in PEM'],
    ['intermediates without anchors', { jwks: JWKS, intermediates_file: 'ca.pem' }, /^certificates beside/],
    ['fetch options for what is not fetched', { jwks: JWKS, fetch: { timeout: 1 } }, /jwks_uri or discovery only/],
    ['a jwks_uri that is no URL', { jwks_uri: 'keys' }, 'a jwks_uri that is an https URL'],
    ['a jwks_uri without TLS', { jwks_uri: 'http://issuer.example/keys' }, 'a jwks_uri that is an https URL'],
    [
      'a jwks_uri that is a file',
      { jwks_uri: 'file:///etc/keys', fetch: { allow_private_addresses: true } },
      'a jwks_uri that is an https URL',
    ],
    ['a jwks_uri with credentials', { jwks_uri: 'https://me:secret@issuer.example/' }, /without credentials/],
    ['an empty COSE key set', { cose_keys_file: 'empty.cbor' }, /^at least one key/],
    ['a COSE key set that is none', { cose_keys_file: 'text' }, 'a COSE_KeySet in CBOR'],
    ['a SPIFFE bundle that is none', { spiffe_bundle_file: 'jwks' }, 'keys or certificates'],
  ])('%s', (_, entry, expected) => {
    const files = {
      text: 'text',
      'ca.pem': pemOf(authority('CA')),
      'empty.cbor': encodeCbor([]),
      jwks: JSON.stringify(JWKS),
    }
    const key = pem('PRIVATE KEY', KEY.privateKey.export({ type: 'pkcs8', format: 'der' }))
    const given = entry.certificates === 'KEY' ? { certificates: key } : entry
    expect(() => trusting(given, files)).toThrow(refused(expected))
  })

  it.each(['issuer', 'spiffe://d', 'http://issuer.example', 'https://issuer.example?x', 'https://issuer.example#x'])(
    'discovery of the issuer %s',
    (issuer) => {
      const entry: IssuerEntry = { issuer, subjects: ['*'], discovery: true }
      expect(() => createTrust([entry], tools())).toThrow(
        expect.objectContaining({
          code: 'ERR_TRUST_CONFIG',
          detail: expect.objectContaining({ issuer, expected: expect.stringMatching(/^an issuer, for discovery,/) }),
        }),
      )
    },
  )

  it('says nothing of what a key file holds', () => {
    const jwk = { ...(KEY.privateKey.export({ format: 'jwk' }) as { d: string }) }
    for (const text of [JSON.stringify({ keys: [jwk] }), JSON.stringify({ keys: [{ ...jwk, x: 1 }] }), jwk.d]) {
      try {
        trusting({ jwks_file: 'keys' }, { keys: text })
        expect.unreachable()
      } catch (error) {
        expect(JSON.stringify(error) + String(error)).not.toContain(jwk.d)
      }
    }
  })
})

describe('certificates', () => {
  it('are anchors and intermediates, in the order of the files', async () => {
    const [root, other] = [authority('Root'), authority('Other')]
    const below = authority('Below', { issuer: root })
    const { issuer } = trusting(
      { certificates: pemOf(other), certificates_file: 'root.pem', intermediates_file: 'below.pem' },
      { 'root.pem': `# Root\n${pemOf(root)}`, 'below.pem': pemOf(below) },
    )
    const { anchors, intermediates } = await issuer.anchor.authorities(NOW)
    expect(anchors.map((der) => Buffer.from(der))).toEqual([other, root].map((one) => Buffer.from(one.certificate)))
    expect(intermediates.map((der) => Buffer.from(der))).toEqual([Buffer.from(below.certificate)])
  })

  it('are refused when they are not those of authorities, also among intermediates', () => {
    const root = authority('Root')
    const end = pem('CERTIFICATE', leaf(root).certificate)
    expect(() => trusting({ certificates: end })).toThrow(refused('certificates with CA TRUE'))
    expect(() => trusting({ certificates: pemOf(root) + end })).toThrow(refused('certificates with CA TRUE'))
    expect(() => trusting({ certificates: pemOf(root), intermediates_file: 'i' }, { i: end })).toThrow(
      refused('certificates with CA TRUE'),
    )
  })
})

describe('a COSE key set', () => {
  it('gives the keys in it, by kid', async () => {
    const signers = [makeSigner('ES256', 'one'), makeSigner('Ed25519', 'two')]
    const { issuer, trust } = trusting({ cose_keys_file: 'keys' }, { keys: encodeCoseKeySet(signers) })
    expect(await found(issuer, 'one')).toEqual(['one'])
    expect(await found(issuer, 'three')).toEqual([])
    expect(trust.status()[0]?.keys).toBe(2)
  })
})

describe('SPIFFE bundles of others', () => {
  it.each([
    ['bundle-spiffebundle/spiffebundle_valid_1.json', 1, 1],
    ['bundle-spiffebundle/spiffebundle_valid_2.json', 6, 1],
    ['bundle-spiffebundle/spiffebundle_valid_with_wit.json', 2, 1],
  ])('%s has %i keys and %i authorities', async (file, keys, anchors) => {
    const { issuer, trust } = trusting({ spiffe_bundle_file: 'b' }, { b: vector(file) })
    expect(trust.status()[0]?.keys).toBe(keys)
    expect((await issuer.anchor.authorities(NOW)).anchors).toHaveLength(anchors)
    expect(issuer.has).toEqual({ keys: true, certificates: true })
  })

  it.each([
    ['bundle-spiffebundle/spiffebundle_missing_kid.json', 'kid in every jwt-svid key'],
    ['bundle-spiffebundle/spiffebundle_multiple_x509.json', 'x5c with one certificate in every x509-svid key'],
    ['bundle-spiffebundle/spiffebundle_no_keys.json', 'a SPIFFE trust bundle: an object with `keys`'],
  ])('%s is refused', (file, expected) => {
    expect(() => trusting({ spiffe_bundle_file: 'b' }, { b: vector(file) })).toThrow(refused(expected))
  })

  it.each([
    ['jwks_valid_1.json', 1],
    ['jwks_valid_2.json', 2],
    // A plain JWK Set may have a key without a name; only a SPIFFE bundle must not.
    ['jwks_missing_kid.json', 2],
  ])('%s is a JWK Set with %i keys', (file, keys) => {
    const { trust } = trusting({ jwks_file: 'j' }, { j: vector(`bundle-jwtbundle/${file}`) })
    expect(trust.status()[0]?.keys).toBe(keys)
  })

  it.each([
    // Version 1, without basic constraints: RFC 5280 §6.1.4 (k) would have such an authority refused in every path.
    ['cert.pem', 'certificates with CA TRUE'],
    ['certs.pem', 'certificates with CA TRUE'],
    ['corrupted.pem', /./],
    ['empty.pem', /PEM/],
    ['key.pem', 'at least one certificate in PEM'],
    ['not-pem.pem', /PEM/],
  ])('%s is refused as an anchor', (file, expected) => {
    const certificates = vector(`bundle-x509bundle/${file}`).toString()
    expect(() => trusting({ certificates })).toThrow(refused(expected))
  })

  it('have no use for what says no use, or another', () => {
    const bundle = JSON.parse(vector('bundle-spiffebundle/spiffebundle_valid_1.json').toString())
    const more = [
      { ...KEY.publicKey.jwk, kid: 'no use' },
      { ...KEY.publicKey.jwk, kid: 'sig', use: 'sig' },
      { ...KEY.publicKey.jwk, kid: 'wit', use: 'wit-svid' },
    ]
    const text = JSON.stringify({ ...bundle, keys: [...bundle.keys, ...more] })
    expect(trusting({ spiffe_bundle_file: 'b' }, { b: text }).trust.status()[0]?.keys).toBe(1)
  })

  it('of certificates alone have no keys', () => {
    const bundle = JSON.parse(vector('bundle-spiffebundle/spiffebundle_valid_1.json').toString())
    const text = JSON.stringify({ keys: bundle.keys.slice(0, 1) })
    expect(trusting({ spiffe_bundle_file: 'b' }, { b: text }).issuer.has).toEqual({ keys: false, certificates: true })
  })
})

const storeOf = (...signers: readonly Signer[]): KeyStore => ({
  name: 'test',
  signer: (name) => signers.find(({ kid }) => kid === name),
  all: () => signers,
})

const RULES = { now: NOW, clockSkew: 0, kind: 'client', subjectFrom: 'san_uri' }

const present = (issuer: TrustedIssuer, ...chain: readonly Uint8Array[]) => {
  const raw = chain.map((der) => pem('CERTIFICATE', der)).join('')
  return async () => x509Codec().parse({ raw, type: tokenTypes.x509, role: 'subject' })?.verify(issuer, RULES)
}

describe('this gateway as an issuer', () => {
  it('has its own keys, each for its one algorithm, any subject and its own history', async () => {
    const rsa = makeSigner('PS256', 'rsa')
    const issuer = selfIssuer('https://gw.example', storeOf(makeSigner('ES256', 'ec'), rsa))
    expect(issuer).toMatchObject({ history: true, trustDomain: undefined, has: { keys: true, certificates: false } })
    expect(issuer.asserts('whoever')).toBe(true)
    expect(await found(issuer, 'ec')).toEqual(['ec'])
    expect((await issuer.anchor.keys({ kid: 'rsa' }, NOW)).flatMap((key) => key.algorithms)).toEqual([rsa.algorithm])
  })

  it('takes back the certificates that its own authority issued', async () => {
    const root = authority('Root')
    const ours = authority('Ours', { issuer: root, pathLength: 0 })
    const issuer = selfIssuer('https://gw.example', storeOf(signerOf(ours, root)))
    const { certificate } = leaf(ours)
    expect(issuer.has.certificates).toBe(true)
    for (const more of [[], [ours.certificate], [ours.certificate, root.certificate]]) {
      expect((await present(issuer, certificate, ...more)())?.provenance.issuer).toBe('https://gw.example')
    }
  })

  it('does not take for its own what another authority below the same root issued', async () => {
    const root = authority('Root')
    const ours = authority('Ours', { issuer: root, pathLength: 0 })
    const sibling = authority('Sibling', { issuer: root, pathLength: 0 })
    const issuer = selfIssuer('https://gw.example', storeOf(signerOf(ours, root)))
    const path = expect.objectContaining({ code: 'ERR_TRUST_PATH' })
    await expect(present(issuer, leaf(sibling).certificate, sibling.certificate)()).rejects.toThrow(path)
    await expect(present(issuer, leaf(root).certificate)()).rejects.toThrow(path)
    const impostor = authority('Ours', { issuer: root, pathLength: 0 })
    await expect(present(issuer, leaf(impostor).certificate, impostor.certificate)()).rejects.toThrow(path)
  })
})

describe('a client as an issuer', () => {
  it('has its own keys or authorities and may only be asked about itself by who knows it', async () => {
    const issuer = clientIssuer('orders', { jwks: JWKS }, tools())
    expect(issuer).toMatchObject({ issuer: 'orders', history: false, has: { keys: true, certificates: false } })
    expect(await found(issuer, 'a')).toEqual(['a'])
    const certificates = clientIssuer('orders', { certificates_file: 'ca' }, tools({ ca: pemOf(authority('CA')) }))
    expect(certificates.has).toEqual({ keys: false, certificates: true })
  })

  it('is named in what is wrong with it', () => {
    expect(() => clientIssuer('orders', {}, tools())).toThrow(
      expect.objectContaining({
        code: 'ERR_TRUST_CONFIG',
        detail: expect.objectContaining({ issuer: 'orders', expected: 'keys or certificates' }),
      }),
    )
  })
})
