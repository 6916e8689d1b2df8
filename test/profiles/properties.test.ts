import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parse, stringify } from 'yaml'
import { builtin } from '../../src/catalog.ts'
import { DragomanError } from '../../src/core/errors.ts'
import { profileSchema } from '../../src/profiles/schema.ts'
import { GOOD, loadTexts, profileEnvironment } from '../support/profiles.ts'

const RUNS = Number(process.env['FUZZ_RUNS'] ?? 300)
const environment = await profileEnvironment({ 'tables/subjects.json': '{}' })

const folder = join(import.meta.dirname, '../../profiles')
const seeds = [
  GOOD,
  ...readdirSync(folder)
    .filter((name) => /^[^.]+\.yaml$/.test(name))
    .map((name) => readFileSync(join(folder, name), 'utf8').replaceAll(/https:\/\/(?:id|edge)\.alpha/g, 'https://id')),
].map((text) => parse(text.replaceAll('https://ca.alpha.example', 'https://ca.example')) as Json)

type Json = null | boolean | number | string | Json[] | { [name: string]: Json }

/** Every name that the schema knows, so that what is put in has a meaning somewhere. */
const names = [...new Set(namesIn(profileSchema(builtin())))]

function namesIn(schema: unknown): string[] {
  if (typeof schema !== 'object' || schema === null) return []
  const { properties } = schema as { properties?: object }
  return [...Object.keys(properties ?? {}), ...Object.values(schema).flatMap(namesIn)]
}

const leaf: fc.Arbitrary<Json> = fc.oneof(
  fc.constantFrom<Json>(
    null,
    true,
    false,
    0,
    -1,
    1,
    300,
    Number.POSITIVE_INFINITY,
    2 ** 60,
    0.5,
    '',
    '*',
    'self',
    'jwt',
    'x509',
    'cwt',
    'any',
  ),
  fc.constantFrom<Json>(
    'actor_token',
    'actor.sub',
    'subject.email',
    '{subject.sub}',
    'has(',
    '1 + 1',
    'ES256',
    'signing',
    'ca',
  ),
  fc.constantFrom<Json>(...names),
  fc.string({ maxLength: 6 }),
)
const value: fc.Arbitrary<Json> = fc.oneof(
  { weight: 3, arbitrary: leaf },
  fc.array(leaf, { maxLength: 3 }),
  fc.dictionary(fc.constantFrom(...names, '__proto__', 'constructor', 'a.b'), leaf, { maxKeys: 3 }),
)
const change = fc.record({
  at: fc.infiniteStream(fc.nat(1000)),
  how: fc.constantFrom('replace', 'drop', 'add', 'twice'),
  value,
  name: fc.constantFrom(...names),
})

/** The document with one thing changed somewhere. */
function changed(
  document: Json,
  { at, how, value: put, name }: { at: Iterator<number>; how: string; value: Json; name: string },
): Json {
  const pick = (count: number) => Number(at.next().value) % count
  const inside = (node: Json): Json => {
    if (typeof node !== 'object' || node === null || pick(4) === 0)
      return how === 'replace' || how === 'drop' ? put : node
    if (Array.isArray(node)) {
      if (node.length === 0) return [put]
      const index = pick(node.length)
      if (how === 'twice') return [...node, node[index] ?? null]
      if (how === 'drop') return node.toSpliced(index, 1)
      return node.with(index, inside(node[index] ?? null))
    }
    const keys = Object.keys(node)
    if (how === 'add' || keys.length === 0) return { ...node, [name]: put }
    const key = keys[pick(keys.length)] ?? ''
    if (how === 'drop' && pick(2) === 0)
      return Object.fromEntries(Object.entries(node).filter(([other]) => other !== key))
    return { ...node, [key]: inside(node[key] ?? null) }
  }
  return inside(document)
}

describe('whatever a profile says', () => {
  it('it loads, or is refused with a place and a reason code', () => {
    let loaded = 0
    let refused = 0
    fc.assert(
      fc.property(fc.constantFrom(...seeds), fc.array(change, { maxLength: 3 }), (seed, changes) => {
        const text = stringify(changes.reduce(changed, seed), { aliasDuplicateObjects: false })
        try {
          const [profile] = loadTexts(environment, text).all
          expect(profile?.digest).toMatch(/^[0-9a-f]{64}$/)
          loaded += 1
        } catch (error) {
          if (!(error instanceof DragomanError)) throw error
          expect(error.code).toMatch(/^ERR_(PROFILE|KEY)_/)
          for (const problem of error.detail['problems'] as string[])
            expect(problem).toMatch(/^one\.yaml:\d+:\d+: .+\n.*\n *\^$/s)
          refused += 1
        }
      }),
      { numRuns: RUNS },
    )
    // Or nothing would have been tried.
    expect(Math.min(loaded, refused)).toBeGreaterThan(RUNS / 20)
  })

  it('a text that is no profile is refused, whatever it is', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string({ unit: 'binary' }),
          fc.json().map((json) => stringify(JSON.parse(json))),
        ),
        (text) => {
          expect(() => loadTexts(environment, text)).toThrow(DragomanError)
        },
      ),
      { numRuns: RUNS },
    )
  })
})
