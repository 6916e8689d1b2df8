import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { algorithmNamed } from '../core/algorithms.ts'
import type { Catalog } from '../core/catalog.ts'
import { DragomanError } from '../core/errors.ts'
import type { KeyStore } from '../core/keys.ts'
import type { Profile } from '../core/profile.ts'
import { createKeyStore, keyOptions } from '../keys/index.ts'
import type { ProfileDocument } from '../profiles/document.ts'
import { loadProfiles, profileCheck } from '../profiles/load.ts'
import { readSource } from '../profiles/source.ts'

/** A profile without its configuration. */
export interface Alone {
  readonly profile: Profile
  readonly document: ProfileDocument
  readonly text: string
  readonly keys: KeyStore
  /** Of the key, as the profile says; `undefined`: it does not. */
  readonly algorithm: string | undefined
}

/** Who speaks in the name of a gateway that there is not. */
export const NOWHERE = 'https://gateway.example'

const SECRET = new Uint8Array(32)
const DEFAULT_KEY = 'signing'
const DEFAULT_ALGORITHM = 'ES256'

/**
 * Loads a profile by itself: every issuer, client, secret and key that it names is taken to be there, keys being made now.
 * Files that it names are read.
 *
 * @throws {@link DragomanError} for what is wrong in it, with its place; `ERR_PROFILE_SYNTAX` for a file that cannot be read
 */
export async function loadAlone(file: string, catalog: Catalog, now: number): Promise<Alone> {
  const text = textOf(file)
  const source = readSource({ file, text })
  const names = namesIn(source.value)
  const entry = { name: names.key, algorithm: names.algorithm ?? DEFAULT_ALGORITHM, generate: true } as const
  const authority = names.format === 'x509' ? { self_signed: { common_name: 'Gateway' } } : {}
  const keys = await createKeyStore([keyOptions({ ...entry, ...authority })], { readFile: () => '', now })
  const profiles = loadProfiles([{ file, text }], {
    issuer: NOWHERE,
    tokenEndpoint: `${NOWHERE}/token`,
    clockSkew: 30,
    catalog,
    check: profileCheck(catalog),
    keys,
    keyNames: [names.key],
    issuers: names.issuers,
    clients: names.clients,
    readFile: (_, name) => readFileSync(resolve(dirname(file), name), 'utf8'),
    secret: () => SECRET,
  })
  const [profile] = profiles.all
  if (profile === undefined) throw new TypeError('a file is a profile')
  // Its schema has passed it.
  return { profile, document: source.value as ProfileDocument, text, keys, algorithm: names.algorithm }
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (cause) {
    const expected = 'a profile that can be read'
    throw new DragomanError('ERR_PROFILE_SYNTAX', {
      cause,
      detail: { file, expected },
      message: `${file}: expected ${expected}`,
    })
  }
}

/** What a document names, before it is checked. */
function namesIn(value: unknown) {
  const accept = members(members(value)['accept'])
  const stages = list(members(value)['stages']).map(members)
  const stage = (name: string) => members(stages.find((item) => name in item)?.[name])
  const tokens = [
    accept['subject'],
    accept['actor'],
    ...stages.map((item) => members(members(item['embedding'])['unwrap'])['accept']),
  ]
  const { key, algorithm } = stage('crypto')
  return {
    clients: list(accept['clients']).map(String),
    issuers: tokens.flatMap((token) => list(members(token)['issuers']).map(String)),
    key: typeof key === 'string' ? key : DEFAULT_KEY,
    algorithm: typeof algorithm === 'string' ? algorithmNamed(algorithm)?.name : undefined,
    format: stage('format')['to'],
  }
}

const list = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : [])
const members = (value: unknown): { readonly [name: string]: unknown } =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : {}
