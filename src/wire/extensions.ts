import { DragomanError } from '../core/errors.ts'
import {
  contentOf,
  context,
  type Der,
  inside,
  listOf,
  malformed,
  readBoolean,
  readDer,
  readInteger,
  readNamedBits,
  readNull,
  readOid,
  readSmallInteger,
  tags,
} from './der.ts'
import { boolean, octetString, oid, sequence } from './der-write.ts'
import {
  type GeneralName,
  isAbsoluteUri,
  isDnsName,
  mailboxHost,
  readGeneralName,
  readGeneralNames,
} from './general-name.ts'

/** Extension OIDs (RFC 5280 §4.2, RFC 9608). */
export const extensionOids = {
  subjectKeyIdentifier: '2.5.29.14',
  keyUsage: '2.5.29.15',
  subjectAltName: '2.5.29.17',
  issuerAltName: '2.5.29.18',
  basicConstraints: '2.5.29.19',
  nameConstraints: '2.5.29.30',
  crlDistributionPoints: '2.5.29.31',
  certificatePolicies: '2.5.29.32',
  policyMappings: '2.5.29.33',
  authorityKeyIdentifier: '2.5.29.35',
  policyConstraints: '2.5.29.36',
  extendedKeyUsage: '2.5.29.37',
  freshestCrl: '2.5.29.46',
  inhibitAnyPolicy: '2.5.29.54',
  noRevocationAvailable: '2.5.29.56',
  authorityInformationAccess: '1.3.6.1.5.5.7.1.1',
  subjectInformationAccess: '1.3.6.1.5.5.7.1.11',
} as const

/** Bits of a key usage (RFC 5280 §4.2.1.3). */
export const keyUsages = {
  digitalSignature: 1 << 0,
  nonRepudiation: 1 << 1,
  keyEncipherment: 1 << 2,
  dataEncipherment: 1 << 3,
  keyAgreement: 1 << 4,
  keyCertSign: 1 << 5,
  cRLSign: 1 << 6,
  encipherOnly: 1 << 7,
  decipherOnly: 1 << 8,
} as const

/** Purposes of an extended key usage (RFC 5280 §4.2.1.12). */
export const purposes = {
  any: '2.5.29.37.0',
  serverAuth: '1.3.6.1.5.5.7.3.1',
  clientAuth: '1.3.6.1.5.5.7.3.2',
} as const

export interface Extension {
  readonly oid: string
  readonly critical: boolean
  /** What the OCTET STRING holds. */
  readonly value: Buffer
}

interface AuthorityKeyId {
  readonly keyId: Buffer | undefined
  readonly issuer: readonly GeneralName[] | undefined
  readonly serialNumber: Buffer | undefined
}

export interface NameConstraints {
  readonly permitted: readonly GeneralName[]
  readonly excluded: readonly GeneralName[]
}

/** The extensions that are understood, read; the others are in `all` only. */
export interface Extensions {
  readonly all: ReadonlyMap<string, Extension>
  readonly basicConstraints: { readonly ca: boolean; readonly pathLength: number | undefined } | undefined
  /** Bits as in {@link keyUsages}. */
  readonly keyUsage: number | undefined
  readonly extendedKeyUsage: readonly string[] | undefined
  readonly subjectAltNames: readonly GeneralName[]
  readonly nameConstraints: NameConstraints | undefined
  readonly policies: readonly string[]
  readonly subjectKeyId: Buffer | undefined
  readonly authorityKeyId: AuthorityKeyId | undefined
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] }

// Certificates of the field have up to 15.
const MAX_EXTENSIONS = 64

/**
 * Reads `Extensions`, none of them twice.
 *
 * The value of each extension that is understood is read to its end; others keep their bytes.
 *
 * @throws {@link DragomanError} `ERR_TOKEN_MALFORMED`, `ERR_TOKEN_DUPLICATE`
 */
