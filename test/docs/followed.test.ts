import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { blocksOf, hasShown, newReader, pages, type Reader } from '../support/pages.ts'

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

/** Pages with commands. The others show nothing that is printed: pages.test.ts looks after that. */
const followed = pages.filter((page) => blocksOf(page).some(({ language }) => language === 'sh'))

describe('a reader who follows a page', () => {
  it.each(followed)('%s: sees what it shows', (page) => reader.follow(page))

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
