import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { blocks, read } from '../support/pages.ts'

const PAGE = read('docs/interoperability.md')
const file = (name: string) => readFileSync(new URL(`../../${name}`, import.meta.url), 'utf8')
const pinned = (name: string, pattern: RegExp) => pattern.exec(file(name))?.[1]
const { devDependencies } = JSON.parse(file('package.json'))

describe('docs/interoperability.md', () => {
  const versions: readonly (readonly [name: string, version: string | undefined])[] = [
    ['Keycloak', pinned('test/interop/install-peers.sh', /^KEYCLOAK=(\S+)$/m)],
    ['zitadel/oidc', pinned('test/interop/zitadel/go.mod', /zitadel\/oidc\/v3 (\S+)/)],
    ['ory/fosite', pinned('test/interop/fosite/go.mod', /ory\/fosite (\S+)/)],
    ['commit', pinned('test/vectors/tokenetes/ORIGIN.md', /commit\s+(\w+)/)],
    ['Authlib', pinned('test/interop/python-requirements.txt', /^Authlib==(\S+)$/m)],
    ['cwt', pinned('test/interop/python-requirements.txt', /^cwt==(\S+)$/m)],
    ['oidc-provider', devDependencies['oidc-provider']],
    ['oauth4webapi', devDependencies['oauth4webapi']],
    ['openid-client', devDependencies['openid-client']],
  ]
  it.each(versions)('names the version of %s that is run: %s', (name, version) => {
    expect(version).toBeDefined()
    expect(PAGE).toContain(`${name} ${version}`)
  })

  it('shows configuration and profile as they are run', () => {
    const [issuer = '', profile] = blocks('docs/interoperability.md', 'yaml')
    expect(file('test/interop/keycloak/dragoman.yaml')).toContain(issuer)
    expect(profile).toBe(file('test/interop/keycloak/larkspur/plain.yaml'))
  })

  it('names tests that there are', () => {
    const tests = [...PAGE.matchAll(/`(test\/[\w/-]+\.test\.ts)`/g)].map(([, name = '']) => name)
    expect(tests.length).toBeGreaterThan(5)
    for (const name of tests) expect(file(name), name).toContain("from 'vitest'")
  })
})
