import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { issue } from '../src/cli/dev/alpha.ts'
import { newKey, privatePem } from '../src/cli/dev/keys.ts'
import { codecs } from '../src/codecs/index.ts'
import { map } from '../src/core/value.ts'
import { buildCsr } from '../src/wire/csr.ts'
import { pem } from '../src/wire/pem.ts'
import { dns } from '../test/support/servers.ts'
import { authority, leaf, uri, usages } from '../test/support/x509.ts'
import { configurationText, EDGE, ISSUER, profiles, target } from './configuration.ts'
import type { Shown } from './load.ts'

const JWT = 'urn:ietf:params:oauth:token-type:jwt'
const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange'
const BASIC = `Basic ${Buffer.from('demo:demo-secret').toString('base64')}`

// What the gateway takes by default.
const ITEMS = 100

const b64 = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
const now = () => Math.floor(Date.now() / 1000)
const newEc = () => generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
const idOf = () => randomBytes(12).toString('base64url')

function jwt(header: object, claims: object, key: KeyObject): string {
  const input = `${b64(header)}.${b64(claims)}`
  return `${input}.${sign('sha256', Buffer.from(input), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`
}

/**
 * Everything around the gateways of one run: keys, certificates, configurations, and requests that are ready to be sent.
 * `lifetime` is that of the tokens in them, in seconds.
 */
