import { describe, expect, it } from 'vitest'
import { checkFor } from '../../src/profiles/check.ts'
import { pathText } from '../../src/profiles/problem.ts'

const told = (schema: object, value: unknown) =>
  checkFor(schema)(value).map(({ path, message, atName }) => `${atName ? '@' : ''}${pathText(path)}: ${message}`)

const map = (properties: object, more: object = {}) => ({
  type: 'object',
  additionalProperties: false,
  properties,
  ...more,
})

describe('a value that does not fit its schema', () => {
  it.each<[string, object, unknown, readonly string[]]>([
    [
      'an unknown option that resembles one',
      map({ lifetime: {} }),
      { lifetme: 1 },
      ['@lifetme: unknown option; did you mean `lifetime`?'],
    ],
    [
      'two letters that changed places',
      map({ lifetime: {} }),
      { lifetiem: 1 },
      ['@lifetiem: unknown option; did you mean `lifetime`?'],
    ],
    ['another case', map({ lifetime: {} }), { lifeTime: 1 }, ['@lifeTime: unknown option; did you mean `lifetime`?']],
    [
      'an unknown option that resembles none',
      map({ a: {}, b: {} }),
      { zebra: 1 },
      ['@zebra: unknown option; known here: a, b'],
    ],
    [
      'an unknown option where there are many',
      map(Object.fromEntries(Array.from({ length: 14 }, (_, i) => [`option${i}`, {}]))),
      { zebra: 1 },
      [
        '@zebra: unknown option; known here: option0, option1, option2, option3, option4, option5, option6, option7, option8, option9, option10, option11, and 2 more',
      ],
    ],
    ['an option where there is none', map({}), { a: 1 }, ['@a: unknown option; there are no options here']],
    ['a missing option', map({ a: {} }, { required: ['a'] }), {}, [': `a` is missing']],
    [
      'an option without its partner',
      map({ a: {}, b: {} }, { dependentRequired: { a: ['b'] } }),
      { a: 1 },
      [': `b` is missing, which goes with `a`'],
    ],
    ['another type', map({ a: { type: 'string' } }), { a: 5 }, ['a: expected text, found a number']],
    ['a list for a map', { type: 'object' }, [], [': expected a map, found a list']],
    ['a map for a list', { type: 'array' }, {}, [': expected a list, found a map']],
    ['a fraction for a whole number', { type: 'integer' }, 1.5, [': expected a whole number, found a number']],
    ['infinity', { type: 'integer' }, Number.POSITIVE_INFINITY, [': expected a whole number, found a number']],
    ['nothing', { type: 'boolean' }, null, [': expected true or false, found nothing']],
    [
      'one of a list',
      { enum: ['plain', 'hashed'] },
      'hahsed',
      [': expected one of plain, hashed; did you mean `hashed`?'],
    ],
    ['a constant', { const: true }, false, [': expected true, or no such option']],
    ['a pattern', { type: 'string', pattern: '^a$' }, 'b', [': expected text that matches ^a$']],
    ['empty text', { type: 'string', minLength: 1 }, '', [': expected text that is not empty']],
    ['long text', { type: 'string', maxLength: 2 }, 'abc', [': expected at most 2 characters']],
    ['an empty list', { type: 'array', minItems: 1 }, [], [': expected at least 1 in the list']],
    ['a long list', { type: 'array', maxItems: 1 }, [1, 2], [': expected at most 1 in the list']],
    ['a repeated entry', { type: 'array', uniqueItems: true }, ['a', 'b', 'a'], ['[2]: stands in the list twice']],
    ['an empty map', map({ a: {} }, { minProperties: 1 }), {}, [': expected at least one option']],
    ['a small number', { type: 'integer', minimum: 1 }, 0, [': expected a number of at least 1']],
    ['a large number', { type: 'integer', exclusiveMaximum: 9 }, 9, [': expected a number below 9']],
    [
      'a name that cannot be',
      { type: 'object', propertyNames: { pattern: '^a' } },
      { b: 1 },
      ['@b: expected text that matches ^a as a name'],
    ],
    ['a keyword without words of ours', { not: { type: 'string' } }, 'a', [': must NOT be valid']],
  ])('is told of %s', (_, schema, value, expected) => {
    expect(told(schema, value).toSorted()).toEqual(expected.toSorted())
  })

  it('is told of everything at once, and of nothing twice', () => {
    const schema = map(
      { a: { allOf: [{ type: 'string' }, { type: 'string' }] }, b: { type: 'integer' } },
      { required: ['c'] },
    )
    expect(told(schema, { a: 1, b: 'x', zebra: 1 }).toSorted()).toEqual([
      ': `c` is missing',
      '@zebra: unknown option; known here: a, b',
      'a: expected text, found a number',
      'b: expected a whole number, found text',
    ])
  })

  it('says where it is, with every character a name may have', () => {
    const schema = { type: 'object', additionalProperties: { type: 'array', items: { type: 'string' } } }
    expect(told(schema, { 'a/b~c.d': ['x', 5] })).toEqual(['["a/b~c.d"][1]: expected text, found a number'])
  })
})

