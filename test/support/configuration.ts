import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { auditToMemory } from '../../src/audit/index.ts'
import { builtin } from '../../src/catalog.ts'
import { readConfiguration } from '../../src/config/read.ts'
import { createTenant, type Tenant, type TenantTools } from '../../src/config/tenant.ts'
import { newCarry } from '../../src/core/carry.ts'
import { profileCheck } from '../../src/profiles/load.ts'
import { memoryReplay } from '../../src/stores/memory.ts'
import { GOOD } from './profiles.ts'

const NOW = 1_790_000_000

/** A configuration that works, line by line; tests break one line of it. Its secrets begin with `canary`. */
export const CONFIGURATION = `issuer: https://gw.example
listeners:
  - { host: 127.0.0.1, port: 8080 }
keys:
  - { name: signing, algorithm: ES256, generate: true }
  - { name: pq, algorithm: ML-DSA-65, generate: true }
secrets:
  - { name: pairwise, value: canary-pairwise-secret-of-32-bytes }
clients:
  - { client_id: demo, token_endpoint_auth_method: client_secret_basic, client_secret: canary-secret }
issuers:
  - issuer: https://id.example
    jwks: { keys: [{ kty: OKP, crv: Ed25519, x: 11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo }] }
    subjects: ['*']
profiles: profiles
`

const catalog = builtin()
const check = profileCheck(catalog)

/** A folder with a profile in `profiles/`, an empty folder `empty`, and these files. */
export function newFolder(files: { readonly [name: string]: string | Uint8Array } = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'dragoman-config-'))
  mkdirSync(join(folder, 'profiles'))
  mkdirSync(join(folder, 'empty'))
  const write = (name: string, content: string | Uint8Array) => writeFileSync(join(folder, name), content)
  write('profiles/one.yaml', GOOD)
  for (const [name, content] of Object.entries(files)) write(name, content)
  return {
    folder,
    write,
    /** Puts together every tenant of a configuration that is written here as `dragoman.yaml`. */
    async tenants(text = CONFIGURATION, tools: Partial<TenantTools> = {}): Promise<readonly [Tenant, ...Tenant[]]> {
      write('dragoman.yaml', text)
      const configuration = readConfiguration(join(folder, 'dragoman.yaml'))
      const made: Tenant[] = []
      for (const entry of configuration.tenants) {
        made.push(
          await createTenant(entry, configuration, {
            catalog,
            check,
            clock: () => NOW,
            carry: newCarry(),
            made: newCarry(),
            replay: (setting) => memoryReplay(setting),
            random: (bytes) => new Uint8Array(bytes),
            fetch: () => Promise.reject(new Error('not in this test')),
            env: {},
            audit: () => auditToMemory(),
            ...tools,
          }),
        )
      }
      const [first, ...rest] = made
      if (first === undefined) throw new Error('no tenant')
      return [first, ...rest]
    },
    remove: () => rmSync(folder, { recursive: true }),
  }
}
