// A token format that Dragoman does not ship: claims as Protocol Buffers, with a detached signature.
//
//   token = base64url(ClaimSet) "~" base64url(Detached)
//
// The signature covers the text before "~", so it never depends on how Protocol Buffers were encoded.
import { create, createFileRegistry, fromBinary, fromJson, type JsonObject, toBinary, toJson } from '@bufbuild/protobuf'
import {
  FieldDescriptorProto_Label,
  FieldDescriptorProto_Type,
  type FieldDescriptorProto_Type as FieldType,
  FileDescriptorProtoSchema,
  file_google_protobuf_struct,
  type Struct,
  StructSchema,
} from '@bufbuild/protobuf/wkt'
import {
  algorithmNamed,
  type Codec,
  type Draft,
  DragomanError,
  type Envelope,
  fromBase64url,
  type Issuance,
  type KeyHint,
  type Layout,
  type Loss,
  map,
  type Token,
  type TrustedIssuer,
  toBase64url,
  tokenDigests,
  type Unverified,
  type Value,
  verifySignature,
} from 'dragoman'

export const PROTOBUF_TOKEN = 'urn:example:token-type:protobuf'

const { STRING, BYTES, DOUBLE, MESSAGE } = FieldDescriptorProto_Type
const { OPTIONAL, REPEATED } = FieldDescriptorProto_Label

const field = (name: string, number: number, type: FieldType, label = OPTIONAL, typeName = '') => ({
  name,
  number,
  type,
  label,
  typeName,
  jsonName: name,
})

// The .proto file as a descriptor, so that no compiler is needed:
//   message ClaimSet { string iss = 1; … google.protobuf.Struct claims = 9; }
//   message Detached { string alg = 1; string kid = 2; bytes signature = 3; }
const registry = createFileRegistry(
  create(FileDescriptorProtoSchema, {
    name: 'example/claims.proto',
    package: 'example',
    syntax: 'proto3',
    dependency: ['google/protobuf/struct.proto'],
    messageType: [
      {
        name: 'ClaimSet',
        field: [
          field('iss', 1, STRING),
          field('jti', 2, STRING),
          field('aud', 3, STRING, REPEATED),
          field('scope', 4, STRING, REPEATED),
          field('iat', 5, DOUBLE),
          field('nbf', 6, DOUBLE),
          field('exp', 7, DOUBLE),
          field('jkt', 8, STRING),
          field('claims', 9, MESSAGE, OPTIONAL, '.google.protobuf.Struct'),
        ],
      },
      { name: 'Detached', field: [field('alg', 1, STRING), field('kid', 2, STRING), field('signature', 3, BYTES)] },
    ],
  }),
  () => file_google_protobuf_struct.proto,
)

interface ClaimSet {
  iss: string
  jti: string
  aud: string[]
  scope: string[]
  iat: number
  nbf: number
  exp: number
  jkt: string
  claims?: Struct
}

interface Detached {
  alg: string
  kid: string
  signature: Uint8Array
}

const described = (name: string) => {
  const schema = registry.getMessage(`example.${name}`)
  if (!schema) throw new TypeError(`no message ${name}`)
  return schema
}
const ClaimSetSchema = described('ClaimSet')
const DetachedSchema = described('Detached')

/** Limits are the codec's own business: nobody else looks at the bytes. */
const MAX_CHARACTERS = 32_768

export const protobuf: Codec = {
  format: 'protobuf',
  tokenTypes: [PROTOBUF_TOKEN],
  kinds: [],
  encodings: {},
  parse,
  prepare({ options }) {
    const [unknown] = Object.keys(options)
    if (unknown) throw new DragomanError('ERR_PROFILE_RENDERING', { detail: { path: unknown, expected: 'no option' } })
    return {
      tokenType: PROTOBUF_TOKEN,
      usage: 'N_A',
      singleAudience: false,
      needsKey: false,
      ceiling: () => undefined,
      lay,
    }
  },
}

