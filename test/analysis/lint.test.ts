import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { lint } from '../../src/analysis/lint.ts'
import { allRules } from '../../src/analysis/rules/index.ts'
import { writeFolder } from '../../src/cli/dev/dev.ts'
import { scenarioNames } from '../../src/cli/dev/scenario.ts'
import { newWorld, type World } from '../support/world.ts'

const bad = join(import.meta.dirname, 'bad')
const profiles = readdirSync(bad).filter((name) => name.endsWith('.yaml') && !name.startsWith('configuration-'))
const configurations = readdirSync(bad).filter((name) => name.startsWith('configuration-'))

/** Names a fixture's mode by its own: `readable.key` is one that others can read. */
const surroundings = {
  internal: [] as readonly string[],
  mode: (file: string) => (file.endsWith('readable.key') ? 0o100644 : 0o100600),
}

/** What a file says is found on each of its lines: `# finds any-target replay`. */
const expected = (file: string): readonly string[] =>
  readFileSync(join(bad, file), 'utf8')
    .split('\n')
    .flatMap((line, index) => {
      const [, names] = /# finds (.+)$/.exec(line) ?? []
      return names === undefined ? [] : names.split(' ').map((name) => `${file}:${index + 1} ${name}`)
    })

const found = async (file: string) =>
  (await lint([join(bad, file)], surroundings)).findings.map(
    (finding) => `${relative(bad, finding.file)}:${finding.line} ${finding.rule.name}`,
  )

describe('a bad profile', () => {
  it('is one of at least twenty', () => expect(profiles.length).toBeGreaterThanOrEqual(20))

  it.each(profiles.filter((name) => name !== 'silencing.yaml'))(
    '%s: each finding is found, at its line',
    async (name) => {
      expect(expected(name).length).toBeGreaterThan(0)
      expect((await found(name)).toSorted()).toEqual([...expected(name)].sort())
    },
  )
})

describe('a bad configuration', () => {
  it.each(configurations)('%s: each finding is found, at its line, in it and in its profiles', async (name) => {
    const text = readFileSync(join(bad, name), 'utf8')
    const lists = [...text.matchAll(/^ *profiles: \[?(.*?)\]?$/gm)].map(([, list = '']) => list.split(', '))
    const files = [name, ...lists.flat()]
    const wanted = files.flatMap((file) => expected(file))
    expect(wanted.length).toBeGreaterThan(0)
    expect((await found(name)).toSorted()).toEqual([...wanted].sort())
  })

  it('shows no secret of what cannot be read', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'dragoman-lint-'))
    writeFileSync(join(folder, 'dragoman.yaml'), 'keys: [{ d: canary-1, priv: canary-2\nclient_secret: canary-3 \n')
    const { findings } = await lint([join(folder, 'dragoman.yaml')], surroundings)
    rmSync(folder, { recursive: true })
    expect(findings.map(({ rule }) => rule.name)).toContain('cannot-load')
    expect(JSON.stringify(findings)).not.toContain('canary')
  })

  it('shows no secret in what is found', async () => {
    const { findings } = await lint([join(bad, 'configuration-clients.yaml')], surroundings)
    expect(JSON.stringify(findings)).not.toMatch(/hunter2|a-secret-that-is/)
  })
})

describe('every rule', () => {
  it('is found by some file, or it would say nothing', () => {
    const all = [
      ...profiles,
      ...configurations,
      ...readdirSync(join(bad, 'profiles')).map((name) => `profiles/${name}`),
    ]
    const names = new Set(all.flatMap(expected).map((one) => one.split(' ')[1]))
    const rest = allRules.map(({ name }) => name).filter((name) => !names.has(name))
    expect(rest).toEqual(['danger', 'unused-silencing', 'silencing-without-reason', 'silencing-unknown'])
  })

  it('has a number and a name of its own, by topic', () => {
    expect(new Set(allRules.map(({ id }) => id)).size).toBe(allRules.length)
    expect(new Set(allRules.map(({ name }) => name)).size).toBe(allRules.length)
    for (const { id, name } of allRules) expect(`${id}/${name}`).toMatch(/^LINT-\d{3}\/[a-z0-9]+(?:-[a-z0-9]+)*$/)
  })
})

describe('a silencing', () => {
  it('needs a rule, a reason and a finding, and silences at its line alone', async () => {
    const { findings, silenced } = await lint([join(bad, 'silencing.yaml')], surroundings)
    const lines = readFileSync(join(bad, 'silencing.yaml'), 'utf8').split('\n')
    const at = (text: string) => lines.findIndex((line) => line.includes(text)) + 1
    expect(silenced.map(({ rule, reason }) => [rule.name, reason])).toEqual([
      ['any-audience', 'the edge verifies the audience before us'],
      ['any-target', 'one service only'],
    ])
    expect(findings.map(({ rule, line }) => [rule.name, line])).toEqual([
      ['replay', at('finds replay')],
      ['unused-silencing', at('nothing is widened here')],
      ['keep-everything', at("keep: '*'")],
      ['silencing-without-reason', at("keep: '*'")],
      ['silencing-unknown', at('what is this')],
    ])
  })
})

describe('what ships', () => {
  let world: World
  beforeAll(async () => {
    world = await newWorld()
  })
  afterAll(() => world.close())

  it('has nothing to be found: the profiles, and the configuration of `dragoman dev`', async () => {
    const mode = (file: string) => statSync(file, { throwIfNoEntry: false })?.mode
    const places = [join(import.meta.dirname, '../../profiles'), join(world.folder, 'dragoman.yaml')]
    const { findings } = await lint(places, { internal: [], mode })
    expect(findings).toEqual([])
  })

  it.each(scenarioNames())('has nothing to be found: each configuration of the scenario %s', async (name) => {
    const folder = mkdtempSync(join(tmpdir(), 'dragoman-lint-'))
    try {
      await writeFolder(folder, { host: '127.0.0.1', port: 8080, tlsPort: 8443 }, undefined, name)
      const mode = (file: string) => statSync(file, { throwIfNoEntry: false })?.mode
      const places = readdirSync(folder).filter((file) => file.endsWith('.yaml'))
      expect(places).toContain('dragoman.yaml')
      const { findings, silenced } = await lint(
        places.map((file) => join(folder, file)),
        { internal: [], mode },
      )
      expect(findings).toEqual([])
      expect(silenced.length).toBeGreaterThan(0)
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  it('is found once its domain is called internal, where subjects leave it', async () => {
    const { findings } = await lint([join(world.folder, 'dragoman.yaml')], {
      ...surroundings,
      internal: ['alpha.example'],
    })
    const names = new Set(findings.map(({ rule }) => rule.name))
    expect(names).toEqual(new Set(['internal-subject', 'internal-actor']))
    const files = findings.map(({ file }) => file)
    expect(files.some((file) => file.endsWith('jwt-to-cwt.yaml'))).toBe(true)
    // These give the subject another name.
    expect(files.some((file) => /pairwise-subject|jwt-to-x509/.test(file))).toBe(false)
  })
})
