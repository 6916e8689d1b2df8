import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { ExpressionVariables } from '../../src/core/stage.ts'
import { isList, isMap, map, type Value } from '../../src/core/value.ts'
import { compileExpression } from '../../src/expressions/cel.ts'
import { code } from '../support/exchange.ts'

const numRuns = Number(process.env['FUZZ_RUNS'] ?? 100)

const variables = (subject: { readonly [name: string]: Value } = {}): ExpressionVariables => ({
  claims: map([['department', 'sales']]),
  subject: map(Object.entries(subject)),
  actor: map(),
  client: map([['id', 'orders']]),
  request: map([['scope', ['read']]]),
  proof: map(),
  now: 1_790_000_000,
})

const run = (source: string, subject?: { readonly [name: string]: Value }) =>
  compileExpression(source).evaluate(variables(subject))

const refusal = (source: string) => expect(() => compileExpression(source), source)

describe('cel', () => {
  it.each<[string, Value]>([
    ['subject.level + 1', 8],
    ['now + 60', 1_790_000_060],
    ['subject.ratio * 2.0', 1],
    ['subject.level > 6.5', true],
    ['subject.email.startsWith("ada@")', true],
    ['subject["kubernetes.io"].namespace', 'pay'],
    ['"admin" in subject.roles', true],
    ['subject.roles.exists(role, role.endsWith("min"))', true],
    ['subject.roles.map(role, "r:" + role)', ['r:dev', 'r:admin']],
    ['subject.roles.filter(role, role != "dev")', ['admin']],
    ['size(subject.roles)', 2],
    ['has(subject.email) && !has(subject.phone)', true],
    ['has(subject.phone) ? subject.phone : "none"', 'none'],
    ['client.id + "/" + claims.department', 'orders/sales'],
    ['request.scope == ["read"]', true],
    [
      '{"a": subject.level, "b": [true, null]}',
      map([
        ['a', 7],
        ['b', [true, null]],
      ]),
    ],
    ['subject.raw == b"\\x01\\x02"', true],
    ['subject.raw', Uint8Array.of(1, 2)],
    ['int("42") + 1', 43],
    ['int(2.9)', 2],
    ['string(subject.level)', '7'],
    ['timestamp("2030-01-01T00:00:00Z") > timestamp(now)', true],
    ['subject.email.matches("^[a-z]+@example[.]org$")', true],
    ['subject.list.split(",").size()', 3],
    ['"ÀÉ-AZ".lowerAscii() + "az".upperAscii()', 'ÀÉ-azAZ'],
  ])('%s', (source, expected) => {
    const subject = {
      level: 7,
      ratio: 0.5,
      email: 'ada@example.org',
      roles: ['dev', 'admin'],
      'kubernetes.io': map([['namespace', 'pay']]),
      raw: Uint8Array.of(1, 2),
      list: 'a,b,c',
    }
    expect(run(source, subject)).toEqual(expected)
  })

  it.each([
    ['subject.a ==', 'a syntax error'],
    ['issuer == "x"', 'an unknown variable'],
    ['now + "a"', 'a type error'],
    ['cel.bind(x, subject.a, x)', 'a binding, which could double a value again and again'],
    ['b"{}".json()', 'a parser'],
    ['optional.of(1)', 'a function that is not offered'],
    ['subject.email.matches(subject.pattern)', 'a pattern out of the token'],
    ['subject.email.matches("(a)\\\\1")', 'a back-reference'],
    ['subject.a.all(x, subject.b.all(y, subject.c.all(z, true)))', 'three comprehensions in one another'],
    ['[1].all(x, [2].all(y, [3].all(z, true)))', 'three comprehensions in one another, however short'],
    ['subject.a.all(x, subject.b.all(y, y in subject.c))', 'more steps than allowed'],
    [`"${'a'.repeat(2048)}" == ""`, 'more than 2 KiB'],
    [`${'('.repeat(40)}1${')'.repeat(40)}`, 'too many parentheses in one another'],
    [Array.from({ length: 400 }, () => '1').join('+'), 'too many parts'],
  ])('refuses %s when it is loaded: %s', (source) => {
    refusal(source).toThrow(code('ERR_PROFILE_OPTION', { expected: expect.any(String), position: expect.any(Number) }))
  })

  it('says where in the source it is wrong', () => {
    refusal('has(subject.a) && role == "x"').toThrow(
      code('ERR_PROFILE_OPTION', { position: 18, expression: 'has(subject.a) && role == "x"' }),
    )
  })

  it('tells the type of its result, as far as it is known', () => {
    expect(['now > 1', '"a"', 'subject.a', 'now'].map((source) => compileExpression(source).type)).toEqual([
      'bool',
      'string',
      'dyn',
      'int',
    ])
  })

  it.each<[string, { readonly [name: string]: Value }, string]>([
    ['subject.phone', {}, 'a claim that is absent'],
    ['subject.level + 1', { level: '7' }, 'a claim of another type'],
    ['now / 0', {}, 'a division by zero'],
    ['int(subject.n)', { n: '' }, 'no number at all'],
    ['int(subject.n)', { n: '0x10' }, 'a number that is not decimal'],
    ['int(subject.n)', { n: '9223372036854775808' }, 'a number beyond 64 bits'],
    ['9223372036854775807', {}, 'a result that is no JSON integer'],
    ['0.0 / 0.0', {}, 'a result that is no number'],
    ['timestamp(now)', {}, 'a result that no claim can be'],
    ['1u', {}, 'an unsigned result'],
    ['size(subject.list) > 0', { list: Array.from({ length: 257 }, () => 'x') }, 'a list that is too long'],
    ['size(subject.text) > 0', { text: 'x'.repeat(16_385) }, 'a text that is too long'],
    ['subject.text.matches("x")', { text: 'x'.repeat(4097) }, 'a text that is too long to match'],
    ['subject.text.split(",").size() > 0', { text: ','.repeat(300) }, 'too many parts'],
    ['subject.deep == subject.deep', { deep: nested(6) }, 'lists in lists in lists'],
    [
      'size(subject.wide) > 0',
      { wide: Array.from({ length: 200 }, () => Array.from({ length: 30 }, () => 1)) },
      'too many values',
    ],
    [
      'subject.rows.map(a, subject.rows.map(b, a))',
      { rows: Array.from({ length: 100 }, () => 'x') },
      'a result that is too large',
    ],
  ])('fails on %s: %#', (source, subject) => {
    expect(() => run(source, subject)).toThrow(code('ERR_PROFILE_EXPRESSION', { expression: source }))
  })

  it('looks only at what the expression reads: other claims may be as long as they like', () => {
    const roles = Array.from({ length: 5000 }, () => 'x')
    expect(run('subject.email == "a"', { email: 'a', roles })).toBe(true)
  })

  it('tells nothing of the token in an error', () => {
    const secret = 'hunter2'
    const failures = [
      () => run('bool(subject.a)', { a: secret }),
      () => run('claims[subject.a]', { a: secret }),
      () => run('int(subject.a)', { a: secret }),
      () => run('subject.a + 1', { a: secret }),
    ]
    for (const failure of failures) {
      let error: unknown
      try {
        failure()
      } catch (thrown) {
        error = thrown
      }
      expect(error).toEqual(code('ERR_PROFILE_EXPRESSION'))
      const { message, detail, cause } = error as Error & { detail: unknown }
      expect(JSON.stringify([message, detail, String(cause)])).not.toContain(secret)
    }
  })

  it.each(['constructor', '__proto__', 'toString', 'prototype'])(
    '%s is a claim like any other, and is not there',
    (name) => {
      expect(run(`has(subject.${name}) || "${name}" in subject`)).toBe(false)
      expect(() => run(`subject["${name}"]`)).toThrow(code('ERR_PROFILE_EXPRESSION'))
    },
  )

  it('hides a variable behind an iteration variable of the same name', () => {
    expect(run('subject.roles.exists(client, client == "dev")', { roles: ['dev'] })).toBe(true)
  })

  it('T-20: matches("^(a+)+$") on hostile input returns within 10 ms', () => {
    const expression = compileExpression('subject.text.matches("^(a+)+$")')
    const hostile = variables({ text: `${'a'.repeat(4000)}!` })
    const times = Array.from({ length: 20 }, () => {
      const start = performance.now()
      expect(expression.evaluate(hostile)).toBe(false)
      return performance.now() - start
    })
    // The quickest of many: a busy machine is no reason to fail, and a pattern that backtracks would never get here.
    expect(Math.min(...times)).toBeLessThan(10)
  })

  it('lowerAscii does not turn the Kelvin sign into a k', () => {
    expect(run('subject.name.lowerAscii() == "kim"', { name: '\u212Aim' })).toBe(false)
  })

  it('knows no minus zero', () => {
    expect(Object.is(run('-1.0 * 0.0'), 0)).toBe(true)
  })

  it('gives every neutral value back as it was', () => {
    const leaf = fc.oneof(
      fc.string({ maxLength: 20 }),
      fc.integer(),
      fc.maxSafeInteger(),
      fc
        .double({ noNaN: true, noDefaultInfinity: true })
        .filter((n) => !Number.isInteger(n) || Number.isSafeInteger(n)),
      fc.boolean(),
      fc.constant(null),
      fc.uint8Array({ maxLength: 10 }),
    )
    const value = fc.oneof(
      leaf,
      fc.array(leaf, { maxLength: 5 }),
      fc
        .dictionary(fc.string({ maxLength: 5 }), leaf, { maxKeys: 5, noNullPrototype: false })
        .map((record) => map(Object.entries(record))),
    )
    const expression = compileExpression('subject.value')
    fc.assert(
      fc.property(value, (given) => {
        const result = expression.evaluate(variables({ value: given }))
        expect(result).toEqual(Object.is(given, -0) ? 0 : normal(given))
      }),
      { numRuns },
    )
  })
})

function nested(levels: number): Value {
  return levels === 0 ? 1 : [nested(levels - 1)]
}

/** Minus zero comes back as zero, wherever it stands. */
function normal(value: Value): Value {
  if (Object.is(value, -0)) return 0
  if (isList(value)) return value.map(normal)
  return isMap(value) ? map(Object.entries(value).map(([name, item]) => [name, normal(item)])) : value
}
