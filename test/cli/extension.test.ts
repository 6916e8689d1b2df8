import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { exit } from '../../src/cli/io.ts'
import { allCommands } from '../../src/cli/run.ts'
import { startWorkers } from '../../src/workers/pool.ts'
import { command } from '../support/command.ts'
import { outsideConfiguration, outsideProfile, outsideTest } from '../support/own.ts'

const OWN = 'docs/examples/extension.ts'

/** A stage that needs no package, so that a thread of its own can load it. */
const motto = `export const extension = {
  stages: [{
    name: 'residency',
    phase: 'meaning',
    summary: 'says where it is',
    schema: { type: 'object', properties: { danger_anything: { const: true, description: 'Gives it up.' } } },
    prepare: () => ({ transform: (draft) => draft }),
  }],
}
`

let folder: string
const file = (name: string) => join(folder, name)
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'dragoman-extension-'))
  mkdirSync(file('old'))
  writeFileSync(file('old/outside.yaml'), outsideProfile.replace('US: us', 'FR: eu'))
  writeFileSync(file('outside.yaml'), outsideProfile)
  writeFileSync(file('outside.test.yaml'), outsideTest)
  writeFileSync(file('dragoman.yaml'), outsideConfiguration)
  writeFileSync(file('motto.mjs'), motto)
  writeFileSync(file('plain.yaml'), outsideProfile.replace('protobuf', 'jwt'))
  writeFileSync(file('workers.yaml'), outsideConfiguration.replace('outside.yaml', 'plain.yaml'))
})
afterAll(() => rmSync(folder, { recursive: true }))

describe('--extension', () => {
  const lines: readonly (readonly [string, readonly string[], number, RegExp])[] = [
    ['validate', ['--config', 'dragoman.yaml'], exit.done, /1 profiles: outside/],
    ['lint', ['--config', 'dragoman.yaml'], exit.done, /^$/],
    ['lint', ['outside.yaml'], exit.done, /^$/],
    ['test', ['outside.yaml'], exit.done, /1[56] twins: all passed/],
    ['test', ['--config', 'dragoman.yaml'], exit.done, /all passed/],
    [
      'diff',
      ['old/outside.yaml', 'outside.yaml'],
      exit.refused,
      /`residency` is now \{"here":"eu","regions":\{"DE":"eu","US"/,
    ],
    ['diff', ['outside.yaml', 'outside.yaml'], exit.done, /nothing changes/],
    ['profile', ['expand', 'outside.yaml'], exit.done, /to: protobuf/],
    ['profile', ['loss', 'outside.yaml'], exit.done, /unless residency, a stage of your own/],
    ['profile', ['size', 'outside.yaml'], exit.done, /fits/],
    ['doctor', ['--config', 'dragoman.yaml'], exit.done, /ok {7}configuration .*1 profiles/],
    ['issuers', ['--config', 'dragoman.yaml'], exit.done, /id\.alpha\.example/],
    ['keys', ['list', '--config', 'dragoman.yaml'], exit.done, /signing/],
    ['explain', ['--config', 'dragoman.yaml', '--code', 'ERR_OVERLOADED'], exit.done, /ERR_OVERLOADED/],
  ]
  const placed = (args: readonly string[]) => args.map((word) => (word.endsWith('.yaml') ? file(word) : word))

  it.each(lines)('%s %j takes stages and codecs of your own', async (name, args, expected, shows) => {
    const { code, out, error } = await command([name, ...placed(args), '--extension', OWN])
    expect(out, error).toMatch(shows)
    expect(code).toBe(expected)
  })

  it('is an option of each command that reads a profile or a configuration', async () => {
    const without = (await allCommands()).filter(
      ({ options }) => !options.some(([flag]) => flag.startsWith('--extension')),
    )
    expect(without.map(({ name }) => name)).toEqual(['dev', 'inspect', 'completion'])
  })

  it('is missed where it is not there', async () => {
    const { code, error } = await command(['validate', '--config', file('dragoman.yaml')])
    expect(code).toBe(exit.refused)
    expect(error).toContain('stages[0].residency: unknown option')
  })

  it.each<[string, string, number, RegExp]>([
    ['nowhere.mjs', '', exit.outside, /nowhere\.mjs/],
    ['none.mjs', 'export const stages = []', exit.refused, /path: extension\n {2}expected: an export of this name/],
    ['name.mjs', 'export const extension = { stage: [] }', exit.refused, /no such list; did you mean `stages`\?/],
    [
      'own.mjs',
      'export const extension = { toString: [] }',
      exit.refused,
      /extension\.toString\n {2}expected: no such list/,
    ],
    ['list.mjs', 'export const extension = { stages: {} }', exit.refused, /extension\.stages\n {2}expected: a list/],
    [
      'value.mjs',
      'export const extension = { codecs: [{}] }',
      exit.refused,
      /codecs\[0\]\n {2}expected: an object with a format/,
    ],
    ['twice.mjs', `export const extension = { codecs: [{ format: 'jwt' }] }`, exit.refused, /another format than jwt/],
    ['throws.mjs', `throw new Error('a reason of its own')`, exit.refused, /a module that can be loaded/],
  ])('%s: what cannot be used is said', async (name, text, expected, says) => {
    if (text !== '') writeFileSync(file(name), text)
    const { code, error } = await command(['validate', '--config', file('dragoman.yaml'), `--extension=${file(name)}`])
    expect(error).toMatch(says)
    expect(code).toBe(expected)
  })

  it.each([[['--extension']], [['--extension', '--json']], [['--extension=']]])(
    '%j: no file is a wrong command line',
    async (args) => {
      const { code, error } = await command(['validate', '--config', file('dragoman.yaml'), ...args])
      expect(code).toBe(exit.usage)
      expect(error).toContain('--extension takes a file')
    },
  )

  it('has what it gives up found by `lint`, and told by `diff`', async () => {
    writeFileSync(
      file('danger.yaml'),
      outsideProfile.replace(/residency: .*/, 'residency: { danger_anything: true }').replace('protobuf', 'jwt'),
    )
    const found = await command(['lint', file('danger.yaml'), '--extension', file('motto.mjs')])
    expect(found.code).toBe(exit.refused)
    expect(found.out).toMatch(/danger\.yaml:7:\d+: LINT-499\/danger: stages\[0\]\.residency\.danger_anything/)
    const told = await command(['diff', file('plain.yaml'), file('danger.yaml'), '--extension', file('motto.mjs')])
    expect(told.code).toBe(exit.refused)
    expect(told.out).toContain('danger_anything was set under profile outside')
  })

  it('is loaded by each thread that serves', async () => {
    const options = { count: 2, log: () => {} }
    await expect(startWorkers(file('workers.yaml'), options)).rejects.toMatchObject({ code: 'ERR_PROFILE_SCHEMA' })
    const workers = await startWorkers(file('workers.yaml'), { ...options, extensions: [file('motto.mjs')] })
    const [address] = workers.addresses
    const answer = await fetch(`${address}/readyz`)
    expect(answer.status).toBe(200)
    await workers.reload()
    expect(workers.generation).toBe(2)
    await workers.close()
  })
})
