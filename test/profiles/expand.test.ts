import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { builtin } from '../../src/catalog.ts'
import { createGateway } from '../../src/compose.ts'
import { expandProfile } from '../../src/profiles/expand.ts'
import { rewrite } from '../support/live.ts'
import { GOOD } from '../support/profiles.ts'
import { ISSUER, NOW, newWorld, type World } from '../support/world.ts'

const folder = join(import.meta.dirname, '../../profiles')
const shipped = readdirSync(folder).filter((name) => name.endsWith('.yaml') && !name.endsWith('.test.yaml'))
const catalog = builtin()
const implied = {
  types: (format: string) => catalog.codecs.find((codec) => codec.format === format)?.tokenTypes,
  audience: [ISSUER, `${ISSUER}/token`],
  clockSkew: 30,
}
const textOf = (name: string) => readFileSync(join(folder, name), 'utf8')
const expand = (text: string) => expandProfile(text, catalog, implied)

let world: World
beforeAll(async () => {
  world = await newWorld()
})
afterAll(() => world.close())

/** The profile of a text, as a tenant has it. */
async function loaded(text: string) {
  writeFileSync(
    join(world.folder, 'one.yaml'),
    text.replaceAll('tables/subjects.json', join(folder, 'tables/subjects.json')),
  )
  writeFileSync(join(world.folder, 'one-config.yaml'), world.file('dragoman.yaml'))
  rewrite(world.folder, 'one-config.yaml', /^profiles: .*$/m, 'profiles: [one.yaml]')
  const gateway = await createGateway(join(world.folder, 'one-config.yaml'), { clock: () => NOW })
  await gateway.http.close()
  const profile = gateway.tenants[0]?.services.profiles.all[0]
  if (profile === undefined) throw new Error('no profile')
  const { accepts, rendering, mustKeep, maxLifetime, auditSubject, writer, dangers } = profile
  const { options: _, ...plain } = rendering
  const stages = profile.steps.map(({ stage }) => stage).filter((stage) => stage !== 'encoding')
  return { accepts, plain, mustKeep, maxLifetime, auditSubject, type: writer.tokenType, dangers: [...dangers], stages }
}

describe('a profile with its defaults written out', () => {
  it.each(shipped)('%s: means the same', async (name) => {
    expect(await loaded(expand(textOf(name)))).toEqual(await loaded(textOf(name)))
  })

  it.each(shipped)('%s: keeps all that it says, and its comments', (name) => {
    const before = parse(textOf(name)) as object
    expect(parse(expand(textOf(name)))).toMatchObject({ ...before, stages: expect.any(Array) })
    for (const [comment] of textOf(name).matchAll(/# .*$/gm)) expect(expand(textOf(name))).toContain(comment)
  })

  it.each(shipped)('%s: has no default left to write', (name) => {
    const once = expand(textOf(name))
    expect(parse(expand(once))).toEqual(parse(once))
  })

  it('marks what was added, and nothing else', () => {
    const text = expand(textOf('jwt-to-cwt.yaml'))
    expect(text).toMatch(/^max_lifetime: 3600 # default$/m)
    expect(text).toMatch(/^ {4}clock_skew: 30 # default$/m)
    expect(text).toMatch(/^ {6}cose: sign1 # default$/m)
    expect(text).toMatch(/^ {6}tag: cwt$/m)
    expect(text).toMatch(/^ {4}audience: \[http:\/\/127\.0\.0\.1:8080, .*\] # default$/m)
  })

  it('writes the encodings of its own format, also where it has no such stage', () => {
    const text = expand(textOf('cwt-to-jwt.yaml').replace(/^ {2}- encoding:.*\n/m, ''))
    expect(text).toMatch(/ {2}- encoding:\n {6}serialization: compact # default\n {6}alg_names: classic # default/)
    expect(text).not.toContain('cose')
  })

  it('invents no stage and no rule that is off by default', () => {
    const { stages, accept } = parse(expand(GOOD)) as { stages: object[]; accept: { actor?: object } }
    expect(stages.flatMap(Object.keys)).not.toContain('sender_constraint')
    expect(accept.actor).toBeUndefined()
  })
})