function parse(envelope: Envelope): Unverified | undefined {
  if (envelope.type !== PROTOBUF_TOKEN) return undefined
  if (envelope.raw.length > MAX_CHARACTERS) throw new DragomanError('ERR_TOKEN_TOO_LARGE')
  const [payload = '', detached = '', ...rest] = envelope.raw.split('~')
  if (rest.length > 0) throw malformed('two parts')
  const claims = message<ClaimSet>(ClaimSetSchema, payload)
  const { alg, kid, signature } = message<Detached>(DetachedSchema, detached)
  const algorithm = algorithmNamed(alg)
  const hint: KeyHint = { kid: kid || undefined, algorithm }

  async function verify(issuer: TrustedIssuer): Promise<Token> {
    if (!algorithm || !issuer.algorithms.includes(algorithm)) throw new DragomanError('ERR_TOKEN_ALGORITHM')
    const keys = await issuer.anchor.keys(hint, 0)
    const signed = Buffer.from(payload, 'ascii')
    const key = keys.find(
      (candidate) =>
        candidate.algorithms.includes(algorithm) &&
        verifySignature(algorithm, candidate.cryptoKey(algorithm), signed, signature),
    )
    if (!key) throw new DragomanError(keys.length === 0 ? 'ERR_TRUST_KEY' : 'ERR_TOKEN_SIGNATURE')
    return tokenOf(claims, signed, issuer, algorithm.name, key.publicKey.jkt)
  }
  return { issuer: claims.iss, hint, verify }
}

function tokenOf(said: ClaimSet, signed: Uint8Array, issuer: TrustedIssuer, algorithm: string, jkt: string): Token {
  const rest = said.claims ? (toJson(StructSchema, said.claims) as { [name: string]: Value }) : {}
  return {
    claims: map(Object.entries(rest)),
    validity: {
      issuedAt: said.iat || undefined,
      notBefore: said.nbf || undefined,
      expiresAt: said.exp || undefined,
      audience: said.aud,
      scope: said.scope.length > 0 ? said.scope : undefined,
    },
    confirmation: said.jkt ? { jkt: said.jkt } : undefined,
    provenance: {
      format: 'protobuf',
      type: PROTOBUF_TOKEN,
      issuer: issuer.issuer,
      trustDomain: issuer.trustDomain,
      algorithm,
      keyThumbprint: jkt,
      kind: undefined,
      id: said.jti || undefined,
      ...tokenDigests(issuer.issuer, 'protobuf', said.jti || undefined, signed),
    },
  }
}

/** Lays the token out. A certificate thumbprint has no field here: it is refused, never dropped. */
function lay(draft: Draft, { issuer, id, signer }: Issuance): Layout {
  const { validity, confirmation } = draft
  const jkt = confirmation?.publicKey?.jkt ?? confirmation?.jkt
  if (confirmation && jkt === undefined) throw new DragomanError('ERR_TOKEN_CONFIRMATION')
  const losses: Loss[] = []
  const claims: JsonObject = {}
  const said = [...Object.entries(draft.claims), ...draft.embedded.map(({ name, value }) => [name, value] as const)]
  for (const [name, value] of said) {
    const text = value instanceof Uint8Array ? toBase64url(value) : value
    if (text !== value) losses.push({ claim: name, became: 'converted', reason: 'bytes as base64url text' })
    claims[name] = text as JsonObject[string] & {}
  }
  const members: { [field: string]: unknown } = {
    iss: issuer,
    jti: toBase64url(id),
    aud: [...validity.audience],
    scope: [...(validity.scope ?? [])],
    iat: validity.issuedAt ?? 0,
    nbf: validity.notBefore ?? 0,
    exp: validity.expiresAt ?? 0,
    jkt: jkt ?? '',
    claims: fromJson(StructSchema, claims),
  }
  const payload = toBase64url(toBinary(ClaimSetSchema, create(ClaimSetSchema, members)))
  return {
    losses,
    toBeSigned: Buffer.from(payload, 'ascii'),
    finish(signature) {
      const detached: { [field: string]: unknown } = { alg: signer.algorithm.jose[0], kid: signer.kid, signature }
      const raw = `${payload}~${toBase64url(toBinary(DetachedSchema, create(DetachedSchema, detached)))}`
      return { raw, tokenType: PROTOBUF_TOKEN, usage: 'N_A', id: toBase64url(id) }
    },
  }
}

function message<T>(schema: typeof ClaimSetSchema, text: string): T {
  const bytes = fromBase64url(text)
  if (!bytes) throw malformed('base64url')
  try {
    return fromBinary(schema, bytes) as unknown as T
  } catch (cause) {
    throw new DragomanError('ERR_TOKEN_MALFORMED', { cause, detail: { expected: schema.typeName } })
  }
}

const malformed = (expected: string) => new DragomanError('ERR_TOKEN_MALFORMED', { detail: { expected } })
