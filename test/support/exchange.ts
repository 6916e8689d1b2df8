import { generateKeyPairSync } from 'node:crypto'
import { expect } from 'vitest'
import type { AcceptanceDefaults } from '../../src/core/acceptance.ts'
import type { Client } from '../../src/core/client.ts'
import { DragomanError } from '../../src/core/errors.ts'
import type { Exchange, TokenRequest } from '../../src/core/exchange.ts'
import type { PublicKey } from '../../src/core/keys.ts'
import type { Profile, TokenAcceptance } from '../../src/core/profile.ts'
import type { Proof } from '../../src/core/proof.ts'
import type { Prepared, Setting, Stage } from '../../src/core/stage.ts'
import type { Confirmation, Draft, Provenance, Token, Validity, Verified } from '../../src/core/token.ts'
import { tokenTypes } from '../../src/core/types.ts'
import { map, type Value } from '../../src/core/value.ts'
import { asVerified } from '../../src/exchange/verified.ts'
import { compileExpression } from '../../src/expressions/cel.ts'
import { publicKey } from '../../src/wire/jwk.ts'

export const NOW = 1_790_000_000
export const ISSUER = 'https://cluster.example.com'
export const GATEWAY = 'https://gw.example'

export const newKey = (): PublicKey => publicKey(generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey)

export interface TokenParts {
  readonly claims?: { readonly [name: string]: Value }
  readonly validity?: Partial<Validity>
  readonly confirmation?: Confirmation | undefined
  readonly provenance?: Partial<Provenance>
}

/** A verified token of `u-1`, good for ten minutes, with scope `read write`. */
export function verified({
  claims = {},
  validity = {},
  confirmation,
  provenance = {},
}: TokenParts = {}): Verified<Token> {
  return asVerified({
    claims: map(Object.entries({ sub: 'u-1', ...claims })),
    validity: {
      issuedAt: NOW - 60,
      notBefore: undefined,
      expiresAt: NOW + 600,
      audience: [GATEWAY],
      scope: ['read', 'write'],
      ...validity,
    },
    confirmation,
    provenance: {
      format: 'jwt',
      type: tokenTypes.jwt,
      issuer: ISSUER,
      trustDomain: 'cluster.example.com',
      algorithm: 'ES256',
      keyThumbprint: 'thumbprint',
      kind: undefined,
      id: 'jti-1',
      replayKey: 'replay',
      digest: 'd1'.repeat(32),
      ...provenance,
    },
  })
}

export interface ExchangeParts {
  readonly subject?: Verified<Token>
  readonly actor?: Verified<Token> | undefined
  readonly client?: Client
  readonly proofs?: readonly Proof[]
  readonly request?: Partial<TokenRequest>
  readonly maxLifetime?: number
  readonly presentedBy?: TokenAcceptance['presentedBy']
  readonly verify?: Exchange['verify']
}

/** An exchange as the stages see it: of what they do not look at there is nothing. */
export function exchangeOf(parts: ExchangeParts = {}): Exchange {
  const { subject = verified(), actor, client = { id: 'orders', method: 'client_secret_basic' }, proofs = [] } = parts
  const request = { audience: [], resource: [], scope: undefined, subject_token: 'raw', ...parts.request } as unknown
  const profile = { maxLifetime: parts.maxLifetime ?? 3600 } as unknown
  return {
    id: 'exchange-1',
    now: NOW,
    request: request as TokenRequest,
    client: asVerified(client),
    profile: profile as Profile,
    subject,
    actor,
    proofs: proofs.map((proof) => asVerified(proof)),
    verify: parts.verify ?? (() => Promise.reject(new DragomanError('ERR_TOKEN_SIGNATURE'))),
  }
}

const CARRIED = ['sub', 'act', 'trust_path', 'auth_time', 'acr', 'amr']

/** The draft that the first stage gets for this exchange. */
export function draftOf(
  { subject, actor, request }: Exchange,
  audience: readonly string[] = ['https://a.example'],
): Draft {
  const held = subject.validity.scope
  const ends = [subject.validity.expiresAt ?? Infinity, actor?.validity.expiresAt ?? Infinity, NOW + 3600]
  return {
    claims: map(Object.entries(subject.claims).filter(([name]) => CARRIED.includes(name))),
    validity: {
      issuedAt: NOW,
      notBefore: subject.validity.notBefore,
      expiresAt: Math.min(...ends),
      audience,
      scope: held === undefined ? undefined : request.scope?.filter((scope) => held.includes(scope)),
    },
    confirmation: subject.confirmation,
    embedded: [],
    notes: [],
  }
}

export const acceptanceDefaults: AcceptanceDefaults = {
  issuer: GATEWAY,
  tokenEndpoint: `${GATEWAY}/token`,
  clockSkew: 30,
  types: (format) =>
    ({
      jwt: [
        ...[tokenTypes.jwt, tokenTypes.accessToken, tokenTypes.idToken],
        ...[tokenTypes.txnToken, tokenTypes.selfSigned, tokenTypes.unsignedJson],
      ],
      cwt: [tokenTypes.cwt],
      x509: [tokenTypes.mtls, tokenTypes.x509, tokenTypes.x509Der],
    })[format],
}

export interface SettingParts {
  readonly files?: { readonly [name: string]: string }
  readonly secrets?: { readonly [name: string]: Uint8Array }
  readonly proofMethods?: readonly string[]
}

export function settingOf({
  files = {},
  secrets = {},
  proofMethods = ['dpop', 'mtls', 'pkcs10'],
}: SettingParts = {}): Setting {
  return {
    profile: 'test',
    issuer: GATEWAY,
    proofMethods,
    acceptance: acceptanceDefaults,
    readFile: (name) => {
      const text = files[name]
      if (text === undefined) throw new Error('ENOENT')
      return text
    },
    secret: (name) => secrets[name] ?? new Uint8Array(),
    expression: compileExpression,
  }
}

export interface StageParts extends ExchangeParts, SettingParts {
  readonly draft?: Partial<Draft>
  readonly audience?: readonly string[]
}

/** Prepares a meaning stage and runs it on one exchange, from the draft that such an exchange starts with. */
export async function runStage<Options>(
  stage: Stage<Options>,
  options: Options,
  parts: StageParts = {},
): Promise<Draft> {
  const exchange = exchangeOf(parts)
  const { transform } = stage.prepare(options, settingOf(parts))
  if (transform === undefined) throw new Error(`${stage.name} is no stage of meaning`)
  return transform({ ...draftOf(exchange, parts.audience), ...parts.draft }, exchange)
}

export function prepared<Options>(stage: Stage<Options>, options: Options, parts: SettingParts = {}): Prepared {
  return stage.prepare(options, settingOf(parts))
}

/** Matches a thrown DragomanError of this code. */
export const code = (expected: string, detail: { readonly [name: string]: unknown } = {}) =>
  expect.objectContaining({ code: expected, detail: expect.objectContaining(detail) })
