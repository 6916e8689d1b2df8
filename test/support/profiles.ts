import { generateKeyPairSync } from 'node:crypto'
import { builtin } from '../../src/catalog.ts'
import type { Catalog } from '../../src/core/catalog.ts'
import { DragomanError } from '../../src/core/errors.ts'
import type { ProfileSet } from '../../src/core/profile.ts'
import { map } from '../../src/core/value.ts'
import { createKeyStore, keyOptions } from '../../src/keys/index.ts'
import type { ProfileEnvironment } from '../../src/profiles/document.ts'
import { loadProfiles, profileCheck } from '../../src/profiles/load.ts'
import { createTrust, selfIssuer } from '../../src/trust/index.ts'
import { publicKey } from '../../src/wire/jwk.ts'
import { pem } from '../../src/wire/pem.ts'

const ISSUER = 'https://gw.example'
const NOW = 1_790_000_000

/** A profile that loads, line by line; tests break one line of it. */
export const GOOD = `name: one
accept:
  clients: [demo]
  subject:
    format: jwt
    issuers: [https://id.example]
  targets:
    allow: [https://orders.example]
stages:
  - context: { keep: [email] }
  - validity: { lifetime: 300 }
  - format: { to: jwt }
  - crypto: { key: signing }
`

/** A tenant to load profiles against: three keys, an issuer with keys, one with certificates, two clients. */
export async function profileEnvironment(
  files: { readonly [name: string]: string } = {},
  catalog: Catalog = builtin(),
): Promise<ProfileEnvironment> {
  const entries = [
    { name: 'signing', algorithm: 'ES256', generate: true },
    { name: 'pq', algorithm: 'ML-DSA-65', generate: true },
    { name: 'ca', algorithm: 'ES256', generate: true, self_signed: { common_name: 'Gateway CA' } },
  ] as const
  const keys = await createKeyStore(entries.map(keyOptions), { now: NOW, readFile: refuse })
  const jwk = publicKey(generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey).jwk
  const trust = createTrust(
    [
      { issuer: 'https://id.example', jwks: map([['keys', [jwk]]]), subjects: ['*'] },
      {
        issuer: 'https://ca.example',
        certificates: pem('CERTIFICATE', keys.signer('ca')?.chain[0] ?? new Uint8Array()),
        subjects: ['*'],
      },
    ],
    { fetch: refuse, clock: () => NOW, readFile: refuse },
    [selfIssuer(ISSUER, keys)],
  )
  return {
    issuer: ISSUER,
    tokenEndpoint: `${ISSUER}/token`,
    clockSkew: 30,
    catalog,
    check: profileCheck(catalog),
    keys,
    keyNames: entries.map(({ name }) => name),
    issuers: ['https://id.example', 'https://ca.example'],
    trust,
    clients: ['demo', 'orders'],
    readFile(_, name) {
      const text = files[name]
      if (text === undefined) throw new Error('ENOENT')
      return text
    },
    secret(name) {
      if (name === 'pairwise') return new Uint8Array(32)
      throw new DragomanError('ERR_PROFILE_OPTION', { detail: { expected: 'the name of a secret: pairwise' } })
    },
  }
}

function refuse(): never {
  throw new Error('not in this test')
}

/** Loads texts as `one.yaml`, `two.yaml`, … */
export const loadTexts = (environment: ProfileEnvironment, ...texts: readonly string[]): ProfileSet =>
  loadProfiles(
    texts.map((text, index) => ({ file: `${['one', 'two', 'three'][index]}.yaml`, text })),
    environment,
  )

/** What a call throws, which must be an error of ours. */
export function refusalOf(work: () => unknown): DragomanError {
  try {
    work()
  } catch (error) {
    if (error instanceof DragomanError) return error
    throw error
  }
  throw new Error('it is not refused')
}

/** The problems that an error tells of, each without the line and the caret below it. */
export const headlines = ({ detail }: DragomanError): readonly string[] =>
  (detail['problems'] as readonly string[]).map((problem) => problem.split('\n', 1)[0] ?? '')