export async function newBenchWorld(folder: string, port: number, { lifetime = 3600 } = {}) {
  const self = `http://127.0.0.1:${port}`
  const [idp, client, holder] = [newEc(), newEc(), newEc()]
  const edge = newKey('ES256').signer
  const window = { notBefore: now() - 3600, notAfter: now() + 86_400 }
  const root = authority('Alpha Root', window)
  const middle = authority('Alpha Issuing', { ...window, issuer: root, pathLength: 0 })
  const listener = leaf(root, {
    ...window,
    names: [dns('localhost')],
    replace: { extendedKeyUsage: usages('1.3.6.1.5.5.7.3.1') },
  })
  const secret = (kid: string, { publicKey }: { publicKey: KeyObject }) =>
    JSON.stringify({ keys: [{ ...publicKey.export({ format: 'jwk' }), kid, alg: 'ES256', use: 'sig' }] })
  const jwkOf = ({ publicKey }: { publicKey: KeyObject }) => {
    const { kty, crv, x, y } = publicKey.export({ format: 'jwk' })
    return { kty, crv, x, y }
  }
  const { crv, kty, x, y } = jwkOf(holder)
  const jkt = createHash('sha256').update(JSON.stringify({ crv, kty, x, y })).digest('base64url')

  const file = (name: string, content: string) => writeFileSync(join(folder, name), content)
  mkdirSync(join(folder, 'profiles'), { recursive: true })
  file('alpha.json', secret('bench', idp))
  file('client.json', secret('client', client))
  file('edge.json', JSON.stringify({ keys: [{ ...edge.publicKey.jwk, kid: edge.kid, alg: 'ES256', use: 'sig' }] }))
  file('root.pem', pem('CERTIFICATE', root.certificate))
  file('tls.pem', pem('CERTIFICATE', listener.certificate))
  file('tls.key', privatePem(listener.key.privateKey))
  for (const [name, text] of profiles()) file(`profiles/${name}.yaml`, text)
  const csr = pem('CERTIFICATE REQUEST', buildCsr({ privateKey: holder.privateKey }))

  const shown: readonly Shown[] = Array.from({ length: 16 }, (_, index) => {
    const made = leaf(middle, {
      ...window,
      names: [uri(`spiffe://alpha.example/ns/shop/sa/m${index}`)],
      replace: { extendedKeyUsage: usages('1.3.6.1.5.5.7.3.2') },
    })
    return {
      ca: pem('CERTIFICATE', root.certificate),
      cert: pem('CERTIFICATE', made.certificate) + pem('CERTIFICATE', middle.certificate),
      key: privatePem(made.key.privateKey),
    }
  })

  let serial = 0
  const claims = () => {
    serial += 1
    const time = now()
    return {
      iss: ISSUER,
      sub: `spiffe://alpha.example/ns/shop/sa/w${serial}`,
      aud: [self, target('a')],
      iat: time,
      nbf: time - 5,
      exp: time + lifetime,
      jti: idOf(),
      scope: 'orders.read orders.write stock.read',
      email: `w${serial}@alpha.example`,
      groups: ['shop', 'night-shift', 'europe', 'callers'],
      given_name: 'Ada',
      family_name: 'Example',
      locale: 'en-GB',
      tenant: 'shop-eu-1',
    }
  }
  const subject = (more: object = {}) =>
    jwt({ alg: 'ES256', kid: 'bench', typ: 'JWT' }, { ...claims(), ...more }, idp.privateKey)
  const dpop = () =>
    jwt(
      { typ: 'dpop+jwt', alg: 'ES256', jwk: jwkOf(holder) },
      { jti: idOf(), htm: 'POST', htu: `${self}/token`, iat: now() },
      holder.privateKey,
    )
  const assertion = () => {
    const time = now()
    return jwt(
      { alg: 'ES256', kid: 'client', typ: 'client-authentication+jwt' },
      { iss: 'billing', sub: 'billing', aud: self, iat: time, exp: time + 120, jti: idOf() },
      client.privateKey,
    )
  }
  const post = (
    parameters: { readonly [name: string]: string },
    headers: readonly string[] = [`Authorization: ${BASIC}`],
  ) => {
    const form = new URLSearchParams({ grant_type: EXCHANGE, ...parameters }).toString()
    return Buffer.from(
      `POST /token HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n${headers.map((line) => `${line}\r\n`).join('')}` +
        `Content-Type: application/x-www-form-urlencoded\r\nContent-Length: ${form.length}\r\n\r\n${form}`,
    )
  }
  const plain = (to: string, more: { readonly [name: string]: string } = {}) =>
    post({ subject_token: subject(), subject_token_type: JWT, audience: target(to), scope: 'orders.read', ...more })
  const cwt = async () => {
    const { iss: _, scope: __, aud: ___, iat, nbf, exp, jti: ____, ...said } = claims()
    return issue(codecs(), {
      format: 'cwt',
      issuer: EDGE,
      signer: edge,
      claims: map(Object.entries(said)),
      now: iat,
      validity: { issuedAt: iat, notBefore: nbf, expiresAt: exp, audience: [self], scope: ['orders.read'] },
    })
  }
  const bound = () => ({
    subject_token: subject({ cnf: { jkt } }),
    subject_token_type: JWT,
    scope: 'orders.read',
  })
  const batch = (to: string) => {
    const items = Array.from({ length: ITEMS }, (_, at) => ({ id: `m${at}`, subject_token: subject() }))
    const json = JSON.stringify({ subject_token_type: JWT, audience: target(to), scope: 'orders.read', items })
    return Buffer.from(
      `POST /token/batch HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nAuthorization: ${BASIC}\r\n` +
        `Content-Type: application/json\r\nContent-Length: ${json.length}\r\n\r\n${json}`,
    )
  }
  const dpopHeaders = () => [`Authorization: ${BASIC}`, `DPoP: ${dpop()}`]

  return {
    self,
    folder,
    shown,
    subject,
    basic: BASIC,
    /** Writes a configuration that listens at `port` and one above it for TLS, and returns its path. */
    configuration: (name: string, at: number, more = '', folderOfProfiles = 'profiles', issuers = '') => {
      file(`${name}.yaml`, configurationText(self, at, name, more, folderOfProfiles, issuers))
      return join(folder, `${name}.yaml`)
    },
    requests: {
      distinct: () => plain('a'),
      assertion: () =>
        post(
          {
            subject_token: subject(),
            subject_token_type: JWT,
            audience: target('a'),
            scope: 'orders.read',
            client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
            client_assertion: assertion(),
          },
          [],
        ),
      mtls: () =>
        post(
          {
            subject_token: subject(),
            subject_token_type: JWT,
            audience: target('a'),
            scope: 'orders.read',
            client_id: 'mail',
          },
          [],
        ),
      repeated: () => plain('again'),
      toCwt: () => plain('cwt'),
      fromCwt: async () =>
        post({
          subject_token: await cwt(),
          subject_token_type: 'urn:dragoman:token-type:cwt',
          audience: target('from-cwt'),
        }),
      txn: () =>
        plain('txn', {
          requested_token_type: 'urn:ietf:params:oauth:token-type:txn_token',
          request_details: '{"order_id":"o-771","amount":"18.40"}',
          request_context: '{"req_ip":"192.0.2.44"}',
        }),
      batch: () => batch('a'),
      /** Signed by somebody else. */
      forged: () =>
        post({
          subject_token: jwt({ alg: 'ES256', kid: 'bench', typ: 'JWT' }, claims(), holder.privateKey),
          subject_token_type: JWT,
          audience: target('a'),
        }),
      toX509: () => plain('x509', { csr }),
      toX509Tls: () => plain('x509-tls'),
      toX509Key: () => post({ ...bound(), audience: target('x509-key') }, dpopHeaders()),
      fromX509: () =>
        post({
          subject_token: 'mtls_client_certificate',
          subject_token_type: 'urn:ietf:params:oauth:token-type:mtls',
          audience: target('from-x509'),
        }),
      dpop: () => post({ ...bound(), audience: target('dpop') }, dpopHeaders()),
      mldsa: () => plain('pq'),
      bare: () => plain('a'),
    },
  }
}

export type BenchWorld = Awaited<ReturnType<typeof newBenchWorld>>
