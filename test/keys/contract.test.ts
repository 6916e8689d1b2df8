import { algorithmNames } from '../../src/core/algorithms.ts'
import { createKeyStore, generatePrivateKey } from '../../src/keys/index.ts'
import { NOW } from '../support/jwt.ts'
import { algorithm } from '../support/x509.ts'
import { keyStoreContract } from './contract.ts'

const ABSENT = { kid: undefined, file: undefined, generate: false, certificates: undefined, selfSigned: undefined }

keyStoreContract('memory, made at start', {
  algorithms: algorithmNames,
  open: (keys) =>
    createKeyStore(
      keys.map((key) => ({ ...ABSENT, ...key, generate: true })),
      { readFile: () => '', now: NOW },
    ),
})

keyStoreContract('memory, from files', {
  algorithms: algorithmNames,
  open(keys) {
    const files = new Map(keys.map(({ name, algorithm: one }) => [name, generatePrivateKey(algorithm(one))]))
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
