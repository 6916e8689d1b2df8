import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { auditToMemory } from '../../src/audit/index.ts'
import { writeFolder } from '../../src/cli/dev/dev.ts'
import { createGateway, type Gateway } from '../../src/compose.ts'

const folder = join(import.meta.dirname, '../../profiles')
const files = readdirSync(folder).filter((name) => /^[^.]+\.yaml$/.test(name))
const textOf = (file: string) => readFileSync(join(folder, file), 'utf8')

let gateway: Gateway
let place: string
beforeAll(async () => {
  place = mkdtempSync(join(tmpdir(), 'dragoman-shipped-'))
  const { configuration } = await writeFolder(place, { host: '127.0.0.1', port: 8080, tlsPort: 8443 })
  gateway = await createGateway(configuration, { audit: auditToMemory })
})
afterAll(async () => {
  await gateway.close()
  rmSync(place, { recursive: true })
})

const profileOf = (file: string) => {
  const found = gateway.tenants[0]?.services.profiles.all.find(({ name }) => `${name}.yaml` === file)
  if (!found) throw new Error(`${file} is not loaded`)
  return found
}

describe('the profiles that ship', () => {
  it('are one for each pair of formats that is shown, and some within a format (SX-07)', () => {
    const pairs = files.map(
      (file) => `${profileOf(file).accepts.subject.format} to ${profileOf(file).rendering.format}`,
    )
    for (const pair of [
      'jwt to x509',
      'x509 to jwt',
      'jwt to cwt',
      'cwt to jwt',
      'x509 to cwt',
      'cwt to x509',
      'jwt to jwt',
    ]) {
      expect(pairs).toContain(pair)
    }
  })

  it.each(files)('%s is called like its file, says what it is for, and has a schema for editors', (file) => {
    expect(profileOf(file).name).toBe(file.replace('.yaml', ''))
    expect(profileOf(file).description).toMatch(/^[A-Z].*\.$/)
    expect(textOf(file).split('\n')[0]).toBe('# yaml-language-server: $schema=../docs/schema/profile.json')
    expect(textOf(file).split('\n')[1]).toMatch(/^# /)
  })

  it.each(files)('%s gives nothing up and trusts nobody else', (file) => {
    const { dangers, accepts } = profileOf(file)
    expect(dangers.size).toBe(0)
    expect(accepts).toMatchObject({
      clients: ['demo'],
      subjectTokenAuthenticates: false,
      targets: { open: false, fallback: [] },
    })
    for (const issuer of accepts.subject.issuers) expect(issuer).toMatch(/^https:\/\/(id|ca|edge)\.alpha\.example$/)
    if (accepts.subject.format !== 'x509') expect(accepts.subject.audience).not.toEqual([])
  })

  it('have targets of their own each, in domain beta', () => {
    const targets = files.flatMap((file) => [...profileOf(file).accepts.targets.allowed.keys()])
    expect(new Set(targets).size).toBe(targets.length)
    for (const target of targets) expect(target).toMatch(/^https:\/\/[a-z0-9-]+\.beta\.example$/)
  })

  it('are signed with a key that fits: a post-quantum one where that is the point, the authority for certificates', () => {
    expect(profileOf('jwt-resign-pq.yaml')).toMatchObject({ key: 'pq', rendering: { algorithm: 'ML-DSA-65' } })
    for (const file of files) {
      if (profileOf(file).rendering.format === 'x509') expect(profileOf(file).key).toBe('ca')
    }
  })

  it('have a digest each', () => {
    expect(new Set(files.map((file) => profileOf(file).digest)).size).toBe(files.length)
  })
})