describe('alternatives', () => {
  const target = {
    anyOf: [
      { type: 'string', minLength: 1 },
      map({ request: { type: 'string' } }, { type: 'object', required: ['request'] }),
    ],
  }

  it.each<[string, object, unknown, readonly string[]]>([
    ['of other types are named', target, 5, [': expected text or a map, found a number']],
    ['of which one is of the type: what is wrong in it is told', target, '', [': expected text that is not empty']],
    [
      'of which one is of the type: what is misspelt in it is told',
      target,
      { reqest: 'a', request: 'b' },
      ['@reqest: unknown option; did you mean `request`?'],
    ],
    [
      'with a word',
      { anyOf: [{ const: 'any' }, { type: 'array' }] },
      'all',
      [': expected "any" or a list, found text'],
    ],
    [
      'of the same type are not guessed',
      {
        anyOf: [
          { type: 'string', pattern: '^a' },
          { type: 'string', pattern: '^b' },
        ],
      },
      'c',
      [': expected text or text, found text'],
    ],
  ])('%s', (_, schema, value, expected) => {
    expect(told(schema, value)).toEqual(expected)
  })

  const groups = map(
    { file: {}, env: {}, a: {}, b: {} },
    { oneOf: [{ required: ['file'] }, { required: ['env'] }, { required: ['a', 'b'] }] },
  )

  it.each<[string, unknown, readonly string[]]>([
    ['none', {}, [': expected exactly one of `file`, or `env`, or `a` and `b`']],
    ['several', { file: 1, env: 2 }, [': expected exactly one of `file`, or `env`, or `a` and `b`, found several']],
    ['half of one', { a: 1 }, [': `b` is missing']],
    ['one that is misspelt', { fiel: 1 }, ['@fiel: unknown option; did you mean `file`?']],
    ['no map', [], [': expected a map, found a list']],
  ])('of members are to be exactly one: %s', (_, value, expected) => {
    expect(told(groups, value)).toEqual(expected)
  })
})

describe('a schema', () => {
  it('with a keyword that there is not is no schema', () => {
    expect(() => checkFor({ type: 'object', additionalPropertis: false })).toThrow(/additionalPropertis/)
  })

  it.each([
    [{ type: 'strng' }],
    [{ type: 'object', required: 'a' }],
    [{ type: 'object', properties: ['a'] }],
    [{ type: 'string', minLength: '1' }],
    [{ enum: 'a' }],
  ])('of which a keyword has a value of the wrong type is no schema: %j', (schema) => {
    expect(() => checkFor(schema)).toThrow()
  })

  it('may have a default, a format and a description, which check nothing', () => {
    expect(told({ type: 'string', format: 'uri', default: 'x', description: 'y' }, 'not a uri')).toEqual([])
  })
})

describe('a value', () => {
  it('is never repeated in what is told of it', () => {
    const schema = map({
      a: { type: 'integer' },
      b: { enum: ['x'] },
      c: { pattern: '^x' },
      d: { const: 1 },
      e: { type: 'array', uniqueItems: true },
    })
    const value = { a: 'canary', b: 'canary', c: 'canary', d: 'canary', e: ['canary', 'canary'] }
    expect(told(schema, value)).toHaveLength(5)
    expect(told(schema, value).join('\n')).not.toContain('canary')
  })
})
