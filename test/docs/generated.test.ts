import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { devConfiguration } from '../../src/cli/dev/configuration.ts'
import { errors } from '../../src/core/errors.ts'

const root = join(import.meta.dirname, '../..')

describe('pages and schemas that follow from the code', () => {
  it('are what the code says', () => {
    execFileSync(process.execPath, [join(root, 'docs/generate.ts'), '--check'], { stdio: 'pipe' })
  })

  it('docs/errors.md names every reason code and no other', () => {
    const named = [...readFileSync(join(root, 'docs/errors.md'), 'utf8').matchAll(/^### (\w+)$/gm)].map(
      ([, code]) => code,
    )
    expect(named).toEqual(Object.keys(errors))
  })

  it('every reason code is thrown somewhere, or it would say nothing', () => {
    const sources = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts') && name !== 'core/errors.ts')
      .map((name) => readFileSync(join(root, 'src', name), 'utf8'))
    const unused = Object.keys(errors).filter((code) => !sources.some((text) => text.includes(`'${code}'`)))
    expect(unused).toEqual([])
  })

  it('the schemas take what ships, and refuse a misspelt member', () => {
    const ajv = new Ajv2020({ strict: false, validateFormats: false })
    const schema = (name: string) =>
      ajv.compile(JSON.parse(readFileSync(join(root, 'docs/schema', name), 'utf8')) as object)
    const profile = schema('profile.json')
    for (const name of readdirSync(join(root, 'profiles')).filter((file) => /^[^.]+\.yaml$/.test(file))) {
      const document = parse(readFileSync(join(root, 'profiles', name), 'utf8')) as object
      expect(profile(document), name).toBe(true)
      expect(profile({ ...document, acept: {} })).toBe(false)
    }
    const configuration = schema('configuration.json')
    const document = parse(devConfiguration({ host: '127.0.0.1', port: 1, tlsPort: 2 })) as object
    expect(configuration(document)).toBe(true)
    expect(configuration({ ...document, isuer: '' })).toBe(false)
  })
})
