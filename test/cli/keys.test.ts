import { createPrivateKey } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { algorithmNames } from '../../src/core/algorithms.ts'
import { pem } from '../../src/wire/pem.ts'
import { command } from '../support/command.ts'
import { authority } from '../support/x509.ts'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'dragoman-keys-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

const file = (name: string) => join(folder, name)

describe('dragoman keys', () => {
  it('makes a key of each algorithm, for its owner only, and lists it without anything private', async () => {
    for (const name of algorithmNames) {
      const { code, out } = await command(['keys', 'new', '--algorithm', name, file(`${name}.pem`)])
      expect(code, name).toBe(0)
      expect(out).toMatch(new RegExp(`^${name}, thumbprint [\\w-]{43}\\n$`))
      expect(statSync(file(`${name}.pem`)).mode & 0o777).toBe(0o600)
      expect(readFileSync(file(`${name}.pem`), 'utf8')).toMatch(/^-----BEGIN PRIVATE KEY-----\n/)
    }
    const keys = algorithmNames.map((name, at) => `  - { name: k${at}, algorithm: ${name}, file: ${name}.pem }`)
    writeFileSync(file('dragoman.yaml'), `issuer: https://gw.example\nkeys:\n${keys.join('\n')}\nprofiles: none\n`)
    const { code, out } = await command(['keys', 'list', '--config', file('dragoman.yaml'), '--json'])
    expect(code).toBe(0)
    const listed = (JSON.parse(out) as { keys: { name: string; algorithm: string; thumbprint: string }[] }).keys
    expect(listed.map(({ algorithm }) => algorithm)).toEqual(algorithmNames)
    const text = (await command(['keys', 'list', '--config', file('dragoman.yaml')])).out
    for (const name of algorithmNames) {
      // Nothing of the private part, in either form.
      const own = createPrivateKey(readFileSync(file(`${name}.pem`))).export({ format: 'jwk' })
      for (const member of ['d', 'p', 'q', 'dp', 'dq', 'qi', 'priv'] as const) {
        const value = (own as { readonly [member: string]: unknown })[member]
        if (typeof value !== 'string') continue
        expect(out).not.toContain(value)
        expect(text).not.toContain(value)
      }
      expect(text).toContain(`algorithm    ${name}`)
    }
  })

  it('writes over nothing', async () => {
    writeFileSync(file('there.pem'), 'precious')
    const { code, error } = await command(['keys', 'new', '--algorithm', 'ES256', file('there.pem')])
    expect(code).toBe(1)
    expect(error).toContain('is not written over')
    expect(readFileSync(file('there.pem'), 'utf8')).toBe('precious')
  })

  it('says that something outside failed where it cannot write', async () => {
    expect((await command(['keys', 'new', '--algorithm', 'ES256', file('no/folder.pem')])).code).toBe(3)
  })

  it('tells when the certificate of an authority ends, and of a key made at start that it is another each time', async () => {
    const { certificate, key } = authority('Beta CA')
    writeFileSync(file('ca.pem'), pem('CERTIFICATE', certificate))
    writeFileSync(file('ca.key'), key.privateKey.export({ type: 'pkcs8', format: 'pem' }))
    writeFileSync(
      file('two.yaml'),
      `tenants:
  - name: one
    issuer: https://gw.example
    keys: [{ name: ca, algorithm: ES256, file: ca.key, certificates: ca.pem, kid: the-ca }]
    profiles: none
  - name: two
    issuer: https://gw.example/two
    keys: [{ name: made, algorithm: ML-DSA-65, generate: true }]
    profiles: none
`,
    )
    const { out, code } = await command(['keys', 'list', '--config', file('two.yaml')])
    expect(code).toBe(0)
    expect(out).toMatch(
      /^ca \(tenant one\)\n {2}algorithm {4}ES256\n {2}kid {10}the-ca\n {2}thumbprint {3}[\w-]{43}\n {2}certificate {2}until \d{4}-/,
    )
    expect(out).toContain('made (tenant two)\n  algorithm    ML-DSA-65\n  kid          another with each start\n')
  })
})
