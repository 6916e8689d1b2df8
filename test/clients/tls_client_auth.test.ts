import { describe, expect, it } from 'vitest'
import { octetsOf, tlsClientAuth } from '../../src/clients/tls_client_auth.ts'
import type { CertificateExpectation } from '../../src/core/client.ts'
import { DragomanError, type ErrorCode } from '../../src/core/errors.ts'
import { purposes } from '../../src/wire/extensions.ts'
import { generalName } from '../../src/wire/general-name.ts'
import { nameOf } from '../../src/wire/name.ts'
import { clientTools } from '../support/clients.ts'
import { anonymous, registered, request } from '../support/fakes.ts'
import { authority, leaf, NOW, trustedIssuer, uri, usages } from '../support/x509.ts'

const method = tlsClientAuth()
const ca = authority('client authority')
const between = authority('between', { issuer: ca })
const subject = nameOf([
  ['2.5.4.6', 'DE'],
  ['2.5.4.10', 'Example  Org'],
  ['2.5.4.3', 'orders'],
])
const names = [
  uri('spiffe://example.org/orders'),
  generalName('dns', 'orders.example.org'),
  generalName('email', 'Orders@example.org'),
  generalName('ip', Buffer.from([192, 0, 2, 7])),
  generalName('ip', Buffer.from('20010db8000000000000000000000007', 'hex')),
]
const certificateOf = (options: Parameters<typeof leaf>[1] = {}, by = ca) =>
  leaf(by, { subject, names, ...options }).certificate

const EXPECTED: CertificateExpectation = { kind: 'san_uri', value: 'spiffe://example.org/orders' }
const clientWith = (
  certificate: CertificateExpectation | undefined = EXPECTED,
  issuer = trustedIssuer([ca.certificate]),
) => registered('orders', { method: 'tls_client_auth', issuer, certificate })

const verify = async (chain: readonly Uint8Array[], client = clientWith(), tools = clientTools()) =>
  method.verify({ method: 'tls_client_auth', clientId: 'orders', chain }, client, tools)
const because = (reason: ErrorCode) =>
  expect.objectContaining({ code: 'ERR_CLIENT_CERTIFICATE', detail: expect.objectContaining({ reason }) })
const failed = (check: string) =>
  expect.objectContaining({ code: 'ERR_CLIENT_CERTIFICATE', detail: expect.objectContaining({ check }) })

describe('tls_client_auth, a chain that passed a moment ago', () => {
  const chain = [certificateOf()]
  /** Verifies one chain again and again, and counts how often it was really verified. */
  function counting() {
    const tools = clientTools()
    const { verify: real } = tools
    let count = 0
    const counted = {
      ...tools,
      verify: (...call: Parameters<typeof real>) => {
        count += 1
        return real(...call)
      },
    }
    const own = tlsClientAuth()
    return {
      verify: (client: ReturnType<typeof clientWith>, now = NOW, shown: readonly Uint8Array[] = chain) =>
        own.verify({ method: 'tls_client_auth', clientId: 'orders', chain: shown }, client, { ...counted, now }),
      get count() {
        return count
      },
    }
  }

  it('is verified once for its connection and client, for a minute', async () => {
    const again = counting()
    const client = clientWith()
    for (let second = 0; second < 60; second += 10) await again.verify(client, NOW + second)
    expect(again.count).toBe(1)
    await again.verify(client, NOW + 60)
    expect(again.count).toBe(2)
  })

  it('is verified anew for another client, another connection, or an earlier time', async () => {
    const again = counting()
    const client = clientWith()
    await again.verify(client)
    await again.verify(clientWith())
    // The same octets on another connection.
    await again.verify(client, NOW, [Buffer.from(chain[0] ?? [])])
    await again.verify(client, NOW - 1)
    expect(again.count).toBe(4)
  })

  it('is refused once it has expired, by the second, and when the client is registered by another name', async () => {
    const again = counting()
    const client = clientWith()
    const short = [certificateOf({ notAfter: NOW + 20 })]
    await again.verify(client, NOW, short)
    await again.verify(client, NOW + 19, short)
    expect(again.count).toBe(1)
    await expect(again.verify(client, NOW + 60, short)).rejects.toEqual(because('ERR_TOKEN_EXPIRED'))
    await again.verify(client, NOW)
    const renamed = clientWith({ kind: 'san_uri', value: 'spiffe://example.org/other' })
    await expect(again.verify(renamed, NOW)).rejects.toEqual(failed('name'))
  })

  it('is verified anew when the keys of its authorities have changed', async () => {
    const again = counting()
    let epoch = 0
    const { anchor, ...issuer } = trustedIssuer([ca.certificate])
    const client = clientWith(EXPECTED, {
      ...issuer,
      anchor: {
        ...anchor,
        get epoch() {
          return epoch
        },
      },
    })
    await again.verify(client)
    await again.verify(client)
    expect(again.count).toBe(1)
    epoch = 1
    await again.verify(client)
    expect(again.count).toBe(2)
  })

  it('is not remembered when it was refused', async () => {
    const again = counting()
    const client = clientWith({ kind: 'san_uri', value: 'spiffe://example.org/other' })
    for (let n = 1; n < 4; n += 1) {
      await expect(again.verify(client)).rejects.toEqual(failed('name'))
      expect(again.count).toBe(n)
    }
  })
})