export function readExtensions(element: Der): Extensions {
  const list = listOf(element, 'extensions')
  if (list.length > MAX_EXTENSIONS) throw malformed(`at most ${MAX_EXTENSIONS} extensions`, element.start)
  const all = new Map<string, Extension>()
  const extensions: Mutable<Extensions> = { ...noExtensions, all }
  for (const item of list) {
    const extension = readExtension(item)
    if (all.has(extension.oid)) throw duplicate(extension.oid)
    all.set(extension.oid, extension)
    understand(extension, extensions)
  }
  return extensions
}

/** What a certificate without extensions says. */
export const noExtensions: Extensions = {
  all: new Map(),
  basicConstraints: undefined,
  keyUsage: undefined,
  extendedKeyUsage: undefined,
  subjectAltNames: [],
  nameConstraints: undefined,
  policies: [],
  subjectKeyId: undefined,
  authorityKeyId: undefined,
}

const duplicate = (what: string) =>
  new DragomanError('ERR_TOKEN_DUPLICATE', { detail: { expected: 'each extension once', extension: what } })

function readExtension(element: Der): Extension {
  if (element.tag !== tags.sequence) throw malformed('an extension', element.start)
  const reader = inside(element)
  const oid = readOid(reader.take(tags.oid, 'the OID of an extension'))
  const flag = reader.optional(tags.boolean)
  // DEFAULT FALSE: DER leaves a default out (X.690 §11.5).
  if (flag && !readBoolean(flag)) throw malformed('no critical FALSE in an extension', flag.start)
  const value = contentOf(reader.take(tags.octetString, 'the value of an extension'))
  reader.finish('an extension')
  return { oid, critical: flag !== undefined, value }
}

function understand({ oid, value }: Extension, into: Mutable<Extensions>): void {
  switch (oid) {
    case extensionOids.basicConstraints:
      into.basicConstraints = readBasicConstraints(value)
      return
    case extensionOids.keyUsage:
      into.keyUsage = readNamedBits(readDer(value, tags.bitString, 'a key usage'))
      if (into.keyUsage === 0) throw malformed('a key usage with at least one bit')
      return
    case extensionOids.extendedKeyUsage:
      into.extendedKeyUsage = readOids(value, 'an extended key usage')
      return
    case extensionOids.subjectAltName:
      into.subjectAltNames = readAltNames(value)
      return
    case extensionOids.nameConstraints:
      into.nameConstraints = readNameConstraints(value)
      return
    case extensionOids.certificatePolicies:
      into.policies = readPolicies(value)
      return
    case extensionOids.subjectKeyIdentifier:
      into.subjectKeyId = contentOf(readDer(value, tags.octetString, 'a subject key identifier'))
      if (into.subjectKeyId.length === 0) throw malformed('a subject key identifier that is not empty')
      return
    case extensionOids.authorityKeyIdentifier:
      into.authorityKeyId = readAuthorityKeyId(value)
      return
    case extensionOids.noRevocationAvailable:
      readNull(readDer(value, tags.null, 'a NULL'))
      return
  }
}

function readBasicConstraints(value: Buffer): NonNullable<Extensions['basicConstraints']> {
  const reader = inside(readDer(value, tags.sequence, 'basic constraints'))
  const flag = reader.optional(tags.boolean)
  if (flag && !readBoolean(flag)) throw malformed('no cA FALSE in basic constraints', flag.start)
  const length = reader.optional(tags.integer)
  reader.finish('basic constraints')
  return { ca: flag !== undefined, pathLength: length && readSmallInteger(length) }
}

function readOids(value: Buffer, what: string): readonly string[] {
  return listOf(readDer(value, tags.sequence, what), what).map((element) => {
    if (element.tag !== tags.oid) throw malformed('an OBJECT IDENTIFIER', element.start)
    return readOid(element)
  })
}

function readAltNames(value: Buffer): readonly GeneralName[] {
  const names = readGeneralNames(readDer(value, tags.sequence, 'subject alternative names'))
  for (const name of names) {
    const good =
      name.kind === 'dns'
        ? isDnsName(name.text)
        : name.kind === 'email'
          ? mailboxHost(name.text) !== undefined
          : name.kind === 'uri'
            ? isAbsoluteUri(name.text)
            : name.kind !== 'ip' || name.octets.length === 4 || name.octets.length === 16
    if (!good) throw malformed(`subject alternative names of kind ${name.kind} in their syntax`)
  }
  return names
}

