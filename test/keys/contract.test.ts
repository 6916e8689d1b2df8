import { algorithmNames } from '../../src/core/algorithms.ts'
import { createKeyStore } from '../../src/keys/index.ts'
import { NOW } from '../support/jwt.ts'
import { testKey } from '../support/x509.ts'
import { keyStoreContract } from './contract.ts'

const ABSENT = { kid: undefined, file: undefined, generate: false, certificates: undefined, selfSigned: undefined }

// RSA keys take their time, and are made alike for all six algorithms.
const MADE = algorithmNames.filter((name) => !/^[RP]S(?:384|512)$/.test(name))

keyStoreContract('memory, made at start', {
  algorithms: MADE,
  open: (keys) =>
    createKeyStore(
      keys.map((key) => ({ ...ABSENT, ...key, generate: true })),
      { readFile: () => '', now: NOW },
    ),
})

keyStoreContract('memory, from files', {
  algorithms: algorithmNames,
  open(keys) {
    const files = new Map(keys.map(({ name, algorithm: one }) => [name, testKey(one).privateKey]))
    return createKeyStore(
      keys.map((key) => ({ ...ABSENT, ...key, file: key.name })),
      { readFile: (name) => files.get(name)?.export({ type: 'pkcs8', format: 'pem' }).toString() ?? '', now: NOW },
    )
  },
})

keyStoreContract('memory, authorities made at start', {
  algorithms: ['ES256', 'Ed25519', 'ML-DSA-65'],
  open: (keys) =>
    createKeyStore(
      keys.map((key) => ({ ...ABSENT, ...key, generate: true, selfSigned: { commonName: 'CA', lifetime: 3600 } })),
      { readFile: () => '', now: NOW },
    ),
})
