import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { findPath } from '../../../src/codecs/x509/path.ts'
import { algorithms } from '../../../src/core/algorithms.ts'
import { DragomanError } from '../../../src/core/errors.ts'
import { parseCertificate } from '../../../src/wire/certificate.ts'
import { purposes } from '../../../src/wire/extensions.ts'
import { parsePem } from '../../../src/wire/pem.ts'

interface Case {
  readonly id: string
  readonly expected_result: 'SUCCESS' | 'FAILURE'
  readonly validation_kind: 'SERVER' | 'CLIENT'
  readonly validation_time: string | null
  readonly trusted_certs: readonly string[]
  readonly untrusted_intermediates: readonly string[]
  readonly peer_certificate: string
}

const { testcases } = JSON.parse(
  readFileSync(new URL('../../vectors/x509-limbo/limbo-half.json', import.meta.url), 'utf8'),
) as { testcases: readonly Case[] }

const HOST_NAME = 'about comparing a name with the host that was dialled, which is the work of a TLS client'
const CRL = 'revocation lists are not read'

/** Not run: nothing in the case is about what we do. */
const skipped: { readonly [id: string]: string } = {
  'crl::certificate-not-on-crl': CRL,
  'crl::crlnumber-critical': CRL,
  'crl::issuer-no-keyusage-extension': CRL,
  'webpki::san::mismatch-domain-san': HOST_NAME,
  'webpki::san::wildcard-match-across-labels-san': HOST_NAME,
  'webpki::san::no-san': HOST_NAME,
}

/** Run, and decided the other way on purpose. */
const deviations: { readonly [id: string]: string } = {
  'pathlen::validation-ignores-pathlen-in-leaf': 'stricter: its leaf is an authority, which is never a token',
  'webpki::aki::root-with-aki-all-fields': 'a rule for browsers: RFC 5280 §4.2.1.1 allows issuer and serial number',
  'webpki::cn::ipv6-uppercase-mismatch': 'a rule for browsers: the common name of a subject is no name of a host here',
  'webpki::cn::ipv6-uncompressed-mismatch': 'as above',
  'webpki::cn::case-mismatch': 'as above',
  'webpki::eku::ee-anyeku': 'a rule for browsers: anyExtendedKeyUsage beside the purpose that is asked for',
  'webpki::eku::ee-without-eku':
    'a rule for browsers: RFC 5280 §4.2.1.12 takes it for unrestricted, and so do we unless a profile asks for a purpose',
  'webpki::eku::root-has-eku': 'a rule for browsers: here it limits what is below',
  'webpki::san::public-suffix-wildcard-san': 'a rule for browsers: needs the list of public suffixes',
  'webpki::forbidden-rsa-key-not-divisible-by-8-in-leaf': 'a rule for browsers: 2052 bits are enough bits',
}

const certificates = (texts: readonly string[]) =>
  texts.flatMap((text) => parsePem(text).map(({ der }) => parseCertificate(der)))

function decide(testcase: Case): string {
  const now = testcase.validation_time === null ? Date.now() / 1000 : Date.parse(testcase.validation_time) / 1000
  try {
    const [leaf] = certificates([testcase.peer_certificate])
    if (!leaf) return expect.unreachable()
    findPath({
      leaf,
      presented: certificates(testcase.untrusted_intermediates),
      anchors: certificates(testcase.trusted_certs),
      intermediates: [],
      now,
      clockSkew: 0,
      algorithms,
      extendedKeyUsage: [testcase.validation_kind === 'SERVER' ? purposes.serverAuth : purposes.clientAuth],
      unrestricted: true,
      anchorRules: 'enforced',
      conforming: true,
      links: { has: () => false, add: () => undefined },
    })
    return 'SUCCESS'
  } catch (error) {
    if (error instanceof DragomanError) return 'FAILURE'
    throw error
  }
}

describe('x509-limbo', () => {
  const run = testcases.filter(({ id }) => !Object.hasOwn(skipped, id))

  test('is run whole but for what is listed', () => {
    expect(testcases).toHaveLength(104)
    expect(testcases.length - run.length).toBe(Object.keys(skipped).length)
    const ids = new Set(run.map(({ id }) => id))
    expect(Object.keys(deviations).filter((id) => !ids.has(id))).toEqual([])
  })

  // Two of them take other validators minutes.
  test.each(run.map((testcase) => [testcase.id, testcase] as const))('%s', { timeout: 2000 }, (id, testcase) => {
    const decided = decide(testcase)
    if (Object.hasOwn(deviations, id)) expect(decided).not.toBe(testcase.expected_result)
    else expect(decided).toBe(testcase.expected_result)
  })
})
