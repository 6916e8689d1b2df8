import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createTester, junitOf, testsAt } from 'dragoman/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { extension } from '../../docs/examples/extension.ts'
import { outsideConfiguration, outsideProfile, outsideTest } from '../support/own.ts'

let folder: string
const file = (name: string) => join(folder, name)
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'dragoman-testing-'))
  writeFileSync(file('outside.yaml'), outsideProfile)
  writeFileSync(file('outside.test.yaml'), outsideTest)
  writeFileSync(file('dragoman.yaml'), outsideConfiguration)
})
afterAll(() => rmSync(folder, { recursive: true }))

describe('tests of profiles in a test runner of somebody else', () => {
  for (const test of testsAt(['profiles']).tests) {
    it(`${test}: passes by its own`, () => createTester().assert(test))
  }

  it('know codecs and stages of their own', async () => {
    const result = await createTester(extension).run(file('outside.test.yaml'))
    expect(result.report).toContain('rules   6 of 6 exercised')
    expect(result).toMatchObject({ passed: true, mutations: undefined })
    expect(result.cases[0]?.twins.length).toBeGreaterThan(10)
    expect(junitOf([result])).toContain('<testsuite')
  })

  it('without them say where the profile names what there is not', async () => {
    const result = await createTester().run(file('outside.test.yaml'))
    expect(result.passed).toBe(false)
    expect(result.report).toMatch(/outside\.yaml:7:5: stages\[0\]\.residency: unknown option/)
    await expect(createTester().assert(file('outside.test.yaml'))).rejects.toThrow(/residency: unknown option/)
  })

  it('fail with the report when the stage lets through what it should not', async () => {
    cpSync(file('outside.test.yaml'), file('wider.test.yaml'))
    writeFileSync(file('wider.yaml'), readFileSync(file('outside.yaml'), 'utf8').replace('US: us', 'US: eu'))
    await expect(createTester(extension).assert(file('wider.test.yaml'))).rejects.toThrow(
      /FAIL {2}one of another region is refused.*a token was issued/s,
    )
  })

  it('try no twins, or mutations too, as they are asked to', async () => {
    const plain = await createTester({ ...extension, twins: false }).run(file('outside.test.yaml'))
    expect(plain.cases[0]?.twins).toEqual([])
    const mutated = await createTester({ ...extension, mutations: true }).run(file('outside.test.yaml'))
    expect(mutated.mutations?.noticed).toContain('stages[0]: removed')
    expect(mutated.passed).toBe(false)
  })

  it('take issuers, clients and keys from a configuration', async () => {
    const tester = createTester({ ...extension, configuration: file('dragoman.yaml') })
    expect(await tester.run(file('outside.test.yaml'))).toMatchObject({ passed: true })
    expect(() => createTester({ configuration: file('nowhere.yaml') })).toThrow(/nowhere\.yaml/)
  })
})
