import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isWorkloadId } from '../../src/core/spiffe.ts'
import { map, type Value } from '../../src/core/value.ts'
import { templateOf } from '../../src/stages/template.ts'
import { code } from '../support/exchange.ts'

const numRuns = Number(process.env['FUZZ_RUNS'] ?? 200)

const fill = (template: string, subject: { readonly [name: string]: Value }) =>
  templateOf(
    template,
    'template',
  )({
    claims: map(),
    subject: map(Object.entries({ trust_domain: 'example.org', ...subject })),
    actor: map(),
    client: map(),
    request: map(),
    proof: map(),
    now: 0,
  })

describe('template', () => {
  it.each([
    ['spiffe://{trust_domain}/ns/{subject.ns}/sa/{subject.sa}', 'spiffe://example.org/ns/pay/sa/a-b_c.d'],
    ['spiffe://gw.example/user/{subject.sa}', 'spiffe://gw.example/user/a-b_c.d'],
    ['spiffe://gw.example/u-{subject.ns}', 'spiffe://gw.example/u-pay'],
    ['ci:{subject.id}:{subject.env}', 'ci:551:prod%3Ablue'],
    ['{subject.mail}', 'a%2Bb%40x.org'],
    ['https://id.example/{subject.path}?a={subject.env}', 'https://id.example/..%2F..%2Fadmin?a=prod%3Ablue'],
    ['urn:x:{subject["kubernetes.io"].namespace}', 'urn:x:pay'],
    ['u:{subject.odd}', 'u:%21%27%28%29%2A%C3%A9'],
  ])('%s', (template, expected) => {
    const subject = {
      ns: 'pay',
      sa: 'a-b_c.d',
      id: 551,
      env: 'prod:blue',
      mail: 'a+b@x.org',
      path: '../../admin',
      odd: "!'()*é",
      'kubernetes.io': map([['namespace', 'pay']]),
    }
    expect(fill(template, subject)).toBe(expected)
  })

  it.each([undefined, '', null, true, 1.5, ['a'], '.', '..', '\ud800'])(
    'refuses %j in place of a placeholder',
    (value) => {
      const subject = value === undefined ? {} : { x: value as Value }
      expect(() => fill('a:{subject.x}', subject)).toThrow(code('ERR_PROFILE_SUBJECT', { placeholder: 'subject.x' }))
    },
  )

  it.each(['a/b', '..', '.', 'a b', 'a%2fb', 'é', 'a@b', 'a:b', '?', '#', '~'])(
    'SP-03: refuses %j as a segment of a SPIFFE ID, where nothing can be encoded',
    (value) => {
      expect(() => fill('spiffe://a.example/u/{subject.x}', { x: value })).toThrow(code('ERR_PROFILE_SUBJECT'))
    },
  )

  it.each(['Example.org', 'a/b', 'a:8443', '', 'a'.repeat(256)])('SP-02: refuses %j as a trust domain', (value) => {
    expect(() => fill('spiffe://{trust_domain}/x', { trust_domain: value })).toThrow(code('ERR_PROFILE_SUBJECT'))
  })

  it.each([
    ['plain', 'no placeholder'],
    ['a{subject.x', 'an open brace'],
    ['a}{subject.x}', 'a stray brace'],
    ['{subject.x}{subject.y}', 'nothing between two placeholders'],
    ['{subject.x}-{subject.y}', 'a separator that a value can contain'],
    ['{subject.x}%{subject.y}', 'a separator that encoding makes'],
    ['spiffe://a.example/{subject.x}-{subject.y}', 'a separator that a segment can contain'],
    ['{email}', 'a path without a root'],
    ['{}', 'an empty placeholder'],
    ['https://{subject.x}.example/a', 'a host made of a claim'],
    ['spiffe://{subject.x}/a', 'a trust domain made of a claim'],
    ['spiffe://{trust_domain}.evil.example/a', 'a trust domain with more behind it'],
    ['spiffe://A.example/{subject.x}', 'a trust domain in upper case'],
    ['spiffe://a.example//{subject.x}', 'an empty segment'],
    ['spiffe://a.example/{subject.x}/', 'a slash at the end'],
    ['spiffe://a.example/../{subject.x}', 'a dot segment'],
    ['spiffe://a.example/{subject.x}?q', 'a query'],
  ])('refuses to load %s: %s', (template) => {
    expect(() => templateOf(template, 'template')).toThrow(code('ERR_PROFILE_OPTION', { path: 'template' }))
  })

  const values = fc.tuple(fc.string({ unit: 'binary', maxLength: 8 }), fc.string({ unit: 'binary', maxLength: 8 }))

  it('XI-14: no value breaks out of its place, and every result is ASCII without spaces', () => {
    fc.assert(
      fc.property(values, ([x, y]) => {
        fc.pre(![x, y].some((value) => value === '' || value === '.' || value === '..'))
        const parts = fill('https://id.example/{subject.x}/k/{subject.y}', { x, y }).split('/')
        expect(parts.map(decodeURIComponent)).toEqual(['https:', '', 'id.example', x, 'k', y])
        expect(parts.join('/')).toMatch(/^[\x21-\x7e]+$/)
      }),
      { numRuns },
    )
  })

  it('makes a SPIFFE ID with as many segments as the template has, or refuses', () => {
    const text = fc.oneof(fc.string({ maxLength: 6 }), fc.stringMatching(/^[a-zA-Z0-9._/%-]{0,6}$/))
    fc.assert(
      fc.property(text, text, (x, y) => {
        try {
          const id = fill('spiffe://a.example/ns/{subject.x}/sa/{subject.y}', { x, y })
          expect(isWorkloadId(id)).toBe(true)
          expect(id.split('/').slice(3)).toEqual(['ns', x, 'sa', y])
        } catch (error) {
          expect(error).toEqual(code('ERR_PROFILE_SUBJECT'))
        }
      }),
      { numRuns },
    )
  })

  it('BD-11: different values never make the same subject', () => {
    const text = fc.stringMatching(/^[a:%/.-]{1,4}$/).filter((value) => value !== '.' && value !== '..')
    fc.assert(
      fc.property(fc.tuple(text, text), fc.tuple(text, text), ([x, y], [v, w]) => {
        const one = fill('{subject.x}:{subject.y}', { x, y })
        const other = fill('{subject.x}:{subject.y}', { x: v, y: w })
        expect(one === other).toBe(x === v && y === w)
      }),
      { numRuns },
    )
  })
})