function readPolicies(value: Buffer): readonly string[] {
  const policies = listOf(readDer(value, tags.sequence, 'certificate policies'), 'certificate policies').map((item) => {
    if (item.tag !== tags.sequence) throw malformed('a policy', item.start)
    const reader = inside(item)
    const policy = readOid(reader.take(tags.oid, 'a policy'))
    const qualifiers = reader.optional(tags.sequence)
    if (qualifiers) listOf(qualifiers, 'policy qualifiers')
    reader.finish('a policy')
    return policy
  })
  // RFC 5280 §4.2.1.4: a policy must not appear more than once.
  if (new Set(policies).size !== policies.length) throw duplicate(extensionOids.certificatePolicies)
  return policies
}

function readAuthorityKeyId(value: Buffer): AuthorityKeyId {
  const reader = inside(readDer(value, tags.sequence, 'an authority key identifier'))
  const keyId = reader.optional(context(0, false))
  const issuer = reader.optional(context(1))
  const serial = reader.optional(context(2, false))
  reader.finish('an authority key identifier')
  if ((issuer === undefined) !== (serial === undefined)) throw malformed('issuer and serial number together')
  return {
    keyId: keyId && contentOf(keyId),
    issuer: issuer && readGeneralNames(issuer),
    serialNumber: serial && readInteger(serial),
  }
}

function readNameConstraints(value: Buffer): NameConstraints {
  const reader = inside(readDer(value, tags.sequence, 'name constraints'))
  const permitted = reader.optional(context(0))
  const excluded = reader.optional(context(1))
  reader.finish('name constraints')
  if (!permitted && !excluded) throw malformed('name constraints that are not empty')
  return { permitted: permitted ? readSubtrees(permitted) : [], excluded: excluded ? readSubtrees(excluded) : [] }
}

function readSubtrees(element: Der): readonly GeneralName[] {
  return listOf(element, 'subtrees').map((item) => {
    if (item.tag !== tags.sequence) throw malformed('a subtree', item.start)
    const reader = inside(item)
    const base = readGeneralName(reader.next())
    // RFC 5280 §4.2.1.10: minimum is 0, which is its default, and maximum is absent.
    reader.finish('the base of a subtree')
    checkBase(base, item)
    return base
  })
}

function checkBase(base: GeneralName, { start }: Der): void {
  switch (base.kind) {
    case 'dns':
      // The empty name is the root of all. A leading dot is a form for URIs and mailboxes only.
      if (base.text !== '' && (!isDnsName(base.text) || base.text.startsWith('*'))) throw malformed('a DNS name', start)
      return
    case 'email':
      if (!isHostOrDomain(base.text) && mailboxHost(base.text) === undefined)
        throw malformed('a mailbox or host', start)
      return
    case 'uri':
      if (!isHostOrDomain(base.text)) throw malformed('a host or domain', start)
      return
    case 'ip':
      if (!isRange(base.octets)) throw malformed('an address with a contiguous mask', start)
      return
  }
}

const isHostOrDomain = (text: string): boolean =>
  !text.startsWith('*') && isDnsName(text.startsWith('.') ? text.slice(1) : text)

function isRange(octets: Buffer): boolean {
  if (octets.length !== 8 && octets.length !== 32) return false
  const mask = octets.subarray(octets.length / 2)
  const bits = [...mask].map((octet) => octet.toString(2).padStart(8, '0')).join('')
  return !bits.includes('01')
}

const encodedOids = new Map<string, Buffer>(Object.values(extensionOids).map((type) => [type, oid(type)]))
const CRITICAL = boolean(true)

/** DER of one extension. */
export function extension(type: string, critical: boolean, value: Uint8Array): Buffer {
  const encoded = encodedOids.get(type) ?? oid(type)
  return critical ? sequence(encoded, CRITICAL, octetString(value)) : sequence(encoded, octetString(value))
}