describe('tls_client_auth, claim', () => {
  const certificates = [Buffer.from('leaf')]
  const asked = { ...request(anonymous), client_id: 'orders', certificates }

  it('MT-01: takes the certificate of the handshake for the client that client_id names', () => {
    expect(method.claim(asked)).toEqual({ method: 'tls_client_auth', clientId: 'orders', chain: certificates })
  })

  it('MT-01: is not there without client_id, or without a certificate', () => {
    expect(method.claim({ ...asked, client_id: undefined })).toBeUndefined()
    expect(method.claim({ ...asked, certificates: undefined })).toBeUndefined()
  })

  it('MT-11: is not there beside other credentials: then the certificate binds, and does not authenticate', () => {
    for (const other of [{ authorization: 'Basic x' }, { client_secret: 'x' }, { client_assertion: 'x' }]) {
      expect(method.claim({ ...asked, ...other })).toBeUndefined()
    }
  })
})

describe('tls_client_auth, verify', () => {
  it('MT-03: takes a chain to the authority of the client, with the registered name', async () => {
    await expect(verify([certificateOf()])).resolves.toBeUndefined()
    await expect(verify([certificateOf({}, between), between.certificate])).resolves.toBeUndefined()
    await expect(verify([certificateOf({}, between), between.certificate, ca.certificate])).resolves.toBeUndefined()
  })

  it('MT-03, MT-06: refuses a chain to any other authority, whatever the name', async () => {
    const other = authority('other authority')
    await expect(verify([certificateOf({}, other)])).rejects.toEqual(because('ERR_TRUST_PATH'))
    await expect(verify([certificateOf({}, other), other.certificate])).rejects.toEqual(because('ERR_TRUST_PATH'))
    await expect(verify([certificateOf({}, between)])).rejects.toEqual(because('ERR_TRUST_PATH'))
  })

  it('refuses a certificate that has expired, and one for servers only', async () => {
    const past = { notBefore: NOW - 7200, notAfter: NOW - 3600 }
    await expect(verify([certificateOf(past)])).rejects.toEqual(because('ERR_TOKEN_EXPIRED'))
    const server = { replace: { extendedKeyUsage: usages(purposes.serverAuth) } }
    await expect(verify([certificateOf(server)])).rejects.toEqual(because('ERR_TOKEN_KIND'))
  })

  it('takes a certificate without extended key usage', async () => {
    await expect(verify([certificateOf({ replace: { extendedKeyUsage: undefined } })])).resolves.toBeUndefined()
  })

  it('refuses a client that is not registered with a certificate, and a request without one', async () => {
    await expect(verify([certificateOf()], registered('orders'))).rejects.toEqual(failed('registration'))
    await expect(verify([])).rejects.toEqual(failed('registration'))
    const noName = { ...clientWith(), certificate: undefined }
    await expect(verify([certificateOf()], noName)).rejects.toEqual(failed('registration'))
  })

  it('refuses octets that are no certificate', async () => {
    await expect(verify([Buffer.from('x')])).rejects.toEqual(because('ERR_TOKEN_MALFORMED'))
  })

  it.each<CertificateExpectation>([
    { kind: 'subject_dn', value: 'CN=orders,O=Example Org,C=DE' },
    { kind: 'subject_dn', value: 'cn = ORDERS , o=example  org, c=de' },
    { kind: 'subject_dn', value: '2.5.4.3=orders,2.5.4.10=Example Org,2.5.4.6=DE' },
    { kind: 'san_dns', value: 'orders.example.org' },
    { kind: 'san_dns', value: 'ORDERS.example.org' },
    { kind: 'san_uri', value: 'spiffe://example.org/orders' },
    { kind: 'san_email', value: 'Orders@EXAMPLE.org' },
    { kind: 'san_ip', value: '192.0.2.7' },
    { kind: 'san_ip', value: '2001:db8::7' },
    { kind: 'san_ip', value: '2001:0DB8:0:0:0:0:0:7' },
  ])('MT-03, MT-04: $kind $value is in the certificate', async (expectation) => {
    await expect(verify([certificateOf()], clientWith(expectation))).resolves.toBeUndefined()
  })

  it.each<CertificateExpectation>([
    { kind: 'subject_dn', value: 'C=DE,O=Example Org,CN=orders' },
    { kind: 'subject_dn', value: 'CN=orders' },
    { kind: 'subject_dn', value: 'CN=orders,O=Example Org,C=DE,C=DE' },
    { kind: 'subject_dn', value: 'OU=orders,O=Example Org,C=DE' },
    { kind: 'subject_dn', value: '' },
    { kind: 'subject_dn', value: 'orders' },
    { kind: 'san_dns', value: 'example.org' },
    { kind: 'san_dns', value: '*.example.org' },
    { kind: 'san_dns', value: 'spiffe://example.org/orders' },
    { kind: 'san_uri', value: 'spiffe://example.org/orders/' },
    { kind: 'san_uri', value: 'spiffe://Example.org/orders' },
    { kind: 'san_uri', value: 'orders.example.org' },
    { kind: 'san_email', value: 'orders@example.org' },
    { kind: 'san_ip', value: '192.0.2.8' },
    { kind: 'san_ip', value: '::ffff:192.0.2.7' },
    { kind: 'san_ip', value: 'c0000207' },
  ])('MT-02, MT-03, MT-04: $kind $value is not', async (expectation) => {
    await expect(verify([certificateOf()], clientWith(expectation))).rejects.toEqual(failed('name'))
  })

  it('does not take a wildcard in the certificate for the name', async () => {
    const wildcard = certificateOf({ names: [generalName('dns', '*.example.org')] })
    const expectation = { kind: 'san_dns', value: 'orders.example.org' } as const
    await expect(verify([wildcard], clientWith(expectation))).rejects.toEqual(failed('name'))
  })

  it('takes the name of the first certificate only', async () => {
    const mine = certificateOf({ names: [uri('spiffe://example.org/other')] })
    await expect(verify([mine, certificateOf()])).rejects.toEqual(failed('name'))
  })

  it('does not take an empty subject for an empty expectation', async () => {
    const nameless = certificateOf({ subject: nameOf([]) })
    await expect(verify([nameless], clientWith({ kind: 'subject_dn', value: '' }))).rejects.toEqual(failed('name'))
  })

  it.each<ErrorCode>(['ERR_TRUST_UNAVAILABLE', 'ERR_STORE_UNAVAILABLE'])('EX-16: lets %s through', async (code) => {
    const tools = clientTools({ verify: () => Promise.reject(new DragomanError(code)) })
    await expect(verify([certificateOf()], clientWith(), tools)).rejects.toEqual(expect.objectContaining({ code }))
  })
})

describe('octetsOf', () => {
  it.each([
    ['192.0.2.1', 'c0000201'],
    ['2001:db8::1', '20010db8000000000000000000000001'],
    ['::', '0'.repeat(32)],
    ['::ffff:192.0.2.1', '00000000000000000000ffffc0000201'],
    ['1:2:3:4:5:6:7:8', '00010002000300040005000600070008'],
  ])('MT-04: reads %s', (address, hex) => {
    expect(octetsOf(address)?.toString('hex')).toBe(hex)
  })

  it.each(['', '192.0.2', '192.0.2.256', '192.0.2.1/24', '::g', 'fe80::1%eth0', 'orders'])('refuses %j', (address) => {
    expect(octetsOf(address)).toBeUndefined()
  })
})
