import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { scenarioNames } from '../../src/cli/dev/scenario.ts'
import { NO_NGINX, nginx } from '../support/nginx.ts'
import { blocksOf, hasShown, newReader, pages, type Reader } from '../support/pages.ts'

/** Pages with commands. The others show nothing that is printed: pages.test.ts looks after that. */
const withCommands = pages.filter((page) => blocksOf(page).some(({ language }) => language === 'sh'))
const SCENARIO = /^docs\/scenarios\/(?!README)(.+)\.md$/

describe('a reader who follows a page', () => {
  let folder: string
  let reader: Reader
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'dragoman-docs-'))
    reader = await newReader(folder)
  })
  afterAll(async () => {
    await reader.close()
    rmSync(folder, { recursive: true })
  })

  it.for(withCommands.filter((page) => !SCENARIO.test(page)))('%s: sees what it shows', (page, { skip }) => {
    if (blocksOf(page).some(({ language }) => language === 'nginx')) skip(nginx === undefined, NO_NGINX)
    return reader.follow(page)
  })

  it('is not content with something else', () => {
    const actual = 'first\n  name               value 17\nthird\nfourth\n'
    expect(hasShown(actual, 'first\n  name               value …\nthird\n')).toBe(true)
    expect(hasShown(actual, 'first\n…\nfourth\n')).toBe(true)
    expect(hasShown(actual, 'first\nthird\n')).toBe(false)
    expect(hasShown(actual, 'fourth\nfirst\n')).toBe(false)
    expect(hasShown(actual, 'irst\n')).toBe(false)
    expect(hasShown(actual, '  name               value 1\n')).toBe(false)
  })
})

describe('a reader who follows a scenario', () => {
  const scenarios = withCommands.flatMap((page): [string, string][] => {
    const [, name] = SCENARIO.exec(page) ?? []
    return name === undefined ? [] : [[name, page]]
  })

  it.each(scenarios)('%s: sees what its page shows', async (name, page) => {
    const folder = mkdtempSync(join(tmpdir(), 'dragoman-scenario-'))
    const reader = await newReader(folder, name)
    try {
      await reader.follow(page)
      // Whoever pastes from the terminal instead of the page sees what each refusal is about.
      const refusals = readFileSync(page, 'utf8').match(/(?<=^\*\*)[^*]+(?=\*\*[^`]*\n```sh$)/gm) ?? []
      expect(refusals.length).toBeGreaterThan(3)
      for (const words of refusals) expect(reader.welcome).toContain(`\n# ${words}\n`)
    } finally {
      await reader.close()
      rmSync(folder, { recursive: true })
    }
  })

  it('has a page for each that ships', () => {
    expect(scenarios.map(([name]) => name)).toEqual(scenarioNames())
  })
})
